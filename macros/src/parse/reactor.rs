//! `#[reactor]`.

use crate::errors::Errors;
use crate::model::method::Mark;
use crate::model::reactor::Options;
use crate::model::{CratePath, Reactor};
use crate::parse::marked_impl;
use crate::parse::marked_impl::Input;
use crate::parse::options::{Place, Spec, Table};
use crate::parse::process_manager::read_start;

const TABLE: Table<Options> = Table {
    attribute: "reactor",
    options: &[
        Spec::once(
            "name",
            Place::Here,
            "a string, as in `name = \"welcome_mail\"`",
            |options, value| {
                options.name = Some(value.text()?);
                Ok(())
            },
        ),
        Spec::once(
            "services",
            Place::Here,
            "a type, as in `services = Mailer`",
            |options, value| {
                options.services = Some(value.ty()?);
                Ok(())
            },
        ),
        Spec::once(
            "start",
            Place::Here,
            "`beginning` or `head`, as in `start = beginning`",
            |options, value| {
                options.start = Some(read_start(value.ident()?)?);
                Ok(())
            },
        ),
        Spec::once("crate", Place::Here, "a path, as in `crate = my::annals`", |options, value| {
            options.crate_path = CratePath::new(value.path()?);
            Ok(())
        }),
    ],
};

pub(crate) fn parse(input: Input, errors: &Errors) -> Reactor {
    let mut options = Options::default();
    let refused = TABLE.read_tokens(input.arguments, &mut options, errors);
    let block = marked_impl::parse(input.block, &[Mark::Call], &options.crate_path, errors);
    Reactor { block, options, name_refused: refused.may_be("name") }
}
