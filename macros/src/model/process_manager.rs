//! `#[derive(ProcessManager)]`.

use syn::{Ident, LitStr, Type};

use crate::model::listing::{Listed, Listing, enum_name};
use crate::model::upcast::{Number, Upcast};
use crate::model::{CratePath, Item};

/// A process, as `#[derive(ProcessManager)]` and `#[process_manager(…)]` describe it.
pub(crate) struct ProcessManager {
    pub(crate) item: Item,
    pub(crate) options: Options,
    pub(crate) missing: Missing,
    /// What of the versions was given, but refused: what depends on it is neither missed nor printed.
    pub(crate) versions_refused: bool,
}

/// Which options nobody gave; those that were given, but could not be read, are not missed.
pub(crate) struct Missing {
    pub(crate) name: bool,
    pub(crate) id: bool,
    pub(crate) sends: bool,
}

/// What `#[process_manager(…)]` says.
#[derive(Default)]
pub(crate) struct Options {
    pub(crate) crate_path: CratePath,
    pub(crate) name: Option<LitStr>,
    pub(crate) version: Option<Number>,
    pub(crate) id: Option<Type>,
    pub(crate) sends: Option<Listing>,
    pub(crate) start: Option<Start>,
    pub(crate) upcasts: Vec<Upcast>,
    pub(crate) command_enum: Option<Ident>,
}

/// `start = …`.
pub(crate) struct Start {
    /// What the user typed.
    pub(crate) word: Ident,
    /// The variant that it stands for.
    pub(crate) variant: &'static str,
}

impl ProcessManager {
    /// The name of the enum of its commands: as given, or the type's name and `Command`.
    pub(crate) fn command_enum(&self) -> Ident {
        enum_name(self.options.command_enum.as_ref(), &self.item.ident, "Command")
    }

    /// The commands, none if the list is missing.
    pub(crate) fn sent(&self) -> &[Listed] {
        self.options.sends.as_ref().map_or(&[], |sends| &sends.listed)
    }
}
