//! Handlers of queries that the program links.

use std::any::{TypeId, type_name};

use crate::query::{HandledQuery, QueryRoute};

/// A handler of queries that the program links.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct QueryRegistration {
    /// The name of the query.
    pub query: &'static str,
    /// The name of the query's Rust type, with its path.
    pub type_name: fn() -> &'static str,
    /// The query's Rust type.
    pub type_id: fn() -> TypeId,
    pub(crate) route: QueryRoute,
}

impl QueryRegistration {
    /// All handlers of queries that the program links, in any order.
    pub fn all() -> impl Iterator<Item = &'static Self> {
        inventory::iter::<Self>.into_iter()
    }

    /// Makes the entry of a query.
    pub const fn of<Q: HandledQuery>() -> Self {
        Self {
            query: Q::NAME,
            type_name: type_name::<Q>,
            type_id: TypeId::of::<Q>,
            route: QueryRoute::of::<Q>(),
        }
    }
}

inventory::collect!(QueryRegistration);
