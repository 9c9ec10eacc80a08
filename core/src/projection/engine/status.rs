//! What operators look at.

use std::time::Duration;

use serde::Serialize;

use crate::position::Position;
use crate::projection::{Projection, Rebuild};
use crate::shards::Shard;

/// How the projections of an engine are.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Status {
    /// Each projection, in the order of their names; inline ones come last.
    pub projections: Vec<ProjectionStatus>,
}

impl Status {
    /// The projection of a read model, if it is registered.
    pub fn of<M: Projection>(&self) -> Option<&ProjectionStatus> {
        self.projections
            .iter()
            .find(|status| status.name == M::NAME && status.version == M::VERSION)
    }

    /// The worst level of all.
    pub fn level(&self) -> Level {
        self.projections.iter().map(|status| status.level).max().unwrap_or_default()
    }
}

/// How a projection is.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ProjectionStatus {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: u32,
    /// The generation that answers.
    pub generation: u32,
    /// What it is doing.
    pub state: ProjectionState,
    /// The position that it has passed; of several shards, that of the one that is furthest behind.
    pub position: Position,
    /// The position at which the log ends.
    pub head: Position,
    /// How many positions it is behind the log's end; a position that holds no event of its counts, too.
    pub events_behind: u64,
    /// How old what its rows say is: the age of the first event that it has not passed; zero without any.
    pub time_behind: Duration,
    /// How bad that is.
    pub level: Level,
    /// Events a second, as of late.
    pub rate: f64,
    /// Events that are parked.
    pub parked: u64,
    /// Events for a row whose key is parked, or which were skipped, are in `parked`; these were done.
    pub events: u64,
    /// The name of the engine that runs it, if one does; of several shards, those of all, each once.
    pub owner: Option<String>,
    /// Its shards, in their order; one that is inline has none.
    pub shards: Vec<ShardStatus>,
    /// The last rebuild of all its rows, if there was one.
    pub rebuild: Option<Rebuild>,
    /// Whether that is this engine; of several shards, at least of one.
    pub runs_here: bool,
    /// The position of the event at which it has stopped, if it was one: what [`ProjectionEngine::skip`] takes.
    ///
    /// [`ProjectionEngine::skip`]: super::ProjectionEngine::skip
    pub stopped_at: Option<Position>,
    /// The last thing that went wrong, also if it has been mended since.
    pub last_error: Option<String>,
}

/// How a shard of a projection is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ShardStatus {
    /// The shard.
    pub shard: Shard,
    /// The position that it has passed.
    pub position: Position,
    /// The name of the engine that runs it, if one does.
    pub owner: Option<String>,
    /// Whether that is this engine.
    pub runs_here: bool,
}

/// What a projection is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum ProjectionState {
    /// It waits for the lease: another engine runs it, or the store does not answer.
    #[default]
    Waiting,
    /// Its tables are not made yet, and this engine may not: it waits for an operator to run the plan.
    Unprepared,
    /// It reads what is stored.
    CatchingUp,
    /// It is at the log's end.
    Live,
    /// It was told to pause.
    Paused,
    /// The store does not answer; it tries again.
    Retrying,
    /// It has stopped at something that a person has to mend.
    Stopped,
    /// The engine has been shut down.
    Ended,
}

impl ProjectionState {
    /// The state's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Unprepared => "unprepared",
            Self::CatchingUp => "catching_up",
            Self::Live => "live",
            Self::Paused => "paused",
            Self::Retrying => "retrying",
            Self::Stopped => "stopped",
            Self::Ended => "ended",
        }
    }
}

/// How bad it is that a projection is behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// It is not.
    #[default]
    Normal,
    /// Someone should look.
    Warning,
    /// Someone has to look now; one that has stopped is.
    Critical,
}

impl Level {
    /// The level's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

/// From when on it is bad that a projection is behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Thresholds {
    /// From this time behind on, it is [`Level::Warning`].
    pub warning: Duration,
    /// From this time behind on, it is [`Level::Critical`].
    pub critical: Duration,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self { warning: Duration::from_secs(10), critical: Duration::from_mins(1) }
    }
}

impl Thresholds {
    pub(crate) fn level(self, state: ProjectionState, behind: Duration) -> Level {
        if state == ProjectionState::Stopped || behind >= self.critical {
            Level::Critical
        } else if behind >= self.warning
            || matches!(state, ProjectionState::Retrying | ProjectionState::Unprepared)
        {
            Level::Warning
        } else {
            Level::Normal
        }
    }
}
