//! `#[process]`.

use syn::LitStr;

use crate::check::marked_impl::Refusals;
use crate::check::{marked_impl, stored_name};
use crate::errors::Errors;
use crate::model::Process;
use crate::model::method::{KeyBy, Mark, Method, Receiver};

const REFUSALS: Refusals = Refusals {
    traits: "`#[process]` belongs on an inherent impl, not on a trait's; write `impl` and the process's type",
    generics: "a process cannot be generic; leave the parameters out",
};

pub(crate) fn check(process: &mut Process, errors: &Errors) {
    let block = &mut process.block;
    // #[process] impl Fulfilment { #[on] fn cancelled(&mut self, _: &OrderCancelled) {} }
    if block.refused.is_none() && !block.methods.iter().any(begins) {
        let message = "no step begins the process; write `#[on]` above a method without `self`, or `#[on(upsert)]`";
        errors.on(&block.self_ty, message);
    }
    marked_impl::check(block, &REFUSALS, errors);
    for method in &mut block.methods {
        check_key(method, errors);
    }
    check_deadlines(&block.methods, errors);
}

/// Whether a method is a step that begins the process. One that is refused may be meant as one.
fn begins(method: &Method) -> bool {
    method.mark == Mark::React && matches!(method.receiver, Receiver::None)
}

/// A process has one id, which one field holds.
fn check_key(method: &mut Method, errors: &Errors) {
    let Some(key) = &method.routing.key else { return };
    if let KeyBy::Fields(fields) = &key.by
        && fields.len() > 1
    {
        // #[on(key = (order, product))]
        errors.at(
            key.word,
            "the key of a process is its id: name one field, or write `key = |event| …`",
        );
        method.routing.refused = true;
    }
}

fn check_deadlines(methods: &[Method], errors: &Errors) {
    let mut known: Vec<(&LitStr, &Method)> = Vec::new();
    for method in methods.iter().filter(|method| method.mark == Mark::Deadline) {
        let Some(name) = &method.deadline.name else {
            // #[deadline(after = Duration::from_secs(900))] fn too_slow(self) -> Done<()>
            if !method.deadline.name_refused {
                let message = "a deadline is kept under a name: write `#[deadline(name = \"…\")]`";
                errors.at(method.mark_span, message);
            }
            continue;
        };
        stored_name::check(name, "a deadline's name", errors);
        // Methods under a `cfg` may stand for each other.
        let same = known.iter().find(|(other, first)| {
            other.value() == name.value()
                && first.carried.cfgs.is_empty()
                && method.carried.cfgs.is_empty()
        });
        if let Some((_, first)) = same {
            // #[deadline(name = "late")] fn late(self) -> Done<()> … #[deadline(name = "late")] fn too_late(self) -> Done<()>
            let message = format!(
                "`{}` is a deadline of the name `{}` already; give one of them another name",
                first.name,
                name.value()
            );
            errors.on(name, message);
        }
        known.push((name, method));
    }
}
