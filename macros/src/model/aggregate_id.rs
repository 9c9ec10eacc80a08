//! `#[derive(AggregateId)]`.

use crate::model::{CratePath, Item};

/// An id of aggregates, as `#[derive(AggregateId)]` and `#[aggregate_id(…)]` describe it.
pub(crate) struct AggregateId {
    pub(crate) item: Item,
    pub(crate) options: Options,
}

/// What `#[aggregate_id(…)]` says.
#[derive(Default)]
pub(crate) struct Options {
    pub(crate) crate_path: CratePath,
}
