//! The events of a projection: from where they come, to which rows they go, and what they change.

use std::fmt;

use super::Projection;
use super::fold::{DecodedEvent, Pending};
use super::route::Route;
use super::step::RowError;
use crate::aggregate::Aggregate;
use crate::codec::DecodeError;
use crate::context::{EventContext, Subject};
use crate::event::{Event, EventName};
use crate::private::KeyOfRow;
use crate::read_model::ColumnError;
use crate::recorded_event::RecordedEvent;
use crate::stream::StreamId;
use crate::upcast::Stored;

/// A projection that takes the event `E`. `#[on]` writes it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not take `{E}`",
    label = "not taken by the projection"
)]
pub trait On<E: Event>: Projection {
    /// From where the event is taken.
    fn source() -> Source<Self>;

    /// To which rows the event goes.
    ///
    /// # Errors
    ///
    /// When the event names no key.
    fn route(event: &E, recorded: &RecordedEvent) -> Result<Route<Self::Key>, RowError>;

    /// Changes the row.
    ///
    /// # Errors
    ///
    /// When the event does not fit the row, or the step refuses it.
    fn step(row: &mut Option<Self>, event: &E, cx: &EventContext<Self>) -> Result<(), RowError>;

    /// Its entry in the projection's list.
    #[doc(hidden)]
    fn handler() -> EventHandler<Self> {
        EventHandler::of::<E>()
    }
}

/// Finds the key of the row that follows a stream.
type KeyOf<P> = fn(&StreamId) -> Result<<P as Subject>::Key, RowError>;

/// Reads an event.
type Decode<P> = fn(Stored<'_>) -> Result<Box<dyn DecodedEvent<P>>, DecodeError>;

/// From where an event is taken.
pub struct Source<P: Subject> {
    /// From the streams of this category only.
    pub(crate) category: Option<&'static str>,
    /// The stream that a row follows, if it follows its own.
    pub(crate) stream: Option<fn(&P::Key) -> StreamId>,
    /// The key of the row that follows a stream.
    pub(crate) key: Option<KeyOf<P>>,
}

impl<P: Subject> Source<P> {
    /// From all streams.
    pub const fn any() -> Self {
        Self { category: None, stream: None, key: None }
    }

    /// From the streams of one aggregate.
    pub const fn of<A: Aggregate>() -> Self {
        Self { category: Some(A::CATEGORY), stream: None, key: None }
    }

    /// From the streams of one aggregate, whose ids are the keys of the rows.
    pub const fn own<A: Aggregate<Id: KeyOfRow<P::Key>>>() -> Self {
        Self {
            category: Some(A::CATEGORY),
            stream: Some(|key| StreamId::of::<A>(KeyOfRow::of_key(key))),
            key: Some(Self::key_of::<A>),
        }
    }

    /// The key of the row that follows a stream of `A`.
    pub(crate) fn key_of<A: Aggregate<Id: KeyOfRow<P::Key>>>(
        stream: &StreamId,
    ) -> Result<P::Key, RowError> {
        let id: Result<A::Id, _> = stream.id().parse();
        id.map(KeyOfRow::into_key).map_err(|_| {
            ColumnError::new(format!("the name of stream `{stream}` holds no id")).into()
        })
    }
}

impl<P: Subject> Clone for Source<P> {
    fn clone(&self) -> Self {
        Self { category: self.category, stream: self.stream, key: self.key }
    }
}

impl<P: Subject> fmt::Debug for Source<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source").field("category", &self.category).finish_non_exhaustive()
    }
}

/// One event of a projection.
pub struct EventHandler<P: Projection> {
    pub(crate) event: EventName,
    pub(crate) source: Source<P>,
    pub(crate) decode: Decode<P>,
}

impl<P: Projection> EventHandler<P> {
    /// Takes the event `E`.
    pub fn of<E: Event>() -> Self
    where
        P: On<E>,
    {
        Self {
            event: EventName::of::<E>(),
            source: <P as On<E>>::source(),
            decode: |stored| Ok(Box::new(Pending(E::decode(stored)?))),
        }
    }

    /// The stored name of the event, and its earlier ones.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        std::iter::once(self.event.name).chain(self.event.aliases.iter().copied())
    }

    /// Whether it takes what is stored under a name in a stream.
    pub fn takes(&self, recorded: &RecordedEvent) -> bool {
        self.source.category.is_none_or(|category| category == recorded.stream_id.category())
            && self.names().any(|name| name == recorded.event_type)
    }
}

impl<P: Projection> fmt::Debug for EventHandler<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventHandler")
            .field("event", &self.event.name)
            .field("source", &self.source)
            .finish_non_exhaustive()
    }
}
