//! `#[derive(Event)]`.

use syn::{LitInt, LitStr};

use crate::model::{CratePath, Item};

/// An event, as `#[derive(Event)]` and `#[event(…)]` describe it.
pub(crate) struct Event {
    pub(crate) item: Item,
    pub(crate) options: Options,
}

/// What `#[event(…)]` says, above the struct or above one of its fields.
#[derive(Default)]
pub(crate) struct Options {
    pub(crate) crate_path: CratePath,
    pub(crate) name: Option<LitStr>,
    pub(crate) version: Option<LitInt>,
    pub(crate) aliases: Vec<LitStr>,
}
