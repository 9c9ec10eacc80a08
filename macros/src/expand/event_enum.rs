//! The enum of an aggregate's events.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::ext::IdentExt;
use syn::{Ident, Type};

use crate::expand::{impl_at, token_of};
use crate::model::Aggregate;

/// Expands to:
///
/// ```text
/// pub enum AccountEvent { AccountOpened(AccountOpened), … }
/// impl AccountEvent { pub fn event_type(&self) -> &'static str { … } }
/// impl Clone for AccountEvent { … }
/// impl Debug for AccountEvent { … }
/// impl EventEnum for AccountEvent { … }
/// impl<E: EventOf<Account>> From<E> for AccountEvent { … }
/// impl IntoEvents<Account> for AccountEvent { … }
/// impl Decision<Account> for AccountEvent { … }
/// impl EventOf<Account> for AccountOpened { … }
/// ```
///
/// What these say of an event, they say through [`stored`].
pub(crate) fn expand(aggregate: &Aggregate) -> TokenStream {
    let annals = &aggregate.options.crate_path;
    let name = aggregate.event_enum();
    let vis = &aggregate.item.vis;
    let listed = listed(aggregate);
    if listed.is_empty() || !aggregate.item.can_expand() {
        // Any event will do, so that one mistake stays one error.
        return quote!(#[allow(dead_code)] #vis type #name = #annals::AnyEvent;);
    }
    let definition = definition(aggregate, &name, &listed);
    let std_impls = std_impls(aggregate, &name, &listed);
    let event_enum = event_enum_impl(aggregate, &name, &listed);
    let conversions = conversions(aggregate, &name);
    let events = event_impls(aggregate, &name, &listed);
    quote!(#definition #std_impls #event_enum #conversions #events)
}

/// The events with their variants; the check has left none without.
pub(crate) fn listed(aggregate: &Aggregate) -> Vec<(&Ident, &Type)> {
    let listed = aggregate.listed().iter();
    listed.filter_map(|event| Some((event.variant.as_ref()?, &event.ty))).collect()
}

/// `<AccountOpened as ListedEvent>`, at the place where the event is listed.
fn stored(aggregate: &Aggregate, ty: &Type) -> TokenStream {
    let span = token_of(ty);
    let annals = aggregate.options.crate_path.at(span);
    quote_spanned!(span=> <#ty as #annals::ListedEvent>)
}

/// Expands to:
///
/// ```text
/// pub enum AccountEvent {
///     AccountOpened(AccountOpened),
///     MoneyDeposited(MoneyDeposited),
/// }
/// impl AccountEvent {
///     pub fn event_type(&self) -> &'static str { match self { Self::AccountOpened(_) => AccountOpened::STORED.name, … } }
/// }
/// ```
fn definition(aggregate: &Aggregate, name: &Ident, listed: &[(&Ident, &Type)]) -> TokenStream {
    let (ident, vis) = (&aggregate.item.ident, &aggregate.item.vis);
    let (variants, types): (Vec<_>, Vec<_>) = listed.iter().copied().unzip();
    let stored: Vec<_> = types.iter().map(|ty| stored(aggregate, ty)).collect();
    let enum_doc = format!("The events of `{}`.", ident.unraw());
    let variant_docs = variants.iter().map(|variant| format!("`{}`.", variant.unraw()));
    quote! {
        #[doc = #enum_doc]
        #[allow(
            deprecated,
            non_camel_case_types,
            clippy::enum_variant_names,
            clippy::large_enum_variant,
            clippy::module_name_repetitions
        )]
        #vis enum #name {
            #(#[doc = #variant_docs] #variants(#types),)*
        }

        #[allow(dead_code, deprecated)]
        impl #name {
            /// The stored name of the event inside.
            #[must_use]
            #vis fn event_type(&self) -> &'static ::core::primitive::str {
                match self {
                    #(Self::#variants(_) => #stored::STORED.name,)*
                }
            }
        }
    }
}

/// Expands to what `#[derive(Debug, Clone)]` would write, which asks of each event what its own derive asks already:
///
/// ```text
/// impl Clone for AccountEvent { … }
/// impl Debug for AccountEvent { … }
/// ```
fn std_impls(aggregate: &Aggregate, name: &Ident, listed: &[(&Ident, &Type)]) -> TokenStream {
    let (variants, types): (Vec<_>, Vec<_>) = listed.iter().copied().unzip();
    let stored: Vec<_> = types.iter().map(|ty| stored(aggregate, ty)).collect();
    let words = variants.iter().map(|variant| variant.unraw().to_string());
    quote_spanned! {Span::mixed_site()=>
        #[automatically_derived]
        #[allow(deprecated)]
        impl ::core::clone::Clone for #name {
            #[inline]
            fn clone(&self) -> Self {
                match self {
                    #(Self::#variants(event) => {
                        Self::#variants(#stored::copy(event))
                    })*
                }
            }
        }

        #[automatically_derived]
        #[allow(deprecated)]
        impl ::core::fmt::Debug for #name {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                match self {
                    #(Self::#variants(event) => {
                        #stored::show(event, #words, f)
                    })*
                }
            }
        }
    }
}

/// Expands to:
///
/// ```text
/// impl EventEnum for AccountEvent {
///     const EVENTS: &'static [EventName] = &[AccountOpened::STORED, …];
///     fn stored(&self) -> &'static EventName { match self { Self::AccountOpened(_) => &AccountOpened::STORED, … } }
///     fn encode(&self) -> Result<String, EncodeError> { match self { Self::AccountOpened(event) => event.write(), … } }
///     fn decode(stored: Stored<'_>) -> Option<Result<Self, DecodeError>> {
///         if AccountOpened::is_stored_as(stored.event_type) { return Some(AccountOpened::read(stored).map(Self::AccountOpened)); }
///         …
///         None
///     }
///     fn same_event(&self, other: &Self) -> Option<bool> { … }
/// }
/// ```
fn event_enum_impl(aggregate: &Aggregate, name: &Ident, listed: &[(&Ident, &Type)]) -> TokenStream {
    let annals = &aggregate.options.crate_path;
    let (variants, types): (Vec<_>, Vec<_>) = listed.iter().copied().unzip();
    let stored: Vec<_> = types.iter().map(|ty| stored(aggregate, ty)).collect();
    let same_event = same_event_fn(aggregate, &variants);
    quote_spanned! {Span::mixed_site()=>
        #[automatically_derived]
        #[allow(deprecated)]
        impl #annals::EventEnum for #name {
            const EVENTS: &'static [#annals::EventName] = &[
                #(#stored::STORED,)*
            ];

            #[inline]
            fn stored(&self) -> &'static #annals::EventName {
                match self {
                    #(Self::#variants(_) => &#stored::STORED,)*
                }
            }

            fn encode(
                &self,
            ) -> ::core::result::Result<::std::string::String, #annals::EncodeError> {
                match self {
                    #(Self::#variants(event) => {
                        #stored::write(event)
                    })*
                }
            }

            #[inline]
            fn decode(
                stored: #annals::Stored<'_>,
            ) -> ::core::option::Option<::core::result::Result<Self, #annals::DecodeError>> {
                #(if #stored::is_stored_as(stored.event_type) {
                    return ::core::option::Option::Some(
                        #stored::read(stored).map(Self::#variants),
                    );
                })*
                ::core::option::Option::None
            }

            #same_event
        }
    }
}

/// Expands to:
///
/// ```text
/// fn same_event(&self, other: &Self) -> Option<bool> {
///     match (self, other) {
///         (Self::AccountOpened(a), Self::AccountOpened(b)) => { let probe = &&Probe(a, b); probe.compare() }
///         …
///         _ => Some(false),
///     }
/// }
/// ```
fn same_event_fn(aggregate: &Aggregate, variants: &[&Ident]) -> TokenStream {
    let annals = &aggregate.options.crate_path;
    // One variant differs from no other.
    let differ = (variants.len() > 1).then(|| quote!(_ => ::core::option::Option::Some(false),));
    quote_spanned! {Span::mixed_site()=>
        fn same_event(
            &self,
            other: &Self,
        ) -> ::core::option::Option<::core::primitive::bool> {
            use #annals::{ProbeEq as _, ProbeNothing as _, ProbeShown as _};
            match (self, other) {
                #((Self::#variants(a), Self::#variants(b)) => {
                    let probe = &&#annals::Probe(a, b);
                    probe.compare()
                })*
                #differ
            }
        }
    }
}

/// Expands to:
///
/// ```text
/// impl<E: EventOf<Account>> From<E> for AccountEvent { … }
/// impl IntoEvents<Account> for AccountEvent { … }
/// impl Decision<Account> for AccountEvent { … }
/// ```
fn conversions(aggregate: &Aggregate, name: &Ident) -> TokenStream {
    let annals = &aggregate.options.crate_path;
    let ident = &aggregate.item.ident;
    // `__E`: the aggregate itself may be called `E`.
    // As if the user had written it: of what a derive writes, the compiler would advise against the bound.
    let span = ident.span();
    let annals_here = annals.at(span);
    let from = impl_at(
        span,
        &quote_spanned!(span=>
            <__E: #annals_here::EventOf<#ident>> ::core::convert::From<__E> for #name
        ),
        quote! {
            #[inline]
            fn from(event: __E) -> Self {
                #annals::EventOf::<#ident>::into_event(event)
            }
        },
    );
    quote! {
        #from

        #[automatically_derived]
        impl #annals::IntoEvents<#ident> for #name {
            #[inline]
            fn extend_into(self, events: &mut ::std::vec::Vec<#name>) {
                events.push(self);
            }
        }

        #[automatically_derived]
        impl #annals::ReturnedEvents<#ident> for #name {}

        #[automatically_derived]
        impl #annals::Decision<#ident> for #name {
            type Error = ::core::convert::Infallible;

            #[inline]
            fn decide(
                self,
            ) -> ::core::result::Result<::std::vec::Vec<#name>, ::core::convert::Infallible> {
                ::core::result::Result::Ok(#annals::collect::<#ident>(self))
            }
        }
    }
}

/// Expands to the impls that say which events are the aggregate's, and to the proof that their stored names differ, from
/// each other and from those that are passed over:
///
/// ```text
/// impl EventOf<Account> for MoneyDeposited { … }
/// const _: () = assert_new_name(<AccountEvent as EventEnum>::EVENTS, &["AccountOpened", "MoneyDeposited"]);
/// const _: () = assert_listed_is_read(<AccountEvent as EventEnum>::EVENTS, &["AccountOpened", …], "InterestAccrued");
/// ```
fn event_impls(aggregate: &Aggregate, name: &Ident, listed: &[(&Ident, &Type)]) -> TokenStream {
    let ident = &aggregate.item.ident;
    let names: Vec<String> =
        listed.iter().map(|(variant, _)| variant.unraw().to_string()).collect();
    let each = listed.iter().enumerate().map(|(index, (variant, ty))| {
        let span = token_of(ty);
        let annals = aggregate.options.crate_path.at(span);
        // The first cannot clash with one before it.
        let assertion = (index > 0).then(|| {
            let before = &names[..=index];
            quote_spanned! {span=>
                const _: () = #annals::assert_new_name(
                    <#name as #annals::EventEnum>::EVENTS,
                    &[#(#before),*],
                );
            }
        });
        let event_of = impl_at(
            span,
            &quote_spanned!(span=> #annals::EventOf<#ident> for #ty),
            quote! {
                #[inline]
                fn into_event(self) -> #name {
                    #name::#variant(self)
                }
            },
        );
        quote! {
            #[automatically_derived]
            #[allow(deprecated)]
            #event_of

            #assertion
        }
    });
    let ignored = aggregate.options.ignored.iter().map(|ignored| {
        let span = ignored.span();
        let annals = aggregate.options.crate_path.at(span);
        quote_spanned! {span=>
            const _: () = #annals::assert_listed_is_read(
                <#name as #annals::EventEnum>::EVENTS,
                &[#(#names),*],
                #ignored,
            );
        }
    });
    quote!(#(#each)* #(#ignored)*)
}
