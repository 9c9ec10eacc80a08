//! `#[derive(Query)]`.

use syn::{LitStr, Type};

use crate::model::{CratePath, Item};

/// A query, as `#[derive(Query)]` and `#[query(…)]` describe it.
pub(crate) struct Query {
    pub(crate) item: Item,
    pub(crate) options: Options,
    /// Whether a result was given that could not be read.
    pub(crate) result_refused: bool,
}

/// What `#[query(…)]` says.
#[derive(Default)]
pub(crate) struct Options {
    pub(crate) crate_path: CratePath,
    pub(crate) name: Option<LitStr>,
    pub(crate) result: Option<Type>,
}
