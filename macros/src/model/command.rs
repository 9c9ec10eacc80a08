//! `#[derive(Command)]`.

use proc_macro2::Span;
use syn::LitStr;

use crate::model::{CratePath, Item};

/// A command, as `#[derive(Command)]` and `#[command(…)]` describe it.
pub(crate) struct Command {
    pub(crate) item: Item,
    pub(crate) options: Options,
    /// The fields with `#[command(id)]`, in their order.
    pub(crate) ids: Vec<Id>,
    /// Whether an id was given that could not be read.
    pub(crate) id_refused: bool,
}

/// A field marked as the id.
pub(crate) struct Id {
    /// Which of the item's fields.
    pub(crate) field: usize,
    /// Where the mark stands.
    pub(crate) mark: Span,
}

/// What `#[command(…)]` says, above the struct or above one of its fields.
#[derive(Default)]
pub(crate) struct Options {
    pub(crate) crate_path: CratePath,
    pub(crate) name: Option<LitStr>,
    pub(crate) id: Option<Span>,
}
