//! `#[derive(ReadModel)]`.

use syn::DeriveInput;

use crate::errors::Errors;
use crate::model::read_model::{Column, Options};
use crate::model::{CratePath, ReadModel};
use crate::parse::item;
use crate::parse::options::{Place, Spec, Table};

const TABLE: Table<Options> = Table {
    attribute: "read_model",
    options: &[
        Spec::once(
            "table",
            Place::Item,
            "a string, as in `table = \"account_summaries\"`",
            |options, value| {
                options.table = Some(value.text()?);
                Ok(())
            },
        ),
        Spec::once("crate", Place::Item, "a path, as in `crate = my::annals`", |options, value| {
            options.crate_path = CratePath::new(value.path()?);
            Ok(())
        }),
        Spec::once("key", Place::Field, "no value", |options, value| {
            value.flag()?;
            options.column.key = Some(value.name.span());
            Ok(())
        }),
        Spec::once("index", Place::Field, "no value", |options, value| {
            value.flag()?;
            options.column.index = Some(value.name.span());
            Ok(())
        }),
        Spec::once("unique", Place::Field, "no value", |options, value| {
            value.flag()?;
            options.column.unique = Some(value.name.span());
            Ok(())
        }),
        Spec::once("json", Place::Field, "no value", |options, value| {
            value.flag()?;
            options.column.json = Some(value.name.span());
            Ok(())
        }),
    ],
};

pub(crate) fn parse(input: DeriveInput, errors: &Errors) -> ReadModel {
    let (item, attributes) = item::parse(input);
    let mut options = Options::default();
    let refused = TABLE.read(Place::Item, &attributes.item, &mut options, errors);
    // `#[read_model(key)]` above the struct is said there.
    let mut key_refused = refused.is("key");
    let mut table_refused = refused.may_be("table");
    let mut columns = Vec::new();
    for above_field in &attributes.fields {
        let refused = TABLE.read(Place::Field, above_field, &mut options, errors);
        key_refused |= refused.may_be("key");
        table_refused |= refused.is("table");
        columns.push(std::mem::take::<Column>(&mut options.column));
    }
    for above_part in attributes.variants.iter().chain(&attributes.variant_fields) {
        TABLE.read(Place::Variant, above_part, &mut Options::default(), errors);
    }
    ReadModel { item, options, columns, table_refused, key_refused }
}
