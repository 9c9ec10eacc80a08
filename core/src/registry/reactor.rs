//! Reactors that the program links.

use std::any::{TypeId, type_name};
use std::sync::Arc;

use crate::bus::Services;
use crate::reactor::{AnyReactor, Reactor, reactor};

/// Makes a reactor of the services that were given for it; `None` if there are none.
type MakeReactor = fn(&Services) -> Option<Arc<dyn AnyReactor>>;

/// A reactor that the program links.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct ReactorRegistration {
    /// Its name.
    pub name: &'static str,
    /// The name of its Rust type, with its path.
    pub type_name: fn() -> &'static str,
    /// Its Rust type.
    pub type_id: fn() -> TypeId,
    pub(crate) reactor: MakeReactor,
    /// The events that it takes.
    #[cfg(feature = "cli")]
    pub(crate) taken: fn() -> crate::store::EventFilter,
}

impl ReactorRegistration {
    /// All reactors that the program links, in any order.
    pub fn all() -> impl Iterator<Item = &'static Self> {
        inventory::iter::<Self>.into_iter()
    }

    /// Makes the entry of a reactor.
    pub const fn of<R: Reactor>() -> Self {
        Self {
            name: R::NAME,
            type_name: type_name::<R>,
            type_id: TypeId::of::<R>,
            reactor: |services| services.of(TypeId::of::<R>()).map(reactor::<R>),
            #[cfg(feature = "cli")]
            taken: crate::reactor::taken::<R>,
        }
    }
}

inventory::collect!(ReactorRegistration);
