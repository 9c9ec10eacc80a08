//! What a saga's log keeps.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{Saga, manager};
use crate::codec::{DecodeError, EncodeError, PayloadCodec, PayloadOf};
use crate::recorded_event::RecordedEvent;
use crate::stream::StreamId;
use crate::timestamp::Timestamp;

/// The stored name of a record.
pub const RECORD: &str = "annals/saga";

/// The version of a record's shape.
pub(crate) const RECORD_VERSION: u32 = 1;

/// With which the categories of sagas' logs begin.
const CATEGORY: &str = "annals/saga/";

/// The category of the logs of a saga.
pub fn category_of(saga: &str) -> String {
    format!("{CATEGORY}{saga}")
}

/// The data of a saga as its log keeps it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SagaData {
    /// The version of its shape.
    pub version: u32,
    /// The data as JSON.
    pub json: Arc<RawValue>,
}

impl SagaData {
    pub(crate) fn new(version: u32, json: Arc<RawValue>) -> Self {
        Self { version, json }
    }

    /// Writes the data with which a saga `S` begins, at its present version.
    ///
    /// # Errors
    ///
    /// When it cannot be written as JSON, or what is written cannot be read: a number that is none, which JSON has no word for,
    /// or a field that is left out. The saga could do nothing with it.
    pub fn of<S: Saga>(data: &S::Data) -> Result<Self, EncodeError> {
        manager::write_readable::<S>(data).map_err(|reason| EncodeError::new(S::NAME, &reason))
    }

    /// Reads it as the data of the saga `S`, through the steps from its version up to the present one.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub fn read<S: Saga>(&self) -> Result<S::Data, DecodeError> {
        manager::read::<S>(self)
    }
}

/// A runner by its seat and the seat's epoch: it runs a saga as long as nobody takes the saga over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Owner {
    /// The number of the lease that it holds.
    pub seat: u32,
    /// The epoch of the lease, which rises with each holder.
    pub epoch: u64,
}

impl Owner {
    /// Nobody: whoever finds a saga without an owner may take it. The epochs of seats begin at 1.
    pub const NOBODY: Self = Self::new(0, 0);

    /// The holder of a seat under an epoch.
    pub const fn new(seat: u32, epoch: u64) -> Self {
        Self { seat, epoch }
    }
}

/// Whether a step is done or undone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// The step itself.
    Do,
    /// Its undo.
    Undo,
}

impl Direction {
    /// How keys and metrics name it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Do => "do",
            Self::Undo => "undo",
        }
    }
}

/// One try of a step or of its undo.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CallOf {
    /// The step.
    pub step: String,
    /// Whether it is done or undone.
    pub direction: Direction,
    /// Which try it is, from 1.
    pub attempt: u32,
}

/// A record of a saga's log. The last one of a saga that has ended is a [`SagaEnded`](super::SagaEnded) in its place.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SagaRecord {
    /// The saga began.
    Begun {
        /// With this data.
        data: SagaData,
        /// Who runs it.
        owner: Owner,
    },
    /// Another runner took it over, or the one that had it could not go on with it.
    Taken {
        /// Who; [nobody](Owner::NOBODY) if it is given up.
        owner: Owner,
    },
    /// A try is about to be made, with the data that the records before it left.
    Called(CallOf),
    /// The try succeeded.
    Done {
        /// Which.
        call: CallOf,
        /// The data as it leaves it.
        data: SagaData,
    },
    /// The try failed; the data is what it was before it.
    Failed {
        /// Which.
        call: CallOf,
        /// Why.
        error: String,
        /// When it is tried again, if it is.
        retry_at: Option<Timestamp>,
    },
    /// All is undone that could be: it waits for a person.
    Parked {
        /// The steps that are not undone.
        not_undone: Vec<String>,
        /// When.
        at: Timestamp,
    },
    /// A person has what is not undone tried again.
    Retried {
        /// When.
        at: Timestamp,
    },
}

impl SagaRecord {
    /// Reads a record from an event of a saga's log.
    ///
    /// # Errors
    ///
    /// When it is no record, or one of a later release.
    pub fn read(event: &RecordedEvent, codec: &dyn PayloadCodec) -> Result<Self, DecodeError> {
        if event.event_type != RECORD || event.schema_version > RECORD_VERSION {
            let (version, name) = (event.schema_version, &event.event_type);
            let reason = format!(
                "version {version} of `{name}` is no record of a saga that this program knows"
            );
            return Err(DecodeError::new(RECORD, reason));
        }
        let of = PayloadOf::Event { stream: event.stream_id.as_str(), event_type: RECORD };
        let json =
            codec.open(of, &event.data).map_err(|error| DecodeError::content(RECORD, &error))?;
        serde_json::from_str(&json).map_err(|error| DecodeError::content(RECORD, &error))
    }

    /// The name of the saga whose log a stream is; `None` if it is something else.
    pub fn saga_of(stream_id: &StreamId) -> Option<&str> {
        stream_id.category().strip_prefix(CATEGORY)
    }
}
