//! From where an `#[on]` takes its event, and to which rows or processes it goes.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{ExprClosure, Member, Type};

use crate::expand::method::Scope;
use crate::expand::read_model::column_constant;
use crate::expand::{respanned, token_of};
use crate::model::method::{Each, KeyBy, Method};

/// What the keys are to which events are routed.
pub(super) enum Keys {
    /// Values of one type: of a row, of a process.
    Typed(Routes),
    /// Texts of anything that can be shown: of a reactor.
    Text,
}

/// By which names of annals an event is routed to keys of one type.
pub(super) struct Routes {
    /// The function of an event that goes where its own stream says.
    pub(super) own: &'static str,
    /// The same with `from`.
    pub(super) own_from: &'static str,
    /// The function of `key = field`.
    pub(super) by_field: &'static str,
    /// The trait of what `key = |event| …` gives back.
    pub(super) keys: &'static str,
}

/// Expands to one of, each with a source of its own:
///
/// ```text
/// (row_without_key::<Self, AccountOpened, _>().route)(recorded)
/// Ok(route_by_field(Clone::clone(&event.owner)))
/// { let key: fn(&AccountOpened) -> _ = |event| …; Ok(<_ as IntoKeys<_>>::into_route(key(event))) }
/// route_each::<Self, _>(&Self::CUSTOMER, Clone::clone(&event.customer))
/// ```
///
/// where the keys are texts, to one of:
///
/// ```text
/// Ok(route_by_stream(recorded))
/// Ok(route_by_texts([text_of_key(&event.owner), text_of_key(&event.day)]))
/// Ok(<_ as IntoTexts<_>>::into_route(keyed(event, |event| …)))
/// ```
pub(super) fn source_and_route(
    scope: &Scope<'_>,
    method: &Method,
    event: &Type,
    keys: &Keys,
) -> (TokenStream, TokenStream) {
    let annals = scope.annals;
    let routing = &method.routing;
    let source = match &routing.from {
        None => quote!(#annals::Source::any()),
        Some(from) => {
            let span = token_of(from);
            let annals = annals.at(span);
            let event = respanned(event.to_token_stream(), span);
            quote_spanned!(span=> #annals::source_from::<Self, #event, #from>())
        }
    };
    let by = routing.key.as_ref().map(|key| &key.by);
    let route = match (by, &routing.each, keys) {
        // What was refused is not missed.
        _ if routing.refused => quote!(::core::unreachable!()),
        (Some(KeyBy::Fields(fields)), _, Keys::Typed(by)) => by_fields(scope, fields, by),
        (Some(KeyBy::Fields(fields)), _, Keys::Text) => by_texts(scope, fields),
        (Some(KeyBy::Closure(closure)), _, Keys::Typed(by)) => {
            by_closure(scope, closure, event, by)
        }
        (Some(KeyBy::Closure(closure)), _, Keys::Text) => by_closure_of_texts(scope, closure),
        (None, Some(each), _) => by_column(scope, each),
        (None, None, Keys::Typed(by)) => return own(scope, method, event, by),
        (None, None, Keys::Text) => {
            let recorded = quote_spanned!(Span::mixed_site()=> recorded);
            quote!(::core::result::Result::Ok(#annals::route_by_stream(#recorded)))
        }
    };
    (source, route)
}

/// What follows the event's own stream.
fn own(
    scope: &Scope<'_>,
    method: &Method,
    event: &Type,
    by: &Routes,
) -> (TokenStream, TokenStream) {
    // Both name the stream in the same way and at one place: the compiler then says once what is wrong with it.
    let from = &method.routing.from;
    let span = token_of(from.as_ref().unwrap_or(event));
    let annals = scope.annals.at(span);
    let event = respanned(event.to_token_stream(), span);
    let own = match from {
        None => {
            let own = Ident::new(by.own, span);
            quote_spanned!(span=> #annals::#own::<Self, #event, _>())
        }
        Some(from) => {
            let own_from = Ident::new(by.own_from, span);
            quote_spanned!(span=> #annals::#own_from::<Self, #event, #from>())
        }
    };
    let recorded = quote_spanned!(Span::mixed_site()=> recorded);
    (quote!(#own.source), quote!((#own.route)(#recorded)))
}

fn by_fields(scope: &Scope<'_>, fields: &[Member], by: &Routes) -> TokenStream {
    let values = fields.iter().map(value_of);
    let value = if let [field] = fields { value_of(field) } else { quote!((#(#values),*)) };
    let span = fields.first().map_or_else(Span::call_site, Spanned::span);
    let annals = scope.annals.at(span);
    let key = quote_spanned!(span=> <Self as #annals::Subject>::Key);
    let by_field = Ident::new(by.by_field, span);
    quote_spanned! {span=>
        ::core::result::Result::Ok(#annals::#by_field::<#key>(#value))
    }
}

fn by_closure(scope: &Scope<'_>, closure: &ExprClosure, event: &Type, by: &Routes) -> TokenStream {
    let site = Span::mixed_site();
    let span = first_span(&closure.body);
    let annals = scope.annals.at(span);
    let key = quote_spanned!(span=> <Self as #annals::Subject>::Key);
    let keys = Ident::new(by.keys, span);
    let into_route = quote_spanned!(span=> <_ as #annals::#keys<#key>>::into_route);
    quote_spanned! {site=>
        let key: fn(&#event) -> _ = #closure;
        ::core::result::Result::Ok(#into_route(key(event)))
    }
}

fn by_texts(scope: &Scope<'_>, fields: &[Member]) -> TokenStream {
    let annals = scope.annals;
    let texts = fields.iter().map(|field| {
        let span = field.span();
        let annals = annals.at(span);
        let event = Ident::new("event", Span::mixed_site().located_at(span));
        // The compiler's message finds the field by a call, whose tokens are all of one place.
        let value = quote_spanned!(span=> ::core::convert::identity(&#event.#field));
        quote_spanned!(span=> #annals::text_of_key(#value))
    });
    quote!(::core::result::Result::Ok(#annals::route_by_texts([#(#texts),*])))
}

fn by_closure_of_texts(scope: &Scope<'_>, closure: &ExprClosure) -> TokenStream {
    let site = Span::mixed_site();
    let span = first_span(&closure.body);
    let annals = scope.annals;
    let keyed = quote_spanned!(site=> #annals::keyed(event, #closure));
    let annals = annals.at(span);
    let into_route = quote_spanned!(span=> <_ as #annals::IntoTexts<_>>::into_route);
    quote_spanned!(site=> ::core::result::Result::Ok(#into_route(#keyed)))
}

fn by_column(scope: &Scope<'_>, each: &Each) -> TokenStream {
    let Each { column, field, .. } = each;
    let constant = column_constant(column);
    let value = value_of(field);
    let span = field.span();
    let annals = scope.annals.at(span);
    let column = quote_spanned!(column.span()=> &Self::#constant);
    quote_spanned!(span=> #annals::route_each::<Self, _>(#column, #value))
}

/// A copy of a field of the event.
fn value_of(field: &Member) -> TokenStream {
    let span = field.span();
    let event = Ident::new("event", Span::mixed_site().located_at(span));
    quote_spanned!(span=> ::core::clone::Clone::clone(&#event.#field))
}

pub(super) fn first_span(tokens: &impl ToTokens) -> Span {
    tokens.to_token_stream().into_iter().next().map_or_else(Span::call_site, |token| token.span())
}
