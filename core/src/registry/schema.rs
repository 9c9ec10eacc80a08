//! What the schema test asks of events and commands.

use serde_json::Value;

use crate::aggregate::Aggregate;
use crate::codec::DecodeError;
use crate::command::{Command, HandledBy};
use crate::event::Event;
use crate::shape::Traced;
use crate::stream::StreamId;
use crate::upcast::Stored;

pub(super) fn trace_event<E: Event>() -> Traced {
    Traced::checked_by::<E>(|sample| E::decode(Stored::new(E::NAME, E::VERSION, sample)).is_ok())
}

pub(super) fn write_event_again<E: Event>(stored: Stored<'_>) -> Result<String, DecodeError> {
    E::decode(stored)?.encode().map_err(|error| DecodeError::content(E::NAME, &error))
}

pub(super) fn trace_command<C: Command>() -> Traced {
    Traced::checked_by::<C>(|sample| {
        serde_json::from_str(sample).is_ok_and(|content| read_command::<C>(&content).is_ok())
    })
}

pub(super) fn read_command<C: Command>(content: &Value) -> Result<(), DecodeError> {
    C::deserialize(content)
        .map(drop)
        .map_err(|error: serde_json::Error| DecodeError::content(C::NAME, &error))
}

pub(super) fn target<A: Aggregate, C: HandledBy<A>>(
    content: &Value,
) -> Result<StreamId, DecodeError> {
    C::deserialize(content)
        .map(|command| StreamId::of::<A>(command.target()))
        .map_err(|error: serde_json::Error| DecodeError::content(C::NAME, &error))
}
