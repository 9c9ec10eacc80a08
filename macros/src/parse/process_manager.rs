//! `#[derive(ProcessManager)]`.

use syn::{DeriveInput, Ident};

use crate::errors::Errors;
use crate::model::listing::Listing;
use crate::model::process_manager::{Missing, Options, Start};
use crate::model::{CratePath, ProcessManager};
use crate::parse::item;
use crate::parse::options::{Place, Spec, Table};
use crate::parse::upcast::{upcast, version};

const TABLE: Table<Options> = Table {
    attribute: "process_manager",
    options: &[
        Spec::once(
            "name",
            Place::Item,
            "a string, as in `name = \"fulfilment\"`",
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
                options.version = Some(version(value)?);
                Ok(())
            },
        ),
        Spec::once("id", Place::Item, "a type, as in `id = OrderId`", |options, value| {
            options.id = Some(value.ty()?);
            Ok(())
        }),
        Spec::once(
            "sends",
            Place::Item,
            "types in parentheses, as in `sends(ReserveStock, billing::Charge, shipping::Charge as ChargeFreight)`",
            |options, value| {
                let word = value.name.span();
                options.sends = Some(Listing { word, listed: value.list()? });
                Ok(())
            },
        ),
        Spec::once(
            "start",
            Place::Item,
            "`beginning` or `head`, as in `start = beginning`",
            |options, value| {
                options.start = Some(read_start(value.ident()?)?);
                Ok(())
            },
        ),
        Spec::many(
            "upcast",
            Place::Item,
            "the version and the function, as in `upcast(from = 1, with = split_name)`",
            |options, value| {
                options.upcasts.push(upcast(value)?);
                Ok(())
            },
        ),
        Spec::once(
            "command_enum",
            Place::Item,
            "a name, as in `command_enum = FulfilmentCommand`",
            |options, value| {
                options.command_enum = Some(value.ident()?);
                Ok(())
            },
        ),
        Spec::once("crate", Place::Item, "a path, as in `crate = my::annals`", |options, value| {
            options.crate_path = CratePath::new(value.path()?);
            Ok(())
        }),
    ],
};

/// The options on which the way from version to version depends.
const VERSIONS: &[&str] = &["version", "upcast"];

pub(crate) fn parse(input: DeriveInput, errors: &Errors) -> ProcessManager {
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
        name: options.name.is_none() && !refused.may_be("name"),
        id: options.id.is_none() && !refused.may_be("id"),
        sends: options.sends.is_none() && !refused.may_be("sends"),
    };
    // An `upcast(…)` with a mistake inside has been reported.
    let broken = options.upcasts.iter().any(|upcast| upcast.mark.is_none());
    options.upcasts.retain(|upcast| upcast.mark.is_some());
    let versions_refused = broken || VERSIONS.iter().any(|option| refused.may_be(option));
    ProcessManager { item, options, missing, versions_refused }
}

/// `beginning` or `head`.
pub(crate) fn read_start(word: Ident) -> syn::Result<Start> {
    let variant = match word.to_string().as_str() {
        "beginning" => "Beginning",
        "head" => "Head",
        _ => return Err(syn::Error::new(word.span(), "start")),
    };
    Ok(Start { word, variant })
}
