//! Engines that may make no tables: they wait until somebody else has made them.

use std::time::Duration;

use tokio::sync::mpsc;

use super::Settings;
use super::asked::Asked;
use super::status::{Level, ProjectionState};
use super::worker::Worker;
use crate::causes::chain;
use crate::metrics;
use crate::projection::{CatalogEntry, Preparation, Projector};
use crate::shards::Division;
use crate::store::{ReadModelStore, StoreError};

/// Who makes the tables of projections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Tables {
    /// The engine, when it starts, and when it rebuilds.
    #[default]
    Made,
    /// An operator, who runs the [plan](super::Operator::plan). The engine makes none, waits until they are there, and tells so
    /// in its status; nor does it take up rebuilds.
    Awaited,
}

/// Prepares a projection, and says the number of its shards, if nobody has; `None` if it has to wait for its tables.
pub(super) async fn prepared(
    projector: &dyn Projector,
    rows: &dyn ReadModelStore,
    settings: &Settings,
) -> Result<Option<CatalogEntry>, StoreError> {
    let entry = match settings.tables {
        Tables::Made => Some(projector.prepare(rows).await?),
        Tables::Awaited => prepare_if_made(projector, rows).await?,
    };
    let Some(mut entry) = entry else { return Ok(None) };
    let name = (entry.projection.clone(), entry.version);
    if let Some(shards) = settings.shards.get(&name) {
        let divided = rows.divide(&entry.reader(), Division::AtFirst(*shards)).await?;
        entry.shards = divided.layout.shards;
    }
    Ok(Some(entry))
}

/// Prepares a projection, unless something has to be made for it.
async fn prepare_if_made(
    projector: &dyn Projector,
    rows: &dyn ReadModelStore,
) -> Result<Option<CatalogEntry>, StoreError> {
    match rows.preparation(projector.definition()).await? {
        Preparation::Nothing | Preparation::Behind { .. } => {
            projector.prepare(rows).await.map(Some)
        }
        Preparation::Refused { reason } => Err(StoreError::invalid(reason)),
        _ => Ok(None),
    }
}

impl Worker {
    /// Waits until the tables are there; `false` if it is stopped before.
    pub(super) async fn await_tables(&mut self, asked: &mut mpsc::Receiver<Asked>) -> bool {
        if !self.awaits_tables {
            return true;
        }
        tracing::warn!(
            projection = self.name(),
            "its tables are not made: waits for an operator to run the plan"
        );
        let state = ProjectionState::Unprepared;
        self.show(|shown| shown.state = state);
        let level = self.settings.thresholds.level(state, Duration::ZERO);
        metrics::projection_level(self.name(), level);
        loop {
            tokio::select! {
                () = self.stop.cancelled() => return false,
                ask = asked.recv() => self.refuse(ask),
                () = tokio::time::sleep(self.settings.polling) => {
                    match prepared(&*self.projector, &*self.rows, &self.settings).await {
                        Ok(Some(entry)) => {
                            self.entry = entry;
                            self.awaits_tables = false;
                            self.show(|shown| shown.last_error = None);
                            metrics::projection_level(self.name(), Level::Normal);
                            return true;
                        }
                        Ok(None) => self.show_what_is_missing().await,
                        Err(error) => {
                            let text = chain(&error);
                            self.show(|shown| shown.last_error = Some(text));
                        }
                    }
                }
            }
        }
    }

    /// Shows why it waits, if its tables are there: its role may not write them.
    async fn show_what_is_missing(&self) {
        let definition = self.projector.definition();
        if let Ok(Preparation::Forbidden { reason }) = self.rows.preparation(definition).await {
            if self.shown.borrow().last_error.as_ref() != Some(&reason) {
                tracing::warn!(
                    projection = self.name(),
                    reason,
                    "waits until it may write its tables"
                );
            }
            self.show(|shown| shown.last_error = Some(reason));
        }
    }
}
