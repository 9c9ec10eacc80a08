//! Which events of a batch are applied to which rows, and which wait behind others that are parked.

use std::collections::HashSet;

use super::Batch;
use crate::position::Position;
use crate::read_model::RowKey;

/// For which keys events are applied.
pub(super) struct Gate<'a> {
    before: &'a HashSet<String>,
    only: Option<&'a str>,
    /// Keys for which an event of this batch failed.
    pub(super) failed: HashSet<String>,
}

/// What becomes of an event for a row.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Applied,
    /// Behind others that are parked.
    Waits,
    /// It is not this batch's to apply it.
    OfOthers,
}

impl<'a> Gate<'a> {
    pub(super) fn new(batch: &Batch<'a>) -> Self {
        Self { before: batch.waiting, only: batch.only, failed: HashSet::new() }
    }

    /// What becomes of an event for a row. The key's text is made only where anything depends on it.
    pub(super) fn fate(&self, batch: &Batch<'_>, key: &RowKey, position: Position) -> Fate {
        if batch.part.is_whole() && self.is_wide_open() {
            return Fate::Applied;
        }
        let key = key.to_string();
        if !batch.takes(&key, position) {
            Fate::OfOthers
        } else if self.is_open(&key) {
            Fate::Applied
        } else {
            Fate::Waits
        }
    }

    fn is_wide_open(&self) -> bool {
        self.only.is_none() && self.before.is_empty() && self.failed.is_empty()
    }

    fn is_open(&self, key: &str) -> bool {
        match self.only {
            Some(only) => only == key && !self.failed.contains(key),
            None => !self.before.contains(key) && !self.failed.contains(key),
        }
    }

    /// Keys for which events wait, sorted.
    pub(super) fn closed(&self) -> Vec<String> {
        let mut closed: Vec<String> = match self.only {
            Some(_) => Vec::new(),
            None => self.before.union(&self.failed).cloned().collect(),
        };
        closed.sort_unstable();
        closed
    }
}
