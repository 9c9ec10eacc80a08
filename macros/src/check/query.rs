//! `#[derive(Query)]`.

use crate::check::item::Refusals;
use crate::check::{item, stored_name};
use crate::errors::Errors;
use crate::model::Query;
use crate::model::item::Kind;

const REFUSALS: Refusals = Refusals {
    enums: Some("a query is a struct; write one for each variant"),
    unions: "a query is a struct; serde cannot write a union",
    generics: "a query cannot be generic: its name stands for one shape; write one struct for each type",
};

pub(crate) fn check(query: &mut Query, errors: &Errors) {
    item::check(&query.item, &REFUSALS, errors);
    if let Some(name) = &query.options.name {
        stored_name::check(name, "a query's name", errors);
    }
    // #[derive(Query)] struct AccountsOf { … }
    if query.item.kind == Kind::Struct && query.options.result.is_none() && !query.result_refused {
        errors.on(
            &query.item.ident,
            "the query's result is missing; write `#[query(result = …)]` with its type",
        );
    }
}
