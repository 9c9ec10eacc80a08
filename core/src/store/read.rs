//! What is read: parts of a stream, parts of the log, always in pages of bounded size.

use std::borrow::Cow;

use crate::position::Position;
use crate::recorded_event::RecordedEvent;
use crate::store::StoreError;
use crate::stream::StreamId;

/// In which direction a stream is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Direction {
    /// From the oldest event to the newest.
    #[default]
    Forwards,
    /// From the newest event to the oldest.
    Backwards,
}

/// A part of one stream.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ReadStream {
    /// The stream.
    pub stream_id: StreamId,
    /// The lowest version that is read.
    pub from: u64,
    /// The highest version that is read.
    pub to: u64,
    /// In which direction.
    pub direction: Direction,
    /// How many events a page has at most.
    pub limit: usize,
    /// Whether the events' metadata is read. A store may leave it out otherwise, as if there were none.
    pub metadata: bool,
}

impl ReadStream {
    /// Reads a whole stream forwards, 1,024 events a page.
    pub fn new(stream_id: StreamId) -> Self {
        let direction = Direction::Forwards;
        Self { stream_id, from: 1, to: u64::MAX, direction, limit: 1024, metadata: true }
    }

    /// Reads from this version on.
    #[must_use]
    pub fn from(mut self, version: u64) -> Self {
        self.from = version;
        self
    }

    /// Reads up to this version, itself included.
    #[must_use]
    pub fn to(mut self, version: u64) -> Self {
        self.to = version;
        self
    }

    /// Reads from the newest event to the oldest.
    #[must_use]
    pub fn backwards(mut self) -> Self {
        self.direction = Direction::Backwards;
        self
    }

    /// Sets how many events a page has at most; at least one.
    #[must_use]
    pub fn limit(mut self, events: usize) -> Self {
        self.limit = events.max(1);
        self
    }

    /// Sets whether the events' metadata is read: whoever does not look at it need not wait for it.
    #[must_use]
    pub fn metadata(mut self, is_read: bool) -> Self {
        self.metadata = is_read;
        self
    }

    /// The read of what follows a page of this one; `None` if nothing does.
    ///
    /// # Errors
    ///
    /// When the page is empty, but says that more is to come: to stop there would pass over events.
    pub fn following(mut self, page: &Page) -> Result<Option<Self>, StoreError> {
        if !page.more {
            return Ok(None);
        }
        let Some(last) = page.events.last() else {
            let Self { stream_id, from, to, .. } = self;
            return Err(StoreError::other(format!(
                "the store answered the read of stream `{stream_id}` from version {from} to {to} with an empty page, but more is to come"
            )));
        };
        let bound = match self.direction {
            Direction::Forwards => last.stream_version.checked_add(1).map(|next| self.from = next),
            Direction::Backwards => last.stream_version.checked_sub(1).map(|next| self.to = next),
        };
        Ok(bound.map(|()| self))
    }
}

/// A page of a stream.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Page {
    /// The events, in the direction that was asked for.
    pub events: Vec<RecordedEvent>,
    /// Whether the part of the stream that was asked for goes on after this page.
    pub more: bool,
}

impl Page {
    /// Makes a page.
    pub const fn new(events: Vec<RecordedEvent>, more: bool) -> Self {
        Self { events, more }
    }
}

/// Which events of the log are read.
///
/// ```
/// use annals::{EventFilter, StreamId};
///
/// let ada = StreamId::new("account", "ada");
/// let filter = EventFilter::all().event_types(["AccountOpened"]);
/// assert!(filter.matches("AccountOpened", &ada));
/// assert!(!filter.matches("AccountClosed", &ada));
/// assert!(!filter.streams([StreamId::new("account", "bob")]).matches("AccountOpened", &ada));
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct EventFilter {
    /// The stored names of the events; `None` for all.
    pub event_types: Option<Vec<Cow<'static, str>>>,
    /// The categories of their streams; `None` for all.
    pub categories: Option<Vec<Cow<'static, str>>>,
    /// The streams; `None` for all.
    pub streams: Option<Vec<StreamId>>,
}

impl EventFilter {
    /// Takes every event.
    pub fn all() -> Self {
        Self::default()
    }

    /// Takes only events that are stored under these names. What was stored under an alias of an event has that name: give
    /// both, as `[E::NAME].into_iter().chain(E::ALIASES.iter().copied())` does.
    #[must_use]
    pub fn event_types<N: Into<Cow<'static, str>>>(
        mut self,
        names: impl IntoIterator<Item = N>,
    ) -> Self {
        self.event_types = Some(names.into_iter().map(Into::into).collect());
        self
    }

    /// Takes only events in streams of these categories.
    #[must_use]
    pub fn categories<N: Into<Cow<'static, str>>>(
        mut self,
        names: impl IntoIterator<Item = N>,
    ) -> Self {
        self.categories = Some(names.into_iter().map(Into::into).collect());
        self
    }

    /// Takes only events in these streams.
    ///
    /// A store looks each of them up for each page: for many streams of one category, take the
    /// [category](Self::categories).
    #[must_use]
    pub fn streams(mut self, streams: impl IntoIterator<Item = StreamId>) -> Self {
        self.streams = Some(streams.into_iter().collect());
        self
    }

    /// Whether an event of this name in this stream is taken.
    pub fn matches(&self, event_type: &str, stream_id: &StreamId) -> bool {
        let takes = |names: &Option<Vec<Cow<'static, str>>>, name: &str| {
            names.as_ref().is_none_or(|names| names.iter().any(|known| known == name))
        };
        takes(&self.event_types, event_type)
            && takes(&self.categories, stream_id.category())
            && self.streams.as_ref().is_none_or(|streams| streams.contains(stream_id))
    }
}

/// A part of the log: all events after a position, in the order of positions.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ReadAll {
    /// The position after which is read.
    pub after: Position,
    /// Which events are read.
    pub filter: EventFilter,
    /// How many events a page has at most.
    pub limit: usize,
}

impl ReadAll {
    /// Reads all events after a position, 1,024 events a page.
    pub fn after(after: Position) -> Self {
        Self { after, filter: EventFilter::all(), limit: 1024 }
    }

    /// Reads only the events that the filter takes.
    #[must_use]
    pub fn filter(mut self, filter: EventFilter) -> Self {
        self.filter = filter;
        self
    }

    /// Sets how many events a page has at most; at least one.
    #[must_use]
    pub fn limit(mut self, events: usize) -> Self {
        self.limit = events.max(1);
        self
    }

    /// The read of what follows a page of this one; `None` if nothing does.
    ///
    /// # Errors
    ///
    /// When the page reached no further than where it began, but says that more is to come: the read would never end.
    pub fn following(self, page: &LogPage) -> Result<Option<Self>, StoreError> {
        if !page.more {
            return Ok(None);
        }
        if page.reached <= self.after {
            let after = self.after;
            return Err(StoreError::other(format!(
                "the store answered the read of the log after position {after} with a page that reached no further, but more is to come"
            )));
        }
        Ok(Some(Self { after: page.reached, ..self }))
    }
}

/// A page of the log.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct LogPage {
    /// The events that the filter takes, in the order of positions.
    pub events: Vec<RecordedEvent>,
    /// Up to where the log was looked through, matching or not: the next page is read after it, and no event will
    /// ever appear at or below it.
    pub reached: Position,
    /// Whether there was more to look through after this page.
    pub more: bool,
}

impl LogPage {
    /// Makes a page.
    pub const fn new(events: Vec<RecordedEvent>, reached: Position, more: bool) -> Self {
        Self { events, reached, more }
    }
}
