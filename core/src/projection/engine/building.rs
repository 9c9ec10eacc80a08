//! The rows of a rebuild on their way: folded into a generation of their own, until that answers.

use std::time::{Duration, Instant};

use super::asked::Given;
use super::operator::{Operator, TELL};
use super::site::Site;
use super::size::Size;
use super::worker::{Ended, Owned, Worker};
use crate::causes::chain;
use crate::position::Position;
use crate::projection::{CatalogEntry, Rebuild, RebuildState};
use crate::store::{Fence, StoreError, WriteError};

/// Why the building of rows ended early.
pub(super) enum Left {
    /// Somebody has changed what is kept of it, as who cancels it does.
    Changed,
    Ended(Ended),
}

impl From<Ended> for Left {
    fn from(ended: Ended) -> Self {
        Self::Ended(ended)
    }
}

impl From<StoreError> for Left {
    fn from(error: StoreError) -> Self {
        Self::Ended(Ended::Failed(error))
    }
}

impl From<WriteError> for Left {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::Fenced { .. } => Ended::Again.into(),
            error => store_error(error).into(),
        }
    }
}

pub(super) fn store_error(error: WriteError) -> StoreError {
    match error {
        WriteError::Store(error) => error,
        error => StoreError::other(chain(&error)),
    }
}

/// A rebuild on its way.
struct Building<'a> {
    operator: &'a Operator,
    rebuild: &'a mut Rebuild,
    worker: Worker,
    told: Instant,
}

impl Operator {
    /// Builds a generation, from where it was left, and has it answer.
    pub(super) async fn build(
        &self,
        site: &Site,
        rebuild: &mut Rebuild,
        fence: &Fence,
    ) -> Result<(), Left> {
        let definition = site.definition();
        let catalog = self.shared.rows.catalog().await?;
        let entry = catalog.into_iter().find(|entry| entry.is_of(definition));
        let entry = entry.ok_or_else(|| definition.not_prepared())?;
        if !self.find_generation(site, &entry, rebuild, fence).await? {
            return self.done(site, rebuild).await;
        }
        let shared = &self.shared;
        let (mut worker, ..) = Worker::new(
            site.projector.clone(),
            entry,
            (shared.events.clone(), shared.rows.clone()),
            (shared.settings.clone(), shared.pulse.clone()),
            shared.stop.clone(),
        );
        worker.generation = rebuild.generation.unwrap_or_default();
        worker.reads_ahead = rebuild.load.reads_ahead();
        let held = tokio::select! {
            () = shared.stop.cancelled() => Err(Ended::Shutdown),
            held = worker.hold() => held,
        };
        let mut owned = held?;
        if let Some(batch) = rebuild.load.batch {
            let most = site.projector.batch().unwrap_or(shared.settings.batch);
            owned.size = Size::new(batch.clamp(1, most));
        }
        let mut building = Building { operator: self, rebuild, worker, told: Instant::now() };
        let built = building.run(&mut owned).await;
        let Owned { lease, generation, .. } = owned;
        match (&built, &site.crew) {
            // Nobody else, who only stands by, takes them in between.
            (Ok(()), Some(crew)) => crew.take_over(Given { lease, generation }).await,
            // Whether it could be given up, its task tells the log.
            _ => drop(lease.give_up().await),
        }
        built?;
        self.done(site, rebuild).await
    }

    /// Finds the generation to go on with, or begins one; `false` if it answers already.
    async fn find_generation(
        &self,
        site: &Site,
        entry: &CatalogEntry,
        rebuild: &mut Rebuild,
        fence: &Fence,
    ) -> Result<bool, Left> {
        let (definition, rows) = (site.definition(), &self.shared.rows);
        let is_left = rebuild.state != RebuildState::Asked && rebuild.generation.is_some();
        if is_left && rebuild.generation == Some(entry.generation) {
            return Ok(false);
        }
        if !is_left || rebuild.generation != entry.building {
            rebuild.generation = Some(rows.begin_generation(definition, fence).await?);
        }
        let generation = rebuild.generation.unwrap_or_default();
        tracing::info!(
            projection = definition.projection,
            generation,
            "a rebuild begins, or goes on"
        );
        let (events, filter) = (&self.shared.events, site.projector.filter());
        let reached = rows.checkpoint(&definition.reader(generation)).await?.unwrap_or_default();
        rebuild.position = reached;
        rebuild.events = events.count_events(&filter, reached).await?;
        rebuild.of = events.count_events(&filter, events.head().await?).await?;
        rebuild.by = Some(self.shared.settings.name.clone());
        rebuild.state = RebuildState::Building;
        if self.keep(rebuild).await? { Ok(true) } else { Err(Left::Changed) }
    }

    /// Keeps that the new rows answer, and has the worker of this program go on with them.
    async fn done(&self, site: &Site, rebuild: &mut Rebuild) -> Result<(), Left> {
        rebuild.state = RebuildState::Done;
        rebuild.error = None;
        if !self.keep(rebuild).await? {
            return Err(Left::Changed);
        }
        let Rebuild { projection, events, .. } = &*rebuild;
        tracing::info!(
            projection,
            events,
            rate = rebuild.rate(),
            "rows that were built anew answer"
        );
        if let Some(crew) = &site.crew {
            crew.look().await;
        }
        Ok(())
    }
}

impl Building<'_> {
    async fn run(&mut self, owned: &mut Owned) -> Result<(), Left> {
        loop {
            self.catch_up(owned).await?;
            self.rebuild.state = RebuildState::Switching;
            self.rebuild.switching_since.get_or_insert(self.rebuild.worked);
            self.tell(owned).await?;
            let shared = &self.operator.shared;
            let fence = owned.lease.fence().await;
            let definition = self.worker.projector.definition();
            // Looked at before the log's end, which it never passes: only after a restore does it tell what is not there.
            let answers = definition.reader(self.worker.find_entry().await?.generation);
            let reached = shared.rows.standing(&answers).await?.highest();
            let head = shared.events.head().await?;
            let head = if reached > head { head } else { Position::from(u64::MAX) };
            let switching =
                shared.rows.switch_generation(definition, owned.generation, &fence, head);
            match switching.await {
                Ok(true) => return Ok(()),
                // The owner of the rows that answer was quicker.
                Ok(false) => self.rebuild.state = RebuildState::Building,
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Applies what there is, up to the log's end.
    async fn catch_up(&mut self, owned: &mut Owned) -> Result<(), Left> {
        loop {
            if self.worker.stop.is_cancelled() {
                // The next engine goes on from here.
                self.worker.keep_checkpoint(owned).await?;
                return Err(Ended::Shutdown.into());
            }
            let (began, before) = (Instant::now(), self.worker.shown.borrow().events);
            self.worker.advance(owned).await?;
            let events = self.worker.shown.borrow().events - before;
            self.rebuild.events += events;
            if owned.is_at_end {
                return Ok(self.worker.keep_checkpoint(owned).await?);
            }
            if self.told.elapsed() >= TELL {
                self.tell(owned).await?;
            }
            let events = usize::try_from(events).unwrap_or(usize::MAX);
            self.rest(owned, self.rebuild.load.rest(events, began.elapsed())).await?;
        }
    }

    /// Rests as long as the load that it may be asks for; meanwhile, it can be cancelled.
    async fn rest(&mut self, owned: &mut Owned, rest: Duration) -> Result<(), Left> {
        let until = Instant::now() + rest;
        while Instant::now() < until && !self.worker.stop.is_cancelled() {
            let left = until.saturating_duration_since(Instant::now());
            tokio::select! {
                () = self.worker.stop.cancelled() => {}
                lost = owned.lease.lost() => return Err(Ended::from(lost).into()),
                () = tokio::time::sleep(left.min(TELL)) => {}
            }
            if self.told.elapsed() >= TELL {
                self.tell(owned).await?;
            }
        }
        Ok(())
    }

    /// Keeps how far it has come.
    async fn tell(&mut self, owned: &Owned) -> Result<(), Left> {
        let worked = std::mem::replace(&mut self.told, Instant::now()).elapsed();
        let rebuild = &mut *self.rebuild;
        rebuild.worked += u64::try_from(worked.as_millis()).unwrap_or(u64::MAX);
        rebuild.position = owned.kept.unwrap_or_default();
        rebuild.of = rebuild.of.max(rebuild.events);
        if self.operator.keep(rebuild).await? { Ok(()) } else { Err(Left::Changed) }
    }
}
