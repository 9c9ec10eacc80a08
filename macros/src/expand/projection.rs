//! `#[projection]`: what stands beside the user's impl.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::Type;

use crate::expand::method::{Fold, Scope};
use crate::expand::routing::{Keys, Routes, source_and_route};
use crate::expand::{impl_at, registration, respanned, token_of};
use crate::model::method::Method;
use crate::model::projection::Options;
use crate::model::{CratePath, Projection};

const STEP: Fold = Fold {
    misfit: "RowError",
    next: ("IntoRow", "into_row"),
    nothing: ("ChangedInPlace", "done"),
    context: "RowContext",
    upserted: "UpsertedRow",
    may_fail: true,
};

const KEYS: Keys = Keys::Typed(Routes {
    own: "row_without_key",
    own_from: "own_from",
    by_field: "route_by_field",
    keys: "IntoKeys",
});

/// Expands to the user's impl without its marks, for each marked method to what [`on`] says, and to:
///
/// ```text
/// impl Projection for AccountSummary {
///     const NAME: &'static str = <Self as ReadModel>::TABLE.name;
///     const VERSION: u32 = 1;
///     fn handlers() -> Vec<EventHandler<Self>> {
///         let mut handlers = Vec::new();
///         handlers.push(<Self as On<AccountOpened>>::handler());
///         …
///         handlers
///     }
/// }
/// inventory::submit! { ProjectionRegistration::of::<AccountSummary>() }
/// ```
pub(crate) fn expand(projection: &Projection) -> TokenStream {
    let block = &projection.block;
    let user_impl = &block.user_impl;
    if block.refused.is_some() {
        return user_impl.clone();
    }
    let annals = &projection.options.crate_path;
    let scope = Scope { annals, block };
    let taken = block.methods.iter().filter_map(|method| {
        let subject = method.subject.as_ref()?;
        Some(on(&scope, method, &subject.ty))
    });
    let definition = definition(projection);
    let covered = covered(projection);
    let self_ty = &block.self_ty;
    let cfgs = &block.carried.cfgs;
    let registration = registration(annals, &quote!(ProjectionRegistration::of::<#self_ty>()));
    quote!(#user_impl #definition #(#taken)* #covered #cfgs #registration)
}

fn definition(projection: &Projection) -> TokenStream {
    let Projection { block, options } = projection;
    let annals = &options.crate_path;
    let self_ty = &block.self_ty;
    let name = options.name.as_ref().map_or_else(
        || quote!(<Self as #annals::ReadModel>::TABLE.name),
        ToTokens::to_token_stream,
    );
    let constants = constants(options);
    let inline = options.inline.map(|_| {
        quote!(
            const INLINE: ::core::primitive::bool = true;
        )
    });
    let site = Span::mixed_site();
    let handlers = block.methods.iter().filter_map(|method| {
        let event = &method.subject.as_ref()?.ty;
        let cfgs = &method.carried.cfgs;
        // A type that is no event is reported once, where it is taken.
        let span = token_of(event);
        let annals = annals.at(span);
        let handler = quote_spanned!(span=> <Self as #annals::On<#event>>::handler());
        Some(quote_spanned!(site=> #cfgs { handlers.push(#handler); }))
    });
    let handlers = quote_spanned! {site=>
        let mut handlers = ::std::vec::Vec::new();
        #(#handlers)*
        handlers
    };
    let span = token_of(self_ty);
    let annals_here = annals.at(span);
    let read_model = read_model(annals, self_ty);
    let header = quote_spanned!(span=> #annals_here::Projection for #self_ty where #read_model);
    let definition = impl_at(
        span,
        &header,
        quote! {
            const NAME: &'static ::core::primitive::str = #name;
            #constants
            #inline

            fn handlers() -> ::std::vec::Vec<#annals::EventHandler<Self>> {
                #handlers
            }
        },
    );
    let (cfgs, allows) = (&block.carried.cfgs, &block.carried.allows);
    quote! {
        #cfgs
        #[automatically_derived]
        #[allow(deprecated, unused_mut, clippy::let_and_return, clippy::vec_init_then_push)]
        #allows
        #definition
    }
}

/// `AccountSummary: ReadModel`, which each impl asks at one place: the compiler says once that it is none, and assumes it inside.
fn read_model(annals: &CratePath, self_ty: &Type) -> TokenStream {
    let span = token_of(self_ty);
    let annals = annals.at(span);
    quote_spanned!(span=> #self_ty: #annals::ReadModel)
}

/// The constants that any projection has beside its name.
pub(crate) fn constants(options: &Options) -> TokenStream {
    let annals = &options.crate_path;
    let version = options
        .version
        .as_ref()
        .map(|version| quote!(const VERSION: ::core::primitive::u32 = #version;));
    let on_error = options.on_error.as_ref().map(|on_error| {
        let variant = Ident::new(on_error.variant, on_error.word.span());
        quote!(const ON_ERROR: #annals::OnError = #annals::OnError::#variant;)
    });
    let batch = options.batch.as_ref().map(|batch| {
        quote! {
            const BATCH: ::core::option::Option<::core::primitive::usize> =
                ::core::option::Option::Some(#batch);
        }
    });
    quote!(#version #on_error #batch)
}

/// Expands to:
///
/// ```text
/// impl On<MoneyDeposited> for AccountSummary {
///     fn source() -> Source<Self> { … }
///     fn route(event: &MoneyDeposited, recorded: &RecordedEvent) -> Result<Route<Self::Key>, RowError> { … }
///     fn step(state: &mut Option<Self>, event: &MoneyDeposited, _: &EventContext<Self>) -> Result<(), RowError> {
///         match state {
///             Some(state) => { Self::deposited(state, event); Ok(()) }
///             None => Err(RowError::Missing),
///         }
///     }
/// }
/// ```
fn on(scope: &Scope<'_>, method: &Method, event: &Type) -> TokenStream {
    let annals = scope.annals;
    let (cfgs, attributes) = scope.attributes(method);
    let span = token_of(event);
    let annals_here = annals.at(span);
    let self_here = respanned(scope.block.self_ty.to_token_stream(), span);
    let read_model = read_model(annals, &scope.block.self_ty);
    // What is no event is reported in the list of handlers only: the bound assumes it here.
    let header = quote_spanned! {span=>
        #annals_here::On<#event> for #self_here
        where
            for<'__a> #event: #annals_here::Event,
            #read_model
    };
    let step =
        if method.refused { quote!(::core::unreachable!()) } else { scope.fold(method, &STEP) };
    let (source, route) = source_and_route(scope, method, event, &KEYS);
    let body = quote_spanned! {Span::mixed_site()=>
        fn source() -> #annals::Source<Self> {
            #source
        }

        fn route(
            event: &#event,
            recorded: &#annals::RecordedEvent,
        ) -> ::core::result::Result<#annals::Route<<Self as #annals::Subject>::Key>, #annals::RowError>
        {
            #route
        }

        #[inline]
        fn step(
            state: &mut ::core::option::Option<Self>,
            event: &#event,
            cx: &#annals::EventContext<Self>,
        ) -> ::core::result::Result<(), #annals::RowError> {
            #step
        }
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

/// Expands to:
///
/// ```text
/// impl Covers<InterestPaid> for AccountSummary {}
/// const _: () = covers_all::<AccountSummary, Account>();
/// const _: () = is_of::<InterestPaid, Account>();
/// ```
fn covered(projection: &Projection) -> TokenStream {
    let Projection { block, options } = projection;
    let annals = &options.crate_path;
    let self_ty = &block.self_ty;
    let cfgs = &block.carried.cfgs;
    let ignored = options.ignored.iter().map(|event| {
        let span = token_of(event);
        let annals = annals.at(span);
        let self_here = respanned(self_ty.to_token_stream(), span);
        let header = quote_spanned!(span=> #annals::Covers<#event> for #self_here);
        let covers = impl_at(span, &header, TokenStream::new());
        quote!(#cfgs #[automatically_derived] #[allow(deprecated)] #covers)
    });
    let exhaustive = options.exhaustive.iter().map(|aggregate| {
        let span = token_of(aggregate);
        let annals = annals.at(span);
        let self_here = respanned(self_ty.to_token_stream(), span);
        quote_spanned!(span=> #cfgs #[allow(deprecated)] const _: () = #annals::covers_all::<#self_here, #aggregate>();)
    });
    // Of several aggregates, any may list it.
    let of_one = match &options.exhaustive[..] {
        [aggregate] => {
            &options.ignored.iter().map(|event| (event, aggregate)).collect::<Vec<_>>()[..]
        }
        _ => &[],
    };
    let listed = of_one.iter().map(|(event, aggregate)| {
        let span = token_of(event);
        let annals = annals.at(span);
        quote_spanned!(span=> #cfgs #[allow(deprecated)] const _: () = #annals::is_of::<#event, #aggregate>();)
    });
    quote!(#(#ignored)* #(#exhaustive)* #(#listed)*)
}
