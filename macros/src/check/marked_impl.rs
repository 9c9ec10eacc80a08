//! An impl with marked methods: the block, and each method against those before it.

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use syn::GenericParam;

use crate::check::method;
use crate::errors::Errors;
use crate::model::MarkedImpl;
use crate::model::marked_impl::Refused;
use crate::model::method::{Mark, Method, Passing};

/// What an attribute says of impls that it does not take.
pub(crate) struct Refusals {
    pub(crate) traits: &'static str,
    pub(crate) generics: &'static str,
}

pub(crate) fn check(block: &mut MarkedImpl, refusals: &Refusals, errors: &Errors) {
    check_block(block, refusals, errors);
    let mut sound: Vec<Method> = Vec::new();
    for mut method in block.methods.drain(..) {
        method.refused = !method::check(&method, errors);
        mend(&mut method);
        if !is_second(&method, &sound, errors) {
            sound.push(method);
        }
    }
    block.methods = sound;
}

/// Refuses an impl that is a trait's, or generic.
pub(crate) fn check_block<M>(block: &MarkedImpl<M>, refusals: &Refusals, errors: &Errors) {
    match &block.refused {
        // #[handlers] impl Display for Account { … }
        Some(Refused::Trait(path)) => errors.on(path, refusals.traits),
        // #[handlers] impl<T> Account<T> { … }
        Some(Refused::Generic(generics)) => errors.on(generics, refusals.generics),
        None => {}
    }
}

/// Makes of a refused method what can be written without a body.
fn mend(method: &mut Method) {
    if !method.refused {
        return;
    }
    let Some(subject) = &method.subject else { return };
    // Of two marks, the one that what it takes speaks for.
    if method.second_mark.is_some() && matches!(method.mark, Mark::Apply | Mark::Handle) {
        method.mark = if subject.passing == Passing::Shared { Mark::Apply } else { Mark::Handle };
    }
    let written = subject.ty.to_token_stream();
    let parameters = method.generics.iter().flat_map(|generics| generics.params.iter());
    let names: Vec<String> = parameters
        .map(|parameter| match parameter {
            GenericParam::Lifetime(parameter) => parameter.lifetime.ident.to_string(),
            GenericParam::Type(parameter) => parameter.ident.to_string(),
            GenericParam::Const(parameter) => parameter.ident.to_string(),
        })
        .chain(["impl".to_owned()])
        .collect();
    // A parameter of the method cannot be named outside of it.
    if mentions(written, &names) {
        method.subject = None;
    }
}

fn mentions(tokens: TokenStream, names: &[String]) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Ident(ident) => names.iter().any(|name| ident == name),
        TokenTree::Group(group) => mentions(group.stream(), names),
        _ => false,
    })
}

/// Whether a method before this one takes the same event or command.
fn is_second(method: &Method, before: &[Method], errors: &Errors) -> bool {
    let Some(subject) = &method.subject else { return false };
    let written = subject.ty.to_token_stream().to_string();
    // Methods under a `cfg` may stand for each other.
    let same = before.iter().find(|other| {
        other.mark == method.mark
            && other.carried.cfgs.is_empty()
            && method.carried.cfgs.is_empty()
            && other
                .subject
                .as_ref()
                .is_some_and(|other| other.ty.to_token_stream().to_string() == written)
    });
    let Some(first) = same else { return false };
    let name = &first.name;
    let message = match method.mark {
        // #[apply] fn opened(event: &Opened) -> Self { … } #[apply] fn reopened(&mut self, event: &Opened) { … }
        Mark::Apply => {
            format!("`{written}` is applied by `{name}` already; an event has one `#[apply]`")
        }
        // #[handle] fn open(command: Open) -> Opened { … } #[handle] fn reopen(&self, command: Open) -> Opened { … }
        Mark::Handle => {
            format!("`{written}` is handled by `{name}` already; a command has one `#[handle]`")
        }
        // #[on] fn opened(event: &Opened) -> Self { … } #[on(upsert)] fn reopened(row: Option<Self>, event: &Opened) -> Self
        Mark::On => format!(
            "`{written}` is taken by `{name}` already; an event has one `#[on]`, and `key = |event| …` may name several rows"
        ),
        // #[on] fn confirmed(event: &OrderConfirmed) -> Self { … } #[on] fn again(&mut self, event: &OrderConfirmed) { … }
        Mark::React => format!(
            "`{written}` is taken by `{name}` already; an event has one `#[on]`, and `#[on(upsert)]` takes a process that may live"
        ),
        // #[on] async fn opened(event: &Opened) { … } #[on] async fn greeted(event: &Opened) { … }
        Mark::Call => format!(
            "`{written}` is taken by `{name}` already; an event has one `#[on]`, and a reactor beside this one may take it, too"
        ),
        // #[rejected] fn not_reserved(self, command: &ReserveStock) … #[rejected] fn no_stock(self, command: &ReserveStock) …
        Mark::Rejected => format!(
            "the refusal of `{written}` is taken by `{name}` already; a command has one `#[rejected]`"
        ),
        // It takes nothing by which it could be the second.
        Mark::Deadline => return false,
    };
    errors.on(&subject.written, message);
    true
}
