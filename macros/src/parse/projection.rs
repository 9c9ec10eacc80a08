//! `#[projection]`.

use syn::Ident;

use crate::errors::Errors;
use crate::model::method::Mark;
use crate::model::projection::{OnError, Options};
use crate::model::{CratePath, Projection};
use crate::parse::marked_impl;
use crate::parse::marked_impl::Input;
use crate::parse::options::{Place, Spec, Table};

const TABLE: Table<Options> = Table {
    attribute: "projection",
    options: &[
        NAME,
        VERSION,
        ON_ERROR,
        BATCH,
        Spec::once("inline", Place::Here, "no value", |options, value| {
            value.flag()?;
            options.inline = Some(value.name.span());
            Ok(())
        }),
        Spec::many(
            "exhaustive",
            Place::Here,
            "aggregates in parentheses, as in `exhaustive(Account)`",
            |options, value| {
                options.exhaustive.extend(value.list()?);
                Ok(())
            },
        ),
        Spec::many(
            "ignore",
            Place::Here,
            "events in parentheses, as in `ignore(AccountClosed)`",
            |options, value| {
                options.ignored.extend(value.list()?);
                Ok(())
            },
        ),
        CRATE,
    ],
};

pub(crate) const NAME: Spec<Options> = Spec::once(
    "name",
    Place::Here,
    "a string, as in `name = \"account_summaries\"`",
    |options, value| {
        options.name = Some(value.text()?);
        Ok(())
    },
);

pub(crate) const VERSION: Spec<Options> =
    Spec::once("version", Place::Here, "a whole number, as in `version = 1`", |options, value| {
        options.version = Some(value.number::<u32>()?);
        Ok(())
    });

pub(crate) const ON_ERROR: Spec<Options> = Spec::once(
    "on_error",
    Place::Here,
    "`park`, `stop` or `skip`, as in `on_error = stop`",
    |options, value| {
        options.on_error = Some(read_on_error(value.ident()?)?);
        Ok(())
    },
);

pub(crate) const BATCH: Spec<Options> = Spec::once(
    "batch",
    Place::Here,
    "a whole number of events, as in `batch = 500`",
    |options, value| {
        options.batch = Some(value.number::<u32>()?);
        Ok(())
    },
);

pub(crate) const CRATE: Spec<Options> =
    Spec::once("crate", Place::Here, "a path, as in `crate = my::annals`", |options, value| {
        options.crate_path = CratePath::new(value.path()?);
        Ok(())
    });

pub(crate) fn parse(input: Input, errors: &Errors) -> Projection {
    let mut options = Options::default();
    TABLE.read_tokens(input.arguments, &mut options, errors);
    let block = marked_impl::parse(input.block, &[Mark::On], &options.crate_path, errors);
    Projection { block, options }
}

fn read_on_error(word: Ident) -> syn::Result<OnError> {
    let variant = match word.to_string().as_str() {
        "park" => "Park",
        "stop" => "Stop",
        "skip" => "Skip",
        _ => return Err(syn::Error::new(word.span(), "on_error")),
    };
    Ok(OnError { word, variant })
}
