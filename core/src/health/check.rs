//! Asks the engines, and makes of their statuses what probes ask for.

use std::collections::HashSet;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::part::Seen;
use super::{Health, PartHealth, PartKind};
use crate::causes::chain;
use crate::process::ProcessEngine;
use crate::projection::{Level, ProjectionEngine, ProjectionState, Thresholds};
use crate::saga::SagaRunner;

/// Asks the engines of a program how they are. It is cheap to clone, and its clones remember together what has caught up.
#[derive(Clone)]
pub struct HealthCheck {
    projections: Vec<ProjectionEngine>,
    processes: Vec<ProcessEngine>,
    sagas: Vec<SagaRunner>,
    thresholds: Option<Thresholds>,
    ready_within: Duration,
    unready_behind: Option<Duration>,
    patience: Duration,
    caught_up: Arc<Mutex<HashSet<Name>>>,
}

/// The name and version of a projection.
type Name = (String, Option<u32>);

impl Default for HealthCheck {
    fn default() -> Self {
        Self {
            projections: Vec::new(),
            processes: Vec::new(),
            sagas: Vec::new(),
            thresholds: None,
            ready_within: Thresholds::default().warning,
            unready_behind: None,
            patience: Duration::from_secs(2),
            caught_up: Arc::default(),
        }
    }
}

impl HealthCheck {
    /// Begins a check of nothing, which is well.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks an engine of projections, too. The check keeps a handle: an engine that nobody shuts down runs as long as the check
    /// is there.
    #[must_use]
    pub fn projections(mut self, engine: &ProjectionEngine) -> Self {
        self.projections.push(engine.clone());
        self
    }

    /// Asks an engine of process managers and reactors, too.
    #[must_use]
    pub fn processes(mut self, engine: &ProcessEngine) -> Self {
        self.processes.push(engine.clone());
        self
    }

    /// Asks a runner of sagas, too. Those that wait for a person count as behind since they do, and those
    /// that nobody runs since the check saw them first.
    #[must_use]
    pub fn sagas(mut self, runner: &SagaRunner) -> Self {
        self.sagas.push(runner.clone());
        self
    }

    /// From when on it is bad to be behind; by default as each engine was told, and 10 seconds or a minute for sagas that wait for
    /// a person or that nobody runs.
    #[must_use]
    pub fn thresholds(mut self, thresholds: Thresholds) -> Self {
        self.thresholds = Some(thresholds);
        self
    }

    /// A projection counts as caught up once it was no further behind than this; by default 10 seconds.
    #[must_use]
    pub fn ready_within(mut self, behind: Duration) -> Self {
        self.ready_within = behind;
        self
    }

    /// Has the service be unready whenever a projection is further behind than this, also after it had caught up. Only for services
    /// that had better not answer than answer what is old: all nodes become unready together.
    #[must_use]
    pub fn unready_behind(mut self, behind: Duration) -> Self {
        self.unready_behind = Some(behind);
        self
    }

    /// How long the store may take to answer; by default 2 seconds, which should be less than the probe waits.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Asks. It never fails: what cannot be asked is not ready.
    pub async fn ask(&self) -> Health {
        let seen = tokio::time::timeout(self.patience, self.see()).await;
        let seen = seen.unwrap_or_else(|_| {
            Err(format!("the store did not answer within {:?}", self.patience))
        });
        match seen {
            Ok(seen) => self.judge(seen),
            Err(error) => Health {
                live: true,
                ready: false,
                level: Level::Critical,
                error: Some(error),
                parts: Vec::new(),
            },
        }
    }

    /// Whether the engines run, as [`Health::live`] says it, without asking the store: at once, for a liveness probe.
    pub fn is_live(&self) -> bool {
        !self.projections.iter().any(ProjectionEngine::is_over)
            && !self.processes.iter().any(ProcessEngine::is_over)
            && !self.sagas.iter().any(SagaRunner::is_over)
    }

    async fn see(&self) -> Result<Vec<Seen>, String> {
        let mut seen = Vec::new();
        for engine in &self.projections {
            let status = engine.status().await.map_err(|error| chain(&error))?;
            let statuses = status.projections.into_iter();
            seen.extend(statuses.map(|status| Seen::projection(status, self.thresholds)));
        }
        for engine in &self.processes {
            let status = engine.status().await.map_err(|error| chain(&error))?;
            let statuses = status.processes.into_iter();
            seen.extend(statuses.map(|status| Seen::process(status, self.thresholds)));
        }
        for runner in &self.sagas {
            let sagas = runner.seen().await.map_err(|error| chain(&error))?;
            let thresholds = self.thresholds.unwrap_or_default();
            seen.extend(sagas.into_iter().map(|sagas| Seen::sagas(sagas, thresholds)));
        }
        Ok(seen)
    }

    fn judge(&self, seen: Vec<Seen>) -> Health {
        let mut caught_up = self.caught_up.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut live, mut ready) = (true, true);
        let mut parts = Vec::new();
        for Seen { mut part, state, behind } in seen {
            live &= state != ProjectionState::Ended;
            if part.kind == PartKind::Projection {
                let name = (part.name.clone(), part.version);
                // Without its tables it answers nothing, however little there is to read.
                let is_prepared = state != ProjectionState::Unprepared;
                if is_prepared && behind <= self.ready_within {
                    caught_up.insert(name.clone());
                }
                part.caught_up = is_prepared && caught_up.contains(&name);
                let waits_for_a_person =
                    matches!(state, ProjectionState::Paused | ProjectionState::Stopped);
                let is_too_old = self.unready_behind.is_some_and(|limit| behind > limit);
                ready &= (part.caught_up || waits_for_a_person) && !is_too_old;
            }
            parts.push(part);
        }
        let level = parts.iter().map(|part| part.level).max().unwrap_or_default();
        let order = |part: &PartHealth| (part.kind, part.name.clone(), part.version);
        parts.sort_by_cached_key(order);
        Health { live, ready: ready && live, level, error: None, parts }
    }
}

impl fmt::Debug for HealthCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HealthCheck")
            .field("projections", &self.projections)
            .field("processes", &self.processes)
            .field("sagas", &self.sagas)
            .finish_non_exhaustive()
    }
}
