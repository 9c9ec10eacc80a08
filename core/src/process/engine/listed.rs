//! The processes that wait for a person, as a person sees them.

use std::collections::HashMap;

use crate::position::Position;
use crate::projection::ParkedEvent;
use crate::stream::StreamId;
use crate::timestamp::Timestamp;

const COMMAND: &str = "annals/command/";
const DEADLINE: &str = "annals/deadline/";

/// What stands for a command where events are parked.
pub(super) fn command_mark(command: &str) -> String {
    format!("{COMMAND}{command}")
}

/// What stands for a deadline where events are parked.
pub(super) fn deadline_mark(deadline: &str) -> String {
    format!("{DEADLINE}{deadline}")
}

/// The deadline that it stands for, if it does.
pub(super) fn marked_deadline(event: &ParkedEvent) -> Option<&str> {
    event.event_type.strip_prefix(DEADLINE)
}

/// Whether it stands for a command or a deadline.
pub(super) fn is_mark(event: &ParkedEvent) -> bool {
    event.event_type.starts_with(COMMAND) || event.event_type.starts_with(DEADLINE)
}

/// What a process waits with.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ParkedCause {
    /// An event whose step failed.
    Event {
        /// Its stored name.
        event_type: String,
        /// Its stream.
        stream_id: StreamId,
        /// Its position.
        position: Position,
    },
    /// A command that was refused, and no `#[rejected]` takes that; or that could not be done.
    Command {
        /// Its name.
        name: String,
    },
    /// A deadline whose step failed.
    Deadline {
        /// Its name.
        name: String,
    },
}

/// A process that waits for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ParkedProcess {
    /// The name of the process manager.
    pub process: String,
    /// The id of the process, as text.
    pub id: String,
    /// What failed.
    pub cause: ParkedCause,
    /// Why.
    pub error: String,
    /// How often it was tried.
    pub attempts: u32,
    /// When it was parked.
    pub parked_at: Timestamp,
    /// How many events wait behind it.
    pub waiting: u64,
}

/// The processes that wait, of what is parked, in the order of the log.
pub(super) fn parked_processes(process: &str, parked: Vec<ParkedEvent>) -> Vec<ParkedProcess> {
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut found: Vec<ParkedProcess> = Vec::new();
    for event in parked {
        if let Some(&place) = places.get(&event.key) {
            found[place].waiting += 1;
            continue;
        }
        let cause = if let Some(name) = event.event_type.strip_prefix(COMMAND) {
            ParkedCause::Command { name: name.to_owned() }
        } else if let Some(name) = event.event_type.strip_prefix(DEADLINE) {
            ParkedCause::Deadline { name: name.to_owned() }
        } else {
            let ParkedEvent { event_type, stream_id, position, .. } = event;
            ParkedCause::Event { event_type, stream_id, position }
        };
        places.insert(event.key.clone(), found.len());
        found.push(ParkedProcess {
            process: process.to_owned(),
            id: event.key,
            cause,
            error: event.error,
            attempts: event.attempts,
            parked_at: event.parked_at,
            waiting: 0,
        });
    }
    found
}
