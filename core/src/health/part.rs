//! How one projection or process is.

use std::time::Duration;

use serde::Serialize;

use crate::process::ProcessStatus;
use crate::projection::{Level, ProjectionState, ProjectionStatus, Thresholds};
use crate::saga::SagasSeen;

/// How a projection, a process manager, a reactor or the sagas of one name are.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct PartHealth {
    /// What it is.
    pub kind: PartKind,
    /// Its name.
    pub name: String,
    /// The version of a projection.
    pub version: Option<u32>,
    /// What it is doing: [`ProjectionState::as_str`].
    pub state: &'static str,
    /// How bad it is that it is behind.
    pub level: Level,
    /// How many positions it is behind the log's end.
    pub events_behind: u64,
    /// How long it is behind; for a process, the age of its oldest unsent command if that is more; for sagas, how long the
    /// first has waited of those that wait for a person, or that nobody runs.
    pub seconds_behind: f64,
    /// What waits for a person: events of a projection, processes of a process manager, sagas of one name.
    pub parked: u64,
    /// Whether a projection has caught up once, as this check saw it; false of a process or saga, for which no answer waits.
    pub caught_up: bool,
    /// The last thing that went wrong, also if it has been mended since.
    pub last_error: Option<String>,
}

/// What a part is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum PartKind {
    /// A projection.
    Projection,
    /// A process manager, or a reactor.
    Process,
    /// The sagas of one name.
    Saga,
}

/// A part, and what is told of it in other words.
pub(super) struct Seen {
    pub(super) part: PartHealth,
    pub(super) state: ProjectionState,
    pub(super) behind: Duration,
}

impl Seen {
    pub(super) fn projection(status: ProjectionStatus, thresholds: Option<Thresholds>) -> Self {
        let (state, behind) = (status.state, status.time_behind);
        let level = thresholds.map_or(status.level, |thresholds| thresholds.level(state, behind));
        let part = PartHealth {
            kind: PartKind::Projection,
            name: status.name,
            version: Some(status.version),
            state: state.as_str(),
            level,
            events_behind: status.events_behind,
            seconds_behind: behind.as_secs_f64(),
            parked: status.parked,
            caught_up: false,
            last_error: status.last_error,
        };
        Self { part, state, behind }
    }

    pub(super) fn process(status: ProcessStatus, thresholds: Option<Thresholds>) -> Self {
        let (state, behind) = (status.state, status.time_behind.max(status.oldest_unsent));
        let level = thresholds.map_or(status.level, |thresholds| thresholds.level(state, behind));
        let part = PartHealth {
            kind: PartKind::Process,
            name: status.name.to_owned(),
            version: None,
            state: state.as_str(),
            level,
            events_behind: status.events_behind,
            seconds_behind: behind.as_secs_f64(),
            parked: status.parked as u64,
            caught_up: false,
            last_error: status.last_error,
        };
        Self { part, state, behind }
    }

    pub(super) fn sagas(seen: SagasSeen, thresholds: Thresholds) -> Self {
        let SagasSeen { saga, parked, left, waited, stuck, is_over } = seen;
        let state = if is_over { ProjectionState::Ended } else { ProjectionState::Live };
        let mut level = thresholds.level(state, waited);
        if stuck.is_some() {
            level = level.max(Level::Warning);
        }
        let part = PartHealth {
            kind: PartKind::Saga,
            name: saga.to_owned(),
            version: None,
            state: state.as_str(),
            level,
            events_behind: 0,
            seconds_behind: waited.as_secs_f64(),
            parked: parked as u64,
            caught_up: false,
            last_error: stuck
                .or_else(|| (left > 0).then(|| format!("nobody runs {left} that have not ended"))),
        };
        Self { part, state, behind: waited }
    }
}
