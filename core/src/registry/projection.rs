//! Projections that the program links.

use std::any::{TypeId, type_name};
use std::sync::Arc;

#[cfg(feature = "cli")]
use futures::future::BoxFuture;

use crate::bus::SetupError;
use crate::projection::inline::{Inline, inline};
use crate::projection::{Projection, Projector, TableProjector};

/// Makes what keeps the rows of an inline projection.
type MakeInline = fn() -> Result<Arc<dyn Inline>, SetupError>;

/// A projection that the program links.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct ProjectionRegistration {
    /// Its name.
    pub name: &'static str,
    /// Its version.
    pub version: u32,
    /// The name of its table.
    pub table: &'static str,
    /// The name of its Rust type, with its path.
    pub type_name: fn() -> &'static str,
    /// Its Rust type.
    pub type_id: fn() -> TypeId,
    pub(crate) projector: fn() -> Arc<dyn Projector>,
    pub(crate) inline: Option<MakeInline>,
    #[cfg(feature = "cli")]
    pub(crate) sample: SampleRows,
}

/// Holds some rows against the log.
#[cfg(feature = "cli")]
type SampleRows = fn(
    Arc<dyn crate::store::InspectedStore>,
) -> BoxFuture<
    'static,
    Result<Option<crate::projection::sample::Sampled>, crate::store::StoreError>,
>;

impl ProjectionRegistration {
    /// All projections that the program links, in any order.
    pub fn all() -> impl Iterator<Item = &'static Self> {
        inventory::iter::<Self>.into_iter()
    }

    /// Makes the entry of a projection.
    pub const fn of<P: Projection>() -> Self {
        Self {
            name: P::NAME,
            version: P::VERSION,
            table: P::TABLE.name,
            type_name: type_name::<P>,
            type_id: TypeId::of::<P>,
            projector: || Arc::new(TableProjector::<P>::new()),
            inline: if P::INLINE { Some(inline::<P>) } else { None },
            #[cfg(feature = "cli")]
            sample: |store| Box::pin(crate::projection::sample::sample::<P>(store)),
        }
    }
}

inventory::collect!(ProjectionRegistration);
