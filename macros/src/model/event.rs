//! `#[derive(Event)]`.

use proc_macro2::Span;
use syn::{LitStr, Path, Type};

use crate::model::upcast::{Mark, Number, Removed, Upcast};
use crate::model::{CratePath, Item, Serde};

/// An event, as `#[derive(Event)]` and `#[event(…)]` describe it.
pub(crate) struct Event {
    pub(crate) item: Item,
    pub(crate) options: Options,
    /// How serde writes the item, and what changed in its fields.
    pub(crate) serde: Serde,
    /// What of the versions was given, but refused: what depends on it is neither missed nor printed.
    pub(crate) versions_refused: bool,
}

/// What `#[event(…)]` says above the struct.
#[derive(Default)]
pub(crate) struct Options {
    pub(crate) crate_path: CratePath,
    pub(crate) name: Option<LitStr>,
    pub(crate) version: Option<Number>,
    pub(crate) aliases: Vec<LitStr>,
    pub(crate) oldest: Option<Number>,
    pub(crate) readable_from: Option<Number>,
    /// Where `retired` stands.
    pub(crate) retired: Option<Span>,
    pub(crate) previous: Option<Type>,
    pub(crate) upcasts: Vec<Upcast>,
    pub(crate) removed: Vec<Removed>,
    /// What changed in each field, in the order of the fields.
    pub(crate) marks: Vec<Vec<Mark>>,
    /// What `#[event(…)]` above one field says, while it is read.
    pub(crate) mark: Mark,
}

impl Event {
    /// The version of its shape.
    pub(crate) fn version(&self) -> u32 {
        self.options.version.map_or(1, |version| version.value)
    }

    /// The oldest version that is read.
    pub(crate) fn oldest(&self) -> u32 {
        self.options.oldest.map_or(1, |oldest| oldest.value)
    }

    /// The last name of the type of the earlier struct, as messages say it.
    pub(crate) fn previous_word(&self) -> Option<String> {
        self.options.previous.as_ref().map(last_word)
    }
}

fn last_word(ty: &Type) -> String {
    fn of_path(path: &Path) -> String {
        path.segments.last().map_or_else(String::new, |last| last.ident.to_string())
    }
    match ty {
        Type::Group(group) => last_word(&group.elem),
        Type::Path(path) => of_path(&path.path),
        _ => "previous".to_owned(),
    }
}
