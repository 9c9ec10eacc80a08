//! `#[reactor]` with its `#[on]`.

use syn::{LitStr, Type};

use crate::model::process_manager::Start;
use crate::model::{CratePath, MarkedImpl};

/// A `#[reactor]` impl.
pub(crate) struct Reactor {
    pub(crate) block: MarkedImpl,
    pub(crate) options: Options,
    /// Whether a name was given that could not be read: nobody should miss it.
    pub(crate) name_refused: bool,
}

/// What stands in the parentheses of `#[reactor]`.
#[derive(Default)]
pub(crate) struct Options {
    pub(crate) crate_path: CratePath,
    pub(crate) name: Option<LitStr>,
    pub(crate) services: Option<Type>,
    pub(crate) start: Option<Start>,
}
