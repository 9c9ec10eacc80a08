//! The projections that an operator can work on, and whether this program's release may.

use std::any::Any;
use std::sync::{Arc, Once};

use super::EngineError;
use super::crew::Crew;
use super::operator::Operator;
use crate::projection::{ModelDefinition, Preparation, Projector, message_of};
use crate::store::StoreError;

/// A projection that can be worked on.
#[derive(Clone)]
pub(super) struct Site {
    pub(super) projector: Arc<dyn Projector>,
    /// The workers of this program, if it runs the projection.
    pub(super) crew: Option<Arc<Crew>>,
    /// Said once that rebuilds are left to a newer release.
    leaves: Arc<Once>,
}

impl Site {
    pub(super) fn new(projector: Arc<dyn Projector>, crew: Option<Arc<Crew>>) -> Self {
        Self { projector, crew, leaves: Arc::new(Once::new()) }
    }

    pub(super) fn definition(&self) -> &ModelDefinition {
        self.projector.definition()
    }

    /// What a panic is told as.
    pub(super) fn panicked(&self, panic: &(dyn Any + Send)) -> EngineError {
        let projection = self.definition().projection.clone();
        EngineError::Panicked { projection, text: message_of(panic) }
    }
}

impl Operator {
    pub(super) fn site(&self, projection: &str, version: u32) -> Result<&Site, EngineError> {
        let is_it = |site: &&Site| {
            site.definition().projection == projection && site.definition().version == version
        };
        if let Some(site) = self.shared.sites.iter().find(is_it) {
            return Ok(site);
        }
        let projection = projection.to_owned();
        Err(if self.shared.inline.iter().any(|inline| inline.projection == projection) {
            EngineError::Inline { projection }
        } else {
            EngineError::NotRegistered { projection }
        })
    }

    /// Refuses a rebuild by this program if the rows have columns that it does not know: a newer release does it.
    pub(super) async fn check_columns(&self, site: &Site) -> Result<(), StoreError> {
        let definition = site.definition();
        match self.shared.rows.preparation(definition).await? {
            Preparation::Behind { columns } => Err(definition.behind(&columns)),
            _ => Ok(()),
        }
    }

    /// Whether a rebuild is left to a newer release.
    pub(super) async fn leaves(&self, site: &Site) -> Result<bool, StoreError> {
        let definition = site.definition();
        let Preparation::Behind { columns } = self.shared.rows.preparation(definition).await?
        else {
            return Ok(false);
        };
        site.leaves.call_once(|| {
            let (projection, reason) = (&definition.projection, definition.behind(&columns));
            tracing::warn!(projection, %reason, "a rebuild is left to others");
        });
        Ok(true)
    }
}
