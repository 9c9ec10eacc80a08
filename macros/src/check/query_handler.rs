//! `#[query_handler]`.

use quote::ToTokens;

use crate::check::method::{anonymous, check_named};
use crate::errors::Errors;
use crate::model::QueryHandler;
use crate::model::method::Passing;

pub(crate) fn check(handler: &mut QueryHandler, errors: &Errors) {
    handler.refused = !is_sound(handler, errors);
    // A type that has no name cannot have an impl.
    handler.query.take_if(|query| anonymous(query.ty.to_token_stream()).is_some());
}

fn is_sound(handler: &QueryHandler, errors: &Errors) -> bool {
    let mut sound = true;
    // #[query_handler] unsafe fn accounts_of(query: AccountsOf) -> …
    if let Some(span) = handler.unsafety {
        errors.at(span, "a `#[query_handler]` cannot be unsafe: it is called from safe code");
        sound = false;
    }
    // impl Accounts { #[query_handler] fn of(&self, query: AccountsOf) -> … }
    if let Some(receiver) = &handler.receiver {
        errors.on(receiver, "a `#[query_handler]` is a `fn` of its own, without `self`; what it needs, its query says");
        return false;
    }
    if let Some(generics) = &handler.generics {
        // #[query_handler] fn answer<Q: Query>(query: Q) -> …
        errors.on(generics, "a `#[query_handler]` cannot be generic; write one for each query");
        return false;
    }
    let Some(query) = &handler.query else {
        // #[query_handler] async fn accounts() -> …
        errors.on(&handler.name, "a `#[query_handler]` takes a query, as in `query: AccountsOf`");
        return false;
    };
    // #[query_handler] async fn accounts_of(cx: &QueryContext, query: AccountsOf) -> …
    if let Some(context) = &handler.context_first {
        errors.on(context, "the context comes last, after the query");
        sound = false;
    }
    if !check_named(&query.ty, errors) {
        return false;
    }
    // #[query_handler] async fn accounts_of(query: &AccountsOf) -> …
    if query.passing != Passing::Value {
        let ty = query.ty.to_token_stream().to_string().replace(' ', "");
        let message = format!("a `#[query_handler]` is given its query: write `{ty}`");
        errors.on(&query.written, message);
        sound = false;
    }
    for parameter in &handler.surplus {
        // #[query_handler] async fn accounts_of(query: AccountsOf, cx: &QueryContext, more: u64) -> …
        errors.on(
            parameter,
            "unknown parameter; a `#[query_handler]` takes its query and, last, `&QueryContext`",
        );
        sound = false;
    }
    match &handler.output {
        Some(output) => sound & check_named(output, errors),
        None => sound,
    }
}
