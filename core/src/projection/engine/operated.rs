//! What operators ask of an engine, by the types of its read models.

use std::sync::{Arc, Mutex};

use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::operator::Shared;
use super::pulse::Pulse;
use super::site::Site;
use super::{
    DryRun, EngineError, Operator, Plan, ProjectionEngine, ProjectionEngineBuilder, WhatIf,
};
use crate::projection::{CatalogEntry, Projection, Pruned, Rebuild, RebuildLoad};
use crate::read_model::IntoColumn;

impl ProjectionEngine {
    /// What operators ask for, by the names of projections.
    pub fn operator(&self) -> &Operator {
        &self.inner.operator
    }

    /// Asks for the rows of `M` to be built anew, as [`rebuild`](Self::rebuild) does, and returns at once.
    ///
    /// # Errors
    ///
    /// When it is being rebuilt already, or the store cannot be written.
    ///
    /// # Cancel safety
    ///
    /// A dropped call has asked or not, as [`Operator::rebuilds`] tells.
    pub async fn begin_rebuild<M: Projection>(
        &self,
        load: RebuildLoad,
    ) -> Result<Rebuild, EngineError> {
        self.operator().begin_rebuild(M::NAME, M::VERSION, load).await
    }

    /// Cancels the rebuild of `M`, whichever engine does it: the rows that answer stay.
    ///
    /// # Errors
    ///
    /// When there is none under way, its rows are about to answer, or the store cannot be written.
    pub async fn cancel_rebuild<M: Projection>(&self) -> Result<Rebuild, EngineError> {
        self.operator().cancel_rebuild(M::NAME, M::VERSION).await
    }

    /// Builds one row of `M` anew from all its events, while the projection runs, and puts it in the place of the one that is there,
    /// in one step; what was parked for it goes, and what fails now is parked. Tells how many events went to the row.
    ///
    /// If all rows follow streams of their own, only the row's own are read; otherwise all events of the projection are, as in a
    /// rebuild of all rows.
    ///
    /// # Errors
    ///
    /// When another engine runs the projection, no event ever went to the row, or the store does not answer. By an operator of any
    /// program: [`Operator::begin_rebuild_key`].
    ///
    /// # Cancel safety
    ///
    /// A dropped call has replaced the row or not.
    pub async fn rebuild_key<M: Projection>(
        &self,
        key: impl IntoColumn<M::Key>,
    ) -> Result<u64, EngineError> {
        let key = super::key_text::<M>(&key.into_column())?;
        let site = self.operator().site(M::NAME, M::VERSION)?;
        self.operator().rebuild_key(site, key, None).await
    }

    /// Cancels the rebuild of one row of `M` that an operator has asked for, as [`Operator::cancel_rebuild_key`].
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn cancel_rebuild_key<M: Projection>(
        &self,
        key: impl IntoColumn<M::Key>,
    ) -> Result<Rebuild, EngineError> {
        let key = super::key_text::<M>(&key.into_column())?;
        self.operator().cancel_rebuild_key(M::NAME, M::VERSION, &key).await
    }

    /// Tells how the rows of `M` would differ if they were rebuilt, and changes none of them, as [`Operator::rebuild_dry_run`].
    pub fn rebuild_dry_run<M: Projection>(&self) -> DryRun {
        self.operator().rebuild_dry_run(M::NAME, M::VERSION)
    }

    /// Folds the projection of `M`, which need not be registered, over history into a scratch table, and gives its rows to read, as
    /// [`Operator::what_if`].
    pub fn what_if<M: Projection>(&self) -> WhatIf<M> {
        self.operator().what_if()
    }

    /// Tells what will be made, read and dropped, as [`Operator::plan`].
    ///
    /// # Errors
    ///
    /// When a store cannot be read.
    pub async fn plan(&self) -> Result<Plan, EngineError> {
        self.operator().plan().await
    }

    /// Drops the versions that are older than those of this program and that nobody runs, as [`Operator::prune`].
    ///
    /// # Errors
    ///
    /// When the store cannot be written.
    pub async fn prune(&self) -> Result<Vec<(CatalogEntry, Pruned)>, EngineError> {
        self.operator().prune().await
    }
}

impl ProjectionEngineBuilder {
    /// What operators ask for, in a program that does not run the projections: nothing is prepared, and nothing starts.
    ///
    /// # Errors
    ///
    /// When two projections share a name or a table, or stored names of events clash.
    pub fn operator(self) -> Result<Operator, EngineError> {
        let Self { events, rows, projectors, inline, settings, .. } = self.checked()?;
        let settings = Arc::new(settings);
        let pulse = Arc::new(Pulse::new((events.clone(), rows.clone()), settings.polling));
        let sites = projectors.into_values().map(|projector| Site::new(projector, None));
        let shared = Shared {
            events,
            rows,
            pulse,
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
            sites: sites.collect(),
            inline: inline.iter().map(|inline| inline.definition().clone()).collect(),
            places: Semaphore::new(settings.rebuilds),
            row_places: Semaphore::new(settings.rebuilds),
            in_hand: Mutex::default(),
            settings,
        };
        Ok(Operator::new(shared))
    }
}
