//! Sagas that the program links.

use std::any::{TypeId, type_name};
use std::sync::Arc;

use crate::bus::Services;
use crate::saga::{AnySaga, Saga, saga};

/// Makes a saga of the services that were given for it; `None` if there are none.
type MakeSaga = fn(&Services) -> Option<Arc<dyn AnySaga>>;

/// A saga that the program links.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct SagaRegistration {
    /// Its name.
    pub name: &'static str,
    /// The version of its data.
    pub version: u32,
    /// The names of its steps, in their order.
    pub steps: fn() -> Vec<&'static str>,
    /// The name of its Rust type, with its path.
    pub type_name: fn() -> &'static str,
    /// Its Rust type.
    pub type_id: fn() -> TypeId,
    pub(crate) saga: MakeSaga,
}

impl SagaRegistration {
    /// All sagas that the program links, in any order.
    pub fn all() -> impl Iterator<Item = &'static Self> {
        inventory::iter::<Self>.into_iter()
    }

    /// Makes the entry of a saga.
    pub const fn of<S: Saga>() -> Self {
        Self {
            name: S::NAME,
            version: S::VERSION,
            steps: || S::steps().iter().map(|step| step.rules().name).collect(),
            type_name: type_name::<S>,
            type_id: TypeId::of::<S>,
            saga: |services| services.of_saga::<S>().map(saga::<S>),
        }
    }
}

inventory::collect!(SagaRegistration);
