//! `#[handlers]`.

use crate::check::marked_impl;
use crate::check::marked_impl::Refusals;
use crate::errors::Errors;
use crate::model::Handlers;

const REFUSALS: Refusals = Refusals {
    traits: "`#[handlers]` belongs on an inherent impl, not on a trait's; write `impl` and the aggregate's type",
    generics: "an aggregate cannot be generic; leave the parameters out",
};

pub(crate) fn check(handlers: &mut Handlers, errors: &Errors) {
    marked_impl::check(&mut handlers.block, &REFUSALS, errors);
}
