//! The marked methods of an impl: their marks and their signatures.

use std::collections::VecDeque;

use proc_macro2::{Span, TokenStream};
use quote::ToTokens;
use syn::parse_quote;
use syn::spanned::Spanned;
use syn::{
    Attribute, FnArg, GenericArgument, Meta, PatType, Path, PathArguments,
    Receiver as SelfArgument, ReceiverKind, ReturnType, Signature, Type,
};

use crate::errors::Errors;
use crate::model::CratePath;
use crate::model::method::{Key, Mark, Method, Passing, Receiver, Routing, Subject};
use crate::parse::marked_impl::{UserMethod, carried};
use crate::parse::options::{Place, Spec, Table};
use crate::parse::routing;

const APPLY: Table<MarkOptions> = Table { attribute: "apply", options: &[UPSERT] };
const HANDLE: Table<MarkOptions> = Table { attribute: "handle", options: &[UPSERT] };
const ON: Table<MarkOptions> = Table {
    attribute: "on",
    options: &[
        UPSERT,
        Spec::once(
            "key",
            Place::Here,
            "a field of the event or a closure, as in `key = owner` or `key = |event| event.owners.clone()`",
            |options, value| {
                let by = routing::read_key(value.expr()?)?;
                options.routing.key = Some(Key { word: value.name.span(), by });
                Ok(())
            },
        ),
        Spec::once(
            "each",
            Place::Here,
            "a column and the field of the event with its value, as in `each(customer = customer)`",
            |options, value| {
                options.routing.each = Some(routing::read_each(value)?);
                Ok(())
            },
        ),
        Spec::once(
            "from",
            Place::Here,
            "an aggregate, as in `from = Account`",
            |options, value| {
                options.routing.from = Some(value.ty()?);
                Ok(())
            },
        ),
    ],
};

const UPSERT: Spec<MarkOptions> =
    Spec::once("upsert", Place::Here, "no value", |options, value| {
        value.flag()?;
        options.upsert = Some(value.name.span());
        Ok(())
    });

/// What stands in the parentheses of a mark.
#[derive(Default)]
struct MarkOptions {
    upsert: Option<Span>,
    routing: Routing,
}

/// Takes the mark off a method and reads its signature; `None` for a method without one of the marks that are `known`.
pub(crate) fn parse(
    written: &mut UserMethod,
    known: &[Mark],
    crate_path: &CratePath,
    errors: &Errors,
) -> Option<Method> {
    let marks = take_marks(written, known, crate_path);
    let (mark, attribute) = marks.first()?;
    let carried = carried(&written.attributes);
    // First, so that what the user says of these lints wins.
    written.attributes.insert(
        0,
        parse_quote!(#[allow(
            clippy::must_use_candidate,
            clippy::needless_pass_by_value,
            clippy::return_self_not_must_use,
            clippy::unnecessary_wraps,
            clippy::unused_async,
            clippy::unused_self
        )]),
    );
    let MarkOptions { upsert, routing } = read_options(*mark, attribute, errors);

    let signature = &written.signature;
    let Parameters { receiver, state, subject, context, context_first, surplus } =
        read_parameters(*mark, upsert, signature);
    let generics = &signature.generics;
    Some(Method {
        mark: *mark,
        upsert,
        routing,
        second_mark: marks.get(1).map(|(_, attribute)| attribute.path().span()),
        name: signature.ident.clone(),
        carried,
        asyncness: signature.asyncness.as_ref().map(Spanned::span),
        unsafety: match &signature.safety {
            syn::Safety::Unsafe(token) => Some(token.span()),
            _ => None,
        },
        generics: (!generics.params.is_empty()).then(|| generics.clone()),
        receiver,
        state,
        subject,
        context,
        context_first,
        surplus,
        output: match &signature.output {
            ReturnType::Default => None,
            ReturnType::Type(_, ty) => Some((**ty).clone()),
        },
        refused: false,
    })
}

/// What a method takes, by what each parameter is for.
struct Parameters {
    receiver: Receiver,
    state: Option<Type>,
    subject: Option<Subject>,
    context: Option<Type>,
    context_first: Option<TokenStream>,
    surplus: Vec<TokenStream>,
}

fn read_parameters(mark: Mark, upsert: Option<Span>, signature: &Signature) -> Parameters {
    let mut typed = Vec::new();
    let mut receiver = Receiver::None;
    for input in &signature.inputs {
        match input {
            FnArg::Receiver(argument) => receiver = read_receiver(argument),
            FnArg::Typed(parameter) => typed.push(parameter),
        }
    }
    let takes_state = matches!(receiver, Receiver::None)
        && match upsert {
            Some(_) => !leaves_state_out(mark, &typed),
            None => typed.first().is_some_and(|first| is_state(mark, &first.ty)),
        };
    let mut typed = VecDeque::from(typed);
    let state = if takes_state { typed.pop_front() } else { None };
    let context_first = match typed.front() {
        Some(first) if typed.len() > 1 && is_context(mark, &first.ty) => {
            let written = first.ty.to_token_stream();
            typed.swap(0, 1);
            Some(written)
        }
        _ => None,
    };
    let mut typed = typed.into_iter();
    Parameters {
        receiver,
        state: state.map(|parameter| (*parameter.ty).clone()),
        subject: typed.next().map(|parameter| read_subject(&parameter.ty)),
        context: typed.next().map(|parameter| (*parameter.ty).clone()),
        context_first,
        surplus: typed.map(ToTokens::to_token_stream).collect(),
    }
}

fn take_marks(
    written: &mut UserMethod,
    known: &[Mark],
    crate_path: &CratePath,
) -> Vec<(Mark, Attribute)> {
    let mut marks = Vec::new();
    written.attributes.retain(|attribute| match mark_of(attribute.path(), known, crate_path) {
        Some(mark) => {
            marks.push((mark, attribute.clone()));
            false
        }
        None => true,
    });
    marks
}

/// One of the marks, as `#[apply]`, with or without the path of annals before it.
fn mark_of(path: &Path, known: &[Mark], crate_path: &CratePath) -> Option<Mark> {
    known.iter().copied().find(|mark| is_mark(path, mark.word(), crate_path))
}

/// Whether a path is a mark of this word, with or without the path of the crate before it.
pub(crate) fn is_mark(path: &Path, word: &str, crate_path: &CratePath) -> bool {
    if path.segments.last().is_none_or(|last| last.ident != word) {
        return false;
    }
    let before: Vec<String> = path
        .segments
        .iter()
        .take(path.segments.len() - 1)
        .map(|segment| segment.ident.to_string())
        .collect();
    let given = crate_path.given().map(|given| {
        given.segments.iter().map(|segment| segment.ident.to_string()).collect::<Vec<_>>()
    });
    before.is_empty()
        || before == ["annals"]
        || before == [crate_path.usual()]
        || given.is_some_and(|given| given == before)
}

fn read_options(mark: Mark, attribute: &Attribute, errors: &Errors) -> MarkOptions {
    let table = match mark {
        Mark::Apply => &APPLY,
        Mark::Handle => &HANDLE,
        Mark::On => &ON,
    };
    let mut options = MarkOptions::default();
    match &attribute.meta {
        Meta::Path(_) => {}
        Meta::List(list) => {
            let refused = table.read_tokens(list.tokens.clone(), &mut options, errors);
            if refused.is("upsert") {
                options.upsert = Some(attribute.path().span());
            }
            options.routing.refused = refused.may_be("key") || refused.may_be("each");
        }
        // #[apply = "MoneyDeposited"]
        Meta::NameValue(value) => {
            let word = mark.word();
            let message = format!(
                "`{word}` takes no value; its options are in parentheses, as in `{word}(upsert)`"
            );
            errors.on(&value.value, message);
        }
    }
    options
}

/// Whether the first parameter of an upsert can only be its event or command. It is one mistake or another then: the guess
/// decides which one is reported.
fn leaves_state_out(mark: Mark, parameters: &[&PatType]) -> bool {
    match (mark, parameters) {
        // #[apply(upsert)] fn restocked(event: &Restocked) -> Self
        (Mark::Apply | Mark::On, [first, ..]) => refers_to_another(&first.ty),
        // #[handle(upsert)] fn restock(command: Restock, cx: &Context<Self>) -> Restocked
        (Mark::Handle, [first, rest @ ..]) => {
            let is_state =
                matches!(peel(&first.ty), Type::Reference(_)) || ends_in(&first.ty, "Option");
            !is_state && rest.first().is_none_or(|second| refers_to_another(&second.ty))
        }
        (_, []) => false,
    }
}

/// `Option<Self>` of an apply or of a row, `Option<&Self>` of a handler: nothing that is an event or a command.
fn is_state(mark: Mark, ty: &Type) -> bool {
    let Type::Path(path) = peel(ty) else { return false };
    let Some(last) = path.path.segments.last().filter(|last| last.ident == "Option") else {
        return false;
    };
    let PathArguments::AngleBracketed(inner) = &last.arguments else { return false };
    match (mark, inner.args.first()) {
        (Mark::Apply | Mark::On, Some(GenericArgument::Type(state))) => ends_in(state, "Self"),
        (Mark::Handle, Some(GenericArgument::Type(state))) => {
            matches!(peel(state), Type::Reference(state) if ends_in(&state.elem, "Self"))
        }
        _ => false,
    }
}

/// `&EventContext<Self>` of an apply, `&Context<Self>` of a handler.
fn is_context(mark: Mark, ty: &Type) -> bool {
    refers_to(ty, mark.context())
}

/// A reference to a type of this name.
pub(crate) fn refers_to(ty: &Type, name: &str) -> bool {
    matches!(peel(ty), Type::Reference(reference) if ends_in(&reference.elem, name))
}

/// `&Restocked`, but not `&Self`.
fn refers_to_another(ty: &Type) -> bool {
    matches!(peel(ty), Type::Reference(reference) if !ends_in(&reference.elem, "Self"))
}

fn ends_in(ty: &Type, name: &str) -> bool {
    let Type::Path(path) = peel(ty) else { return false };
    path.path.segments.last().is_some_and(|last| last.ident == name)
}

fn read_receiver(argument: &SelfArgument) -> Receiver {
    let written = argument.to_token_stream();
    match &argument.kind {
        ReceiverKind::Value => Receiver::Value(written),
        ReceiverKind::Reference(_, _, None) => Receiver::Shared(written),
        ReceiverKind::Reference(_, _, Some(_)) => Receiver::Mutable(written),
        _ => Receiver::Typed(written),
    }
}

pub(crate) fn read_subject(written: &Type) -> Subject {
    let (ty, passing) = match peel(written) {
        Type::Reference(reference) => {
            let passing =
                if reference.mutability.is_some() { Passing::Mutable } else { Passing::Shared };
            (peel(&reference.elem), passing)
        }
        other => (other, Passing::Value),
    };
    Subject { written: written.clone(), ty: ty.clone(), passing }
}

/// The type inside the invisible group that a `macro_rules!` leaves around `$event:ty`.
fn peel(ty: &Type) -> &Type {
    match ty {
        Type::Group(group) => peel(&group.elem),
        Type::Paren(paren) => peel(&paren.elem),
        _ => ty,
    }
}
