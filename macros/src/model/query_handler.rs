//! `#[query_handler]`.

use proc_macro2::{Span, TokenStream};
use syn::{Generics, Ident, Type};

use crate::model::CratePath;
use crate::model::marked_impl::Carried;
use crate::model::method::Subject;

/// A `#[query_handler]` fn.
pub(crate) struct QueryHandler {
    pub(crate) crate_path: CratePath,
    /// The fn as the user wrote it.
    pub(crate) user_fn: TokenStream,
    pub(crate) name: Ident,
    pub(crate) carried: Carried,
    pub(crate) asyncness: Option<Span>,
    pub(crate) unsafety: Option<Span>,
    pub(crate) generics: Option<Generics>,
    /// `self`, which only a method has.
    pub(crate) receiver: Option<TokenStream>,
    pub(crate) query: Option<Subject>,
    pub(crate) context: Option<Type>,
    /// The context, where it stands before the query.
    pub(crate) context_first: Option<TokenStream>,
    /// Parameters after the context.
    pub(crate) surplus: Vec<TokenStream>,
    /// The return type; `None` if it is left out.
    pub(crate) output: Option<Type>,
    /// Whether the check has refused the fn: its impl is then written without a body.
    pub(crate) refused: bool,
}
