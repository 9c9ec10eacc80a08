//! `#[reactor]`.

use crate::check::marked_impl::Refusals;
use crate::check::{marked_impl, stored_name};
use crate::errors::Errors;
use crate::model::Reactor;

const REFUSALS: Refusals = Refusals {
    traits: "`#[reactor]` belongs on an inherent impl, not on a trait's; write `impl` and a type of your own",
    generics: "a reactor cannot be generic: its name stands for one checkpoint; write one type for each",
};

pub(crate) fn check(reactor: &mut Reactor, errors: &Errors) {
    let Reactor { block, options, name_refused } = reactor;
    // #[reactor(name = "welcome")] impl Welcome {}
    if block.methods.is_empty() && block.refused.is_none() {
        let message = "a reactor takes at least one event; write `#[on]` above a method";
        errors.on(&block.self_ty, message);
    }
    match &options.name {
        Some(name) => stored_name::check_before_ids(name, "a reactor's name", errors),
        // #[reactor] impl Welcome { … }
        None if !*name_refused => {
            let message =
                "a reactor's checkpoint is kept under a name: write `#[reactor(name = \"…\")]`";
            errors.on(&block.self_ty, message);
        }
        None => {}
    }
    marked_impl::check(block, &REFUSALS, errors);
}
