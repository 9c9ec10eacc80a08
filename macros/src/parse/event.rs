//! `#[derive(Event)]`.

use syn::DeriveInput;

use crate::errors::Errors;
use crate::model::event::Options;
use crate::model::{CratePath, Event};
use crate::parse::item;
use crate::parse::options::{Place, Spec, Table};

const UPCASTERS: &str = "upcasters come with a later release";

const TABLE: Table<Options> = Table {
    attribute: "event",
    options: &[
        Spec::once(
            "name",
            Place::Item,
            "a string, as in `name = \"MoneyDeposited\"`",
            |options, value| {
                options.name = Some(value.text()?);
                Ok(())
            },
        ),
        Spec::once(
            "version",
            Place::Item,
            "a whole number, as in `version = 3`",
            |options, value| {
                options.version = Some(value.number::<u32>()?);
                Ok(())
            },
        ),
        Spec::many(
            "alias",
            Place::Item,
            "a string, as in `alias = \"Deposited\"`",
            |options, value| {
                options.aliases.push(value.text()?);
                Ok(())
            },
        ),
        Spec::once("crate", Place::Item, "a path, as in `crate = my::annals`", |options, value| {
            options.crate_path = CratePath::new(value.path()?);
            Ok(())
        }),
        Spec::later("previous", Place::Item, UPCASTERS),
        Spec::later("upcast", Place::Item, UPCASTERS),
        Spec::later("oldest", Place::Item, UPCASTERS),
        Spec::later("removed", Place::Item, UPCASTERS),
        Spec::later("retired", Place::Item, UPCASTERS),
        Spec::later("readable_from", Place::Item, UPCASTERS),
        Spec::later("since", Place::Field, UPCASTERS),
        Spec::later("default", Place::Field, UPCASTERS),
        Spec::later("renamed_from", Place::Field, UPCASTERS),
        Spec::later("convert_with", Place::Field, UPCASTERS),
    ],
};

pub(crate) fn parse(input: DeriveInput, errors: &Errors) -> Event {
    let (item, attributes) = item::parse(input);
    let mut options = Options::default();
    TABLE.read(Place::Item, &attributes.item, &mut options, errors);
    for above_field in &attributes.fields {
        TABLE.read(Place::Field, above_field, &mut Options::default(), errors);
    }
    Event { item, options }
}
