//! Lists of types that become the variants of an enum: `events(…)` of an aggregate, `sends(…)` of a process.

use proc_macro2::Span;
use quote::format_ident;
use syn::ext::IdentExt;
use syn::{Ident, Type};

/// The list, as an option holds it.
pub(crate) struct Listing {
    /// Where the option's word stands.
    pub(crate) word: Span,
    pub(crate) listed: Vec<Listed>,
}

/// One entry: `Type`, `path::Type` or `Type as Variant`.
pub(crate) struct Listed {
    pub(crate) ty: Type,
    /// The variant of the enum; `None` if the type has no name and none is given.
    pub(crate) variant: Option<Ident>,
}

/// The name of the enum: as given, or the item's name and a word.
pub(crate) fn enum_name(given: Option<&Ident>, item: &Ident, word: &str) -> Ident {
    match given {
        Some(given) => given.clone(),
        None => format_ident!("{}{word}", item.unraw(), span = item.span()),
    }
}

/// The types with their variants; the check has left none without.
pub(crate) fn variants(listed: &[Listed]) -> Vec<(&Ident, &Type)> {
    listed.iter().filter_map(|entry| Some((entry.variant.as_ref()?, &entry.ty))).collect()
}
