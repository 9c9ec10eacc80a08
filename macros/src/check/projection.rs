//! `#[projection]`.

use quote::ToTokens;
use syn::Type;

use crate::check::marked_impl::Refusals;
use crate::check::{marked_impl, routing, stored_name};
use crate::errors::Errors;
use crate::model::Projection;
use crate::model::projection::Options;

const REFUSALS: Refusals = Refusals {
    traits: "`#[projection]` belongs on an inherent impl, not on a trait's; write `impl` and the read model's type",
    generics: "a read model cannot be generic; leave the parameters out",
};

pub(crate) fn check(projection: &mut Projection, errors: &Errors) {
    let Projection { block, options } = projection;
    // #[projection] impl AccountSummary {}
    if block.methods.is_empty() && block.refused.is_none() {
        let message = "a projection takes at least one event; write `#[on]` above a method";
        errors.on(&block.self_ty, message);
    }
    marked_impl::check(block, &REFUSALS, errors);
    for method in &mut block.methods {
        routing::check(method, options.inline, errors);
    }
    check_options(options, errors);
    check_inline(options, errors);
    check_ignored(projection, errors);
}

/// Refuses what the engine does with a projection, where none runs it.
fn check_inline(options: &Options, errors: &Errors) {
    if options.inline.is_none() {
        return;
    }
    // #[projection(inline, on_error = skip)]
    if let Some(on_error) = &options.on_error {
        errors.on(
            &on_error.word,
            "the row of an inline projection changes with its event, or the command fails; leave `on_error` out, or `inline`",
        );
    }
    // #[projection(inline, batch = 500)]
    if let Some(batch) = &options.batch {
        errors.on(
            batch,
            "an inline projection takes the events of one append, and knows no batches; leave `batch` out, or `inline`",
        );
    }
}

/// Checks what any projection says of itself.
pub(crate) fn check_options(options: &mut Options, errors: &Errors) {
    if let Some(name) = &options.name {
        stored_name::check(name, "a projection's name", errors);
    }
    // #[projection(version = 0)]
    if let Some(version) = options.version.take_if(|version| version.base10_digits() == "0") {
        errors.on(version, "versions begin at 1");
    }
    // #[projection(batch = 0)]
    if let Some(batch) = options.batch.take_if(|batch| batch.base10_digits() == "0") {
        errors.on(batch, "a batch has 1 or more events");
    }
}

fn check_ignored(projection: &mut Projection, errors: &Errors) {
    let methods = &projection.block.methods;
    let mut known: Vec<String> = Vec::new();
    projection.options.ignored.retain(|event: &Type| {
        let written = event.to_token_stream().to_string();
        let taken = methods.iter().find(|method| {
            let subject = method.subject.as_ref();
            method.carried.cfgs.is_empty()
                && subject
                    .is_some_and(|subject| subject.ty.to_token_stream().to_string() == written)
        });
        let message = if let Some(method) = taken {
            // #[projection(ignore(AccountClosed))] … #[on] fn closed(self, _: &AccountClosed) -> Option<Self>
            format!("`{written}` is taken by `{}`; leave it out here", method.name)
        } else if known.contains(&written) {
            // #[projection(ignore(AccountClosed, AccountClosed))]
            format!("`{written}` is listed twice; leave one out")
        } else {
            known.push(written);
            return true;
        };
        errors.on(event, message);
        false
    });
}
