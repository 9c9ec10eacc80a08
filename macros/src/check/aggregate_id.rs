//! `#[derive(AggregateId)]`.

use crate::check::item;
use crate::check::item::Refusals;
use crate::errors::Errors;
use crate::model::AggregateId;
use crate::model::item::Kind;

const NEWTYPE: &str = "an id is a struct with one field, as in `struct AccountId(String)`";

const REFUSALS: Refusals = Refusals {
    enums: Some(NEWTYPE),
    unions: NEWTYPE,
    generics: "an id cannot be generic: write one struct for each type of aggregate",
};

pub(crate) fn check(id: &mut AggregateId, errors: &Errors) {
    item::check(&id.item, &REFUSALS, errors);
    // #[derive(AggregateId)] struct AccountId { bank: String, number: u64 }
    if id.item.kind == Kind::Struct && id.item.fields.len() != 1 {
        errors.on(&id.item.ident, NEWTYPE);
    }
}
