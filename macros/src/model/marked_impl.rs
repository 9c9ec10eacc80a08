//! An impl with an attribute above it and marks on its methods.

use proc_macro2::TokenStream;
use syn::Type;

use crate::model::method::Method;

/// An impl as its attribute sees it: `#[handlers]`, `#[projection]`, `#[sql_projection]` with methods of its own kind.
pub(crate) struct MarkedImpl<M = Method> {
    /// The impl as the user wrote it, with the marks taken off.
    pub(crate) user_impl: TokenStream,
    pub(crate) self_ty: Type,
    /// What stops the whole block: it is a trait's impl, or generic.
    pub(crate) refused: Option<Refused>,
    pub(crate) carried: Carried,
    pub(crate) methods: Vec<M>,
}

/// Attributes of the user's that what is written beside their item needs as well.
#[derive(Default)]
pub(crate) struct Carried {
    /// `#[cfg(…)]`.
    pub(crate) cfgs: TokenStream,
    /// `#[allow(…)]`, and `#[expect(…)]` as `#[allow(…)]`: what is expected is expected once.
    pub(crate) allows: TokenStream,
}

/// Why a block cannot be read, and which tokens say so.
pub(crate) enum Refused {
    Trait(TokenStream),
    Generic(TokenStream),
}
