//! `#[handlers]`: what stands beside the user's impl.

use proc_macro2::{Group, Span, TokenStream, TokenTree};
use quote::{ToTokens, TokenStreamExt, quote, quote_spanned};
use syn::Type;

use crate::expand::{impl_at, registration, token_of};
use crate::model::Handlers;
use crate::model::handlers::{Mark, Method, Receiver};

/// Expands to the user's impl without its marks, and for each marked method to what [`apply`] or [`handle`] says.
pub(crate) fn expand(handlers: &Handlers) -> TokenStream {
    let user_impl = &handlers.user_impl;
    if handlers.refused.is_some() {
        return user_impl.clone();
    }
    let beside = handlers.methods.iter().filter_map(|method| {
        let subject = method.subject.as_ref()?;
        Some(match method.mark {
            Mark::Apply => apply(handlers, method, &subject.ty),
            Mark::Handle => handle(handlers, method, &subject.ty),
        })
    });
    quote!(#user_impl #(#beside)*)
}

/// Expands to:
///
/// ```text
/// impl Apply<MoneyDeposited> for Account {
///     fn apply(state: &mut Option<Self>, event: &MoneyDeposited, _: &EventContext<Self>) -> Result<(), Misfit> {
///         match state {
///             Some(state) => { Self::deposited(state, event); Ok(()) }
///             None => Err(Misfit::Missing),
///         }
///     }
/// }
/// ```
fn apply(handlers: &Handlers, method: &Method, event: &Type) -> TokenStream {
    let annals = &handlers.crate_path;
    let self_ty = &handlers.self_ty;
    let (cfgs, attributes) = attributes(handlers, method);
    // An event that is not listed, or that two methods apply, is reported where it is taken.
    let span = token_of(event);
    let annals_here = annals.at(span);
    let self_here = respanned(self_ty.to_token_stream(), span);
    let header = quote_spanned!(span=> #annals_here::Apply<#event> for #self_here);
    let body =
        if method.refused { quote!(::core::unreachable!()) } else { apply_body(handlers, method) };
    let body = quote_spanned! {Span::mixed_site()=>
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

/// Expands to one of:
///
/// ```text
/// match state { Some(_) => Err(Misfit::Exists), None => { *state = Self::opened(event).into_state(); Ok(()) } }
/// match state { Some(state) => { Self::deposited(state, event); Ok(()) } None => Err(Misfit::Missing) }
/// match state.take() { Some(old) => { *state = Self::shipped(old, event).into_state(); Ok(()) } None => … }
/// { *state = Self::restocked(state.take(), event).into_state(); Ok(()) }
/// ```
fn apply_body(handlers: &Handlers, method: &Method) -> TokenStream {
    let annals = &handlers.crate_path;
    let name = &method.name;
    let cx = context(handlers, method, &quote!(ApplyContext));
    let site = Span::mixed_site();
    let next = |call: TokenStream| {
        let into_state = output_method(handlers, method, &quote!(NextState<Self>), "into_state");
        quote_spanned! {site=>
            *state = #into_state(#call);
            ::core::result::Result::Ok(())
        }
    };
    // A return type that is written may still be nothing, under another name.
    let nothing = |call: TokenStream| {
        let Some(_) = method.output else { return call };
        let discard = output_method(handlers, method, &quote!(Nothing), "discard");
        quote_spanned!(site=> #discard(#call))
    };
    let missing = quote_spanned! {site=>
        ::core::option::Option::None => ::core::result::Result::Err(#annals::Misfit::Missing),
    };
    match &method.receiver {
        _ if method.upsert.is_some() => {
            let taken = quote_spanned!(site=> state.take());
            let state = state_argument(handlers, method, &quote!(AppliedState<Self>), &taken);
            next(quote_spanned!(site=> Self::#name(#state, event #cx)))
        }
        Receiver::None => {
            let create = next(quote_spanned!(site=> Self::#name(event #cx)));
            quote_spanned! {site=>
                match state {
                    ::core::option::Option::Some(_) => {
                        ::core::result::Result::Err(#annals::Misfit::Exists)
                    }
                    ::core::option::Option::None => { #create }
                }
            }
        }
        Receiver::Value(_) => {
            let change = next(quote_spanned!(site=> Self::#name(old, event #cx)));
            quote_spanned! {site=>
                match state.take() {
                    ::core::option::Option::Some(old) => { #change }
                    #missing
                }
            }
        }
        Receiver::Shared(_) | Receiver::Mutable(_) | Receiver::Typed(_) => {
            let change = nothing(quote_spanned!(site=> Self::#name(state, event #cx)));
            quote_spanned! {site=>
                match state {
                    ::core::option::Option::Some(state) => {
                        #change;
                        ::core::result::Result::Ok(())
                    }
                    #missing
                }
            }
        }
    }
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
fn handle(handlers: &Handlers, method: &Method, command: &Type) -> TokenStream {
    let annals = &handlers.crate_path;
    let self_ty = &handlers.self_ty;
    let (cfgs, attributes) = attributes(handlers, method);
    let span = token_of(command);
    let annals_here = annals.at(span);
    let command = without_self(command, self_ty);
    // What the command lacks, its derive says; the bound assumes it here, and the derive's impl proves it elsewhere.
    let header = quote_spanned!(span=> #annals_here::HandledBy<#self_ty> for #command
        where for<'__a> #command: #annals_here::Command);
    let output = match &method.output {
        Some(output) if !method.refused => without_self(output, self_ty),
        _ => quote!(()),
    };
    let body = handle_body(handlers, method);
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
fn handle_body(handlers: &Handlers, method: &Method) -> TokenStream {
    let annals = &handlers.crate_path;
    let self_ty = &handlers.self_ty;
    let name = &method.name;
    let call = quote_spanned!(Span::mixed_site()=> <#self_ty>::#name);
    let cx = context(handlers, method, &quote!(HandlerContext));
    let wait = method.asyncness.map(|_| quote!(.await));
    let site = Span::mixed_site();
    let decided = match &method.receiver {
        _ if method.refused => {
            quote!(::core::result::Result::Err(#annals::Misfit::Missing))
        }
        _ if method.upsert.is_some() => {
            let given = quote_spanned!(site=> state);
            let by = quote!(HandledState<'_, #self_ty>);
            let state = state_argument(handlers, method, &by, &given);
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

/// The context as an argument, by the trait whose message says what its type has to be; nothing if it is left out.
fn context(handlers: &Handlers, method: &Method, by: &TokenStream) -> TokenStream {
    let Some(ty) = &method.context else { return TokenStream::new() };
    let span = token_of(ty);
    let annals = handlers.crate_path.at(span);
    let self_ty = &handlers.self_ty;
    let ty = without_self(ty, self_ty);
    let cx = quote_spanned!(Span::mixed_site()=> cx);
    quote_spanned!(span=> , <#ty as #annals::#by<'_, #self_ty>>::from_context(#cx))
}

/// The state as the first argument of an upsert, by the trait whose message says what its type has to be.
fn state_argument(
    handlers: &Handlers,
    method: &Method,
    by: &TokenStream,
    given: &TokenStream,
) -> TokenStream {
    let Some(ty) = &method.state else { return TokenStream::new() };
    let span = token_of(ty);
    let annals = handlers.crate_path.at(span);
    let ty = without_self(ty, &handlers.self_ty);
    quote_spanned!(span=> <#ty as #annals::#by>::from_state(#given))
}

/// A type of the user's impl, as it is written where `Self` is another: `Self` becomes the type of the impl.
fn without_self(written: &Type, self_ty: &Type) -> TokenStream {
    replace_self(written.to_token_stream(), self_ty)
}

fn replace_self(tokens: TokenStream, self_ty: &Type) -> TokenStream {
    let mut replaced = TokenStream::new();
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Ident(ident) if ident == "Self" => {
                // A type in front of `::` wants its brackets: `<Account>::LIMIT`.
                let is_path =
                    matches!(tokens.peek(), Some(TokenTree::Punct(next)) if next.as_char() == ':');
                let named = respanned(self_ty.to_token_stream(), ident.span());
                replaced.extend(if is_path { quote!(<#named>) } else { named });
            }
            TokenTree::Group(group) => {
                let mut inner =
                    Group::new(group.delimiter(), replace_self(group.stream(), self_ty));
                inner.set_span(group.span());
                replaced.append(inner);
            }
            other => replaced.append(other),
        }
    }
    replaced
}

/// `<Output as Trait>::method`, with the error of an output that does not fit on the return type.
fn output_method(
    handlers: &Handlers,
    method: &Method,
    output_trait: &TokenStream,
    name: &str,
) -> TokenStream {
    let Some(output) = &method.output else { return TokenStream::new() };
    let span = token_of(output);
    let annals = handlers.crate_path.at(span);
    let name = syn::Ident::new(name, span);
    let output = output.to_token_stream();
    quote_spanned!(span=> <#output as #annals::#output_trait>::#name)
}

/// The `cfg`s, and the other attributes, of what stands beside the method.
fn attributes(handlers: &Handlers, method: &Method) -> (TokenStream, TokenStream) {
    let mut cfgs = handlers.carried.cfgs.clone();
    cfgs.extend(method.carried.cfgs.clone());
    let (of_block, of_method) = (&handlers.carried.allows, &method.carried.allows);
    let refused = method.refused.then(|| quote!(#[allow(unused_variables)]));
    let unused_context = method.context.is_none().then(|| quote!(#[allow(unused_variables)]));
    let attributes = quote! {
        #[automatically_derived]
        #[allow(deprecated)]
        #refused
        #unused_context
        #of_block
        #of_method
    };
    (cfgs, attributes)
}

/// The same tokens, as if written at `span`.
fn respanned(tokens: TokenStream, span: Span) -> TokenStream {
    tokens
        .into_iter()
        .map(|mut token| {
            if let TokenTree::Group(group) = &token {
                token = Group::new(group.delimiter(), respanned(group.stream(), span)).into();
            }
            token.set_span(token.span().located_at(span));
            token
        })
        .collect()
}
