//! `#[process]`.

use crate::errors::Errors;
use crate::model::method::Mark;
use crate::model::{CratePath, Process};
use crate::parse::marked_impl;
use crate::parse::marked_impl::Input;
use crate::parse::options::{Place, Spec, Table};

const TABLE: Table<CratePath> = Table {
    attribute: "process",
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

pub(crate) fn parse(input: Input, errors: &Errors) -> Process {
    let mut crate_path = CratePath::default();
    TABLE.read_tokens(input.arguments, &mut crate_path, errors);
    let marks = &[Mark::React, Mark::Rejected, Mark::Deadline];
    let block = marked_impl::parse(input.block, marks, &crate_path, errors);
    Process { block, crate_path }
}
