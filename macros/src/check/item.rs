//! The item that a derive stands on.

use crate::errors::Errors;
use crate::model::Item;
use crate::model::item::Kind;

/// What a derive says of items that it does not take, and what to write instead.
pub(crate) struct Refusals {
    /// Of an enum; `None` if enums are welcome.
    pub(crate) enums: Option<&'static str>,
    pub(crate) unions: &'static str,
    pub(crate) generics: &'static str,
}

pub(crate) fn check(item: &Item, refusals: &Refusals, errors: &Errors) {
    match (item.kind, refusals.enums) {
        // #[derive(Event)] enum AccountEvent { … }
        (Kind::Enum, Some(message)) => errors.at(item.keyword, message),
        // #[derive(Event)] union Bits { … }
        (Kind::Union, _) => errors.at(item.keyword, refusals.unions),
        (Kind::Enum, None) | (Kind::Struct, _) => {}
    }
    // #[derive(Event)] struct Changed<T> { … }
    if !item.generics.params.is_empty() {
        errors.on(&item.generics, refusals.generics);
    }
}
