//! `#[process]`.

use quote::ToTokens;
use syn::{LitStr, Type};

use crate::check::marked_impl::Refusals;
use crate::check::{marked_impl, stored_name};
use crate::errors::Errors;
use crate::model::Process;
use crate::model::method::{KeyBy, Mark, Method, Receiver};
use crate::parse::method::refers_to;

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
        check_reason(method, errors);
        if !method.refused {
            method.refused = !check_parts(method, errors);
        }
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

/// What a `#[rejected]` takes first is the command.
fn check_reason(method: &mut Method, errors: &Errors) {
    let Some(command) = &method.subject else { return };
    if method.mark != Mark::Rejected || !is_reason(&command.written) {
        return;
    }
    let message = match &method.reason {
        // A command of that name.
        Some(second) if is_reason(second) => return,
        // #[rejected] fn not_reserved(self, why: &Rejection, command: &ReserveStock) -> Done<()>
        Some(second) if matches!(second, Type::Reference(_)) && !is_context(second) => format!(
            "the command comes first: write `command: {}`, and `why: &Rejection` after it",
            shown(second)
        ),
        // #[rejected] fn not_reserved(self, why: &Rejection) -> Done<()>
        _ => "a `#[rejected]` takes the command that was refused, as in `command: &ReserveStock`, and `why: &Rejection` after it".to_owned(),
    };
    errors.on(&command.written, message);
    // Nothing is known of the command.
    method.subject = None;
}

/// `&Rejection`.
fn is_reason(ty: &Type) -> bool {
    refers_to(ty, "Rejection")
}

fn is_context(ty: &Type) -> bool {
    refers_to(ty, Mark::Rejected.context())
}

/// What stands beside the state is what is sent, as one; `false` if it is not.
fn check_parts(method: &Method, errors: &Errors) -> bool {
    let Some(Type::Tuple(tuple)) = &method.output else { return true };
    let mut parts = tuple.elems.iter();
    let Some(state) = parts.next().filter(|first| is_state(first)) else { return true };
    let sent: Vec<&Type> = parts.collect();
    // #[on] fn charged(self, _: &PaymentCharged) -> (Self, Done<ShipOrder>)
    if let Some(done) = sent.iter().find(|part| is_named(part, "Done")) {
        let message = "`Done` ends the process, and the state beside it has it live on: return `Done<…>` alone, or leave `Done` out";
        errors.on(done, message);
        return false;
    }
    // #[on] fn confirmed(event: &OrderConfirmed) -> (Self, ReserveStock, ChargePayment)
    if sent.len() > 1 {
        let state = shown(state);
        let sent: Vec<String> = sent.into_iter().map(shown).collect();
        let sent = sent.join(", ");
        let message = format!(
            "what a step sends stands beside the state as one: write `({state}, ({sent}))`"
        );
        errors.on(tuple, message);
        return false;
    }
    true
}

/// `Self` or `Option<Self>`.
fn is_state(ty: &Type) -> bool {
    is_named(ty, "Self") || shown(ty) == "Option<Self>"
}

fn is_named(ty: &Type, name: &str) -> bool {
    let Type::Path(path) = ty else { return false };
    path.path.segments.last().is_some_and(|last| last.ident == name)
}

fn shown(ty: &Type) -> String {
    ty.to_token_stream().to_string().replace(' ', "")
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
