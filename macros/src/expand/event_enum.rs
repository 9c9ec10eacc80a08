//! The enum of an aggregate's events.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::{Ident, Type};

use crate::expand::listed_enum::ListedEnum;
use crate::model::Aggregate;
use crate::model::listing::variants;

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
/// What these say of an event, they say through [`ListedEnum::stored`].
pub(crate) fn expand(aggregate: &Aggregate) -> TokenStream {
    let annals = &aggregate.options.crate_path;
    let name = aggregate.event_enum();
    let vis = &aggregate.item.vis;
    let listed = listed(aggregate);
    if listed.is_empty() || !aggregate.item.can_expand() {
        // Any event will do, so that one mistake stays one error.
        return quote!(#[allow(dead_code)] #vis type #name = #annals::AnyEvent;);
    }
    let events = ListedEnum {
        annals,
        owner: &aggregate.item.ident,
        vis,
        name: &name,
        noun: "event",
        listed_by: "ListedEvent",
        member: ("EventOf", "into_event"),
        listed: &listed,
    };
    let definition = definition(&events);
    let std_impls = events.std_impls(
        |stored, word| quote_spanned!(Span::mixed_site()=> #stored::show(inside, #word, f)),
    );
    let event_enum = event_enum_impl(&events);
    let conversions = conversions(&events);
    let members = members(aggregate, &events);
    quote!(#definition #std_impls #event_enum #conversions #members)
}

/// The events with their variants.
pub(crate) fn listed(aggregate: &Aggregate) -> Vec<(&Ident, &Type)> {
    variants(aggregate.listed())
}

/// Expands to:
///
/// ```text
/// pub enum AccountEvent { … }
/// impl AccountEvent {
///     pub fn event_type(&self) -> &'static str { match self { Self::AccountOpened(_) => AccountOpened::STORED.name, … } }
/// }
/// ```
fn definition(events: &ListedEnum<'_>) -> TokenStream {
    let definition = events.definition();
    let (name, vis) = (events.name, events.vis);
    let (variants, stored) = (events.variants(), events.stored());
    quote! {
        #definition

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
fn event_enum_impl(events: &ListedEnum<'_>) -> TokenStream {
    let (annals, name) = (events.annals, events.name);
    let (variants, stored) = (events.variants(), events.stored());
    let same_event = events.same();
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
/// impl<E: EventOf<Account>> From<E> for AccountEvent { … }
/// impl IntoEvents<Account> for AccountEvent { … }
/// impl Decision<Account> for AccountEvent { … }
/// ```
fn conversions(events: &ListedEnum<'_>) -> TokenStream {
    let (annals, ident, name) = (events.annals, events.owner, events.name);
    let from = events.from(&TokenStream::new());
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
fn members(aggregate: &Aggregate, events: &ListedEnum<'_>) -> TokenStream {
    let (name, names) = (events.name, events.words());
    let members =
        events.members(("EventEnum", "EVENTS"), "assert_new_name", |_| TokenStream::new());
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
    quote!(#members #(#ignored)*)
}
