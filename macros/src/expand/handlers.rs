//! `#[handlers]`: what stands beside the user's impl.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::Type;

use crate::expand::method::{Fold, Scope};
use crate::expand::{impl_at, registration, respanned, token_of};
use crate::model::Handlers;
use crate::model::method::{Mark, Method, Receiver};

const APPLY: Fold = Fold {
    misfit: "Misfit",
    next: ("NextState", "into_state"),
    nothing: ("Nothing", "discard"),
    context: "ApplyContext",
    upserted: "AppliedState",
    may_fail: false,
};

/// Expands to the user's impl without its marks, and for each marked method to what [`apply`] or [`handle`] says.
pub(crate) fn expand(handlers: &Handlers) -> TokenStream {
    let user_impl = &handlers.block.user_impl;
    if handlers.block.refused.is_some() {
        return user_impl.clone();
    }
    let scope = Scope { annals: &handlers.crate_path, block: &handlers.block };
    let beside = handlers.block.methods.iter().filter_map(|method| {
        let subject = method.subject.as_ref()?;
        Some(match method.mark {
            Mark::Handle => handle(&scope, method, &subject.ty),
            _ => apply(&scope, method, &subject.ty),
        })
    });
    quote!(#user_impl #(#beside)*)
}

/// Expands to:
///
/// ```text
/// impl Apply<MoneyDeposited> for Account {
///     const TAKES_CONTEXT: bool = false;
///     fn apply(state: &mut Option<Self>, event: &MoneyDeposited, _: &EventContext<Self>) -> Result<(), Misfit> {
///         match state {
///             Some(state) => { Self::deposited(state, event); Ok(()) }
///             None => Err(Misfit::Missing),
///         }
///     }
/// }
/// ```
fn apply(scope: &Scope<'_>, method: &Method, event: &Type) -> TokenStream {
    let annals = scope.annals;
    let self_ty = &scope.block.self_ty;
    let (cfgs, attributes) = scope.attributes(method);
    // An event that is not listed, or that two methods apply, is reported where it is taken.
    let span = token_of(event);
    let annals_here = annals.at(span);
    let self_here = respanned(self_ty.to_token_stream(), span);
    let header = quote_spanned!(span=> #annals_here::Apply<#event> for #self_here);
    let body =
        if method.refused { quote!(::core::unreachable!()) } else { scope.fold(method, &APPLY) };
    let takes_context = method.context.is_some();
    let body = quote_spanned! {Span::mixed_site()=>
        const TAKES_CONTEXT: ::core::primitive::bool = #takes_context;

        #[inline]
        fn apply(
            state: &mut ::core::option::Option<Self>,
            event: &#event,
            cx: &#annals::EventContext<Self>,
        ) -> ::core::result::Result<(), #annals::Misfit> {
            #body
        }
    };
    let apply = impl_at(span, &header, body);
    quote!(#cfgs #attributes #apply)
}

/// Expands to:
///
/// ```text
/// impl HandledBy<Account> for Deposit {
///     type Output = Result<MoneyDeposited, AccountError>;
///     fn handle(state: Option<&Account>, command: Self, _: &Context<Account>) -> impl Future<…> + Send {
///         ready(match state { Some(state) => Ok(Account::deposit(state, command)), None => Err(Misfit::Missing) })
///     }
/// }
/// inventory::submit! { CommandRegistration::of::<Account, Deposit>() }
/// ```
///
/// It is one impl, so that a mistake that only the type checker sees gets one error.
fn handle(scope: &Scope<'_>, method: &Method, command: &Type) -> TokenStream {
    let annals = scope.annals;
    let self_ty = &scope.block.self_ty;
    let (cfgs, attributes) = scope.attributes(method);
    let span = token_of(command);
    let annals_here = annals.at(span);
    let command = scope.without_self(command);
    // What the command lacks, its derive says; the bound assumes it here, and the derive's impl proves it elsewhere.
    let header = quote_spanned!(span=> #annals_here::HandledBy<#self_ty> for #command
        where for<'__a> #command: #annals_here::Command);
    let output = match &method.output {
        Some(output) if !method.refused => scope.without_self(output),
        _ => quote!(()),
    };
    let body = handle_body(scope, method);
    let self_here = respanned(self_ty.to_token_stream(), span);
    let entry = quote_spanned!(span=> CommandRegistration::of::<#self_here, #command>());
    let registration = registration(annals, &entry);
    // What is not async needs no state machine, which would cost time to compile and to run.
    let (asyncness, result) = match method.asyncness {
        Some(_) => (quote!(async), quote!(::core::result::Result<Self::Output, #annals::Misfit>)),
        None => (
            TokenStream::new(),
            quote! {
                impl ::core::future::Future<
                    Output = ::core::result::Result<Self::Output, #annals::Misfit>,
                > + ::core::marker::Send
            },
        ),
    };
    let body = quote_spanned! {Span::mixed_site()=>
        type Output = #output;

        #asyncness fn handle(
            state: ::core::option::Option<&#self_ty>,
            command: Self,
            cx: &#annals::Context<#self_ty>,
        ) -> #result {
            #body
        }
    };
    let handled_by = impl_at(span, &header, body);
    quote!(#cfgs #attributes #handled_by #cfgs #registration)
}

/// Expands to one of, with `.await` and without `ready` if the method is async:
///
/// ```text
/// ready(match state { Some(_) => Err(Misfit::Exists), None => Ok(Account::open(command)) })
/// ready(match state { Some(state) => Ok(Account::deposit(state, command)), None => Err(Misfit::Missing) })
/// ready(Ok(Stock::restock(state, command)))
/// ```
fn handle_body(scope: &Scope<'_>, method: &Method) -> TokenStream {
    let annals = scope.annals;
    let self_ty = &scope.block.self_ty;
    let name = &method.name;
    let call = quote_spanned!(Span::mixed_site()=> <#self_ty>::#name);
    let cx = scope.context(method, "HandlerContext").map(|cx| quote!(, #cx));
    let wait = method.asyncness.map(|_| quote!(.await));
    let site = Span::mixed_site();
    let decided = match &method.receiver {
        _ if method.refused => {
            quote!(::core::result::Result::Err(#annals::Misfit::Missing))
        }
        _ if method.upsert.is_some() => {
            let given = quote_spanned!(site=> state);
            let by = quote!(HandledState<'_, #self_ty>);
            let state = scope.state_argument(method, &by, &given);
            quote_spanned!(site=> ::core::result::Result::Ok(#call(#state, command #cx) #wait))
        }
        Receiver::None => quote_spanned! {site=>
            match state {
                ::core::option::Option::Some(_) => {
                    ::core::result::Result::Err(#annals::Misfit::Exists)
                }
                ::core::option::Option::None => {
                    ::core::result::Result::Ok(#call(command #cx) #wait)
                }
            }
        },
        _ => quote_spanned! {site=>
            match state {
                ::core::option::Option::Some(state) => {
                    ::core::result::Result::Ok(#call(state, command #cx) #wait)
                }
                ::core::option::Option::None => {
                    ::core::result::Result::Err(#annals::Misfit::Missing)
                }
            }
        },
    };
    if method.asyncness.is_some() { decided } else { quote!(::core::future::ready(#decided)) }
}
