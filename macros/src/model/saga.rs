//! `#[saga]` with its `#[step]`.

use proc_macro2::{Span, TokenStream};
use syn::{Expr, Generics, Ident, LitInt, LitStr, Type};

use crate::model::marked_impl::Carried;
use crate::model::upcast::{Number, Upcast};
use crate::model::{CratePath, MarkedImpl};

/// A `#[saga]` impl.
pub(crate) struct Saga {
    pub(crate) block: MarkedImpl<SagaMethod>,
    pub(crate) options: Options,
    pub(crate) missing: Missing,
    /// What of the versions was given, but refused: what depends on it is neither missed nor printed.
    pub(crate) versions_refused: bool,
}

/// Which options nobody gave; those that were given, but could not be read, are not missed.
pub(crate) struct Missing {
    pub(crate) name: bool,
    pub(crate) data: bool,
    pub(crate) services: bool,
}

/// What stands in the parentheses of `#[saga]`.
#[derive(Default)]
pub(crate) struct Options {
    pub(crate) crate_path: CratePath,
    pub(crate) name: Option<LitStr>,
    pub(crate) data: Option<Type>,
    pub(crate) services: Option<Type>,
    pub(crate) version: Option<Number>,
    pub(crate) upcasts: Vec<Upcast>,
}

/// A method of the impl: a step, or what may be the undo of one.
pub(crate) struct SagaMethod {
    pub(crate) step: Option<Step>,
    pub(crate) name: Ident,
    pub(crate) carried: Carried,
    pub(crate) asyncness: Option<Span>,
    pub(crate) unsafety: Option<Span>,
    pub(crate) generics: Option<Generics>,
    /// `self`, which none takes.
    pub(crate) receiver: Option<TokenStream>,
    pub(crate) parameters: Vec<Type>,
    /// The return type; `None` if it is left out.
    pub(crate) output: Option<Type>,
    /// Whether the check has refused the method: nothing is then written that calls it.
    pub(crate) refused: bool,
}

/// What stands in the parentheses of `#[step]`.
#[derive(Default)]
pub(crate) struct Step {
    /// Where a second mark on the same method stands.
    pub(crate) second_mark: Option<Span>,
    pub(crate) name: Option<LitStr>,
    pub(crate) undo: Option<Ident>,
    pub(crate) retries: Option<LitInt>,
    pub(crate) timeout: Option<Expr>,
}

impl SagaMethod {
    /// The name under which the log keeps the step.
    pub(crate) fn stored_name(&self) -> String {
        let given = self.step.as_ref().and_then(|step| step.name.as_ref());
        given.map_or_else(|| syn::ext::IdentExt::unraw(&self.name).to_string(), LitStr::value)
    }
}
