//! A trial of what a handler decided, before it is stored: an event that its own stream could not be read with would
//! stop every later reader of the stream.

use super::DispatchError;
use super::attempt::Rejected;
use crate::aggregate::{Aggregate, Misfit};
use crate::context::EventContext;
use crate::event::{EventEnum, EventName};
use crate::position::Position;
use crate::recorded_event::RecordedEvent;
use crate::repository::{Last, Replayed};
use crate::store::NewEvent;
use crate::stream::{StreamHead, StreamId};
use crate::timestamp::Timestamp;
use crate::upcast::Stored;

/// A fold of the decided events as a later reader will do it: from their JSON, on the state that they were decided on.
///
/// What only the store knows, it guesses: that the events come next in the log, and now.
pub(super) struct Trial<A: Aggregate> {
    id: A::Id,
    stream_id: StreamId,
    replayed: Replayed<A>,
    now: Timestamp,
    cx: Option<EventContext<A>>,
}

impl<A: Aggregate> Trial<A> {
    pub(super) fn new(
        id: A::Id,
        stream_id: &StreamId,
        replayed: Replayed<A>,
        now: Timestamp,
    ) -> Self {
        let now = replayed.last.map_or(now, |last| now.max(last.recorded_at));
        Self { id, stream_id: stream_id.clone(), replayed, now, cx: None }
    }

    /// Reads an event back from what was written of it.
    pub(super) fn decode(
        &self,
        name: &EventName,
        json: &str,
    ) -> Result<A::Event, DispatchError<Rejected>> {
        let event_type = name.name;
        match A::Event::decode(Stored::new(event_type, name.version, json)) {
            Some(Ok(event)) => Ok(event),
            Some(Err(error)) => {
                Err(self
                    .unfit(event_type, format!("what is written of it cannot be read: {error}")))
            }
            None => Err(self.unfit(event_type, "its name is not one of its aggregate's")),
        }
    }

    /// Applies an event that was read back.
    pub(super) fn apply(
        &mut self,
        event: &A::Event,
        new: &NewEvent,
    ) -> Result<(), DispatchError<Rejected>> {
        let last = self.replayed.last;
        let position = last.map_or(Position::START, |last| last.position);
        let position = Position::from(position.get() + 1);
        let head = StreamHead::new(self.replayed.version() + 1, position, self.now);
        let recorded = RecordedEvent::new(new.clone(), self.stream_id.clone(), head);
        self.replayed.last = Some(Last::of(&recorded));
        let cx = match &mut self.cx {
            Some(cx) => {
                cx.advance(recorded);
                cx
            }
            none => none.insert(EventContext::new(self.id.clone(), recorded)),
        };
        let applied = A::apply(&mut self.replayed.state, event, cx);
        applied.map_err(|misfit| {
            let reason = match misfit {
                Misfit::Exists => "it creates, but the state exists",
                Misfit::Missing => "it changes a state, but none exists before it",
            };
            self.unfit(event.event_type(), reason)
        })
    }

    /// What the events lead to; `None` if a reader may find something else, since an apply has asked for what only the
    /// store knows.
    pub(super) fn outcome(self) -> Option<Replayed<A>> {
        let is_guessed = self.cx.as_ref().is_some_and(EventContext::has_asked_store);
        (!is_guessed).then_some(self.replayed)
    }

    pub(super) fn unfit(
        &self,
        event_type: &'static str,
        reason: impl Into<String>,
    ) -> DispatchError<Rejected> {
        let (stream_id, reason) = (self.stream_id.clone(), reason.into());
        DispatchError::UnfitEvent { stream_id, event_type, reason }
    }
}
