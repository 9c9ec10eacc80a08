//! `#[handlers]` with its `#[apply]` and `#[handle]`.

use proc_macro2::{Span, TokenStream};
use syn::{Generics, Ident, Type};

use crate::model::CratePath;

/// A `#[handlers]` impl.
pub(crate) struct Handlers {
    pub(crate) crate_path: CratePath,
    /// The impl as the user wrote it, with the marks taken off.
    pub(crate) user_impl: TokenStream,
    pub(crate) self_ty: Type,
    /// What stops the whole block: it is a trait's impl, or generic.
    pub(crate) refused: Option<Refused>,
    pub(crate) carried: Carried,
    pub(crate) methods: Vec<Method>,
}

/// Attributes of the user's that what is written beside their item needs as well.
#[derive(Default)]
pub(crate) struct Carried {
    /// `#[cfg(…)]`.
    pub(crate) cfgs: TokenStream,
    /// `#[allow(…)]`, and `#[expect(…)]` as `#[allow(…)]`: what is expected is expected once.
    pub(crate) allows: TokenStream,
}

/// Why a block cannot have handlers, and which tokens say so.
pub(crate) enum Refused {
    Trait(TokenStream),
    Generic(TokenStream),
}

/// A method with `#[apply]` or `#[handle]`.
pub(crate) struct Method {
    pub(crate) mark: Mark,
    pub(crate) upsert: Option<Span>,
    /// Where a second mark on the same method stands.
    pub(crate) second_mark: Option<Span>,
    pub(crate) name: Ident,
    pub(crate) carried: Carried,
    pub(crate) asyncness: Option<Span>,
    pub(crate) unsafety: Option<Span>,
    pub(crate) generics: Option<Generics>,
    pub(crate) receiver: Receiver,
    /// The first parameter of an upsert, or of what can only be one: the state, or none.
    pub(crate) state: Option<Type>,
    /// The event or the command.
    pub(crate) subject: Option<Subject>,
    pub(crate) context: Option<Type>,
    /// The context, where it stands before the event or command.
    pub(crate) context_first: Option<TokenStream>,
    /// Parameters after the context.
    pub(crate) surplus: Vec<TokenStream>,
    /// The return type; `None` if it is left out.
    pub(crate) output: Option<Type>,
    /// Whether the check has refused the method: its impl is then written without a body, so that one mistake stays
    /// one error.
    pub(crate) refused: bool,
}

/// What a method is marked as.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mark {
    Apply,
    Handle,
}

/// How a method takes the state.
#[derive(Clone)]
pub(crate) enum Receiver {
    /// No `self`: it creates.
    None,
    /// `&self`.
    Shared(TokenStream),
    /// `&mut self`.
    Mutable(TokenStream),
    /// `self` or `mut self`.
    Value(TokenStream),
    /// `self: Type`.
    Typed(TokenStream),
}

/// The event of an `#[apply]` or the command of a `#[handle]`.
pub(crate) struct Subject {
    /// The parameter's type as written.
    pub(crate) written: Type,
    /// The type without its `&`.
    pub(crate) ty: Type,
    pub(crate) passing: Passing,
}

/// How a parameter is passed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Passing {
    Value,
    Shared,
    Mutable,
}

impl Mark {
    /// The mark's name.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Apply => "apply",
            Self::Handle => "handle",
        }
    }
}
