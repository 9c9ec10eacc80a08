//! `#[derive(Aggregate)]`.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::Type;
use syn::ext::IdentExt;

use crate::expand::{assuming, event_enum, registration, same_state, shown, token_of};
use crate::model::Aggregate;
use crate::model::aggregate::Snapshot;

/// Expands to the [event enum](event_enum::expand), and to:
///
/// ```text
/// impl Subject for Account { type Key = AccountId; }
/// impl Aggregate for Account {
///     type Id = AccountId; type Event = AccountEvent; type Services = ();
///     const CATEGORY: &'static str = "account";
///     fn apply(…) -> Result<(), Misfit> { … }
///     fn same_state(&self, other: &Self) -> Option<bool> { … }
///     fn shown(&self) -> Option<String> { … }
/// }
/// impl RecordedBy<Account> for AccountOpened {}
/// …
/// impl<P> CoveredBy<P> for Account where P: Covers<AccountOpened> + … {}
/// inventory::submit! { AggregateRegistration::of::<Account>() }
/// ```
pub(crate) fn expand(aggregate: &Aggregate) -> TokenStream {
    if !aggregate.item.can_expand() {
        return fallback(aggregate);
    }
    let options = &aggregate.options;
    let annals = &options.crate_path;
    let ident = &aggregate.item.ident;
    let event_enum = aggregate.event_enum();
    let category = aggregate.category();
    let ignored = (!options.ignored.is_empty()).then(|| {
        let names = &options.ignored;
        quote!(const IGNORED: &'static [&'static ::core::primitive::str] = &[#(#names),*];)
    });
    // Without an id, any will do, so that one mistake stays one error.
    let id = options.id.as_ref().map_or_else(|| quote!(#annals::AnyId), ToTokens::to_token_stream);
    let services = options.services.as_ref().map_or_else(|| quote!(()), ToTokens::to_token_stream);
    let definition = event_enum::expand(aggregate);
    let snapshot = options.snapshot.as_ref().map(|snapshot| snapshot_items(aggregate, snapshot));
    let apply = apply_fn(aggregate);
    let same_state = same_state(annals);
    let shown = shown(annals);
    let recorded = recorded(aggregate);
    let registration = registration(annals, &quote!(AggregateRegistration::of::<#ident>()));
    quote! {
        #definition

        #[automatically_derived]
        #[allow(deprecated)]
        impl #annals::Subject for #ident {
            type Key = #id;
        }

        #[automatically_derived]
        #[allow(deprecated)]
        impl #annals::Aggregate for #ident {
            type Id = #id;
            type Event = #event_enum;
            type Services = #services;

            const CATEGORY: &'static ::core::primitive::str = #category;
            #ignored
            #snapshot
            #apply

            #same_state
            #shown
        }

        #recorded

        #registration
    }
}

/// Expands to what projections ask of the list of events.
fn recorded(aggregate: &Aggregate) -> TokenStream {
    let annals = &aggregate.options.crate_path;
    let ident = &aggregate.item.ident;
    let events: Vec<&Type> = event_enum::listed(aggregate).into_iter().map(|(_, ty)| ty).collect();
    let recorded = events.iter().map(|event| {
        quote! {
            #[automatically_derived]
            #[allow(deprecated)]
            impl #annals::RecordedBy<#ident> for #event {}
        }
    });
    quote! {
        #(#recorded)*

        #[automatically_derived]
        #[allow(deprecated)]
        impl<__P> #annals::CoveredBy<__P> for #ident
        where
            #(__P: #annals::Covers<#events>,)*
        {
        }
    }
}

/// Expands to an aggregate of any id and any events for what the check has refused, so that its handlers do not refuse it once
/// more.
fn fallback(aggregate: &Aggregate) -> TokenStream {
    let item = &aggregate.item;
    let annals = &aggregate.options.crate_path;
    let ident = &item.ident;
    let generics = assuming(item, &quote!(::core::marker::Send + ::core::marker::Sync + 'static));
    let (impl_generics, of_type, bounds) = generics.split_for_impl();
    let definition = event_enum::expand(aggregate);
    let category = aggregate.category();
    let apply = apply_nothing(aggregate);
    quote! {
        #definition

        #[automatically_derived]
        impl #impl_generics #annals::Subject for #ident #of_type #bounds {
            type Key = #annals::AnyId;
        }

        #[automatically_derived]
        impl #impl_generics #annals::Aggregate for #ident #of_type #bounds {
            type Id = #annals::AnyId;
            type Event = #annals::AnyEvent;
            type Services = ();

            const CATEGORY: &'static ::core::primitive::str = #category;
            #apply
        }
    }
}

/// Expands to:
///
/// ```text
/// const TAKES_CONTEXT: bool = false || <Self as Apply<AccountOpened>>::TAKES_CONTEXT || …;
/// fn apply(state: &mut Option<Self>, event: &Self::Event, cx: &EventContext<Self>) -> Result<(), Misfit> {
///     match event {
///         AccountEvent::AccountOpened(event) => <Self as Apply<AccountOpened>>::apply(state, event, cx),
///         …
///     }
/// }
/// ```
fn apply_fn(aggregate: &Aggregate) -> TokenStream {
    let annals = &aggregate.options.crate_path;
    let event_enum = aggregate.event_enum();
    let arms = event_enum::listed(aggregate).into_iter().map(|(variant, ty)| {
        // A listed event that nothing applies is reported where it is listed.
        let span = token_of(ty);
        let annals = annals.at(span);
        let dispatch = quote_spanned!(span=> <Self as #annals::Apply<#ty>>::apply);
        quote_spanned!(Span::mixed_site()=>
            #event_enum::#variant(event) => #dispatch(state, event, cx),
        )
    });
    let arms: Vec<TokenStream> = arms.collect();
    if arms.is_empty() {
        return apply_nothing(aggregate);
    }
    let takes_context = event_enum::listed(aggregate).into_iter().map(|(_, ty)| {
        let span = token_of(ty);
        let annals = annals.at(span);
        quote_spanned!(span=> || <Self as #annals::Apply<#ty>>::TAKES_CONTEXT)
    });
    quote_spanned! {Span::mixed_site()=>
        const TAKES_CONTEXT: ::core::primitive::bool = false #(#takes_context)*;

        #[inline]
        fn apply(
            state: &mut ::core::option::Option<Self>,
            event: &#event_enum,
            cx: &#annals::EventContext<Self>,
        ) -> ::core::result::Result<(), #annals::Misfit> {
            match event {
                #(#arms)*
            }
        }
    }
}

/// Expands to the `apply` of an aggregate whose list of events the check has refused or missed.
fn apply_nothing(aggregate: &Aggregate) -> TokenStream {
    let annals = &aggregate.options.crate_path;
    quote! {
        fn apply(
            _: &mut ::core::option::Option<Self>,
            event: &#annals::AnyEvent,
            _: &#annals::EventContext<Self>,
        ) -> ::core::result::Result<(), #annals::Misfit> {
            match *event {}
        }
    }
}

/// Expands to:
///
/// ```text
/// const SNAPSHOT: Option<SnapshotPolicy> = Some(SnapshotPolicy::every(100).with_version(1));
/// fn encode_snapshot(&self) -> Option<Result<String, EncodeError>> { Some(SnapshotState::encode_state(self, "Account")) }
/// fn decode_snapshot(json: &str) -> Option<Result<Self, DecodeError>> { Some(SnapshotState::decode_state("Account", json)) }
/// fn snapshot_shape() -> Option<&'static StateShape> {
///     static SHAPE: OnceLock<StateShape> = OnceLock::new();
///     Some(SHAPE.get_or_init(|| <Self as SnapshotState>::state_shape()))
/// }
/// ```
fn snapshot_items(aggregate: &Aggregate, snapshot: &Snapshot) -> TokenStream {
    let annals = &aggregate.options.crate_path;
    let name = aggregate.item.ident.unraw().to_string();
    let options = &snapshot.options;
    let every = options.every.as_ref().map(|every| quote!(every(#every)));
    let begin = every.unwrap_or_else(|| quote!(on_demand()));
    let version = options.version.as_ref().map(|version| quote!(.with_version(#version)));
    let on = (!options.on.is_empty()).then(|| {
        let names = options.on.iter().map(|ty| {
            let span = token_of(ty);
            let annals = annals.at(span);
            quote_spanned!(span=> #annals::listed_name::<Self, #ty>(<#ty as #annals::ListedEvent>::STORED))
        });
        quote!(.with_events(&[#(#names),*]))
    });
    // All name the trait at one place: the compiler then says once that it is missing.
    let span = snapshot.word;
    let annals_here = annals.at(span);
    let state = quote_spanned!(span=> <Self as #annals_here::SnapshotState>);
    quote! {
        const SNAPSHOT: ::core::option::Option<#annals::SnapshotPolicy> =
            ::core::option::Option::Some(#annals::SnapshotPolicy::#begin #on #version);

        fn encode_snapshot(
            &self,
        ) -> ::core::option::Option<
            ::core::result::Result<::std::string::String, #annals::EncodeError>,
        > {
            ::core::option::Option::Some(#state::encode_state(self, #name))
        }

        fn decode_snapshot(
            json: &::core::primitive::str,
        ) -> ::core::option::Option<::core::result::Result<Self, #annals::DecodeError>> {
            ::core::option::Option::Some(#state::decode_state(#name, json))
        }

        fn snapshot_shape() -> ::core::option::Option<&'static #annals::StateShape> {
            static SHAPE: ::std::sync::OnceLock<#annals::StateShape> = ::std::sync::OnceLock::new();
            ::core::option::Option::Some(SHAPE.get_or_init(|| #state::state_shape()))
        }
    }
}
