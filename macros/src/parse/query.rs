//! `#[derive(Query)]`.

use syn::DeriveInput;

use crate::errors::Errors;
use crate::model::query::Options;
use crate::model::{CratePath, Query};
use crate::parse::item;
use crate::parse::options::{Place, Spec, Table};

const TABLE: Table<Options> = Table {
    attribute: "query",
    options: &[
        Spec::once(
            "result",
            Place::Item,
            "a type, as in `result = Vec<AccountSummary>`",
            |options, value| {
                options.result = Some(value.ty()?);
                Ok(())
            },
        ),
        Spec::once(
            "name",
            Place::Item,
            "a string, as in `name = \"AccountsOf\"`",
            |options, value| {
                options.name = Some(value.text()?);
                Ok(())
            },
        ),
        Spec::once("crate", Place::Item, "a path, as in `crate = my::annals`", |options, value| {
            options.crate_path = CratePath::new(value.path()?);
            Ok(())
        }),
    ],
};

pub(crate) fn parse(input: DeriveInput, errors: &Errors) -> Query {
    let (item, attributes) = item::parse(input);
    let mut options = Options::default();
    let refused = TABLE.read(Place::Item, &attributes.item, &mut options, errors);
    let mut result_refused = refused.may_be("result");
    for above_field in &attributes.fields {
        let refused = TABLE.read(Place::Field, above_field, &mut Options::default(), errors);
        result_refused |= refused.is("result");
    }
    for above_part in attributes.variants.iter().chain(&attributes.variant_fields) {
        TABLE.read(Place::Variant, above_part, &mut Options::default(), errors);
    }
    Query { item, options, result_refused }
}
