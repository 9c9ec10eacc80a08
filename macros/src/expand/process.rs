//! `#[process]`: what stands beside the user's impl.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::{Ident, Type, Visibility};

use crate::expand::method::{Arms, Scope};
use crate::expand::routing::{Keys, Routes, first_span, source_and_route};
use crate::expand::{impl_at, registration, respanned, token_of};
use crate::model::Process;
use crate::model::method::{Mark, Method, Receiver};

const KEYS: Keys = Keys::Typed(Routes {
    own: "own_process",
    own_from: "own_process_from",
    by_field: "route_by_id",
    keys: "IntoIds",
});

/// Expands to the user's impl without its marks, for each marked method to what [`on`], [`rejected`] or [`constant`] says, and
/// to:
///
/// ```text
/// impl Process for Fulfilment {
///     fn steps() -> Steps<Self> {
///         let mut steps = Steps::new();
///         steps = <Self as React<OrderConfirmed>>::listed(steps);
///         steps = <Self as Refused<ReserveStock>>::listed(steps);
///         steps = steps.deadline("too_slow", Some(Duration::from_mins(15)), |state, cx| …);
///         steps
///     }
/// }
/// inventory::submit! { ProcessRegistration::of::<Fulfilment>() }
/// ```
pub(crate) fn expand(process: &Process) -> TokenStream {
    let block = &process.block;
    let user_impl = &block.user_impl;
    if block.refused.is_some() {
        return user_impl.clone();
    }
    let scope = Scope { annals: &process.crate_path, block };
    let definition = definition(&scope);
    let beside = block.methods.iter().filter_map(|method| match method.mark {
        Mark::Deadline => constant(&scope, method),
        Mark::Rejected => Some(rejected(&scope, method, &method.subject.as_ref()?.ty)),
        _ => Some(on(&scope, method, &method.subject.as_ref()?.ty)),
    });
    let self_ty = &block.self_ty;
    let cfgs = &block.carried.cfgs;
    let registration = registration(scope.annals, &quote!(ProcessRegistration::of::<#self_ty>()));
    quote!(#user_impl #definition #(#beside)* #cfgs #registration)
}

fn definition(scope: &Scope<'_>) -> TokenStream {
    let (annals, block) = (scope.annals, scope.block);
    let self_ty = &block.self_ty;
    let site = Span::mixed_site();
    let listed = block.methods.iter().filter_map(|method| {
        let listed = match method.mark {
            Mark::Deadline => deadline(scope, method)?,
            mark => {
                let listed_by = if mark == Mark::Rejected { "Refused" } else { "React" };
                let taken = &method.subject.as_ref()?.ty;
                // A type that is no event, or no command of the process, is reported once, where it is taken.
                let span = token_of(taken);
                let annals = annals.at(span);
                let listed_by = Ident::new(listed_by, span);
                let listed = quote_spanned!(span=> <Self as #annals::#listed_by<#taken>>::listed);
                quote_spanned!(site=> steps = #listed(steps);)
            }
        };
        let (cfgs, allows) = (&method.carried.cfgs, &method.carried.allows);
        Some(quote_spanned!(site=> #cfgs #allows { #listed }))
    });
    let listed = quote_spanned! {site=>
        let mut steps = #annals::Steps::new();
        #(#listed)*
        steps
    };
    let span = token_of(self_ty);
    let annals_here = annals.at(span);
    let definition = impl_at(
        span,
        &quote_spanned!(span=>
            #annals_here::Process for #self_ty where for<'__a> #self_ty: #annals_here::ProcessManager
        ),
        quote! {
            fn steps() -> #annals::Steps<Self> {
                #listed
            }
        },
    );
    let (cfgs, allows) = (&block.carried.cfgs, &block.carried.allows);
    quote! {
        #cfgs
        #[automatically_derived]
        #[allow(deprecated, unused_mut, unused_variables, clippy::let_and_return)]
        #allows
        #definition
    }
}

/// Expands to:
///
/// ```text
/// steps = steps.deadline("too_slow", Some(Duration::from_mins(15)), |state, cx| match state {
///     Some(mut state) => Ok(<Option<CancelOrder> as IntoCommands<Self>>::beside(Self::too_slow(&mut state, cx), state)),
///     None => Err(Misfit::Missing),
/// });
/// ```
fn deadline(scope: &Scope<'_>, method: &Method) -> Option<TokenStream> {
    let name = method.deadline.name.as_ref()?;
    let site = Span::mixed_site();
    let after = method.deadline.after.as_ref().map_or_else(
        || quote!(::core::option::Option::None),
        |after| {
            // What is no duration is reported there, and nowhere else.
            let span = first_span(after);
            let time = quote_spanned!(site.located_at(span)=> time);
            let ty = quote_spanned!(span=> ::core::time::Duration);
            quote!({
                let #time: #ty = #after;
                ::core::option::Option::Some(#time)
            })
        },
    );
    let step = step(scope, method, &[]);
    Some(quote_spanned! {site=>
        steps = steps.deadline(#name, #after, |state, cx| { #step });
    })
}

/// Expands to the constant by which steps set a deadline and take it back:
///
/// ```text
/// impl Fulfilment { pub(crate) const TOO_SLOW: DeadlineName = DeadlineName::new("too_slow"); }
/// ```
fn constant(scope: &Scope<'_>, method: &Method) -> Option<TokenStream> {
    let (annals, block) = (scope.annals, scope.block);
    let name = method.deadline.name.as_ref()?;
    let constant = deadline_constant(&method.name);
    let vis = match &method.vis {
        // Tests of other modules name it as well.
        Visibility::Inherited => quote!(pub(crate)),
        given => given.to_token_stream(),
    };
    let doc = format!(
        "The deadline `{}`: a step sets it by `Self::{constant}.after(…)`, and takes it back by `Self::{constant}.cancel()`.",
        name.value()
    );
    let self_ty = &block.self_ty;
    let (block_cfgs, cfgs) = (&block.carried.cfgs, &method.carried.cfgs);
    Some(quote! {
        #block_cfgs
        #cfgs
        #[allow(dead_code, deprecated)]
        impl #self_ty {
            #[doc = #doc]
            #vis const #constant: #annals::DeadlineName = #annals::DeadlineName::new(#name);
        }
    })
}

/// `TOO_SLOW` of `too_slow`.
fn deadline_constant(method: &Ident) -> Ident {
    Ident::new(&method.unraw().to_string().to_uppercase(), method.span())
}

/// Expands to:
///
/// ```text
/// impl React<StockReserved> for Fulfilment {
///     fn source() -> Source<Self> { … }
///     fn route(event: &StockReserved, recorded: &RecordedEvent) -> Result<Route<OrderId>, RowError> { … }
///     fn step(state: Option<Self>, event: &StockReserved, cx: &EventContext<Self>) -> Result<Step<Self>, Misfit> { … }
/// }
/// ```
fn on(scope: &Scope<'_>, method: &Method, event: &Type) -> TokenStream {
    let annals = scope.annals;
    let (cfgs, attributes) = scope.attributes(method);
    let span = token_of(event);
    let annals_here = annals.at(span);
    let self_here = respanned(scope.block.self_ty.to_token_stream(), span);
    // What is no event is reported in the list of steps only: the bound assumes it here.
    let header = quote_spanned! {span=>
        #annals_here::React<#event> for #self_here
            where
                for<'__a> #event: #annals_here::Event,
                for<'__a> #self_here: #annals_here::ProcessManager
    };
    let site = Span::mixed_site();
    let step = step(scope, method, &[quote_spanned!(site=> event)]);
    let (source, route) = source_and_route(scope, method, event, &KEYS);
    let body = quote_spanned! {site=>
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

        fn step(
            state: ::core::option::Option<Self>,
            event: &#event,
            cx: &#annals::EventContext<Self>,
        ) -> ::core::result::Result<#annals::Step<Self>, #annals::Misfit> {
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
/// impl Refused<ReserveStock> for Fulfilment {
///     fn step(state: Option<Self>, command: &ReserveStock, why: &Rejection, cx: &EventContext<Self>) -> Result<Step<Self>, Misfit> { … }
/// }
/// ```
fn rejected(scope: &Scope<'_>, method: &Method, command: &Type) -> TokenStream {
    let annals = scope.annals;
    let (cfgs, attributes) = scope.attributes(method);
    let span = token_of(command);
    let annals_here = annals.at(span);
    let self_here = respanned(scope.block.self_ty.to_token_stream(), span);
    // What the process does not send is reported in the list of steps only: the bound assumes it here.
    let header = quote_spanned! {span=>
        #annals_here::Refused<#command> for #self_here
            where
                for<'__a> #command: #annals_here::SentBy<#self_here>,
                for<'__a> #self_here: #annals_here::ProcessManager
    };
    let site = Span::mixed_site();
    let mut given = vec![quote_spanned!(site=> command)];
    given.extend(method.reason.as_ref().map(|reason| {
        let span = token_of(reason);
        let annals = annals.at(span);
        let reason = scope.without_self(reason);
        let why = quote_spanned!(site=> why);
        quote_spanned!(span=> <#reason as #annals::RejectedReason<'_>>::from_rejection(#why))
    }));
    let step = step(scope, method, &given);
    let body = quote_spanned! {site=>
        fn step(
            state: ::core::option::Option<Self>,
            command: &#command,
            why: &#annals::Rejection,
            cx: &#annals::EventContext<Self>,
        ) -> ::core::result::Result<#annals::Step<Self>, #annals::Misfit> {
            #step
        }
    };
    let rejected = impl_at(span, &header, body);
    quote!(#cfgs #attributes #[allow(unused_variables)] #rejected)
}

/// Expands to one of:
///
/// ```text
/// match state { Some(_) => Err(Misfit::Exists), None => Ok(<(Self, ReserveStock) as NextStep<Self>>::into_step(Self::confirmed(event, cx))) }
/// match state { Some(mut state) => { let sent = Self::cancelled(&mut state, event); Ok(<… as IntoCommands<Self>>::beside(sent, state)) } None => … }
/// match state { Some(old) => Ok(<… as NextStep<Self>>::into_step(Self::reserved(old, event))), None => Err(Misfit::Missing) }
/// Ok(<… as NextStep<Self>>::into_step(Self::requested(state, event)))
/// ```
fn step(scope: &Scope<'_>, method: &Method, given: &[TokenStream]) -> TokenStream {
    if method.refused {
        return quote!(::core::unreachable!());
    }
    let annals = scope.annals;
    let site = Span::mixed_site();
    let next = |call: TokenStream| {
        let into_step = scope.output_method(method, &quote!(NextStep<Self>), "into_step");
        quote_spanned!(site=> ::core::result::Result::Ok(#into_step(#call)))
    };
    let changed = |call: TokenStream| {
        if method.output.is_none() {
            return quote_spanned! {site=>
                #call;
                ::core::result::Result::Ok(#annals::Step::new(
                    ::core::option::Option::Some(state),
                    (),
                ))
            };
        }
        let beside = scope.output_method(method, &quote!(IntoCommands<Self>), "beside");
        quote_spanned! {site=>
            let sent = #call;
            ::core::result::Result::Ok(#beside(sent, state))
        }
    };
    let in_place = match &method.receiver {
        Receiver::Mutable(_) => {
            (quote_spanned!(site=> mut state), quote_spanned!(site=> &mut state))
        }
        _ => (quote_spanned!(site=> state), quote_spanned!(site=> &state)),
    };
    scope.by_receiver(
        method,
        &Arms {
            misfit: "Misfit",
            context: "ProcessContext",
            upserted: "UpsertedProcess",
            taken: quote_spanned!(site=> state),
            in_place,
            given,
            next: &next,
            changed: &changed,
        },
    )
}
