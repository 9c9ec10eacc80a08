//! `#[saga]`.

use quote::ToTokens;
use syn::spanned::Spanned;
use syn::{Attribute, FnArg, Ident, Meta, ReturnType, parse_quote};

use crate::errors::Errors;
use crate::model::saga::{Missing, Options, SagaMethod, Step};
use crate::model::{CratePath, Saga};
use crate::parse::mark::is_mark;
use crate::parse::marked_impl::{self, Input, UserMethod, carried};
use crate::parse::options::{Place, Spec, Table};
use crate::parse::upcast::{upcast, version};

const TABLE: Table<Options> = Table {
    attribute: "saga",
    options: &[
        Spec::once(
            "name",
            Place::Here,
            "a string, as in `name = \"checkout\"`",
            |options, value| {
                options.name = Some(value.text()?);
                Ok(())
            },
        ),
        Spec::once("data", Place::Here, "a type, as in `data = OrderData`", |options, value| {
            options.data = Some(value.ty()?);
            Ok(())
        }),
        Spec::once(
            "services",
            Place::Here,
            "a type, as in `services = Backends`",
            |options, value| {
                options.services = Some(value.ty()?);
                Ok(())
            },
        ),
        Spec::once(
            "version",
            Place::Here,
            "a whole number, as in `version = 3`",
            |options, value| {
                options.version = Some(version(value)?);
                Ok(())
            },
        ),
        Spec::many(
            "upcast",
            Place::Here,
            "the version and the function, as in `upcast(from = 1, with = split_name)`",
            |options, value| {
                options.upcasts.push(upcast(value)?);
                Ok(())
            },
        ),
        Spec::once("crate", Place::Here, "a path, as in `crate = my::annals`", |options, value| {
            options.crate_path = CratePath::new(value.path()?);
            Ok(())
        }),
    ],
};

const STEP: Table<Step> = Table {
    attribute: "step",
    options: &[
        Spec::once("name", Place::Here, "a string, as in `name = \"charge\"`", |step, value| {
            step.name = Some(value.text()?);
            Ok(())
        }),
        Spec::once(
            "undo",
            Place::Here,
            "the name of a function of the same impl, as in `undo = refund`",
            |step, value| {
                step.undo = Some(value.ident()?);
                Ok(())
            },
        ),
        Spec::once("retries", Place::Here, "a whole number, as in `retries = 2`", |step, value| {
            step.retries = Some(value.number::<u32>()?);
            Ok(())
        }),
        Spec::once(
            "timeout",
            Place::Here,
            "a duration, as in `timeout = Duration::from_secs(10)`",
            |step, value| {
                step.timeout = Some(value.computed()?);
                Ok(())
            },
        ),
    ],
};

/// The options on which the way from version to version depends.
const VERSIONS: &[&str] = &["version", "upcast"];

pub(crate) fn parse(mut input: Input, errors: &Errors) -> Saga {
    let mut options = Options::default();
    let refused = TABLE.read_tokens(input.arguments, &mut options, errors);
    let read = |written: &mut UserMethod| read_method(written, &options.crate_path, errors);
    let methods: Vec<SagaMethod> = input.block.methods().map(read).collect();
    let is_undo = |name: &Ident| {
        let undos = methods.iter().filter_map(|method| method.step.as_ref()?.undo.as_ref());
        undos.into_iter().any(|undo| undo == name)
    };
    for (written, method) in input.block.methods().zip(&methods) {
        if method.step.is_some() || is_undo(&method.name) {
            // First, so that what the user says of these lints wins.
            written.attributes.insert(
                0,
                parse_quote!(#[allow(
                    clippy::borrowed_box,
                    clippy::must_use_candidate,
                    clippy::trivially_copy_pass_by_ref,
                    clippy::unnecessary_wraps,
                    clippy::unused_async
                )]),
            );
        }
    }
    let missing = Missing {
        name: options.name.is_none() && !refused.may_be("name"),
        data: options.data.is_none() && !refused.may_be("data"),
        services: options.services.is_none() && !refused.may_be("services"),
    };
    // An `upcast(…)` with a mistake inside has been reported.
    let broken = options.upcasts.iter().any(|upcast| upcast.mark.is_none());
    options.upcasts.retain(|upcast| upcast.mark.is_some());
    let versions_refused = broken || VERSIONS.iter().any(|option| refused.may_be(option));
    let mut block = marked_impl::parse_with(input.block, |_| None);
    block.methods = methods;
    Saga { block, options, missing, versions_refused }
}

/// Takes the mark off a method and reads its signature.
fn read_method(written: &mut UserMethod, crate_path: &CratePath, errors: &Errors) -> SagaMethod {
    let mut marks: Vec<Attribute> = Vec::new();
    written.attributes.retain(|attribute| {
        let marked = is_mark(attribute.path(), "step", crate_path);
        if marked {
            marks.push(attribute.clone());
        }
        !marked
    });
    let step = marks.first().map(|mark| Step {
        second_mark: marks.get(1).map(|second| second.path().span()),
        ..read_step(mark, errors)
    });
    let signature = &written.signature;
    let mut receiver = None;
    let mut parameters = Vec::new();
    for parameter in &signature.inputs {
        match parameter {
            FnArg::Receiver(argument) => receiver = Some(argument.to_token_stream()),
            FnArg::Typed(parameter) => parameters.push((*parameter.ty).clone()),
        }
    }
    SagaMethod {
        step,
        name: signature.ident.clone(),
        carried: carried(&written.attributes),
        asyncness: signature.asyncness.as_ref().map(Spanned::span),
        unsafety: match &signature.safety {
            syn::Safety::Unsafe(token) => Some(token.span()),
            _ => None,
        },
        generics: (!signature.generics.params.is_empty()).then(|| signature.generics.clone()),
        receiver,
        parameters,
        output: match &signature.output {
            ReturnType::Default => None,
            ReturnType::Type(_, ty) => Some((**ty).clone()),
        },
        refused: false,
    }
}

fn read_step(mark: &Attribute, errors: &Errors) -> Step {
    let mut step = Step::default();
    match &mark.meta {
        Meta::Path(_) => {}
        Meta::List(list) => {
            STEP.read_tokens(list.tokens.clone(), &mut step, errors);
        }
        // #[step = "charge"]
        Meta::NameValue(value) => errors.on(
            &value.value,
            "`step` takes no value; its options are in parentheses, as in `step(undo = …)`",
        ),
    }
    step
}
