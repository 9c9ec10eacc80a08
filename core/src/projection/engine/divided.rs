//! How many shards a projection has.

use super::operator::Operator;
use super::{EngineError, ProjectionEngine};
use crate::projection::{Projection, Projector};
use crate::shards::{Division, Standing};
use crate::store::StoreError;

/// Refuses what cannot be divided.
pub(super) fn check(
    name: &str,
    projector: Option<&dyn Projector>,
    shards: u32,
) -> Result<(), EngineError> {
    Division::FromNow(shards).shards()?;
    let Some(projector) = projector else {
        return Err(EngineError::NotDivided { projection: name.to_owned() });
    };
    if shards > 1 && !projector.divides() {
        return Err(projector.definition().not_divided().into());
    }
    Ok(())
}

impl Operator {
    /// Has a projection run in so many shards from now on, in one step: those who run it now write no more, and engines that are
    /// there begin the new ones at once. Nothing is done again, and nothing is passed over.
    ///
    /// # Errors
    ///
    /// When there cannot be so many, the projection is inline, writes by SQL of its own, or is not known to this program, or the
    /// store cannot be written; [`EngineError::OtherShards`] if somebody has said another number meanwhile.
    ///
    /// # Cancel safety
    ///
    /// A dropped call has changed the number or not, as [`catalog`](Self::catalog) tells.
    pub async fn set_shards(
        &self,
        projection: &str,
        version: u32,
        shards: u32,
    ) -> Result<(), EngineError> {
        let site = self.site(projection, version)?;
        check(projection, Some(&*site.projector), shards)?;
        let definition = site.definition();
        let now = loop {
            let catalog = self.catalog().await?;
            let entry = catalog.iter().find(|entry| entry.is_of(definition));
            let reader = entry.ok_or_else(|| definition.not_prepared())?.reader();
            self.shared.rows.divide(&reader, Division::FromNow(shards)).await?;
            // Rows that were built anew meanwhile answer in as many shards as there were.
            let catalog = self.catalog().await?;
            let entry = catalog.iter().find(|entry| entry.is_of(definition));
            let entry = entry.ok_or_else(|| definition.not_prepared())?;
            if entry.reader() == reader {
                break entry.shards;
            }
        };
        tracing::warn!(projection, version, shards, "the number of shards was set by hand");
        if let Some(crew) = &site.crew {
            crew.look_for_number();
        }
        if now == shards {
            return Ok(());
        }
        let projection = projection.to_owned();
        Err(EngineError::OtherShards { projection, wished: shards, shards: now })
    }

    /// Tells how a projection is divided, and where its shards are.
    ///
    /// # Errors
    ///
    /// When it was not prepared, or the store cannot be read.
    pub async fn shards(&self, projection: &str, version: u32) -> Result<Standing, EngineError> {
        let catalog = self.catalog().await?;
        let is_it = |entry: &&crate::projection::CatalogEntry| {
            entry.projection == projection && entry.version == version
        };
        let entry = catalog.iter().find(is_it).ok_or_else(|| {
            StoreError::invalid(format!(
                "projection `{projection}`: version {version} is not prepared; start an engine that registers it"
            ))
        })?;
        Ok(self.shared.rows.standing(&entry.reader()).await?)
    }
}

impl ProjectionEngine {
    /// Has the projection of `M` run in so many shards from now on, in all engines, as [`Operator::set_shards`].
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// # Cancel safety
    ///
    /// As there.
    pub async fn set_shards<M: Projection>(&self, shards: u32) -> Result<(), EngineError> {
        self.operator().set_shards(M::NAME, M::VERSION, shards).await
    }
}
