//! `#[derive(Aggregate)]`.

use proc_macro2::Span;
use syn::ext::IdentExt;
use syn::{Ident, LitInt, LitStr, Type};

use crate::model::listing::{Listed, Listing, enum_name};
use crate::model::{CratePath, Item};

/// An aggregate, as `#[derive(Aggregate)]` and `#[aggregate(…)]` describe it.
pub(crate) struct Aggregate {
    pub(crate) item: Item,
    pub(crate) options: Options,
    pub(crate) missing: Missing,
}

/// Which options nobody gave; those that were given, but could not be read, are not missed.
pub(crate) struct Missing {
    pub(crate) id: bool,
    pub(crate) events: bool,
}

/// What `#[aggregate(…)]` says.
#[derive(Default)]
pub(crate) struct Options {
    pub(crate) crate_path: CratePath,
    pub(crate) id: Option<Type>,
    pub(crate) events: Option<Listing>,
    pub(crate) category: Option<LitStr>,
    pub(crate) services: Option<Type>,
    pub(crate) snapshot: Option<Snapshot>,
    pub(crate) event_enum: Option<Ident>,
    pub(crate) ignored: Vec<LitStr>,
}

/// `snapshot(…)`.
pub(crate) struct Snapshot {
    /// Where the word `snapshot` stands.
    pub(crate) word: Span,
    pub(crate) options: SnapshotOptions,
}

/// What stands in `snapshot(…)`.
#[derive(Default)]
pub(crate) struct SnapshotOptions {
    pub(crate) every: Option<LitInt>,
    pub(crate) on: Vec<Type>,
    pub(crate) version: Option<LitInt>,
}

impl Aggregate {
    /// The name of the event enum: as given, or the type's name and `Event`.
    pub(crate) fn event_enum(&self) -> Ident {
        enum_name(self.options.event_enum.as_ref(), &self.item.ident, "Event")
    }

    /// The first part of the streams' names: as given, or the type's name in snake case.
    pub(crate) fn category(&self) -> String {
        match &self.options.category {
            Some(given) => given.value(),
            None => snake_case(&self.item.ident.unraw().to_string()),
        }
    }

    /// The events, none if the list is missing.
    pub(crate) fn listed(&self) -> &[Listed] {
        self.options.events.as_ref().map_or(&[], |events| &events.listed)
    }
}

/// `HttpServer` and `HTTPServer` become `http_server`.
fn snake_case(name: &str) -> String {
    let letters: Vec<char> = name.chars().collect();
    let mut snake = String::new();
    for (index, letter) in letters.iter().enumerate() {
        if letter.is_uppercase() {
            let before = index.checked_sub(1).map(|before| letters[before]);
            let begins_a_word = letters.get(index + 1).is_some_and(|next| next.is_lowercase());
            let ends_a_word = before.is_some_and(|before| !before.is_uppercase());
            if before.is_some_and(|before| before != '_') && (begins_a_word || ends_a_word) {
                snake.push('_');
            }
        }
        snake.extend(letter.to_lowercase());
    }
    snake
}

#[cfg(test)]
mod tests {
    use super::snake_case;

    fn check(name: &str, expected: &str) {
        assert_eq!(snake_case(name), expected);
    }

    #[test]
    fn names_become_categories() {
        check("Account", "account");
        check("BankAccount", "bank_account");
        check("HTTPServer", "http_server");
        check("ServerHTTP", "server_http");
        check("Area51Case", "area51_case");
        check("Order_Line", "order_line");
        check("Überweisung", "überweisung");
    }
}
