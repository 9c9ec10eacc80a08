//! A step as the process's own stream keeps it.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::codec::{DecodeError, PayloadCodec, PayloadOf};
use crate::position::Position;
use crate::recorded_event::RecordedEvent;
use crate::stream::StreamId;
use crate::timestamp::Timestamp;

/// The stored name of a step.
pub(crate) const STEP: &str = "annals/step";

/// The version of a step's shape.
pub(crate) const STEP_VERSION: u32 = 1;

/// With which the categories of processes' streams begin.
pub(crate) const CATEGORY_OF_PROCESSES: &str = "annals/process/";

/// The category of a process's streams.
pub(crate) fn category_of(process: &str) -> String {
    format!("{CATEGORY_OF_PROCESSES}{process}")
}

/// With which the names of what reactors send begin.
pub(crate) const CATEGORY_OF_REACTORS: &str = "annals/reactor/";

/// The category under which a reactor's commands are kept.
pub(crate) fn category_of_reactor(reactor: &str) -> String {
    format!("{CATEGORY_OF_REACTORS}{reactor}")
}

/// A step as its process's stream keeps it: what caused it, the state after it, the commands that it asked for, and the
/// deadlines that stand.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct StepRecord {
    /// What caused it.
    pub cause: Cause,
    /// The instant of the cause.
    pub at: Timestamp,
    /// How often the process has begun.
    pub incarnation: u64,
    /// The last event that it has seen: it takes each once, in their order.
    pub seen: Position,
    /// The version of the state.
    pub version: u32,
    /// The state after the step; where the process ends with it, the state before it.
    ///
    /// A state that is `null` as JSON, as of a unit struct, is one: only what is not there is none.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub state: Option<Arc<RawValue>>,
    /// Whether the process ends with it, as soon as its commands are accepted.
    pub ends: bool,
    /// The commands that it asked for, in their order.
    pub commands: Vec<AskedCommand>,
    /// The deadlines that stand after it, by their names.
    pub deadlines: BTreeMap<String, Timestamp>,
}

impl StepRecord {
    /// Reads a step from an event of its process's stream.
    ///
    /// # Errors
    ///
    /// When it is no step, or one of a later release.
    pub fn read(step: &RecordedEvent, codec: &dyn PayloadCodec) -> Result<Self, DecodeError> {
        if step.event_type != STEP || step.schema_version > STEP_VERSION {
            let reason = format!(
                "version {} of `{}` is no step of a process that this program knows",
                step.schema_version, step.event_type
            );
            return Err(DecodeError::new(STEP, reason));
        }
        let of = PayloadOf::Event { stream: step.stream_id.as_str(), event_type: STEP };
        let json =
            codec.open(of, &step.data).map_err(|error| DecodeError::content(STEP, &error))?;
        serde_json::from_str(&json).map_err(|error| DecodeError::content(STEP, &error))
    }

    /// The name of the process manager whose steps a stream keeps; `None` if it keeps something else.
    pub fn process_of(stream_id: &StreamId) -> Option<&str> {
        stream_id.category().strip_prefix(CATEGORY_OF_PROCESSES)
    }
}

fn present<'de, D: Deserializer<'de>>(state: D) -> Result<Option<Arc<RawValue>>, D::Error> {
    Arc::deserialize(state).map(Some)
}

/// A command that a step asked for.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct AskedCommand {
    /// The idempotency key under which it is done once.
    pub key: String,
    /// Its name.
    pub name: String,
    /// What it says.
    pub content: Value,
}

/// What caused a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Cause {
    /// An event.
    Event {
        /// Its id.
        id: Uuid,
        /// Its position.
        position: Position,
        /// Its stored name.
        event_type: String,
        /// The name of its stream.
        stream: String,
    },
    /// The refusal of a command that the process sent.
    Refusal {
        /// The key of the command.
        key: String,
        /// Its name.
        command: String,
        /// What kind of refusal it was.
        kind: String,
        /// Why it was refused.
        reason: String,
        /// When.
        at: Timestamp,
    },
    /// A deadline.
    Deadline {
        /// Its name.
        name: String,
        /// When it was due.
        due: Timestamp,
    },
    /// A person who gave up what was parked.
    Dropped {
        /// When.
        at: Timestamp,
    },
}
