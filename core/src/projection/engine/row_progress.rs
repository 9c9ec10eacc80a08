//! How far the rebuild of one row has come, as the store keeps it.

use std::time::{Duration, Instant};

use super::operator::{Operator, TELL};
use super::worker::Ended;
use crate::position::Position;
use crate::projection::{Rebuild, RebuildState};

/// How far the rebuild of a row has come, as it is kept.
pub(super) struct Progress<'a> {
    operator: &'a Operator,
    pub(super) rebuild: Rebuild,
    told: Option<Instant>,
}

impl<'a> Progress<'a> {
    pub(super) const fn new(operator: &'a Operator, rebuild: Rebuild) -> Self {
        Self { operator, rebuild, told: None }
    }

    /// Begins, with so many events to read, or begins anew where another has left it.
    pub(super) async fn begin(&mut self, of: u64) -> Result<(), Ended> {
        self.rebuild.state = RebuildState::Building;
        (self.rebuild.events, self.rebuild.of, self.rebuild.worked) = (0, of, 0);
        self.rebuild.position = Position::START;
        self.tell().await
    }

    /// Rests as long as the load that it may be asks for, unless that changes; meanwhile, it can be cancelled.
    pub(super) async fn rest(&mut self, rest: Duration) -> Result<(), Ended> {
        let (until, load) = (Instant::now() + rest, self.rebuild.load);
        let stop = &self.operator.shared.stop;
        while Instant::now() < until && self.rebuild.load == load {
            let left = until.saturating_duration_since(Instant::now());
            tokio::select! {
                () = stop.cancelled() => return Err(Ended::Shutdown),
                () = tokio::time::sleep(left.min(TELL)) => {}
            }
            if self.told.is_none_or(|told| told.elapsed() >= TELL) {
                self.tell().await?;
            }
        }
        Ok(())
    }

    pub(super) async fn is(&mut self, state: RebuildState) -> Result<(), Ended> {
        self.rebuild.state = state;
        self.tell().await
    }

    /// Takes in that so many more events were read, up to a position.
    pub(super) async fn read(&mut self, events: usize, position: Position) -> Result<(), Ended> {
        self.rebuild.events += events as u64;
        self.rebuild.position = position;
        match self.told {
            Some(told) if told.elapsed() < TELL => Ok(()),
            _ => self.tell().await,
        }
    }

    /// Keeps it; somebody else who has changed what is kept, as who cancels it does, ends it.
    async fn tell(&mut self) -> Result<(), Ended> {
        let worked =
            self.told.replace(Instant::now()).map_or(Duration::ZERO, |told| told.elapsed());
        self.rebuild.worked += u64::try_from(worked.as_millis()).unwrap_or(u64::MAX);
        self.rebuild.of = self.rebuild.of.max(self.rebuild.events);
        while !self.operator.keep(&mut self.rebuild).await? {
            let Rebuild { projection, version, key, .. } = &self.rebuild;
            let found = self.operator.find_rebuild(projection, *version, key.as_deref()).await?;
            // Somebody may have changed how much it may ask of the store: it goes on so.
            let is_own = |found: &Rebuild| {
                found.state.is_under_way()
                    && (found.asked_at, &found.by) == (self.rebuild.asked_at, &self.rebuild.by)
                    && found.load != self.rebuild.load
            };
            let Some(found) = found.filter(is_own) else { return Err(Ended::Again) };
            (self.rebuild.load, self.rebuild.revision) = (found.load, found.revision);
        }
        Ok(())
    }
}
