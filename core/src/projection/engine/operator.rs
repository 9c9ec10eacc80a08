//! What operators ask for: in a program that runs the projections, or in one of their own.

use std::collections::HashSet;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::in_hand::Name;
use super::pulse::Pulse;
use super::rebuild::Became;
use super::site::Site;
use super::{EngineError, Settings, Tables};
use crate::projection::{CatalogEntry, ModelDefinition, Rebuild, RebuildLoad, RebuildState};
use crate::store::{EventStore, ReadModelStore, StoreError};
use crate::timestamp::Timestamp;

/// What operators ask for, by the names of projections: rebuilds, plans, what is left of versions that nobody runs.
///
/// An [engine](super::ProjectionEngine::operator) has one, and a program that runs no projections
/// [makes](super::ProjectionEngineBuilder::operator) its own of the same projections: what it asks for is kept in the store, and
/// done by whoever runs them.
///
/// ```
/// use annals::prelude::*;
///
/// # async fn run() -> Result<(), EngineError> {
/// let operator = ProjectionEngine::builder(MemoryStore::new()).register_all().operator()?;
/// for rebuild in operator.rebuilds().await? {
///     println!("{}: {} of {} events", rebuild.projection, rebuild.events, rebuild.of);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Operator {
    pub(super) shared: Arc<Shared>,
}

pub(super) struct Shared {
    pub(super) events: Arc<dyn EventStore>,
    pub(super) rows: Arc<dyn ReadModelStore>,
    pub(super) settings: Arc<Settings>,
    pub(super) pulse: Arc<Pulse>,
    pub(super) stop: CancellationToken,
    pub(super) tasks: TaskTracker,
    pub(super) sites: Vec<Site>,
    /// Inline projections, which are not rebuilt beside their rows.
    pub(super) inline: Vec<ModelDefinition>,
    /// How many rebuilds go on at once.
    pub(super) places: Semaphore,
    /// How many rows are built anew at once, beside those.
    pub(super) row_places: Semaphore,
    /// Those of which a task of this program takes care.
    pub(super) in_hand: Mutex<HashSet<Name>>,
}

impl Operator {
    pub(super) fn new(shared: Shared) -> Self {
        Self { shared: Arc::new(shared) }
    }

    /// Tells what is kept of all projections, those that this program does not know included.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub async fn catalog(&self) -> Result<Vec<CatalogEntry>, EngineError> {
        Ok(self.shared.rows.catalog().await?)
    }

    /// Says whether a projection is to pause, for all engines that run it.
    ///
    /// # Errors
    ///
    /// When the store cannot be written.
    pub async fn set_paused(
        &self,
        projection: &str,
        version: u32,
        paused: bool,
    ) -> Result<(), EngineError> {
        Ok(self.shared.rows.set_paused(projection, version, paused).await?)
    }

    /// Tells of the rebuilds that are asked for, under way or over: of each projection and version the last of all rows, and the
    /// last of each row.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub async fn rebuilds(&self) -> Result<Vec<Rebuild>, EngineError> {
        Ok(self.shared.rows.rebuilds().await?)
    }

    /// Asks for a projection's rows to be built anew, beside those that answer, and returns at once. An engine that runs the
    /// projection takes it up, and the next one if that is gone: until it is [cancelled](Self::cancel_rebuild), or an event fails
    /// in a way that stops it.
    ///
    /// # Errors
    ///
    /// When it is being rebuilt already, writes by SQL of its own, is not known to this program, or the store cannot be written.
    ///
    /// # Cancel safety
    ///
    /// A dropped call has asked or not, as [`rebuilds`](Self::rebuilds) tells.
    pub async fn begin_rebuild(
        &self,
        projection: &str,
        version: u32,
        load: RebuildLoad,
    ) -> Result<Rebuild, EngineError> {
        let site = self.site(projection, version)?;
        let begun = self.begin(site, load).await?;
        if site.crew.is_some() && self.shared.settings.tables == Tables::Made {
            drop(self.at_once(site));
        }
        Ok(begun)
    }

    /// Builds a projection's rows anew, beside those that answer, here in this program, and waits until the new ones answer. If
    /// another engine is quicker to take it up, it waits for that one.
    ///
    /// # Errors
    ///
    /// As [`begin_rebuild`](Self::begin_rebuild), and when it fails or is cancelled.
    ///
    /// # Cancel safety
    ///
    /// A dropped call has no effect on the rebuild: it goes on, here for as long as the program lives, then elsewhere.
    pub async fn rebuild(
        &self,
        projection: &str,
        version: u32,
        load: RebuildLoad,
    ) -> Result<(), EngineError> {
        let site = self.site(projection, version)?;
        let begun = self.begin(site, load).await?;
        let became = self.at_once(site).await.unwrap_or_else(|error| {
            Err(StoreError::other("the task of a rebuild has ended").with_source(error).into())
        })?;
        let over = match became {
            Became::Over(over) => *over,
            Became::Elsewhere => self.wait_until_over(&begun).await?,
        };
        match over.state {
            RebuildState::Done => {}
            RebuildState::Cancelled => {
                return Err(EngineError::RebuildCancelled { projection: over.projection });
            }
            _ => {
                let reason = over.error.unwrap_or_default();
                return Err(EngineError::RebuildFailed { projection: over.projection, reason });
            }
        }
        if let Some(crew) = &site.crew {
            crew.look().await;
        }
        Ok(())
    }

    /// Cancels the rebuild of all rows that is under way now, whichever engine does it: the rows that answer stay. Gives back how
    /// far it had come.
    ///
    /// # Errors
    ///
    /// When there is none under way, its rows are about to answer, or the store cannot be written.
    pub async fn cancel_rebuild(
        &self,
        projection: &str,
        version: u32,
    ) -> Result<Rebuild, EngineError> {
        self.cancel((projection, version), None, None).await
    }

    /// Cancels a rebuild, of all rows or of one, that somebody has seen among the [rebuilds](Self::rebuilds): another one, which was
    /// asked for since, goes on.
    ///
    /// # Errors
    ///
    /// When it is over, its rows are about to answer, another one has taken its place, or the store cannot be written.
    pub async fn cancel_seen_rebuild(&self, seen: &Rebuild) -> Result<Rebuild, EngineError> {
        let Rebuild { projection, version, key, asked_at, .. } = seen;
        self.cancel((projection, *version), key.as_deref(), Some(*asked_at)).await
    }

    pub(super) async fn cancel(
        &self,
        (projection, version): (&str, u32),
        key: Option<&str>,
        mut asked_at: Option<Timestamp>,
    ) -> Result<Rebuild, EngineError> {
        loop {
            let found = self.find_rebuild(projection, version, key).await?;
            let under_way = found.filter(|found| found.state.is_under_way());
            if let (Some(found), Some(asked_at)) = (&under_way, asked_at)
                && found.asked_at != asked_at
            {
                let (projection, asked_at) = (projection.to_owned(), found.asked_at);
                return Err(EngineError::OtherRebuild { projection, asked_at });
            }
            let Some(mut rebuild) =
                under_way.filter(|found| found.state != RebuildState::Switching)
            else {
                return Err(EngineError::NotRebuilding { projection: projection.to_owned() });
            };
            // From here on, this one and no other.
            asked_at = Some(rebuild.asked_at);
            rebuild.state = RebuildState::Cancelled;
            if self.keep(&mut rebuild).await? {
                tracing::warn!(projection, version, key, "a rebuild was cancelled by hand");
                if key.is_none() && self.shared.settings.tables == Tables::Made {
                    self.clear_cancelled(projection, version).await;
                }
                return Ok(rebuild);
            }
        }
    }

    /// Changes how much a rebuild that is under way may ask of the store: whichever engine does it goes on so.
    ///
    /// # Errors
    ///
    /// When there is none under way, or the store cannot be written.
    pub async fn set_rebuild_load(
        &self,
        projection: &str,
        version: u32,
        load: RebuildLoad,
    ) -> Result<Rebuild, EngineError> {
        self.set_load((projection, version), None, load).await
    }

    pub(super) async fn set_load(
        &self,
        (projection, version): (&str, u32),
        key: Option<&str>,
        load: RebuildLoad,
    ) -> Result<Rebuild, EngineError> {
        loop {
            let found = self.find_rebuild(projection, version, key).await?;
            let Some(mut rebuild) = found.filter(|found| found.state.is_under_way()) else {
                return Err(EngineError::NotRebuilding { projection: projection.to_owned() });
            };
            rebuild.load = load;
            if self.keep(&mut rebuild).await? {
                return Ok(rebuild);
            }
        }
    }

    /// The last rebuild of all rows, or of a row.
    pub(super) async fn find_rebuild(
        &self,
        projection: &str,
        version: u32,
        key: Option<&str>,
    ) -> Result<Option<Rebuild>, StoreError> {
        let all = self.shared.rows.rebuilds().await?;
        Ok(all.into_iter().find(|rebuild| {
            rebuild.projection == projection
                && rebuild.version == version
                && rebuild.key.as_deref() == key
        }))
    }

    /// Keeps a change of a rebuild; `false` if somebody else has changed it meanwhile.
    pub(super) async fn keep(&self, rebuild: &mut Rebuild) -> Result<bool, StoreError> {
        rebuild.told_at = Timestamp::now();
        let wanted = Rebuild { revision: rebuild.revision + 1, ..rebuild.clone() };
        let mut is_kept = self.shared.rows.keep_rebuild(rebuild).await?;
        if !is_kept {
            // A first try may have come there, whose answer was lost.
            let (name, key) = (&*rebuild.projection, rebuild.key.as_deref());
            is_kept =
                self.find_rebuild(name, rebuild.version, key).await?.as_ref() == Some(&wanted);
        }
        if is_kept {
            *rebuild = wanted;
        }
        Ok(is_kept)
    }

    async fn begin(&self, site: &Site, load: RebuildLoad) -> Result<Rebuild, EngineError> {
        let definition = site.definition();
        let ModelDefinition { projection, version, .. } = definition;
        if definition.table.is_none() {
            return Err(definition.not_rebuilt().into());
        }
        self.check_columns(site).await?;
        let rebuilding = || EngineError::Rebuilding { projection: projection.clone() };
        let before = self.find_rebuild(projection, *version, None).await?;
        if before.as_ref().is_some_and(|before| before.state.is_under_way()) {
            return Err(rebuilding());
        }
        let mut rebuild = Rebuild::new(projection, *version, None);
        rebuild.load = load;
        rebuild.revision = before.map_or(0, |before| before.revision);
        if self.keep(&mut rebuild).await? { Ok(rebuild) } else { Err(rebuilding()) }
    }

    async fn wait_until_over(&self, begun: &Rebuild) -> Result<Rebuild, EngineError> {
        loop {
            let found = self.find_rebuild(&begun.projection, begun.version, None).await?;
            match found {
                Some(found) if found.state.is_under_way() => {}
                Some(found) => return Ok(found),
                None => {
                    let projection = begun.projection.clone();
                    return Err(EngineError::NotRebuilding { projection });
                }
            }
            tokio::select! {
                () = self.shared.stop.cancelled() => {
                    return Err(EngineError::Ended { projection: begun.projection.clone() });
                }
                () = tokio::time::sleep(self.shared.settings.polling.min(TELL)) => {}
            }
        }
    }
}

/// How often it is told at least how a rebuild goes.
pub(super) const TELL: Duration = Duration::from_millis(250);

impl fmt::Debug for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.shared.sites.iter().map(|site| &site.definition().projection);
        f.debug_struct("Operator")
            .field("projections", &names.collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}
