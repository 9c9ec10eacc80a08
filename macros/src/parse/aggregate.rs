//! `#[derive(Aggregate)]`.

use syn::{DeriveInput, LitStr, Type};

use crate::errors::Errors;
use crate::model::aggregate::{Missing, Options, Snapshot, SnapshotOptions};
use crate::model::listing::Listing;
use crate::model::{Aggregate, CratePath};
use crate::parse::item;
use crate::parse::options::{Place, Spec, Table};

const TABLE: Table<Options> = Table {
    attribute: "aggregate",
    options: &[
        Spec::once("id", Place::Item, "a type, as in `id = AccountId`", |options, value| {
            options.id = Some(value.ty()?);
            Ok(())
        }),
        Spec::once(
            "events",
            Place::Item,
            "types in parentheses, as in `events(AccountOpened, billing::Issued, shipping::Issued as Sent)`",
            |options, value| {
                let word = value.name.span();
                options.events = Some(Listing { word, listed: value.list()? });
                Ok(())
            },
        ),
        Spec::once(
            "category",
            Place::Item,
            "a string, as in `category = \"account\"`",
            |options, value| {
                options.category = Some(value.text()?);
                Ok(())
            },
        ),
        Spec::once(
            "services",
            Place::Item,
            "a type, as in `services = Rates`",
            |options, value| {
                options.services = Some(value.ty()?);
                Ok(())
            },
        ),
        Spec::once(
            "snapshot",
            Place::Item,
            "options in parentheses, as in `snapshot(every = 100, version = 1)`",
            |options, value| {
                let word = value.name.span();
                options.snapshot = Some(Snapshot { word, options: value.options(&SNAPSHOT)? });
                Ok(())
            },
        ),
        Spec::once(
            "event_enum",
            Place::Item,
            "a name, as in `event_enum = AccountEvent`",
            |options, value| {
                options.event_enum = Some(value.ident()?);
                Ok(())
            },
        ),
        Spec::many(
            "ignore",
            Place::Item,
            "strings in parentheses, as in `ignore(\"InterestAccrued\")`",
            |options, value| {
                options.ignored.extend(value.list::<LitStr>()?);
                Ok(())
            },
        ),
        Spec::once("crate", Place::Item, "a path, as in `crate = my::annals`", |options, value| {
            options.crate_path = CratePath::new(value.path()?);
            Ok(())
        }),
    ],
};

const SNAPSHOT: Table<SnapshotOptions> = Table {
    attribute: "snapshot",
    options: &[
        Spec::once(
            "every",
            Place::Here,
            "a whole number of events, as in `every = 100`",
            |options, value| {
                options.every = Some(value.number::<u64>()?);
                Ok(())
            },
        ),
        Spec::once(
            "on",
            Place::Here,
            "listed events in parentheses, as in `on(MonthClosed)`",
            |options, value| {
                options.on = value.list::<Type>()?;
                Ok(())
            },
        ),
        Spec::once(
            "version",
            Place::Here,
            "a whole number, as in `version = 1`",
            |options, value| {
                options.version = Some(value.number::<u32>()?);
                Ok(())
            },
        ),
    ],
};

pub(crate) fn parse(input: DeriveInput, errors: &Errors) -> Aggregate {
    let (item, attributes) = item::parse(input);
    let mut options = Options::default();
    let refused = TABLE.read(Place::Item, &attributes.item, &mut options, errors);
    for above_field in &attributes.fields {
        TABLE.read(Place::Field, above_field, &mut Options::default(), errors);
    }
    for above_variant in attributes.variants.iter().chain(&attributes.variant_fields) {
        TABLE.read(Place::Variant, above_variant, &mut Options::default(), errors);
    }
    let missing = Missing {
        id: options.id.is_none() && !refused.may_be("id"),
        events: options.events.is_none() && !refused.may_be("events"),
    };
    Aggregate { item, options, missing }
}
