//! `#[derive(ColumnType)]`.

use syn::ext::IdentExt;

use crate::errors::Errors;
use crate::model::ColumnType;
use crate::model::item::Kind;

pub(crate) fn check(column: &mut ColumnType, errors: &Errors) {
    let item = &column.item;
    if item.kind != Kind::Enum {
        // #[derive(ColumnType)] struct Address { … }
        errors.at(
            item.keyword,
            "an enum without fields goes into a column as text; what has fields goes in as JSON: `#[read_model(json)]` above the field of the read model",
        );
        column.refused = true;
    }
    if !item.generics.params.is_empty() {
        // #[derive(ColumnType)] enum Status<T> { … }
        errors
            .on(&item.generics, "the type of a column cannot be generic; leave the parameters out");
        column.refused = true;
    }
    let mut known: Vec<String> = Vec::new();
    for (variant, given) in item.variants.iter().zip(&mut column.names) {
        if let Some(fields) = &variant.fields {
            // #[derive(ColumnType)] enum Status { Open, Closed { by: String } }
            errors.on(
                fields,
                "a variant with fields is no text; what has fields goes in as JSON: `#[read_model(json)]` above the field of the read model",
            );
            column.refused = true;
        }
        let name = match given {
            Some(name) => name.value(),
            None => variant.ident.unraw().to_string(),
        };
        if known.contains(&name) {
            // enum Status { Open, #[column(name = "Open")] Reopened }
            let message =
                format!("two variants are written as `{name}`; name one of them otherwise");
            match given {
                Some(name) => errors.on(name, message),
                None => errors.on(&variant.ident, message),
            }
            column.refused = true;
        }
        known.push(name);
    }
}
