//! The item that a derive stands on.

use proc_macro2::{Span, TokenStream};
use syn::{Generics, Ident, Member, Type, Visibility};

/// The item that a derive stands on, without its attributes.
pub(crate) struct Item {
    pub(crate) ident: Ident,
    pub(crate) vis: Visibility,
    pub(crate) kind: Kind,
    /// Where `struct`, `enum` or `union` stands.
    pub(crate) keyword: Span,
    pub(crate) generics: Generics,
    /// Whether it is a struct in braces, so that its fields have names, if there are any.
    pub(crate) braced: bool,
    /// The fields of a struct; none for an enum or a union.
    pub(crate) fields: Vec<Field>,
    /// The variants of an enum.
    pub(crate) variants: Vec<Variant>,
}

/// What the item is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Struct,
    Enum,
    Union,
}

/// A field of a struct.
pub(crate) struct Field {
    pub(crate) vis: Visibility,
    pub(crate) member: Member,
    pub(crate) ty: Type,
}

/// A variant of an enum.
pub(crate) struct Variant {
    pub(crate) ident: Ident,
    /// Its fields as they are written, if it has any.
    pub(crate) fields: Option<TokenStream>,
}

impl Item {
    /// Whether the output can name the item's type at all: what is written for generic items and unions would only
    /// bring more errors.
    pub(crate) fn can_expand(&self) -> bool {
        self.kind != Kind::Union && self.generics.params.is_empty()
    }
}
