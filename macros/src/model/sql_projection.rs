//! `#[sql_projection]` with its `#[setup]` and `#[on]`.

use proc_macro2::{Span, TokenStream};
use syn::{Generics, Ident, Type};

use crate::model::MarkedImpl;
use crate::model::marked_impl::Carried;
use crate::model::method::Subject;
use crate::model::projection::Options;

/// A `#[sql_projection]` impl.
pub(crate) struct SqlProjection {
    pub(crate) block: MarkedImpl<SqlMethod>,
    pub(crate) options: Options,
    /// Whether a name was given that could not be read: nobody should miss it.
    pub(crate) name_refused: bool,
}

/// A method with a mark.
pub(crate) struct SqlMethod {
    pub(crate) mark: SqlMark,
    /// Where a second mark on the same method stands.
    pub(crate) second_mark: Option<Span>,
    pub(crate) name: Ident,
    pub(crate) carried: Carried,
    pub(crate) asyncness: Option<Span>,
    pub(crate) unsafety: Option<Span>,
    pub(crate) generics: Option<Generics>,
    /// `self`, which neither takes.
    pub(crate) receiver: Option<TokenStream>,
    /// The event of an `#[on]`.
    pub(crate) event: Option<Subject>,
    /// What reaches the database: the context of an `#[on]`, the connection of a `#[setup]`.
    pub(crate) database: Option<Type>,
    /// The context, where it stands before the event.
    pub(crate) context_first: Option<TokenStream>,
    /// Parameters after these.
    pub(crate) surplus: Vec<TokenStream>,
    /// The return type; `None` if it is left out.
    pub(crate) output: Option<Type>,
    /// Whether the check has refused the method: what calls it is then written without a body.
    pub(crate) refused: bool,
}

/// What a method is marked as.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum SqlMark {
    Setup,
    On,
}

impl SqlMark {
    /// The mark's name.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Setup => "setup",
            Self::On => "on",
        }
    }

    /// The mark as messages begin with it: "an `#[on]`".
    pub(crate) fn named(self) -> &'static str {
        match self {
            Self::Setup => "a `#[setup]`",
            Self::On => "an `#[on]` of a SQL projection",
        }
    }
}
