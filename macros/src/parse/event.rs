//! `#[derive(Event)]`.

use proc_macro2::TokenStream;
use syn::{DeriveInput, LitStr, Token};

use crate::errors::Errors;
use crate::model::event::Options;
use crate::model::upcast::{Mark, Number, Removed};
use crate::model::{CratePath, Event};
use crate::parse::options::{Place, Refused, Spec, Table};
use crate::parse::upcast::{upcast, version};
use crate::parse::value::Value;
use crate::parse::{item, serde};

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
                options.version = Some(version(value)?);
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
        Spec::once(
            "previous",
            Place::Item,
            "the type of the earlier struct, as in `previous = PriceSetV1`",
            |options, value| {
                options.previous = Some(value.ty()?);
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
        Spec::many(
            "removed",
            Place::Item,
            "the version and the name, as in `removed(since = 2, \"coupon\")`",
            |options, value| {
                options.removed.extend(removed(value)?);
                Ok(())
            },
        ),
        Spec::once(
            "oldest",
            Place::Item,
            "a whole number, as in `oldest = 2`",
            |options, value| {
                options.oldest = Some(version(value)?);
                Ok(())
            },
        ),
        Spec::once(
            "readable_from",
            Place::Item,
            "a whole number, as in `readable_from = 2`",
            |options, value| {
                options.readable_from = Some(version(value)?);
                Ok(())
            },
        ),
        Spec::once("retired", Place::Item, "no value, as in `event(retired)`", |options, value| {
            value.flag()?;
            options.retired = Some(value.name.span());
            Ok(())
        }),
        Spec::once("crate", Place::Item, "a path, as in `crate = my::annals`", |options, value| {
            options.crate_path = CratePath::new(value.path()?);
            Ok(())
        }),
        Spec::once(
            "since",
            Place::Field,
            "the version of the change, as in `since = 2`",
            |options, value| {
                options.mark.since = Some(version(value)?);
                Ok(())
            },
        ),
        Spec::once(
            "default",
            Place::Field,
            "a value, as in `default = \"EUR\"`, or the path to a constant or function",
            |options, value| {
                options.mark.default = Some((value.name.span(), value.expr()?));
                Ok(())
            },
        ),
        Spec::many(
            "renamed_from",
            Place::Field,
            "the earlier name, as in `renamed_from = \"addr\"`",
            |options, value| {
                let (span, name) = (value.name.span(), value.text()?);
                match &options.mark.renamed_from {
                    None => options.mark.renamed_from = Some((span, name)),
                    Some(_) => options.mark.also_renamed_from.push(name),
                }
                Ok(())
            },
        ),
        Spec::once(
            "convert_with",
            Place::Field,
            "the path of a function, as in `convert_with = cents`",
            |options, value| {
                options.mark.convert_with = Some((value.name.span(), value.function()?));
                Ok(())
            },
        ),
    ],
};

/// The options on which the way from version to version depends.
const VERSIONS: &[&str] = &[
    "version",
    "previous",
    "upcast",
    "removed",
    "oldest",
    "readable_from",
    "since",
    "default",
    "renamed_from",
    "convert_with",
];

pub(crate) fn parse(input: DeriveInput, errors: &Errors) -> Event {
    let (item, attributes) = item::parse(input);
    let serde = serde::parse(&item, &attributes);
    let mut options = Options::default();
    let mut refused = TABLE.read(Place::Item, &attributes.item, &mut options, errors);
    for above_field in &attributes.fields {
        let mut marks = Vec::new();
        for attribute in above_field {
            // Each attribute is a change of its own.
            let attribute = std::slice::from_ref(attribute);
            let refused_here = TABLE.read(Place::Field, attribute, &mut options, errors);
            let mark = std::mem::take(&mut options.mark);
            if !is_void(&mark, &refused_here) {
                marks.push(mark);
            }
            refused.and(refused_here);
        }
        options.marks.push(marks);
    }
    // An `upcast(…)` with a mistake inside has been reported.
    let broken = options.upcasts.iter().any(|upcast| upcast.mark.is_none());
    options.upcasts.retain(|upcast| upcast.mark.is_some());
    let versions_refused = broken || VERSIONS.iter().any(|option| refused.may_be(option));
    Event { item, options, serde, versions_refused }
}

/// Whether nothing is left of a mark to be checked.
fn is_void(mark: &Mark, refused: &Refused) -> bool {
    let Mark { since, default, renamed_from, also_renamed_from: _, convert_with } = mark;
    since.is_none()
        && (refused.may_be("since")
            || default.is_none() && renamed_from.is_none() && convert_with.is_none())
}

/// `(since = 2, "coupon", "voucher")`, in any order.
fn removed(value: &Value<'_>) -> syn::Result<Vec<Removed>> {
    let (mut since, mut names): (Option<Number>, Vec<LitStr>) = (None, Vec::new());
    let content;
    syn::parenthesized!(content in value.input);
    let mut read = || {
        while !content.is_empty() {
            if content.peek(LitStr) {
                names.push(content.parse()?);
            } else {
                let word: syn::Ident = content.parse()?;
                content.parse::<Token![=]>()?;
                if word != "since" || since.is_some() {
                    return Err(syn::Error::new(word.span(), "option"));
                }
                since = Some(Number::new(&content.parse()?)?);
            }
            if !content.is_empty() {
                content.parse::<Token![,]>()?;
            }
        }
        Ok(())
    };
    let done = read();
    // The parser would report what is left over once more.
    content.parse::<TokenStream>()?;
    done?;
    match since {
        Some(since) if !names.is_empty() => {
            Ok(names.into_iter().map(|name| Removed { since, name }).collect())
        }
        _ => Err(syn::Error::new(value.name.span(), "incomplete")),
    }
}
