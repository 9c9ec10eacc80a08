//! `#[derive(ColumnType)]`.

use syn::LitStr;

use crate::model::{CratePath, Item};

/// An enum that goes into a column as text, as `#[derive(ColumnType)]` and `#[column(…)]` describe it.
pub(crate) struct ColumnType {
    pub(crate) item: Item,
    pub(crate) options: Options,
    /// The text that was given for each variant.
    pub(crate) names: Vec<Option<LitStr>>,
    /// Whether the check has refused the item.
    pub(crate) refused: bool,
}

/// What `#[column(…)]` says, above the enum or above one of its variants.
#[derive(Default)]
pub(crate) struct Options {
    pub(crate) crate_path: CratePath,
    pub(crate) name: Option<LitStr>,
}
