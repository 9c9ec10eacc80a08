//! Rebuilds that are asked for, or were left: taken up by whichever engine comes to it, under a lease, until they are over.

use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use futures::FutureExt;
use tokio::task::JoinHandle;

use super::building::{Left, store_error};
use super::failures::{Failures, Next};
use super::operator::{Operator, Shared, TELL};
use super::site::Site;
use super::worker::Ended;
use super::{EngineError, Tables};
use crate::causes::chain;
use crate::projection::{CatalogEntry, ModelDefinition, Rebuild, RebuildState};
use crate::store::{CheckpointId, Fence, StoreError, WriteError};
use crate::subscription::claim::{Checkpoints, Claim, RunOut};
use crate::subscription::lease::Lease;

/// For how long an engine waits for the lease of those who rebuild, which may just have been given up.
pub(super) const TURN: Duration = Duration::from_secs(1);

/// What has become of a rebuild that was taken up.
pub(super) enum Became {
    Over(Box<Rebuild>),
    /// Another engine has it.
    Elsewhere,
}

impl Operator {
    /// Takes up what is asked for or was left, in a task of an engine's.
    pub(super) async fn watch(self) {
        let Shared { stop, settings, .. } = &*self.shared;
        loop {
            let looked_at = Instant::now();
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(settings.polling) => {}
            }
            // What the store does not tell now, it tells the next time.
            let Ok(rebuilds) = self.shared.rows.rebuilds().await else { continue };
            for rebuild in &rebuilds {
                let Ok(site) = self.site(&rebuild.projection, rebuild.version) else { continue };
                if rebuild.key.is_some() {
                    if rebuild.state.is_under_way() {
                        self.take_up_key(site, rebuild.clone());
                    }
                    continue;
                }
                let name = (rebuild.projection.clone(), rebuild.version, None);
                if settings.tables == Tables::Made
                    && !self.is_in_hand(&name)
                    && (rebuild.state.is_under_way() || self.has_left(site, looked_at).await)
                {
                    drop(self.at_once(site));
                }
            }
        }
    }

    /// Takes a rebuild up in a task of its own, which goes on though nobody waits for it.
    pub(super) fn at_once(&self, site: &Site) -> JoinHandle<Result<Became, EngineError>> {
        let (operator, site) = (self.clone(), site.clone());
        let name = (site.definition().projection.clone(), site.definition().version, None);
        let in_hand = self.take_in_hand(name);
        self.shared.tasks.spawn(async move {
            let Some(_in_hand) = in_hand else { return Ok(Became::Elsewhere) };
            operator.take_up(&site).await
        })
    }

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
}
