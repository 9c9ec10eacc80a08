//! `#[saga]`.

use quote::ToTokens;
use syn::Type;

use crate::check::marked_impl::{Refusals, check_block};
use crate::check::method::check_named;
use crate::check::{stored_name, upcast_steps};
use crate::edit_distance::nearest;
use crate::errors::Errors;
use crate::model::Saga;
use crate::model::method::Passing;
use crate::model::saga::{Missing, Options, SagaMethod};
use crate::parse::method::read_subject;

const REFUSALS: Refusals = Refusals {
    traits: "`#[saga]` belongs on an inherent impl, not on a trait's; write `impl` and a type of your own",
    generics: "a saga cannot be generic: its name stands for one list of steps; write one type for each",
};

pub(crate) fn check(saga: &mut Saga, errors: &Errors) {
    check_block(&saga.block, &REFUSALS, errors);
    check_options(saga, errors);
    // #[saga(name = "checkout", data = OrderData)] impl Checkout {}
    let has_steps = saga.block.methods.iter().any(|method| method.step.is_some());
    if !has_steps && saga.block.refused.is_none() {
        let message = "a saga has at least one step; write `#[step]` above an `async fn`";
        errors.on(&saga.block.self_ty, message);
    }
    check_undos(saga, errors);
    check_step_names(saga, errors);
    let undos = undo_names(saga);
    let Saga { block, options, missing, .. } = saga;
    for method in &mut block.methods {
        let what = match &method.step {
            Some(step) => {
                // #[step] #[step(retries = 2)] async fn charge(order: &OrderData)
                if let Some(mark) = step.second_mark {
                    errors
                        .at(mark, "a method has one mark; write all options into one `#[step(…)]`");
                    method.refused = true;
                }
                "a step"
            }
            None if undos.contains(&method.name.to_string()) => "an undo",
            None => continue,
        };
        method.refused |= !check_method(method, what, options, missing, errors);
    }
}

fn undo_names(saga: &Saga) -> Vec<String> {
    let steps = saga.block.methods.iter().filter_map(|method| method.step.as_ref());
    steps.filter_map(|step| step.undo.as_ref()).map(ToString::to_string).collect()
}

fn check_options(saga: &mut Saga, errors: &Errors) {
    let Saga { block, options, missing, versions_refused } = saga;
    let known = [
        (missing.name, "the name under which its logs are kept", "name = \"…\""),
        (missing.data, "the type of what its steps work on", "data = …"),
    ];
    let missing: Vec<_> = known.into_iter().filter(|(missing, ..)| *missing).collect();
    if !missing.is_empty() {
        // #[saga(services = Backends)] impl Checkout { … }
        let nouns: Vec<_> = missing.iter().map(|(_, noun, _)| *noun).collect();
        let written: Vec<_> = missing.iter().map(|(_, _, option)| *option).collect();
        let message = format!(
            "a saga wants {}: write `#[saga({})]`",
            nouns.join(" and "),
            written.join(", ")
        );
        errors.on(&block.self_ty, message);
    }
    // #[saga(services = dyn Gateway, …)]
    if let Some(services @ Type::TraitObject(_)) = &options.services {
        let ty = services.to_token_stream();
        let message = format!(
            "what the steps call is kept by a type with a size: write `services = Box<{ty}>`, and `&Box<{ty}>` where a step takes it; the trait is `Send` and `Sync`"
        );
        errors.on(services, message);
        options.services = None;
        // What takes it would be refused once more.
        for method in block.methods.iter_mut().filter(|method| method.parameters.len() > 1) {
            method.refused = true;
        }
    }
    if let Some(name) = &options.name {
        stored_name::check_before_ids(name, "a saga's name", errors);
        check_no_slash(name, "a saga's name", errors);
    }
    // #[saga(version = 0)]
    if let Some(version) = options.version.take_if(|version| version.value == 0) {
        errors.at(version.span, "versions begin at 1");
        *versions_refused = true;
    }
    let (upcasts, refused) = (&options.upcasts, *versions_refused);
    *versions_refused =
        !upcast_steps::check_state(upcasts, options.version, "data", refused, errors);
}

/// `/` separates the names in a step's idempotency key.
fn check_no_slash(name: &syn::LitStr, what: &str, errors: &Errors) {
    // #[saga(name = "shop/checkout")]
    if name.value().contains('/') {
        let message =
            format!("{what} cannot contain `/`, which ends it in idempotency keys; write `_`");
        errors.on(name, message);
    }
}

fn check_undos(saga: &mut Saga, errors: &Errors) {
    let names: Vec<(String, bool)> = saga
        .block
        .methods
        .iter()
        .map(|method| (method.name.to_string(), method.step.is_some()))
        .collect();
    for step in saga.block.methods.iter_mut().filter_map(|method| method.step.as_mut()) {
        let Some(undo) = &step.undo else { continue };
        let word = undo.to_string();
        match names.iter().find(|(name, _)| *name == word) {
            Some((_, false)) => continue,
            // #[step(undo = reserve)] async fn charge(…) … #[step] async fn reserve(…)
            Some((_, true)) => errors.on(
                undo,
                format_args!(
                    "`{word}` is a step itself; an undo is a function of the impl without a mark"
                ),
            ),
            // #[step(undo = refnud)] async fn charge(…) … async fn refund(…)
            None => {
                let others = names.iter().filter(|(_, is_step)| !is_step);
                let meant = nearest(&word, others.map(|(name, _)| &**name));
                let hint =
                    meant.map(|meant| format!("; did you mean `{meant}`?")).unwrap_or_default();
                errors.on(
                    undo,
                    format_args!("the impl has no function `{word}` beside its steps{hint}"),
                );
            }
        }
        step.undo = None;
    }
}

fn check_step_names(saga: &Saga, errors: &Errors) {
    let mut known: Vec<(String, &SagaMethod)> = Vec::new();
    for method in &saga.block.methods {
        let Some(step) = &method.step else { continue };
        if let Some(name) = &step.name {
            stored_name::check(name, "a step's name", errors);
            check_no_slash(name, "a step's name", errors);
        }
        let stored = method.stored_name();
        // Methods under a `cfg` may stand for each other.
        let first = known.iter().find(|(name, other)| {
            *name == stored
                && other.carried.cfgs.is_empty()
                && method.carried.cfgs.is_empty()
                // Two functions of one name are the compiler's to tell.
                && other.name != method.name
        });
        if let Some((_, first)) = first {
            // #[step(name = "charge")] async fn charge(…) … #[step(name = "charge")] async fn charge_again(…)
            let message = format!(
                "`{}` is kept as `{stored}` already; a step has a name of its own",
                first.name
            );
            match &step.name {
                Some(name) => errors.on(name, message),
                None => errors.on(&method.name, message),
            }
        }
        known.push((stored, method));
    }
}

/// Reports what is wrong with the signature of a step or an undo; `false` if anything is.
fn check_method(
    method: &SagaMethod,
    what: &str,
    options: &Options,
    missing: &Missing,
    errors: &Errors,
) -> bool {
    let mut sound = true;
    let mut refuse = |tokens: &dyn ToTokens, message: &str| {
        errors.on(tokens.to_token_stream(), message);
        sound = false;
    };
    // #[step] fn charge(order: &OrderData)
    if method.asyncness.is_none() {
        refuse(
            &method.name,
            &format!("{what} of a saga waits for what it calls: write `async fn`"),
        );
    }
    // #[step] async fn charge<T>(order: &OrderData)
    if let Some(generics) = &method.generics {
        refuse(generics, &format!("{what} of a saga cannot be generic"));
    }
    // #[step] async fn charge(&self, order: &OrderData)
    if let Some(receiver) = &method.receiver {
        refuse(
            receiver,
            &format!(
                "{what} of a saga has no `self`: what it knows is in the data, its first parameter"
            ),
        );
    }
    // #[step] async unsafe fn charge(order: &OrderData)
    if let Some(span) = method.unsafety {
        errors.at(
            span,
            format_args!("{what} of a saga cannot be unsafe: it is called from safe code"),
        );
        sound = false;
    }
    sound &= check_parameters(method, what, options, missing, errors);
    if let Some(output) = &method.output {
        sound &= check_named(output, errors);
    }
    sound
}

fn check_parameters(
    method: &SagaMethod,
    what: &str,
    options: &Options,
    missing: &Missing,
    errors: &Errors,
) -> bool {
    let mut sound = true;
    let parameters = &method.parameters;
    // #[saga(name = "checkout", data = OrderData)] … async fn charge(order: &OrderData, backends: &Backends, cx: &StepContext)
    if missing.services && parameters.len() == 3 {
        let message = "what the steps call is given by `services = …` in `#[saga(…)]`; without it, a step takes the data and, last, `&StepContext`";
        errors.on(&parameters[1], message);
        return false;
    }
    let most = if options.services.is_none() && missing.services { 2 } else { 3 };
    for (index, parameter) in parameters.iter().enumerate() {
        // #[step] async fn charge(order: &OrderData, backends: &Backends, cx: &StepContext, more: u64)
        if index >= most {
            let takes = if most == 3 {
                "the data, the services and, last, `&StepContext`"
            } else {
                "the data and, last, `&StepContext`"
            };
            errors.on(parameter, format_args!("unknown parameter; {what} takes {takes}"));
            sound = false;
            continue;
        }
        sound &= check_named(parameter, errors);
        // #[step] async fn charge(order: OrderData)
        if read_subject(parameter).passing == Passing::Value {
            let ty = shown(parameter);
            let message = if index == 0 {
                format!("{what} borrows the data: write `&mut {ty}`, or `&{ty}`")
            } else {
                format!("{what} borrows what it is given: write `&{ty}`")
            };
            errors.on(parameter, message);
            sound = false;
        }
    }
    sound
}

fn shown(ty: &Type) -> String {
    ty.to_token_stream().to_string().replace(' ', "")
}
