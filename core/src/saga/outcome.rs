//! How a saga ended, or where it waits.

use serde::{Deserialize, Serialize};

/// How a saga ended; or that it waits for a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SagaOutcome {
    /// All steps are done.
    Completed,
    /// A step failed, and those before it are undone.
    #[non_exhaustive]
    Compensated {
        /// The step that failed. Its own undo was not called.
        failed_step: String,
        /// Why.
        error: String,
    },
    /// A step failed, and some of those before it could not be undone: it waits for a person.
    #[non_exhaustive]
    Parked {
        /// The step that failed.
        failed_step: String,
        /// Why.
        error: String,
        /// The steps that are not undone, in the order in which their undo was tried.
        not_undone: Vec<String>,
    },
    /// It was parked, or no program could go on with it, and a person decided that the rest stays as it is.
    #[non_exhaustive]
    Dropped {
        /// The step that failed; the one that was under way, if the program could not go on with it.
        failed_step: String,
        /// Why.
        error: String,
        /// The steps that were never undone, in the order in which their undo was tried, or would have been.
        not_undone: Vec<String>,
    },
}

impl SagaOutcome {
    /// Whether all steps are done.
    pub fn is_completed(&self) -> bool {
        matches!(self, Self::Completed)
    }

    /// Whether nothing more happens: all outcomes but [`Parked`](Self::Parked).
    pub fn is_final(&self) -> bool {
        !matches!(self, Self::Parked { .. })
    }
}

/// A step that could not be undone.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct NotUndone {
    /// The step.
    pub step: String,
    /// Why its undo failed, at its last try.
    pub error: String,
}
