//! Why read models did not answer.

use std::time::Duration;

use super::column_type::ColumnError;
use crate::position::Position;
use crate::store::StoreError;

/// Why a read model did not answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadModelError {
    /// Nobody has made its table.
    #[error(
        "read model `{model}`: version {version} has no table; start an engine that registers its projection, which makes it"
    )]
    Missing {
        /// The read model's table.
        model: &'static str,
        /// The version of its projection.
        version: u32,
    },
    /// A value that was asked for does not go into its column.
    #[error("read model `{model}`, column `{column}`")]
    Argument {
        /// The read model's table.
        model: &'static str,
        /// The column.
        column: &'static str,
        /// What is wrong with the value.
        source: ColumnError,
    },
    /// The row behind which to begin does not go into its columns.
    #[error("read model `{model}`: the row behind which to begin")]
    Behind {
        /// The read model's table.
        model: &'static str,
        /// What is wrong with it.
        source: ColumnError,
    },
    /// A row does not read as its type.
    #[error("read model `{model}`: a row that does not read as its type")]
    Row {
        /// The read model's table.
        model: &'static str,
        /// What is wrong with it.
        source: ColumnError,
    },
    /// A row that was asked for more than one, and had to be the only one.
    #[error("read model `{model}`: expected one row, found more")]
    NotUnique {
        /// The read model's table.
        model: &'static str,
    },
    /// The projection did not get to a position in time.
    #[error(
        "projection `{projection}` has not reached position {wanted} within {patience:?}: it is at position {reached}"
    )]
    Late {
        /// The projection.
        projection: String,
        /// Where it had to be.
        wanted: Position,
        /// Where it was.
        reached: Position,
        /// How long it was waited for.
        patience: Duration,
    },
    /// The projection did not get to a position in time, since it is paused.
    #[error(
        "projection `{projection}` is paused at position {reached} and has not reached position {wanted}; resume it"
    )]
    Paused {
        /// The projection.
        projection: String,
        /// Where it had to be.
        wanted: Position,
        /// Where it is.
        reached: Position,
    },
    /// An event of the stream that was waited for is parked, and so is what comes after it for its row.
    #[error(
        "projection `{projection}`: event {event_type} at position {position} is parked for row `{key}`: {error}"
    )]
    Parked {
        /// The projection.
        projection: String,
        /// The key of the row.
        key: String,
        /// The stored name of the event.
        event_type: String,
        /// Its position.
        position: Position,
        /// Why it is parked.
        error: String,
    },
    /// The projection has stopped.
    #[error("projection `{projection}` has stopped: {reason}")]
    Stopped {
        /// The projection.
        projection: String,
        /// Why.
        reason: String,
    },
    /// The engine does not run the projection.
    #[error(
        "projection `{projection}` is not registered with this engine; add `.register::<…>()` or `.register_all()`"
    )]
    NotRegistered {
        /// The projection.
        projection: String,
    },
    /// The store did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}
