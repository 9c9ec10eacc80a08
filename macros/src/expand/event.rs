//! `#[derive(Event)]`.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::ext::IdentExt;
use syn::{Generics, parse_quote};

use crate::expand::{assuming, impl_at, registration, upcast};
use crate::model::Event;
use crate::model::item::Kind;

/// Expands to:
///
/// ```text
/// impl Event for MoneyDeposited { const NAME = "MoneyDeposited"; const VERSION = 1; const ALIASES = &[]; … }
/// const _: () = assert_optional::<Option<String>>();
/// impl<A: Aggregate> IntoEvents<A> for MoneyDeposited where MoneyDeposited: EventOf<A> { … }
/// impl<A: Aggregate> ReturnedEvents<A> for MoneyDeposited where MoneyDeposited: EventOf<A> {}
/// impl<A: Aggregate> Decision<A> for MoneyDeposited where MoneyDeposited: EventOf<A> { … }
/// inventory::submit! { EventRegistration::of::<MoneyDeposited>() }
/// ```
pub(crate) fn expand(event: &Event) -> TokenStream {
    let item = &event.item;
    if item.kind == Kind::Union {
        return TokenStream::new();
    }
    let ident = &item.ident;
    let annals = &event.options.crate_path;
    let aliases = &event.options.aliases;
    let name = match &event.options.name {
        Some(name) => name.value(),
        None => ident.unraw().to_string(),
    };
    let version = event
        .options
        .version
        .map(|version| version.value)
        .map(|version| quote!(const VERSION: ::core::primitive::u32 = #version;));
    let aliases = (!aliases.is_empty()).then(
        || quote!(const ALIASES: &'static [&'static ::core::primitive::str] = &[#(#aliases),*];),
    );
    let generics = if item.can_expand() {
        item.generics.clone()
    } else {
        assuming(item, &quote!(#annals::EventData))
    };
    let (impl_generics, of_type, bounds) = generics.split_for_impl();
    let (versions, assertions) = (upcast::items(event), upcast::assertions(event));
    let returned = returned(event);
    let registration =
        item.can_expand().then(|| registration(annals, &quote!(EventRegistration::of::<#ident>())));
    quote! {
        #[automatically_derived]
        #[allow(deprecated)]
        impl #impl_generics #annals::Event for #ident #of_type #bounds {
            const NAME: &'static ::core::primitive::str = #name;
            #version
            #aliases
            #versions
        }

        #assertions

        #returned

        #registration
    }
}

/// Expands to the impls by which handlers return the event:
///
/// ```text
/// impl<A: Aggregate> IntoEvents<A> for MoneyDeposited where MoneyDeposited: EventOf<A> { … }
/// impl<A: Aggregate> ReturnedEvents<A> for MoneyDeposited where MoneyDeposited: EventOf<A> {}
/// impl<A: Aggregate> Decision<A> for MoneyDeposited where MoneyDeposited: EventOf<A> { … }
/// ```
///
/// Of a retired event the last two ask what is never true, and say so.
fn returned(event: &Event) -> TokenStream {
    let annals = &event.options.crate_path;
    let ident = &event.item.ident;
    let (_, of_type, _) = event.item.generics.split_for_impl();
    let mut generics = event.item.generics.clone();
    // `__A`: the event itself may be called `A`.
    generics.params.push(parse_quote!(__A: #annals::Aggregate));
    let listed = parse_quote!(#ident #of_type: #annals::EventOf<__A>);
    generics.make_where_clause().predicates.push(listed);
    let mut returnable = generics.clone();
    if event.options.retired.is_some() {
        // A bound that no lifetime makes general would be an error here, not where a handler returns the event.
        let refused =
            parse_quote!(for<'__a> #annals::Handlers: #annals::MayReturn<#ident #of_type>);
        returnable.make_where_clause().predicates.push(refused);
    }
    let (into_events, decision) = (into_events(event, &generics), decision(event, &returnable));
    let (impl_generics, _, returnable) = returnable.split_for_impl();
    let span = ident.span();
    let annals_here = annals.at(span);
    let returned_events = impl_at(
        span,
        &quote_spanned!(span=> #impl_generics #annals_here::ReturnedEvents<__A> for #ident #of_type #returnable),
        TokenStream::new(),
    );
    quote! {
        #[allow(deprecated)]
        #into_events

        #[allow(deprecated)]
        #returned_events

        #[allow(deprecated)]
        #decision
    }
}

// These are as if the user had written them: of what a derive writes, the compiler would advise against the bound.

/// Expands to `impl<A: Aggregate> IntoEvents<A> for MoneyDeposited where MoneyDeposited: EventOf<A> { … }`.
fn into_events(event: &Event, generics: &Generics) -> TokenStream {
    let annals = &event.options.crate_path;
    let ident = &event.item.ident;
    let span = ident.span();
    let annals_here = annals.at(span);
    let (_, of_type, _) = event.item.generics.split_for_impl();
    let (impl_generics, _, bounds) = generics.split_for_impl();
    impl_at(
        span,
        &quote_spanned!(span=> #impl_generics #annals_here::IntoEvents<__A> for #ident #of_type #bounds),
        quote! {
            #[inline]
            fn extend_into(
                self,
                events: &mut ::std::vec::Vec<<__A as #annals::Aggregate>::Event>,
            ) {
                events.push(#annals::EventOf::<__A>::into_event(self));
            }
        },
    )
}

/// Expands to `impl<A: Aggregate> Decision<A> for MoneyDeposited where MoneyDeposited: EventOf<A> { … }`.
fn decision(event: &Event, generics: &Generics) -> TokenStream {
    let annals = &event.options.crate_path;
    let ident = &event.item.ident;
    let span = ident.span();
    let annals_here = annals.at(span);
    let (_, of_type, _) = event.item.generics.split_for_impl();
    let (impl_generics, _, bounds) = generics.split_for_impl();
    impl_at(
        span,
        &quote_spanned!(span=> #impl_generics #annals_here::Decision<__A> for #ident #of_type #bounds),
        quote! {
            type Error = ::core::convert::Infallible;

            #[inline]
            fn decide(
                self,
            ) -> ::core::result::Result<
                ::std::vec::Vec<<__A as #annals::Aggregate>::Event>,
                ::core::convert::Infallible,
            > {
                ::core::result::Result::Ok(#annals::collect::<__A>(self))
            }
        },
    )
}
