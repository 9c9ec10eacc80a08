//! `#[derive(AggregateId)]`.

use syn::DeriveInput;

use crate::errors::Errors;
use crate::model::aggregate_id::Options;
use crate::model::{AggregateId, CratePath};
use crate::parse::item;
use crate::parse::options::{Place, Spec, Table};

const TABLE: Table<Options> = Table {
    attribute: "aggregate_id",
    options: &[Spec::once(
        "crate",
        Place::Item,
        "a path, as in `crate = my::annals`",
        |options, value| {
            options.crate_path = CratePath::new(value.path()?);
            Ok(())
        },
    )],
};

pub(crate) fn parse(input: DeriveInput, errors: &Errors) -> AggregateId {
    let (item, attributes) = item::parse(input);
    let mut options = Options::default();
    TABLE.read(Place::Item, &attributes.item, &mut options, errors);
    for above_field in &attributes.fields {
        TABLE.read(Place::Field, above_field, &mut Options::default(), errors);
    }
    AggregateId { item, options }
}
