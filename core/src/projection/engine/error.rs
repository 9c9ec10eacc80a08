//! Why an engine does not start, or a projection of it not do what was asked.

use crate::bus::SetupError;
use crate::position::Position;
use crate::read_model::{ColumnError, ReadModelError};
use crate::store::{StoreError, WriteError};
use crate::timestamp::Timestamp;

/// Why an engine did not start, or did not do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// Two projections clash, or events that the program links do.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// A projection was not prepared.
    #[error("start projection `{projection}`")]
    Prepare {
        /// The projection.
        projection: String,
        /// Why.
        source: StoreError,
    },
    /// The engine does not run the projection.
    #[error(
        "projection `{projection}` is not registered with this engine; add `.register::<…>()` or `.register_all()`"
    )]
    NotRegistered {
        /// The projection.
        projection: String,
    },
    /// The projection is inline.
    #[error(
        "projection `{projection}` is inline: its rows change with the appends, so that it is not paused, and nothing of it is parked"
    )]
    Inline {
        /// The projection.
        projection: String,
    },
    /// The projection cannot have shards: it is inline, or the engine does not run it.
    #[error(
        "projection `{projection}` is not run by this engine, or it is inline, where each append writes its own row: it has no shards"
    )]
    NotDivided {
        /// The projection.
        projection: String,
    },
    /// Somebody has said another number of shards meanwhile, which holds.
    #[error(
        "projection `{projection}` has {shards} shards, and not {wished}: somebody has said that number meanwhile"
    )]
    OtherShards {
        /// The projection.
        projection: String,
        /// How many it was to have.
        wished: u32,
        /// How many it has.
        shards: u32,
    },
    /// Another engine has the projection.
    #[error("projection `{projection}` is run by another engine; ask that one")]
    NotOwner {
        /// The projection.
        projection: String,
    },
    /// The lease ran out, or passed on, while the rows of an inline projection were written.
    #[error(
        "projection `{projection}` is written by another engine now, or its lease ran out: some rows are as they were; ask again"
    )]
    LeaseLost {
        /// The projection.
        projection: String,
    },
    /// The projection is being rebuilt, here or by another engine.
    #[error("projection `{projection}` is being rebuilt already; wait for that")]
    Rebuilding {
        /// The projection.
        projection: String,
    },
    /// The projection is not being rebuilt.
    #[error("projection `{projection}` is not being rebuilt, or its new rows answer already")]
    NotRebuilding {
        /// The projection.
        projection: String,
    },
    /// The rebuild that was to be cancelled is over, and another one is under way.
    #[error(
        "the rebuild of projection `{projection}` is over; another one is under way, asked for at {asked_at}: look at that, and ask again"
    )]
    OtherRebuild {
        /// The projection.
        projection: String,
        /// When the one that is under way was asked for.
        asked_at: Timestamp,
    },
    /// A rebuild was cancelled.
    #[error("the rebuild of projection `{projection}` was cancelled; its rows are as they were")]
    RebuildCancelled {
        /// The projection.
        projection: String,
    },
    /// A rebuild has failed that another engine did.
    #[error("the rebuild of projection `{projection}` failed: {reason}")]
    RebuildFailed {
        /// The projection.
        projection: String,
        /// Why.
        reason: String,
    },
    /// No event ever went to a row that was to be built anew.
    #[error("projection `{projection}`: no event of the log goes to row `{key}`")]
    NoEvents {
        /// The projection.
        projection: String,
        /// The key of the row, as text.
        key: String,
    },
    /// What ran the projection panicked.
    #[error("the worker of projection `{projection}` panicked: {text}")]
    Panicked {
        /// The projection.
        projection: String,
        /// What the panic said.
        text: String,
    },
    /// The projection has stopped.
    #[error("projection `{projection}` has stopped: {reason}")]
    Stopped {
        /// The projection.
        projection: String,
        /// Why.
        reason: String,
    },
    /// A projection stops at an event that cannot be applied.
    #[error("event {event_type} at position {position} of stream `{stream}`: {reason}")]
    Event {
        /// The stored name of the event.
        event_type: String,
        /// Its position.
        position: Position,
        /// Its stream.
        stream: String,
        /// Why it cannot be applied.
        reason: String,
    },
    /// A key does not go into its columns.
    #[error("the key of a row of `{model}`")]
    Key {
        /// The read model's table.
        model: &'static str,
        /// What is wrong with it.
        source: ColumnError,
    },
    /// Rows could not be read.
    #[error(transparent)]
    Rows(#[from] ReadModelError),
    /// The store could not be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The store could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A worker ended without an answer.
    #[error("the worker of projection `{projection}` has ended")]
    Ended {
        /// The projection.
        projection: String,
    },
}
