//! `#[query_handler]`: what stands beside the user's fn.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};

use crate::expand::{impl_at, registration, token_of};
use crate::model::QueryHandler;

/// Expands to the user's fn, and to:
///
/// ```text
/// impl HandledQuery for AccountsOf {
///     type Output = Result<Vec<AccountSummary>, ReadModelError>;
///     fn answer(self, cx: &QueryContext) -> impl Future<Output = Self::Output> + Send {
///         accounts_of(self, cx)
///     }
/// }
/// inventory::submit! { QueryRegistration::of::<AccountsOf>() }
/// ```
pub(crate) fn expand(handler: &QueryHandler) -> TokenStream {
    let user_fn = &handler.user_fn;
    let query = match &handler.query {
        // A method or a generic fn cannot be called from where the impl stands.
        Some(query) if handler.generics.is_none() && handler.receiver.is_none() => &query.ty,
        _ => return user_fn.clone(),
    };
    let annals = &handler.crate_path;
    let (cfgs, allows) = (&handler.carried.cfgs, &handler.carried.allows);
    // A type that is no query, or that has two handlers, is reported where it is taken.
    let span = token_of(query);
    let annals_here = annals.at(span);
    let header = quote_spanned!(span=> #annals_here::HandledQuery for #query);
    let entry = quote_spanned!(span=> QueryRegistration::of::<#query>());
    let registration = registration(annals, &entry);
    let implemented = impl_at(span, &header, answer(handler));
    quote! {
        #user_fn

        #cfgs
        #[automatically_derived]
        #[allow(deprecated)]
        #allows
        #implemented

        #cfgs
        #registration
    }
}

/// It is one bound at one place, so that a mistake that only the type checker sees gets one error.
fn answer(handler: &QueryHandler) -> TokenStream {
    let annals = &handler.crate_path;
    let name = &handler.name;
    let site = Span::mixed_site();
    let cx = handler.context.as_ref().map(|ty| {
        let span = token_of(ty);
        let annals = annals.at(span);
        let cx = quote_spanned!(site=> cx);
        quote_spanned!(span=> , <#ty as #annals::QueryHandlerContext<'_>>::from_context(#cx))
    });
    let (output, answer) = if handler.refused {
        let output = quote!(<Self as #annals::Query>::Result);
        (output, quote!(::core::future::pending()))
    } else {
        let output = handler.output.as_ref().map(ToTokens::to_token_stream);
        let output = output.unwrap_or_else(|| quote_spanned!(name.span()=> ()));
        let call = quote_spanned!(site=> #name(self #cx));
        let is_async = handler.asyncness.is_some();
        (output, if is_async { call } else { quote!(::core::future::ready(#call)) })
    };
    let unused =
        (handler.refused || handler.context.is_none()).then(|| quote!(#[allow(unused_variables)]));
    quote_spanned! {site=>
        type Output = #output;

        #unused
        fn answer(
            self,
            cx: &#annals::QueryContext,
        ) -> impl ::core::future::Future<Output = Self::Output> + ::core::marker::Send {
            #answer
        }
    }
}
