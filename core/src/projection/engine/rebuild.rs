//! Rows built anew beside those that answer, by whichever engine comes to it, until they take their place.

use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use futures::FutureExt;

use super::EngineError;
use super::asked::Given;
use super::failures::{Failures, Next};
use super::operator::{Operator, Site, TELL};
use super::size::Size;
use super::worker::{Ended, Owned, Worker};
use crate::causes::chain;
use crate::position::Position;
use crate::projection::{CatalogEntry, ModelDefinition, Rebuild, RebuildState};
use crate::store::{CheckpointId, Fence, StoreError, WriteError};
use crate::subscription::lease::{Checkpoints, Claim, Lease, RunOut};

/// For how long an engine waits for the lease of those who rebuild, which may just have been given up.
pub(super) const TURN: Duration = Duration::from_secs(1);

/// What has become of a rebuild that was taken up.
pub(super) enum Became {
    Over(Box<Rebuild>),
    /// Another engine has it.
    Elsewhere,
}

/// Why the building of rows ended early.
enum Left {
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

fn store_error(error: WriteError) -> StoreError {
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
    /// Goes on with a rebuild that is asked for, or was left, unless another engine does.
    pub(super) async fn take_up(&self, site: &Site) -> Result<Became, EngineError> {
        let ended = || EngineError::Ended { projection: site.definition().projection.clone() };
        let _place = tokio::select! {
            () = self.shared.stop.cancelled() => return Err(ended()),
            place = self.shared.places.acquire() => place.map_err(|_| ended())?,
        };
        let Some(mut turn) = self.turn(site).await? else { return Ok(Became::Elsewhere) };
        let fence = turn.fence().await;
        let became = tokio::select! {
            _ = turn.lost() => Ok(Became::Elsewhere),
            became = self.go_on(site, &fence) => became,
        };
        // Whether it could be given up, its task tells the log.
        let _ = turn.give_up().await;
        became
    }

    /// Takes the lease of those who rebuild a projection; `None` while another has it.
    async fn turn(&self, site: &Site) -> Result<Option<Lease>, EngineError> {
        let definition = site.definition();
        let claim = Claim {
            events: self.shared.events.clone(),
            checkpoints: Checkpoints::Apart(self.shared.rows.clone()),
            name: format!("rebuild of {}", definition.projection),
            engine: self.shared.settings.name.clone(),
            id: CheckpointId::of_rebuild(&definition.projection, definition.version),
            lifetime: self.shared.settings.lease,
            run_out: RunOut::Lost,
        };
        match tokio::time::timeout(TURN, Lease::take(claim)).await {
            Ok(Ok((lease, _))) => Ok(Some(lease)),
            Ok(Err(error)) => Err(Ended::from(error).into_error(&definition.projection)),
            Err(_) => Ok(None),
        }
    }

    /// Builds until it is over, whatever the store bears meanwhile, for as long as the lease of those who rebuild is held.
    async fn go_on(&self, site: &Site, fence: &Fence) -> Result<Became, EngineError> {
        let definition = site.definition();
        let mut failures = Failures::default();
        loop {
            let name = &definition.projection;
            let found = match self.find_rebuild(name, definition.version, None).await {
                Ok(None) => return Ok(Became::Elsewhere),
                Ok(Some(found)) if !found.state.is_under_way() => {
                    match self.drop_left(site, fence).await {
                        Ok(()) => return Ok(Became::Over(Box::new(found))),
                        Err(WriteError::Fenced { .. }) => return Ok(Became::Elsewhere),
                        Err(error) => self.pause(site, &mut failures, store_error(error)).await?,
                    }
                    continue;
                }
                Ok(Some(found)) => found,
                Err(error) => {
                    self.pause(site, &mut failures, error).await?;
                    continue;
                }
            };
            let mut rebuild = found;
            match self.leaves(site).await {
                Ok(false) => {}
                Ok(true) => return self.leave(rebuild).await,
                Err(error) => {
                    self.pause(site, &mut failures, error).await?;
                    continue;
                }
            }
            let before = rebuild.position;
            let built =
                AssertUnwindSafe(self.build(site, &mut rebuild, fence)).catch_unwind().await;
            // Done again, it would panic again: a person has to see it.
            let built = built
                .unwrap_or_else(|panic| Err(Left::Ended(Ended::Stopped(site.panicked(&*panic)))));
            if rebuild.position > before {
                failures = Failures::default();
            }
            match built {
                Ok(()) => return Ok(Became::Over(Box::new(rebuild))),
                // If it was cancelled, the next look gives its rows up.
                Err(Left::Changed) => {}
                Err(Left::Ended(Ended::Shutdown)) => {
                    return Err(EngineError::Ended { projection: name.clone() });
                }
                // Its own lease has run out, as in an outage that lasted longer.
                Err(Left::Ended(Ended::Again)) => tokio::time::sleep(TELL).await,
                // A newer release has added columns meanwhile.
                Err(_) if self.leaves(site).await.unwrap_or_default() => {
                    return self.leave(rebuild).await;
                }
                Err(Left::Ended(Ended::Failed(error))) => {
                    if let Err(error) = self.pause(site, &mut failures, error).await {
                        return Err(self.failed(site, rebuild, error, fence).await);
                    }
                }
                Err(Left::Ended(Ended::Stopped(error))) => {
                    return Err(self.failed(site, rebuild, error, fence).await);
                }
            }
        }
    }

    /// Leaves a rebuild to a newer release: it can be cancelled until that takes it up.
    async fn leave(&self, mut rebuild: Rebuild) -> Result<Became, EngineError> {
        if rebuild.state == RebuildState::Switching {
            rebuild.state = RebuildState::Building;
            // If somebody else has changed it, it is as that one says.
            self.keep(&mut rebuild).await?;
        }
        Ok(Became::Elsewhere)
    }

    /// Waits after a failure of the store, unless it will not do at all.
    async fn pause(
        &self,
        site: &Site,
        failures: &mut Failures,
        error: StoreError,
    ) -> Result<(), EngineError> {
        let Next::Again(pause) = failures.next(&error) else { return Err(error.into()) };
        let projection = &site.definition().projection;
        tracing::warn!(projection, %error, ?pause, "a rebuild failed: tries again");
        tokio::select! {
            () = self.shared.stop.cancelled() => {
                Err(EngineError::Ended { projection: projection.clone() })
            }
            () = tokio::time::sleep(pause) => Ok(()),
        }
    }

    /// Gives the new rows up that a rebuild has left which is over, as one does that is cancelled. Only who has the lease of those
    /// who rebuild may: the next rebuild builds a generation of the same number.
    async fn drop_left(&self, site: &Site, fence: &Fence) -> Result<(), WriteError> {
        let (definition, rows) = (site.definition(), &self.shared.rows);
        let catalog = rows.catalog().await?;
        let entry = catalog.iter().find(|entry| entry.is_of(definition));
        match entry.and_then(|entry| entry.building) {
            Some(left) => rows.drop_generation(definition, left, fence).await,
            None => Ok(()),
        }
    }

    /// Whether new rows are there, as it was looked for after an instant.
    pub(super) async fn has_left(&self, site: &Site, after: Instant) -> bool {
        // What the store does not tell now, it tells the next time.
        let entry = self.shared.pulse.entry(site.definition(), after).await.ok().flatten();
        entry.is_some_and(|entry| entry.building.is_some())
    }

    /// Drops the rows that rebuilds have left which are over, of projections of this program: those of one that was cancelled while
    /// the lease of an engine held on that had died. An engine that runs the projection does the same by itself.
    ///
    /// # Errors
    ///
    /// When the store cannot be read. What cannot be dropped is told in the log.
    pub async fn drop_left_rebuilds(&self) -> Result<(), EngineError> {
        let (catalog, rebuilds) = (self.catalog().await?, self.rebuilds().await?);
        for entry in catalog.iter().filter(|entry| entry.building.is_some()) {
            let CatalogEntry { projection, version, .. } = entry;
            let is_under_way = |rebuild: &Rebuild| {
                (&rebuild.projection, rebuild.version) == (projection, *version)
                    && rebuild.key.is_none()
                    && rebuild.state.is_under_way()
            };
            if !rebuilds.iter().any(is_under_way) {
                self.clear_cancelled(projection, *version).await;
            }
        }
        Ok(())
    }

    /// Gives the new rows up of a rebuild that was cancelled, unless somebody builds them: who does so gives them up.
    pub(super) async fn clear_cancelled(&self, projection: &str, version: u32) {
        let Ok(site) = self.site(projection, version) else { return };
        let cleared = async {
            let Some(mut turn) = self.turn(site).await? else { return Ok(()) };
            let fence = turn.fence().await;
            let cleared = tokio::select! {
                _ = turn.lost() => Ok(()),
                cleared = self.clear(site, &fence) => cleared,
            };
            // Whether it could be given up, its task tells the log.
            let _ = turn.give_up().await;
            cleared
        };
        if let Err(error) = cleared.await {
            tracing::warn!(projection, %error, "an engine gives the rows of a cancelled rebuild up");
        }
    }

    async fn clear(&self, site: &Site, fence: &Fence) -> Result<(), EngineError> {
        let ModelDefinition { projection, version, .. } = site.definition();
        let found = self.find_rebuild(projection, *version, None).await?;
        // Somebody may have asked for another meanwhile, and it goes on with nothing that was left.
        if found.is_some_and(|found| !found.state.is_under_way()) {
            self.drop_left(site, fence).await?;
        }
        Ok(())
    }

    /// Keeps why a rebuild cannot go on, and gives its rows up. An engine that ends leaves it to the next.
    async fn failed(
        &self,
        site: &Site,
        mut rebuild: Rebuild,
        error: EngineError,
        fence: &Fence,
    ) -> EngineError {
        if matches!(error, EngineError::Ended { .. }) {
            return error;
        }
        rebuild.state = RebuildState::Failed;
        rebuild.error = Some(chain(&error));
        let definition = site.definition();
        tracing::error!(projection = definition.projection, %error, "a rebuild has failed");
        if let Some(generation) = rebuild.generation {
            // What is left of one that has failed, an engine that looks gives up.
            let _ = self.shared.rows.drop_generation(definition, generation, fence).await;
        }
        let _ = self.keep(&mut rebuild).await;
        error
    }

    /// Builds a generation, from where it was left, and has it answer.
    async fn build(&self, site: &Site, rebuild: &mut Rebuild, fence: &Fence) -> Result<(), Left> {
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
