//! The engine: one task for each projection, which reads the log and writes batches.

mod aside;
mod asked;
mod builder;
mod building;
mod crew;
mod divided;
mod dry_run;
mod error;
mod failures;
mod in_hand;
mod inline_rows;
mod live;
mod named;
mod operated;
mod operator;
mod pages;
mod parked;
mod plan;
mod pulse;
mod rebuild;
mod rebuild_key;
mod requested;
mod row_progress;
mod scratch;
mod scratch_table;
mod seen;
mod show;
mod shown;
mod site;
mod size;
mod status;
mod still;
mod stopped;
mod tables;
mod taken;
mod unexplained;
mod what_if;
mod worker;

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use self::aside::FoldProgress;
pub use self::builder::ProjectionEngineBuilder;
pub(crate) use self::builder::Settings;
use self::crew::Crew;
pub use self::dry_run::DryRun;
pub use self::error::EngineError;
pub(crate) use self::failures::{Failures, Next};
use self::inline_rows::{InlineRows, Rows};
pub use self::live::Live;
pub use self::named::Named;
pub use self::operator::Operator;
pub(crate) use self::parked::read_parked;
pub use self::plan::{Estimate, EstimateBasis, Plan, PlanAction, PlanStep};
use self::pulse::Pulse;
pub(crate) use self::scratch_table::ScratchTable;
use self::shown::Shown;
pub(crate) use self::shown::age_of_next;
pub use self::status::{Level, ProjectionState, ProjectionStatus, ShardStatus, Status, Thresholds};
pub use self::tables::Tables;
pub use self::what_if::{WhatIf, WhatIfRows};
use super::{CatalogEntry, ParkedEvent, Progress, Projection, SkippedEvent};
use crate::position::Position;
use crate::read_model::{IntoColumn, ModelKey, ReadModelError, ReadModels};
use crate::receipt::Receipt;
use crate::store::{EventStore, ReadModelStore};

/// Runs projections: reads the log, writes their rows in batches, and tells how they are.
///
/// It stops with [`shutdown`](Self::shutdown), or when its last handle is dropped; then nobody is told of what went wrong
/// last.
#[derive(Clone)]
pub struct ProjectionEngine {
    inner: Arc<Inner>,
}

struct Inner {
    events: Arc<dyn EventStore>,
    rows: Arc<dyn ReadModelStore>,
    progress: Progress,
    workers: Vec<Arc<Crew>>,
    operator: Operator,
    inline: Vec<InlineRows>,
    settings: Arc<Settings>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl ProjectionEngine {
    /// Begins an engine on a store of events and rows.
    pub fn builder<S: EventStore + ReadModelStore>(store: S) -> ProjectionEngineBuilder {
        ProjectionEngineBuilder::new(store)
    }

    async fn start(builder: ProjectionEngineBuilder) -> Result<Self, EngineError> {
        let ProjectionEngineBuilder { events, rows, projectors, inline, settings, .. } = builder;
        let mut prepared = Vec::new();
        for projector in projectors.into_values() {
            let entry = tables::prepared(&*projector, &*rows, &settings).await;
            let projection = || projector.definition().projection.clone();
            let entry = entry
                .map_err(|source| EngineError::Prepare { projection: projection(), source })?;
            prepared.push((projector, entry));
        }
        let (progress, stop, tasks) =
            (Progress::default(), CancellationToken::new(), TaskTracker::new());
        let settings = Arc::new(settings);
        let pulse = Arc::new(Pulse::new((events.clone(), rows.clone()), settings.polling));
        tasks.spawn(pulse.clone().run(stop.clone()));
        let mut workers = Vec::new();
        for (projector, entry) in prepared {
            let definition = projector.definition();
            let (name, version) = (definition.projection.clone(), definition.version);
            let of_none = || CatalogEntry::new(&name, version);
            let awaits_tables = entry.is_none();
            let crew = Crew::start(
                projector.clone(),
                (entry.unwrap_or_else(of_none), awaits_tables),
                (events.clone(), rows.clone()),
                (settings.clone(), pulse.clone()),
                (stop.clone(), tasks.clone()),
            );
            progress.insert(&name, version, crew.reached());
            workers.push(crew);
        }
        let mut inlined = Vec::new();
        for inline in inline {
            let (events, settings) = (events.clone(), settings.clone());
            let shown = watch::Sender::new(Shown::default());
            let pulse = pulse.clone();
            let rows = InlineRows { inline, events, settings, pulse, shown, turn: Arc::default() };
            rows.prepare().await?;
            tasks.spawn(rows.clone().run(stop.clone()));
            inlined.push(rows);
        }
        tasks.close();
        let inline = inlined;
        let sites = workers
            .iter()
            .map(|crew: &Arc<Crew>| site::Site::new(crew.projector.clone(), Some(crew.clone())));
        let operator = Operator::new(operator::Shared {
            events: events.clone(),
            rows: rows.clone(),
            settings: settings.clone(),
            pulse: pulse.clone(),
            stop: stop.clone(),
            tasks: tasks.clone(),
            sites: sites.collect(),
            inline: inline.iter().map(|rows| rows.inline.definition().clone()).collect(),
            places: Semaphore::new(settings.rebuilds),
            row_places: Semaphore::new(settings.rebuilds),
            in_hand: Mutex::default(),
        });
        if !workers.is_empty() {
            tasks.spawn(operator.clone().watch());
        }
        let inner =
            Inner { events, rows, progress, workers, operator, inline, settings, stop, tasks };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The rows, for queries.
    pub fn read_models(&self) -> ReadModels {
        ReadModels::shared(self.inner.rows.clone(), self.inner.progress.clone())
    }

    /// Waits until the projection of `M` has passed what a receipt names, so that its rows say so.
    ///
    /// # Errors
    ///
    /// [`ReadModelError::Late`] if it takes longer than `patience`, [`ReadModelError::Paused`] if that is because it is paused; [`ReadModelError::Parked`] if what is waited for is parked;
    /// [`ReadModelError::Stopped`] if the projection has stopped.
    pub async fn wait_for<M: Projection>(
        &self,
        receipt: &Receipt,
        patience: Duration,
    ) -> Result<(), ReadModelError> {
        if M::INLINE {
            return Ok(());
        }
        let named = self.of::<M>();
        let named =
            named.map_err(|_| ReadModelError::NotRegistered { projection: M::NAME.to_owned() })?;
        named.wait_for(receipt, patience).await
    }

    /// Folds a row at the moment of asking, from the events alone.
    pub fn live<M: Projection>(&self, key: impl IntoColumn<M::Key>) -> Live<M> {
        Live::new((self.inner.events.clone(), self.inner.rows.clone()), key.into_column())
    }

    /// Has the projection of `M` pause after its present batch, for all engines and until it is resumed.
    ///
    /// # Errors
    ///
    /// When the store cannot be written.
    pub async fn pause<M: Projection>(&self) -> Result<(), EngineError> {
        self.of::<M>()?.pause().await
    }

    /// Has the projection of `M` go on: one that was paused, or one that has stopped and whose cause is mended.
    ///
    /// # Errors
    ///
    /// When the store cannot be written.
    pub async fn resume<M: Projection>(&self) -> Result<(), EngineError> {
        self.of::<M>()?.resume().await
    }

    /// Builds the rows of `M` anew from the beginning of the log, beside those that answer, and has the new ones answer once they
    /// have caught up.
    ///
    /// # Errors
    ///
    /// When the projection is being rebuilt already, an event fails in a way that stops it, or somebody cancels it. One that has
    /// stopped can be rebuilt, which is the cure for rows that are not as they should be.
    ///
    /// # Cancel safety
    ///
    /// A dropped call has no effect on the rebuild, nor has an engine that ends: it goes on, in whichever engine comes next, until
    /// it is [cancelled](Self::cancel_rebuild).
    pub async fn rebuild<M: Projection>(&self) -> Result<(), EngineError> {
        if M::INLINE {
            let inline = self.inner.inline.iter().find(|inline| inline.name() == M::NAME);
            let not_registered = || EngineError::NotRegistered { projection: M::NAME.to_owned() };
            return inline.ok_or_else(not_registered)?.write(Rows::Anew).await;
        }
        self.of::<M>()?.rebuild().await
    }

    /// Lists the events of `M` that are parked, in the order of the log.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub async fn parked<M: Projection>(&self) -> Result<Vec<ParkedEvent>, EngineError> {
        self.of::<M>()?.parked().await
    }

    /// Tries the parked events of one row again, in their order; tells how many are parked still.
    ///
    /// # Errors
    ///
    /// When another engine runs the projection, or the store does not answer.
    pub async fn retry_parked<M: Projection>(
        &self,
        key: impl IntoColumn<M::Key>,
    ) -> Result<u64, EngineError> {
        let key = key_text::<M>(&key.into_column())?;
        self.of::<M>()?.retry_parked(key).await
    }

    /// Gives up the parked events of one row: they never change it. Tells how many there were.
    ///
    /// # Errors
    ///
    /// When another engine runs the projection, or the store does not answer.
    pub async fn drop_parked<M: Projection>(
        &self,
        key: impl IntoColumn<M::Key>,
    ) -> Result<u64, EngineError> {
        let key = key_text::<M>(&key.into_column())?;
        self.of::<M>()?.drop_parked(key).await
    }

    /// Has the projection of `M` pass over an event at which it has stopped, and go on. That is kept: a rebuild passes over it,
    /// too, and so does [`live`](Self::live).
    ///
    /// # Errors
    ///
    /// When the projection has not stopped at that position.
    pub async fn skip<M: Projection>(&self, position: Position) -> Result<(), EngineError> {
        self.of::<M>()?.skip(position).await
    }

    /// Lists the events that the projection of `M` passes over, in the order of the log.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub async fn skipped<M: Projection>(&self) -> Result<Vec<SkippedEvent>, EngineError> {
        self.of::<M>()?.skipped().await
    }

    /// Stops all projections after their present batch, and gives their leases up.
    ///
    /// # Errors
    ///
    /// What made a projection stop before, if anything did.
    pub async fn shutdown(self) -> Result<(), EngineError> {
        self.inner.stop.cancel();
        self.inner.tasks.wait().await;
        for worker in &self.inner.workers {
            if let Some(reason) = worker.shown().stopped {
                let projection = worker.projector.definition().projection.clone();
                return Err(EngineError::Stopped { projection, reason });
            }
        }
        Ok(())
    }

    /// The projection of a name and version, for what has no read model: it was registered by
    /// [`register_projector`](ProjectionEngineBuilder::register_projector).
    ///
    /// # Errors
    ///
    /// When the engine does not run it.
    pub fn named(&self, name: &str, version: u32) -> Result<Named<'_>, EngineError> {
        let found = self.inner.workers.iter().find(|worker| {
            let definition = worker.projector.definition();
            definition.projection == name && definition.version == version
        });
        let not_registered = || EngineError::NotRegistered { projection: name.to_owned() };
        Ok(Named { inner: &self.inner, handle: found.ok_or_else(not_registered)? })
    }

    fn of<M: Projection>(&self) -> Result<Named<'_>, EngineError> {
        if self.inner.inline.iter().any(|inline| inline.name() == M::NAME) {
            return Err(EngineError::Inline { projection: M::NAME.to_owned() });
        }
        self.named(M::NAME, M::VERSION)
    }
}

impl Inner {
    /// What is kept of a projection, which another engine may have changed.
    async fn entry(&self, handle: &Crew) -> Result<CatalogEntry, EngineError> {
        let definition = handle.projector.definition();
        let found = self.rows.catalog().await?.into_iter().find(|entry| entry.is_of(definition));
        Ok(found.ok_or_else(|| definition.not_prepared())?)
    }
}

fn key_text<M: Projection>(key: &M::Key) -> Result<String, EngineError> {
    let key = key.to_row_key();
    let key = key.map_err(|source| EngineError::Key { model: M::TABLE.name, source })?;
    Ok(key.to_string())
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl fmt::Debug for ProjectionEngine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names =
            self.inner.workers.iter().map(|worker| &worker.projector.definition().projection);
        f.debug_struct("ProjectionEngine")
            .field("projections", &names.collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}
