//! `#[saga]`: what stands beside the user's impl.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};

use crate::expand::upcast::state_upcast;
use crate::expand::{impl_at, registration, respanned, token_of};
use crate::model::Saga;
use crate::model::saga::SagaMethod;

/// Expands to the user's impl without its marks, and to:
///
/// ```text
/// impl Saga for Checkout {
///     type Data = OrderData;
///     type Services = Backends;
///     const NAME: &'static str = "checkout";
///     const VERSION: u32 = 2;
///     fn upcast(from: u32, data: Value) -> Result<Value, UpcastError> { … }
///     fn steps() -> Vec<SagaStep<Self>> {
///         let mut steps = Vec::new();
///         { steps.push(SagaStep::new("charge", call).with_undo(call).with_retries(2)); }
///         …
///         steps
///     }
/// }
/// inventory::submit! { SagaRegistration::of::<Checkout>() }
/// ```
pub(crate) fn expand(saga: &Saga) -> TokenStream {
    let Saga { block, options, versions_refused, .. } = saga;
    let user_impl = &block.user_impl;
    if block.refused.is_some() {
        return user_impl.clone();
    }
    let annals = &options.crate_path;
    // What lacks a name was refused.
    let name = options.name.as_ref().map_or_else(|| quote!(""), ToTokens::to_token_stream);
    let data = options.data.as_ref().map_or_else(|| quote!(()), ToTokens::to_token_stream);
    let services = options.services.as_ref().map_or_else(|| quote!(()), ToTokens::to_token_stream);
    let version = options
        .version
        .map(|version| version.value)
        .map(|version| quote!(const VERSION: ::core::primitive::u32 = #version;));
    let upcast = (!versions_refused).then(|| state_upcast(annals, &options.upcasts)).flatten();
    let steps = steps(saga);
    let self_ty = &block.self_ty;
    let span = token_of(self_ty);
    let annals_here = annals.at(span);
    let definition = impl_at(
        span,
        &quote_spanned!(span=> #annals_here::Saga for #self_ty),
        quote! {
            type Data = #data;
            type Services = #services;

            const NAME: &'static ::core::primitive::str = #name;
            #version
            #upcast

            fn steps() -> ::std::vec::Vec<#annals::SagaStep<Self>> {
                #steps
            }
        },
    );
    let (cfgs, allows) = (&block.carried.cfgs, &block.carried.allows);
    let registration = registration(annals, &quote!(SagaRegistration::of::<#self_ty>()));
    quote! {
        #user_impl

        #cfgs
        #[automatically_derived]
        #[allow(deprecated, unused_mut, clippy::let_and_return, clippy::vec_init_then_push)]
        #allows
        #definition

        #cfgs
        #registration
    }
}

fn steps(saga: &Saga) -> TokenStream {
    let annals = &saga.options.crate_path;
    let site = Span::mixed_site();
    // Without the data's type, each step would be refused once more.
    let sound =
        saga.block.methods.iter().filter(|method| {
            saga.options.data.is_some() && method.step.is_some() && !method.refused
        });
    let pushed = sound.filter_map(|method| {
        let step = method.step.as_ref()?;
        let (cfgs, allows) = (&method.carried.cfgs, &method.carried.allows);
        let (name, action) = (method.stored_name(), call(saga, method));
        let undo = step.undo.as_ref().and_then(|undo| {
            let found = saga.block.methods.iter().find(|method| method.name == *undo)?;
            let undo = (!found.refused).then(|| call(saga, found))?;
            Some(quote_spanned!(site=> .with_undo(#undo)))
        });
        let retries =
            step.retries.as_ref().map(|retries| quote_spanned!(site=> .with_retries(#retries)));
        let timeout =
            step.timeout.as_ref().map(|timeout| quote_spanned!(site=> .with_timeout(#timeout)));
        Some(quote_spanned! {site=>
            #cfgs
            #allows
            { steps.push(#annals::SagaStep::new(#name, #action) #undo #retries #timeout); }
        })
    });
    quote_spanned! {site=>
        let mut steps = ::std::vec::Vec::new();
        #(#pushed)*
        steps
    }
}

/// Expands to:
///
/// ```text
/// |data, services, cx| Box::pin(async move {
///     <Result<(), BackendError> as StepOutcome>::into_outcome(
///         Self::charge(<&mut OrderData as StepData<OrderData>>::from_data(data), …).await,
///     )
/// })
/// ```
///
/// Each argument goes through the trait whose message says what its type has to be. Where there are no services, the context
/// comes second.
fn call(saga: &Saga, method: &SagaMethod) -> TokenStream {
    let annals = &saga.options.crate_path;
    let site = Span::mixed_site();
    let (data, services) = (&saga.options.data, &saga.options.services);
    let data = (quote_spanned!(site=> data), quote!(StepData<'_, #data>), quote!(from_data));
    let called = quote_spanned!(site=> services);
    let called = (called, quote!(StepServices<'_, #services>), quote!(from_services));
    let cx = (quote_spanned!(site=> cx), quote!(LastOfStep<'_>), quote!(from_context));
    let has_services = services.is_some() || !saga.missing.services;
    let given = if has_services { vec![data, called, cx] } else { vec![data, cx] };
    let arguments = method.parameters.iter().zip(given).map(|(ty, (given, by, from))| {
        // What does not fit is told of where its type is written.
        let span = token_of(ty);
        let annals = annals.at(span);
        let by = respanned(by, span);
        let from = respanned(from, span);
        quote_spanned!(span=> <#ty as #annals::#by>::#from(#given))
    });
    let name = &method.name;
    let at = site.located_at(name.span());
    let called = quote_spanned!(at=> Self::#name(#(#arguments),*).await);
    let outcome = method.output.as_ref().map_or_else(
        || quote_spanned!(site=> #annals::StepOutcome::into_outcome(#called)),
        |output| {
            let span = token_of(output);
            let annals = annals.at(span);
            quote_spanned!(span=> <#output as #annals::StepOutcome>::into_outcome(#called))
        },
    );
    quote_spanned! {at=>
        |data, services, cx| {
            let _ = (&data, services, cx);
            ::std::boxed::Box::pin(async move { #outcome })
        }
    }
}
