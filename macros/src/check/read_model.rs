//! `#[derive(ReadModel)]`.

use quote::ToTokens;
use syn::ext::IdentExt;
use syn::{Ident, LitStr, Member};

use crate::check::item;
use crate::check::item::Refusals;
use crate::errors::Errors;
use crate::model::ReadModel;
use crate::model::item::Kind;
use crate::model::read_model::Column;

const STRUCT: &str = "a read model is a struct with named fields: each is a column";

const REFUSALS: Refusals = Refusals {
    enums: Some(STRUCT),
    unions: STRUCT,
    generics: "a read model cannot be generic: its table stands for one type of row; write one struct for each",
};

/// The longest name of a table: databases cut off at 63 bytes, and the version stands behind it.
const LONGEST: usize = 48;

pub(crate) fn check(model: &mut ReadModel, errors: &Errors) {
    item::check(&model.item, &REFUSALS, errors);
    let is_struct = model.item.kind == Kind::Struct;
    let ident = &model.item.ident;
    match &model.options.table {
        Some(table) => check_table(table, errors),
        // #[derive(ReadModel)] struct AccountSummary { … }
        None if is_struct && !model.table_refused => errors.on(
            ident,
            "the read model's table is missing; write `#[read_model(table = \"…\")]` with its name",
        ),
        None => {}
    }
    if is_struct && (!model.item.braced || model.item.fields.is_empty()) {
        // #[derive(ReadModel)] struct Total(u64);
        errors.on(ident, STRUCT);
        return;
    }
    for column in &mut model.columns {
        check_column(column, errors);
    }
    // struct AccountSummary { account: AccountId, owner: String }
    if is_struct && model.key().is_empty() && !model.key_refused {
        errors.on(
            ident,
            "the read model has no key; write `#[read_model(key)]` above the field that tells its rows apart",
        );
    }
    check_key_length(model, errors);
    check_names(model, errors);
}

fn check_table(table: &LitStr, errors: &Errors) {
    let name = table.value();
    let is_sound = (1..=LONGEST).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
        && !name.starts_with(|first: char| first.is_ascii_digit());
    if !is_sound {
        // #[read_model(table = "Account Summaries")]
        let message = format!(
            "a table's name has 1 to {LONGEST} lower-case letters, digits and `_`, and does not begin with a digit"
        );
        errors.on(table, message);
    }
}

fn check_column(column: &mut Column, errors: &Errors) {
    if column.json.is_some() {
        // #[read_model(json, index)]
        if let Some(word) = column.index.take().or(column.unique.take()) {
            errors.at(word, "no rows are found by JSON; leave this out, or `json`");
        }
        // #[read_model(json, key)]
        if let Some(word) = column.key {
            errors.at(
                word,
                "JSON cannot be the key of a row; leave `json` out, or take another field",
            );
            column.json = None;
        }
    }
    // #[read_model(index, unique)]
    if let (Some(word), Some(_)) = (column.index, column.unique) {
        errors.at(word, "`unique` is an index; leave this out");
        column.index = None;
    }
}

fn check_key_length(model: &mut ReadModel, errors: &Errors) {
    for place in model.key().into_iter().skip(4) {
        // Five fields with #[read_model(key)]
        let word = model.columns[place].key.take();
        if let Some(word) = word {
            errors.at(word, "a key has four columns at most");
        }
    }
}

/// Checks that no two columns share a name or a constant.
fn check_names(model: &mut ReadModel, errors: &Errors) {
    let mut known: Vec<(String, &Ident)> = Vec::new();
    let mut doubles = Vec::new();
    for (place, field) in model.item.fields.iter().enumerate() {
        let Member::Named(name) = &field.member else { continue };
        let folded = name.unraw().to_string().to_uppercase();
        if let Some((_, first)) = known.iter().find(|(other, _)| *other == folded) {
            // struct Total { owner: String, Owner: String }
            let message = format!(
                "`{first}` and `{name}` are one column where case does not count; rename one of them"
            );
            errors.on(name.to_token_stream(), message);
            doubles.push(place);
        } else {
            known.push((folded, name));
        }
    }
    for place in doubles {
        model.columns[place] = Column { json: model.columns[place].json, ..Column::default() };
    }
}
