//! `#[derive(ColumnType)]`.

use syn::DeriveInput;

use crate::errors::Errors;
use crate::model::column_type::Options;
use crate::model::{ColumnType, CratePath};
use crate::parse::item;
use crate::parse::options::{Place, Spec, Table};

const TABLE: Table<Options> = Table {
    attribute: "column",
    options: &[
        Spec::once(
            "name",
            Place::Variant,
            "a string, as in `name = \"open\"`",
            |options, value| {
                options.name = Some(value.text()?);
                Ok(())
            },
        ),
        Spec::once("crate", Place::Enum, "a path, as in `crate = my::annals`", |options, value| {
            options.crate_path = CratePath::new(value.path()?);
            Ok(())
        }),
    ],
};

pub(crate) fn parse(input: DeriveInput, errors: &Errors) -> ColumnType {
    let (item, attributes) = item::parse(input);
    let mut options = Options::default();
    TABLE.read(Place::Enum, &attributes.item, &mut options, errors);
    let mut names = Vec::new();
    for above_variant in &attributes.variants {
        TABLE.read(Place::Variant, above_variant, &mut options, errors);
        names.push(options.name.take());
    }
    for above_field in attributes.fields.iter().chain(&attributes.variant_fields) {
        TABLE.read(Place::Field, above_field, &mut Options::default(), errors);
    }
    ColumnType { item, options, names, refused: false }
}
