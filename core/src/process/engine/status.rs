//! What operators look at.

use std::time::Duration;

use crate::position::Position;
use crate::process::Process;
use crate::projection::{Level, ProjectionState};

/// How the process managers of an engine are.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ProcessesStatus {
    /// Each process manager, in the order of their names.
    pub processes: Vec<ProcessStatus>,
}

impl ProcessesStatus {
    /// How a process manager is, if it is registered.
    pub fn of<P: Process>(&self) -> Option<&ProcessStatus> {
        self.processes.iter().find(|status| status.name == P::NAME)
    }

    /// The worst level of all.
    pub fn level(&self) -> Level {
        self.processes.iter().map(|status| status.level).max().unwrap_or_default()
    }
}

/// How a process manager is. What is counted, is counted of the shards that this engine owns, since it does and there are so many.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ProcessStatus {
    /// Its name.
    pub name: &'static str,
    /// What it is doing.
    pub state: ProjectionState,
    /// Up to here, all events are done, by all shards.
    pub position: Position,
    /// The position at which the log ends.
    pub head: Position,
    /// How many positions it is behind the log's end; a position that holds no event of its counts, too.
    pub events_behind: u64,
    /// How old the last event is that was read, if there are more; zero at the log's end.
    pub time_behind: Duration,
    /// How bad that is: by the time behind, or the age of the oldest command that has not gone out.
    pub level: Level,
    /// Events that were read and wait for their process, in memory or, if many wait for one, in the log.
    pub waiting: usize,
    /// Commands that have not been answered.
    pub unsent: usize,
    /// How old the oldest of those is.
    pub oldest_unsent: Duration,
    /// Processes that wait for a person.
    pub parked: usize,
    /// Processes that began.
    pub begun: u64,
    /// Processes that are done.
    pub done: u64,
    /// Events for processes that never began, or are done.
    pub skipped: u64,
    /// The name of the engine that runs it, if one does; several, if they run shards of it.
    pub owner: Option<String>,
    /// Whether this engine does, be it one shard.
    pub runs_here: bool,
    /// Its shards, in their order.
    pub shards: Vec<ProcessShard>,
    /// The position of the event at which it has stopped, since it cannot be read: what [`ProcessEngine::skip`] takes.
    ///
    /// [`ProcessEngine::skip`]: super::ProcessEngine::skip
    pub stopped_at: Option<Position>,
    /// The last thing that went wrong, also if it has been mended since.
    pub last_error: Option<String>,
}

/// How a shard of a process manager is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProcessShard {
    /// Its number, from 0 on.
    pub shard: u32,
    /// Up to here, all events are done that are its own.
    pub position: Position,
    /// The name of the engine that runs it, if one does.
    pub owner: Option<String>,
    /// Whether that is this engine.
    pub runs_here: bool,
}
