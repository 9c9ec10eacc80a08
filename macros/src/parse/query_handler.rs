//! `#[query_handler]`.

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::parse::{Parse, ParseStream};
use syn::spanned::Spanned;
use syn::{Attribute, FnArg, Result, ReturnType, Signature, Type, Visibility, parse_quote, token};

use crate::errors::Errors;
use crate::model::{CratePath, QueryHandler};
use crate::parse::marked_impl::{UserMethod, carried};
use crate::parse::method::{read_subject, refers_to};
use crate::parse::options::{Place, Spec, Table};

const TABLE: Table<CratePath> = Table {
    attribute: "query_handler",
    options: &[Spec::once(
        "crate",
        Place::Here,
        "a path, as in `crate = my::annals`",
        |crate_path, value| {
            *crate_path = CratePath::new(value.path()?);
            Ok(())
        },
    )],
};

/// The arguments of `#[query_handler]` and the fn under it.
pub(crate) struct Input {
    pub(crate) arguments: TokenStream,
    pub(crate) function: Function,
}

/// A fn whose body is left as tokens.
pub(crate) struct Function(UserMethod);

impl Parse for Function {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let ahead = input.fork();
        let is_fn = ahead.call(Attribute::parse_outer).is_ok()
            && ahead.parse::<Visibility>().is_ok()
            && ahead.parse::<Signature>().is_ok()
            && ahead.peek(token::Brace);
        if !is_fn {
            // #[query_handler] struct AccountsOf { … }
            return Err(input.error("`#[query_handler]` belongs on a `fn` that answers a query"));
        }
        Ok(Self(UserMethod {
            attributes: input.call(Attribute::parse_outer)?,
            vis: input.parse()?,
            signature: input.parse()?,
            body: input.parse()?,
        }))
    }
}

pub(crate) fn parse(input: Input, errors: &Errors) -> QueryHandler {
    let mut crate_path = CratePath::default();
    TABLE.read_tokens(input.arguments, &mut crate_path, errors);
    let Function(mut written) = input.function;
    let carried = carried(&written.attributes);
    // First, so that what the user says of these lints wins.
    written.attributes.insert(
        0,
        parse_quote!(#[allow(
            clippy::must_use_candidate,
            clippy::needless_pass_by_value,
            clippy::unnecessary_wraps,
            clippy::unused_async
        )]),
    );
    let signature = &written.signature;
    let mut receiver = None;
    let mut types: Vec<&Type> = Vec::new();
    for parameter in &signature.inputs {
        match parameter {
            FnArg::Receiver(argument) => receiver = Some(argument.to_token_stream()),
            FnArg::Typed(parameter) => types.push(&parameter.ty),
        }
    }
    let context_first = match &*types {
        [first, _, ..] if refers_to(first, "QueryContext") => Some(first.to_token_stream()),
        _ => None,
    };
    if context_first.is_some() {
        types.swap(0, 1);
    }
    let mut types = types.into_iter();
    QueryHandler {
        crate_path,
        name: signature.ident.clone(),
        carried,
        asyncness: signature.asyncness.as_ref().map(Spanned::span),
        unsafety: match &signature.safety {
            syn::Safety::Unsafe(token) => Some(token.span()),
            _ => None,
        },
        generics: (!signature.generics.params.is_empty()).then(|| signature.generics.clone()),
        receiver,
        query: types.next().map(read_subject),
        context: types.next().cloned(),
        context_first,
        surplus: types.map(ToTokens::to_token_stream).collect(),
        output: match &signature.output {
            ReturnType::Default => None,
            ReturnType::Type(_, ty) => Some((**ty).clone()),
        },
        refused: false,
        user_fn: written.to_token_stream(),
    }
}
