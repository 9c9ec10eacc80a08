//! The marked methods of an impl: what is written of each in the same way, whatever its mark.

use proc_macro2::{Group, Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, TokenStreamExt, format_ident, quote, quote_spanned};
use syn::Type;

use crate::expand::{respanned, token_of};
use crate::model::method::{Method, Receiver};
use crate::model::{CratePath, MarkedImpl};

/// What stands around a method: the path of annals, and the impl.
pub(super) struct Scope<'a> {
    pub(super) annals: &'a CratePath,
    pub(super) block: &'a MarkedImpl,
}

/// By which names of annals a method folds an event into a state.
pub(super) struct Fold {
    /// The error, which has the variants `Exists` and `Missing`.
    pub(super) misfit: &'static str,
    /// The trait of a return that is the next state, and its method.
    pub(super) next: (&'static str, &'static str),
    /// The trait of a return beside `&mut self`, and its method.
    pub(super) nothing: (&'static str, &'static str),
    /// The trait of the last parameter.
    pub(super) context: &'static str,
    /// The trait of the first parameter of an upsert.
    pub(super) upserted: &'static str,
    /// Whether the methods of both traits give back a `Result`.
    pub(super) may_fail: bool,
}

/// What is written of a method by its receiver.
pub(super) struct Arms<'a> {
    /// The error, which has the variants `Exists` and `Missing`.
    pub(super) misfit: &'static str,
    /// The trait of the last parameter.
    pub(super) context: &'static str,
    /// The trait of the first parameter of an upsert.
    pub(super) upserted: &'static str,
    /// The state as an `Option` of its own.
    pub(super) taken: TokenStream,
    /// The pattern of a state that is changed in place, and the state as an argument.
    pub(super) in_place: (TokenStream, TokenStream),
    /// What the method is given after the state.
    pub(super) given: &'a [TokenStream],
    /// What becomes of a call that gives back the next state.
    pub(super) next: &'a dyn Fn(TokenStream) -> TokenStream,
    /// What becomes of a call that changes the state in place.
    pub(super) changed: &'a dyn Fn(TokenStream) -> TokenStream,
}

impl Scope<'_> {
    /// Expands to one of:
    ///
    /// ```text
    /// match state { Some(_) => Err(Misfit::Exists), None => { *state = Self::opened(event).into_state(); Ok(()) } }
    /// match state { Some(state) => { Self::deposited(state, event); Ok(()) } None => Err(Misfit::Missing) }
    /// match state.take() { Some(old) => { *state = Self::shipped(old, event).into_state(); Ok(()) } None => … }
    /// { *state = Self::restocked(state.take(), event).into_state(); Ok(()) }
    /// ```
    pub(super) fn fold(&self, method: &Method, by: &Fold) -> TokenStream {
        let site = Span::mixed_site();
        let question = by.may_fail.then(|| quote!(?));
        let next = |call: TokenStream| {
            let (next, into_state) = by.next;
            let next = format_ident!("{next}");
            let into_state = self.output_method(method, &quote!(#next<Self>), into_state);
            quote_spanned! {site=>
                *state = #into_state(#call) #question;
                ::core::result::Result::Ok(())
            }
        };
        // A return type that is written may still be nothing, under another name.
        let changed = |call: TokenStream| {
            let discarded = method.output.is_some().then(|| {
                let (nothing, discard) = by.nothing;
                let discard = self.output_method(method, &format_ident!("{nothing}"), discard);
                quote_spanned!(site=> #discard(#call) #question)
            });
            let change = discarded.unwrap_or(call);
            quote_spanned! {site=>
                #change;
                ::core::result::Result::Ok(())
            }
        };
        let state = quote_spanned!(site=> state);
        self.by_receiver(
            method,
            &Arms {
                misfit: by.misfit,
                context: by.context,
                upserted: by.upserted,
                taken: quote_spanned!(site=> state.take()),
                in_place: (state.clone(), state),
                given: &[quote_spanned!(site=> event)],
                next: &next,
                changed: &changed,
            },
        )
    }

    /// Expands to what its receiver asks of the state, with the call in it.
    pub(super) fn by_receiver(&self, method: &Method, arms: &Arms<'_>) -> TokenStream {
        let annals = self.annals;
        let name = &method.name;
        let misfit = format_ident!("{}", arms.misfit);
        let site = Span::mixed_site();
        let cx = self.context(method, arms.context);
        let call = |state: Option<TokenStream>| {
            let arguments = state.iter().chain(arms.given).chain(&cx);
            quote_spanned!(site=> Self::#name(#(#arguments),*))
        };
        let (next, taken) = (arms.next, &arms.taken);
        let missing = quote_spanned! {site=>
            ::core::option::Option::None => ::core::result::Result::Err(#annals::#misfit::Missing),
        };
        match &method.receiver {
            _ if method.upsert.is_some() => {
                let upserted = format_ident!("{}", arms.upserted);
                next(call(self.state_argument(method, &quote!(#upserted<Self>), taken)))
            }
            Receiver::None => {
                let create = next(call(None));
                quote_spanned! {site=>
                    match state {
                        ::core::option::Option::Some(_) => {
                            ::core::result::Result::Err(#annals::#misfit::Exists)
                        }
                        ::core::option::Option::None => { #create }
                    }
                }
            }
            Receiver::Value(_) => {
                let change = next(call(Some(quote_spanned!(site=> old))));
                quote_spanned! {site=>
                    match #taken {
                        ::core::option::Option::Some(old) => { #change }
                        #missing
                    }
                }
            }
            Receiver::Shared(_) | Receiver::Mutable(_) | Receiver::Typed(_) => {
                let (pattern, argument) = &arms.in_place;
                let change = (arms.changed)(call(Some(argument.clone())));
                quote_spanned! {site=>
                    match state {
                        ::core::option::Option::Some(#pattern) => { #change }
                        #missing
                    }
                }
            }
        }
    }

    /// The context as an argument, by the trait whose message says what its type has to be; nothing if it is left out.
    pub(super) fn context(&self, method: &Method, by: &str) -> Option<TokenStream> {
        let ty = method.context.as_ref()?;
        let span = token_of(ty);
        let annals = self.annals.at(span);
        let self_ty = &self.block.self_ty;
        let ty = self.without_self(ty);
        let by = format_ident!("{by}");
        let cx = quote_spanned!(Span::mixed_site()=> cx);
        Some(quote_spanned!(span=> <#ty as #annals::#by<'_, #self_ty>>::from_context(#cx)))
    }

    /// The state as the first argument of an upsert, by the trait whose message says what its type has to be.
    pub(super) fn state_argument(
        &self,
        method: &Method,
        by: &TokenStream,
        given: &TokenStream,
    ) -> Option<TokenStream> {
        let ty = method.state.as_ref()?;
        let span = token_of(ty);
        let annals = self.annals.at(span);
        let ty = self.without_self(ty);
        Some(quote_spanned!(span=> <#ty as #annals::#by>::from_state(#given)))
    }

    /// A type of the user's impl, as it is written where `Self` is another: `Self` becomes the type of the impl.
    pub(super) fn without_self(&self, written: &Type) -> TokenStream {
        replace_self(written.to_token_stream(), &self.block.self_ty)
    }

    /// `<Output as Trait>::method`, with the error of an output that does not fit on the return type.
    pub(super) fn output_method(
        &self,
        method: &Method,
        output_trait: &impl ToTokens,
        name: &str,
    ) -> TokenStream {
        let Some(output) = &method.output else { return TokenStream::new() };
        let span = token_of(output);
        let annals = self.annals.at(span);
        let name = Ident::new(name, span);
        let output = output.to_token_stream();
        quote_spanned!(span=> <#output as #annals::#output_trait>::#name)
    }

    /// The `cfg`s, and the other attributes, of what stands beside the method.
    pub(super) fn attributes(&self, method: &Method) -> (TokenStream, TokenStream) {
        let mut cfgs = self.block.carried.cfgs.clone();
        cfgs.extend(method.carried.cfgs.clone());
        let (of_block, of_method) = (&self.block.carried.allows, &method.carried.allows);
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
