//! The marked methods of an impl: their signatures.

use std::collections::VecDeque;

use proc_macro2::{Span, TokenStream};
use quote::ToTokens;
use syn::parse_quote;
use syn::spanned::Spanned;
use syn::{
    FnArg, GenericArgument, PatType, PathArguments, Receiver as SelfArgument, ReceiverKind,
    ReturnType, Signature, Type,
};

use crate::errors::Errors;
use crate::model::CratePath;
use crate::model::method::{Mark, Method, Passing, Receiver, Subject};
use crate::parse::mark::{self, MarkOptions};
use crate::parse::marked_impl::{UserMethod, carried};

/// Takes the mark off a method and reads its signature; `None` for a method without one of the marks that are `known`.
pub(crate) fn parse(
    written: &mut UserMethod,
    known: &[Mark],
    crate_path: &CratePath,
    errors: &Errors,
) -> Option<Method> {
    let marks = mark::take(written, known, crate_path);
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
    let MarkOptions { upsert, routing, deadline } = mark::read(*mark, attribute, errors);

    let signature = &written.signature;
    let Parameters { receiver, state, subject, reason, context, context_first, surplus } =
        read_parameters(*mark, upsert, signature);
    let generics = &signature.generics;
    Some(Method {
        mark: *mark,
        upsert,
        routing,
        deadline,
        mark_span: attribute.path().span(),
        second_mark: marks.get(1).map(|(_, attribute)| attribute.path().span()),
        vis: written.vis.clone(),
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
        reason,
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
    reason: Option<Type>,
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
    // Of what stands before the context, it is the first or the second.
    let before = match mark {
        Mark::Deadline => 0,
        Mark::Rejected => 2,
        _ => 1,
    };
    let is_early = |place: &usize| {
        let follows = place + 1 < typed.len();
        follows && typed.get(*place).is_some_and(|parameter| is_context(mark, &parameter.ty))
    };
    let context_first = (0..before).find(is_early).map(|place| {
        typed.swap(place, place + 1);
        typed[place + 1].ty.to_token_stream()
    });
    let mut typed = typed.into_iter();
    let mut next = |takes: bool| if takes { typed.next() } else { None };
    let subject = next(mark != Mark::Deadline).map(|parameter| read_subject(&parameter.ty));
    let reason = next(mark == Mark::Rejected).map(|parameter| (*parameter.ty).clone());
    let context = next(true).map(|parameter| (*parameter.ty).clone());
    Parameters {
        receiver,
        state: state.map(|parameter| (*parameter.ty).clone()),
        subject,
        reason,
        context,
        context_first,
        surplus: typed.map(ToTokens::to_token_stream).collect(),
    }
}

/// Whether the first parameter of an upsert can only be its event or command. It is one mistake or another then: the guess
/// decides which one is reported.
fn leaves_state_out(mark: Mark, parameters: &[&PatType]) -> bool {
    match (mark, parameters) {
        // #[apply(upsert)] fn restocked(event: &Restocked) -> Self
        (Mark::Apply | Mark::On | Mark::React | Mark::Rejected, [first, ..]) => {
            refers_to_another(&first.ty)
        }
        // #[handle(upsert)] fn restock(command: Restock, cx: &Context<Self>) -> Restocked
        (Mark::Handle, [first, rest @ ..]) => {
            let is_state =
                matches!(peel(&first.ty), Type::Reference(_)) || ends_in(&first.ty, "Option");
            !is_state && rest.first().is_none_or(|second| refers_to_another(&second.ty))
        }
        (Mark::Deadline | Mark::Call, _) | (_, []) => false,
    }
}

/// `Option<Self>` of an apply, a row or a process, `Option<&Self>` of a handler: nothing that is an event or a command.
fn is_state(mark: Mark, ty: &Type) -> bool {
    let Type::Path(path) = peel(ty) else { return false };
    let Some(last) = path.path.segments.last().filter(|last| last.ident == "Option") else {
        return false;
    };
    let PathArguments::AngleBracketed(inner) = &last.arguments else { return false };
    match (mark, inner.args.first()) {
        // It takes nothing by itself, and tells what else it lacks.
        (Mark::Deadline, _) => false,
        (Mark::Handle, Some(GenericArgument::Type(state))) => {
            matches!(peel(state), Type::Reference(state) if ends_in(&state.elem, "Self"))
        }
        (_, Some(GenericArgument::Type(state))) => ends_in(state, "Self"),
        _ => false,
    }
}

/// `&Context<Self>` of a handler, `&EventContext<Self>` of the others.
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
