//! What is to be made for a projection before it runs, what it has, and what goes of one that nobody runs.

use async_trait::async_trait;

use crate::read_model::Row;
use crate::shards::Standing;
use crate::store::StoreError;

/// What preparing a projection would do.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Preparation {
    /// Nothing: all is there.
    Nothing,
    /// Nothing: all is there, and columns beside it that a newer release has added. Rebuilds are for that one to do.
    Behind {
        /// The columns.
        columns: Vec<String>,
    },
    /// It makes the tables; the log is read from the beginning.
    Make {
        /// The statements that do the same, if the store has a language for them.
        sql: Option<String>,
    },
    /// It makes the table anew, which somebody has dropped; the log is read from the beginning.
    MakeAgain,
    /// It adds columns, which hold nothing in the rows that are there.
    Add {
        /// The columns.
        columns: Vec<String>,
    },
    /// Nothing: all is there, but whoever asks may not write it.
    Forbidden {
        /// What to do.
        reason: String,
    },
    /// It is refused.
    Refused {
        /// Why, and what to do.
        reason: String,
    },
}

/// What has become of a version that is to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Pruned {
    /// It is gone.
    Done,
    /// There was none.
    Missing,
    /// Someone runs it: it stays.
    InUse,
}

/// How a version has to stand for the public name to show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Showing {
    /// It has come to the log's end, and nothing is parked of it.
    Whole,
    /// As it is: behind, or with rows whose events are parked.
    AsItIs,
}

/// What has become of a version that the public name was to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Shown {
    /// The name shows it.
    Done,
    /// It is not whole: the name shows what it did.
    Lacking {
        /// How many positions it is behind the log's end.
        behind: u64,
        /// How many of its keys have parked events.
        parked: u64,
    },
}

/// All rows of a projection as they are at one instant, in the order of their keys.
#[async_trait]
pub trait RowsAtOnce: Send {
    /// Up to where the log was read when they were written, by each shard.
    fn standing(&self) -> &Standing;

    /// Reads so many more of them at most; none once all were read.
    ///
    /// # Errors
    ///
    /// When the store cannot be read any more.
    async fn next_page(&mut self, limit: usize) -> Result<Vec<Row>, StoreError>;
}
