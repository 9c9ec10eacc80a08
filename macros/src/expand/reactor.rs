//! `#[reactor]`: what stands beside the user's impl.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::Type;

use crate::expand::method::Scope;
use crate::expand::routing::{Keys, source_and_route};
use crate::expand::{impl_at, registration, respanned, token_of};
use crate::model::Reactor;
use crate::model::method::Method;

/// Expands to the user's impl without its marks, for each marked method to what [`on`] says, and to:
///
/// ```text
/// impl Subject for Welcome { type Key = String; }
/// impl Reactor for Welcome {
///     type Services = Mailer;
///     const NAME: &'static str = "welcome";
///     const START: Start = Start::Beginning;
///     fn reactions() -> Vec<Reaction<Self>> {
///         let mut reactions = Vec::new();
///         reactions.push(<Self as CallOn<AccountOpened>>::reaction());
///         …
///         reactions
///     }
/// }
/// inventory::submit! { ReactorRegistration::of::<Welcome>() }
/// ```
pub(crate) fn expand(reactor: &Reactor) -> TokenStream {
    let block = &reactor.block;
    let user_impl = &block.user_impl;
    if block.refused.is_some() {
        return user_impl.clone();
    }
    let annals = &reactor.options.crate_path;
    let scope = Scope { annals, block };
    let definition = definition(reactor);
    let taken = block.methods.iter().filter_map(|method| {
        let subject = method.subject.as_ref()?;
        Some(on(&scope, method, &subject.ty))
    });
    let self_ty = &block.self_ty;
    let cfgs = &block.carried.cfgs;
    let registration = registration(annals, &quote!(ReactorRegistration::of::<#self_ty>()));
    quote!(#user_impl #definition #(#taken)* #cfgs #registration)
}

fn definition(reactor: &Reactor) -> TokenStream {
    let Reactor { block, options, .. } = reactor;
    let annals = &options.crate_path;
    let self_ty = &block.self_ty;
    let site = Span::mixed_site();
    let name = options.name.as_ref().map_or_else(|| quote!(""), ToTokens::to_token_stream);
    let services = options.services.as_ref().map_or_else(|| quote!(()), ToTokens::to_token_stream);
    let start = options.start.as_ref().map(|start| {
        let variant = Ident::new(start.variant, start.word.span());
        quote!(const START: #annals::Start = #annals::Start::#variant;)
    });
    let reactions = block.methods.iter().filter_map(|method| {
        let event = &method.subject.as_ref()?.ty;
        let (cfgs, allows) = (&method.carried.cfgs, &method.carried.allows);
        // A type that is no event is reported once, where it is taken.
        let span = token_of(event);
        let annals = annals.at(span);
        let reaction = quote_spanned!(span=> <Self as #annals::CallOn<#event>>::reaction());
        Some(quote_spanned!(site=> #cfgs #allows { reactions.push(#reaction); }))
    });
    let reactions = quote_spanned! {site=>
        let mut reactions = ::std::vec::Vec::new();
        #(#reactions)*
        reactions
    };
    let span = token_of(self_ty);
    let annals_here = annals.at(span);
    let subject = impl_at(
        span,
        &quote_spanned!(span=> #annals_here::Subject for #self_ty),
        quote!(
            type Key = ::std::string::String;
        ),
    );
    let definition = impl_at(
        span,
        &quote_spanned!(span=> #annals_here::Reactor for #self_ty),
        quote! {
            type Services = #services;

            const NAME: &'static ::core::primitive::str = #name;
            #start

            fn reactions() -> ::std::vec::Vec<#annals::Reaction<Self>> {
                #reactions
            }
        },
    );
    let (cfgs, allows) = (&block.carried.cfgs, &block.carried.allows);
    quote! {
        #cfgs
        #[automatically_derived]
        #[allow(deprecated)]
        #allows
        #subject

        #cfgs
        #[automatically_derived]
        #[allow(deprecated, unused_mut, clippy::let_and_return, clippy::vec_init_then_push)]
        #allows
        #definition
    }
}

/// Expands to one of:
///
/// ```text
/// impl CallOn<AccountOpened> for Welcome {
///     type Output = Result<(), MailError>;
///     fn source() -> Source<Self> { … }
///     fn route(event: &AccountOpened, recorded: &RecordedEvent) -> Result<Route<String>, RowError> { … }
///     async fn call(event: &AccountOpened, cx: &EventContext<Self>) -> … { Self::opened(event, cx).await }
/// }
/// … fn call(event: &AccountClosed, _: &EventContext<Self>) -> impl Future<…> + Send { ready(Self::closed(event)) }
/// ```
fn on(scope: &Scope<'_>, method: &Method, event: &Type) -> TokenStream {
    let annals = scope.annals;
    let (cfgs, attributes) = scope.attributes(method);
    let span = token_of(event);
    let annals_here = annals.at(span);
    let self_here = respanned(scope.block.self_ty.to_token_stream(), span);
    // What is no event is reported in the list of reactions only: the bound assumes it here.
    let header = quote_spanned! {span=>
        #annals_here::CallOn<#event> for #self_here where for<'__a> #event: #annals_here::Event
    };
    let output = match &method.output {
        Some(output) if !method.refused => output.to_token_stream(),
        _ => quote!(()),
    };
    let (source, route) = source_and_route(scope, method, event, &Keys::Text);
    let call = call(scope, method, event);
    let body = quote_spanned! {Span::mixed_site()=>
        type Output = #output;

        fn source() -> #annals::Source<Self> {
            #source
        }

        fn route(
            event: &#event,
            recorded: &#annals::RecordedEvent,
        ) -> ::core::result::Result<#annals::Route<::std::string::String>, #annals::RowError> {
            #route
        }

        #call
    };
    let on = impl_at(span, &header, body);
    quote! {
        #cfgs
        #attributes
        #[allow(
            unused_variables,
            clippy::redundant_closure,
            clippy::redundant_closure_for_method_calls
        )]
        #on
    }
}

fn call(scope: &Scope<'_>, method: &Method, event: &Type) -> TokenStream {
    let annals = scope.annals;
    let site = Span::mixed_site();
    let name = &method.name;
    let cx = scope.context(method, "ReactorContext").map(|cx| quote!(, #cx));
    let output = quote!(<Self as #annals::CallOn<#event>>::Output);
    let called = quote_spanned!(site=> Self::#name(event #cx));
    let (asyncness, result, body) = match method.asyncness {
        Some(_) if !method.refused => (quote!(async), output, quote!(#called.await)),
        _ => {
            let result =
                quote!(impl ::core::future::Future<Output = #output> + ::core::marker::Send);
            let made = if method.refused { quote!(()) } else { called };
            (TokenStream::new(), result, quote!(::core::future::ready(#made)))
        }
    };
    quote_spanned! {site=>
        #asyncness fn call(event: &#event, cx: &#annals::EventContext<Self>) -> #result {
            #body
        }
    }
}
