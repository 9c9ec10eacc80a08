//! The fold of a stream into a state, from a snapshot where there is a good one.

use std::time::Instant;

use uuid::Uuid;

use super::snapshot::{self, Beginning, Restored};
use super::{EventError, LoadError, error::Reason};
use crate::aggregate::Aggregate;
use crate::codec::{PayloadCodec, PayloadOf};
use crate::context::EventContext;
use crate::event::EventEnum;
use crate::metrics::{self, SnapshotLoad};
use crate::position::Position;
use crate::recorded_event::RecordedEvent;
use crate::store::{Ahead, Page, ReadStream, Stores};
use crate::stream::{StreamHead, StreamId};
use crate::timestamp::Timestamp;

/// How far a stream is folded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Until {
    Head,
    Version(u64),
    Instant(Timestamp),
}

/// A state, and the last event that led to it.
#[derive(Debug)]
pub(crate) struct Replayed<A> {
    pub(crate) state: Option<A>,
    pub(crate) last: Option<Last>,
}

/// What is remembered of the last event.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Last {
    pub(crate) event_id: Uuid,
    pub(crate) stream_version: u64,
    pub(crate) position: Position,
    pub(crate) recorded_at: Timestamp,
}

impl Last {
    pub(crate) fn of(event: &RecordedEvent) -> Self {
        Self {
            event_id: event.id,
            stream_version: event.stream_version,
            position: event.position,
            recorded_at: event.recorded_at,
        }
    }
}

impl Last {
    /// Where the stream ends with it.
    pub(crate) fn head(self) -> StreamHead {
        StreamHead::new(self.stream_version, self.position, self.recorded_at)
    }
}

impl<A> Replayed<A> {
    /// The same with what only the store knew of the last event.
    pub(crate) fn ending_at(mut self, head: StreamHead) -> Self {
        if let Some(last) = &mut self.last {
            last.position = head.position;
            last.recorded_at = head.recorded_at;
        }
        self
    }

    /// The version of the last event; 0 if there is none.
    pub(crate) fn version(&self) -> u64 {
        self.last.map_or(0, |last| last.stream_version)
    }
}

/// Folds a stream.
pub(crate) async fn replay<A: Aggregate>(
    stores: &Stores,
    id: &A::Id,
    stream_id: &StreamId,
    until: Until,
) -> Result<Replayed<A>, LoadError> {
    let to = match until {
        Until::Version(version) => version,
        Until::Head | Until::Instant(_) => u64::MAX,
    };
    let whole = ReadStream::new(stream_id.clone()).to(to).metadata(A::TAKES_CONTEXT);
    let begun = Instant::now();
    let codec = stores.events.codec();
    let Beginning { restored, mut page } = snapshot::begin::<A>(stores, &whole).await;
    if let Some(restored) = restored {
        let version = restored.stream_version;
        let read = whole.clone().from(version);
        let page = match page.take() {
            Some(page) => page,
            None => stores.events.stream_page(&read).await?,
        };
        let rest = read.following(&page)?;
        let mut events = page.events.into_iter();
        match restored.check(events.next().as_ref(), until) {
            Ok((state, last)) => {
                metrics::snapshot_load(A::CATEGORY, SnapshotLoad::Hit);
                let mut fold = Fold::new(id, codec, until, begun);
                (fold.state, fold.last) = (Some(state), Some(last));
                return match fold.apply_all(events)? {
                    Reached::Until => Ok(fold.done()),
                    Reached::End => fold.run(stores, None, rest).await,
                };
            }
            Err(NoUse::TooYoung) => metrics::snapshot_load(A::CATEGORY, SnapshotLoad::Miss),
            Err(NoUse::Bad(reason)) => {
                metrics::snapshot_load(A::CATEGORY, SnapshotLoad::Unusable);
                tracing::warn!(
                    %stream_id,
                    stream_version = version,
                    reason,
                    "the snapshot counts as none: the whole stream is replayed"
                );
            }
        }
    }
    Fold::new(id, codec, until, begun).run(stores, page, Some(whole)).await
}

/// A fold under way.
struct Fold<'a, A: Aggregate> {
    id: &'a A::Id,
    codec: &'a dyn PayloadCodec,
    until: Until,
    state: Option<A>,
    last: Option<Last>,
    cx: Option<EventContext<A>>,
    begun: Instant,
    events: u64,
}

impl<'a, A: Aggregate> Fold<'a, A> {
    fn new(id: &'a A::Id, codec: &'a dyn PayloadCodec, until: Until, begun: Instant) -> Self {
        Self { id, codec, until, state: None, last: None, cx: None, begun, events: 0 }
    }

    /// Folds the pages of `next` and of what follows it, the first of which may be there.
    async fn run(
        mut self,
        stores: &Stores,
        mut first: Option<Page>,
        mut next: Option<ReadStream>,
    ) -> Result<Replayed<A>, LoadError> {
        let mut ahead = None;
        while let Some(read) = next {
            let page = match (first.take(), ahead.take()) {
                (Some(page), _) => page,
                (None, Some(page)) => Ahead::page(page).await?,
                (None, None) => stores.events.stream_page(&read).await?,
            };
            next = read.following(&page)?;
            if let Some(read) = next.clone() {
                let events = stores.events.clone();
                ahead = Ahead::begin(async move { events.stream_page(&read).await }).await;
            }
            if let Reached::Until = self.apply_all(page.events)? {
                break;
            }
        }
        Ok(self.done())
    }

    fn apply_all(
        &mut self,
        events: impl IntoIterator<Item = RecordedEvent>,
    ) -> Result<Reached, EventError> {
        for event in events {
            if matches!(self.until, Until::Instant(instant) if event.recorded_at > instant) {
                return Ok(Reached::Until);
            }
            self.apply(event).inspect_err(told)?;
        }
        Ok(Reached::End)
    }

    fn done(self) -> Replayed<A> {
        metrics::replay(A::CATEGORY, self.events, self.begun.elapsed());
        Replayed { state: self.state, last: self.last }
    }

    fn apply(&mut self, event: RecordedEvent) -> Result<(), EventError> {
        let expected = self.last.map_or(0, |last| last.stream_version) + 1;
        if event.stream_version != expected {
            return Err(EventError::new(&event, Reason::Gap { expected }));
        }
        self.last = Some(Last::of(&event));
        self.events += 1;
        let Some(decoded) = decode::<A>(self.codec, &event)? else { return Ok(()) };
        let cx = match &mut self.cx {
            Some(cx) => {
                cx.advance(event);
                cx
            }
            none => none.insert(EventContext::new(self.id.clone(), event)),
        };
        A::apply(&mut self.state, &decoded, cx)
            .map_err(|misfit| EventError::new(cx.recorded(), Reason::Misfit(misfit)))
    }
}

/// Where a page's fold ended.
enum Reached {
    /// At the end of the page.
    End,
    /// Where the fold was to end.
    Until,
}

/// Tells of an event that stops its reader, which may be far from whoever can mend it.
fn told(error: &EventError) {
    tracing::error!(
        stream_id = %error.stream_id(),
        stream_version = error.stream_version(),
        position = error.position().get(),
        event_type = error.event_type(),
        %error,
        "an event stops its reader"
    );
}

/// Decodes a stored event; `None` for one that the aggregate ignores.
pub(super) fn decode<A: Aggregate>(
    codec: &dyn PayloadCodec,
    event: &RecordedEvent,
) -> Result<Option<A::Event>, EventError> {
    let unreadable = |why: String| EventError::new(event, Reason::Unreadable(why));
    let of = PayloadOf::Event { stream: event.stream_id.as_str(), event_type: &event.event_type };
    let json = codec.open(of, &event.data).map_err(|error| unreadable(error.to_string()))?;
    match A::Event::decode(event.stored(&json)) {
        Some(Ok(decoded)) => Ok(Some(decoded)),
        Some(Err(error)) => Err(unreadable(error.to_string())),
        // Asked last: what the aggregate lists, it never passes over.
        None if A::IGNORED.contains(&&*event.event_type) => Ok(None),
        None => {
            let aggregate = std::any::type_name::<A>();
            Err(EventError::new(event, Reason::Unknown { aggregate }))
        }
    }
}

impl<A: Aggregate> Restored<A> {
    /// Holds a snapshot against the event that it claims to contain last.
    fn check(self, event: Option<&RecordedEvent>, until: Until) -> Result<(A, Last), NoUse> {
        let event = event.ok_or(NoUse::Bad("it is ahead of its stream"))?;
        if event.stream_version != self.stream_version {
            return Err(NoUse::Bad("the event that it contains last is missing"));
        }
        if event.id != self.event_id {
            return Err(NoUse::Bad("it is of another history of its stream"));
        }
        if matches!(until, Until::Instant(instant) if event.recorded_at > instant) {
            return Err(NoUse::TooYoung);
        }
        Ok((self.state, Last::of(event)))
    }
}

/// Why a snapshot is of no use to a load.
enum NoUse {
    /// It contains events after the instant that was asked for.
    TooYoung,
    /// It does not fit its stream.
    Bad(&'static str),
}
