//! How rows are folded aside: what that may ask of the store, and who is told how it goes.

use std::sync::Arc;

use crate::position::Position;
use crate::projection::RebuildLoad;

/// How rows are folded aside.
#[derive(Clone, Default)]
pub(super) struct Aside {
    pub(super) load: RebuildLoad,
    /// How many rows there may be.
    pub(super) most: Option<usize>,
    pub(super) tell: Option<Tell>,
}

/// Who is told how far it has come.
pub(super) type Tell = Arc<dyn Fn(&FoldProgress) + Send + Sync>;

/// How far rows that are folded aside have come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct FoldProgress {
    /// Up to where the log has been folded.
    pub position: Position,
    /// How many events are done.
    pub events: u64,
    /// How many there are to do.
    pub of: u64,
}
