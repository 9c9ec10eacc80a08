//! `#[handlers]`.

use crate::errors::Errors;
use crate::model::method::Mark;
use crate::model::{CratePath, Handlers};
use crate::parse::marked_impl;
use crate::parse::marked_impl::Input;
use crate::parse::options::{Place, Spec, Table};

const TABLE: Table<CratePath> = Table {
    attribute: "handlers",
    options: &[Spec::once(
        "crate",
        Place::Here,
        "a path, as in `crate = my::annals`",
        |crate_path, value| {
            *crate_path = CratePath::new(value.path()?);
            Ok(())
        },
    )],
};

pub(crate) fn parse(input: Input, errors: &Errors) -> Handlers {
    let mut crate_path = CratePath::default();
    TABLE.read_tokens(input.arguments, &mut crate_path, errors);
    let marks = &[Mark::Apply, Mark::Handle];
    let block = marked_impl::parse(input.block, marks, &crate_path, errors);
    Handlers { block, crate_path }
}
