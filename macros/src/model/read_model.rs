//! `#[derive(ReadModel)]`.

use proc_macro2::Span;
use syn::LitStr;

use crate::model::{CratePath, Item};

/// A read model, as `#[derive(ReadModel)]` and `#[read_model(…)]` describe it.
pub(crate) struct ReadModel {
    pub(crate) item: Item,
    pub(crate) options: Options,
    /// One for each field.
    pub(crate) columns: Vec<Column>,
    /// Whether a table was given that could not be read.
    pub(crate) table_refused: bool,
    /// Whether a key was given that could not be read.
    pub(crate) key_refused: bool,
}

/// What `#[read_model(…)]` says above the struct.
#[derive(Default)]
pub(crate) struct Options {
    pub(crate) crate_path: CratePath,
    pub(crate) table: Option<LitStr>,
    /// What it says above one field, while it is read.
    pub(crate) column: Column,
}

/// What `#[read_model(…)]` says above a field: where each word stands.
#[derive(Default)]
pub(crate) struct Column {
    pub(crate) key: Option<Span>,
    pub(crate) index: Option<Span>,
    pub(crate) unique: Option<Span>,
    pub(crate) json: Option<Span>,
}

impl ReadModel {
    /// The places of the fields that are the key.
    pub(crate) fn key(&self) -> Vec<usize> {
        let columns = self.columns.iter().enumerate();
        columns.filter(|(_, column)| column.key.is_some()).map(|(place, _)| place).collect()
    }

    /// Whether the output can name columns: of structs with named fields only.
    pub(crate) fn can_expand(&self) -> bool {
        self.item.can_expand() && self.item.braced && !self.item.fields.is_empty()
    }
}
