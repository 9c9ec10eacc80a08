//! From a checked [`model`](crate::model) to tokens.
//!
//! It reports nothing. What it prints names absolute paths only: those of the hidden module of annals, `::core` and
//! `::std`.
//!
//! What a user's deprecated type is named in says `#[allow(deprecated)]`, and not `#[expect(…)]`: where nothing is deprecated, an
//! expectation would be a warning of its own.

pub(crate) mod aggregate;
pub(crate) mod aggregate_id;
pub(crate) mod column_type;
pub(crate) mod command;
pub(crate) mod command_enum;
pub(crate) mod event;
pub(crate) mod event_enum;
pub(crate) mod handlers;
pub(crate) mod listed_enum;
pub(crate) mod mark;
pub(crate) mod method;
pub(crate) mod process;
pub(crate) mod process_manager;
pub(crate) mod projection;
pub(crate) mod query;
pub(crate) mod query_handler;
pub(crate) mod reactor;
pub(crate) mod read_model;
pub(crate) mod routing;
pub(crate) mod saga;
pub(crate) mod sql_projection;
pub(crate) mod upcast;

use proc_macro2::{Delimiter, Group, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Generics, Type, parse_quote};

use crate::model::{CratePath, Item};

/// The token of a type to which the type checker's errors point: its last name.
///
/// A span over several tokens cannot be had on stable Rust.
fn token_of(ty: &Type) -> Span {
    match ty {
        Type::Group(group) => token_of(&group.elem),
        Type::Path(path) => path.path.segments.last().map_or(path.span(), |last| last.ident.span()),
        Type::Reference(reference) => token_of(&reference.elem),
        _ => {
            ty.to_token_stream().into_iter().next().map_or(Span::call_site(), |first| first.span())
        }
    }
}

/// The generics for an impl of a trait on an item that the check has refused: it keeps those who use the item from refusing it
/// once more, and assumes of its type what `supertraits` says.
fn assuming(item: &Item, supertraits: &TokenStream) -> Generics {
    let mut generics = item.generics.clone();
    let ident = &item.ident;
    let (_, of_type, _) = item.generics.split_for_impl();
    // A bound that no lifetime makes general would be an error where it does not hold.
    let bound = parse_quote!(for<'__a> #ident #of_type: #supertraits);
    generics.make_where_clause().predicates.push(bound);
    generics
}

/// An impl as if written at `span`: what the compiler says of it points there, and does not speak of a macro.
fn impl_at(span: Span, header: &TokenStream, body: TokenStream) -> TokenStream {
    let mut body = Group::new(Delimiter::Brace, body);
    body.set_span(span);
    quote_spanned!(span=> impl #header #body)
}

/// Expands to:
///
/// ```text
/// const _: () = { inventory::submit! { EventRegistration::of::<MoneyDeposited>() } };
/// ```
///
/// The `const` carries the `allow`, which a call of a macro cannot.
fn registration(annals: &CratePath, entry: &TokenStream) -> TokenStream {
    quote! {
        #[allow(deprecated)]
        const _: () = {
            #annals::inventory::submit! { #annals::#entry }
        };
    }
}

/// Expands to the comparison of two states, by their equality or by what is shown of them:
///
/// ```text
/// fn same_state(&self, other: &Self) -> Option<bool> { let probe = &&Probe(self, other); probe.compare() }
/// ```
fn same_state(annals: &CratePath) -> TokenStream {
    quote_spanned! {Span::mixed_site()=>
        fn same_state(
            &self,
            other: &Self,
        ) -> ::core::option::Option<::core::primitive::bool> {
            use #annals::{ProbeEq as _, ProbeNothing as _, ProbeShown as _};
            let probe = &&#annals::Probe(self, other);
            probe.compare()
        }
    }
}

/// Expands to what is shown of a state, if its type has `Debug`:
///
/// ```text
/// fn shown(&self) -> Option<String> { (&Shows(self)).show() }
/// ```
fn shown(annals: &CratePath) -> TokenStream {
    quote_spanned! {Span::mixed_site()=>
        fn shown(&self) -> ::core::option::Option<::std::string::String> {
            use #annals::{ShowDebug as _, ShowNothing as _};
            let shown = &#annals::Shows(self);
            shown.show()
        }
    }
}

/// The same tokens, as if written at `span`.
fn respanned(tokens: TokenStream, span: Span) -> TokenStream {
    tokens
        .into_iter()
        .map(|mut token| {
            if let TokenTree::Group(group) = &token {
                token = Group::new(group.delimiter(), respanned(group.stream(), span)).into();
            }
            token.set_span(token.span().located_at(span));
            token
        })
        .collect()
}
