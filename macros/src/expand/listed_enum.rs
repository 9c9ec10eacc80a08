//! An enum with a variant for each type of a list: the events of an aggregate, the commands of a process.

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::{Ident, Type, Visibility};

use crate::expand::{impl_at, token_of};
use crate::model::CratePath;

/// The enum, and what it is made of.
pub(super) struct ListedEnum<'a> {
    pub(super) annals: &'a CratePath,
    /// The type that has the list.
    pub(super) owner: &'a Ident,
    pub(super) vis: &'a Visibility,
    pub(super) name: &'a Ident,
    /// What is inside: "event".
    pub(super) noun: &'static str,
    /// The hidden trait through which all is said of a listed type.
    pub(super) listed_by: &'static str,
    /// The trait of a type that the owner lists, and its method that makes the enum.
    pub(super) member: (&'static str, &'static str),
    pub(super) listed: &'a [(&'a Ident, &'a Type)],
}

impl ListedEnum<'_> {
    pub(super) fn variants(&self) -> Vec<&Ident> {
        self.listed.iter().map(|(variant, _)| *variant).collect()
    }

    fn types(&self) -> Vec<&Type> {
        self.listed.iter().map(|(_, ty)| *ty).collect()
    }

    /// The variants' names, as messages say them.
    pub(super) fn words(&self) -> Vec<String> {
        self.listed.iter().map(|(variant, _)| variant.unraw().to_string()).collect()
    }

    /// `<AccountOpened as ListedEvent>` for each, at the place where the type is listed: where it is none, the compiler says so
    /// once.
    pub(super) fn stored(&self) -> Vec<TokenStream> {
        let listed_by = format_ident!("{}", self.listed_by);
        let types = self.types().into_iter();
        types
            .map(|ty| {
                let span = token_of(ty);
                let annals = self.annals.at(span);
                quote_spanned!(span=> <#ty as #annals::#listed_by>)
            })
            .collect()
    }

    /// Expands to:
    ///
    /// ```text
    /// pub enum AccountEvent {
    ///     AccountOpened(AccountOpened),
    ///     MoneyDeposited(MoneyDeposited),
    /// }
    /// ```
    pub(super) fn definition(&self) -> TokenStream {
        let (variants, types) = (self.variants(), self.types());
        let (name, vis) = (self.name, self.vis);
        let doc = format!("The {}s of `{}`.", self.noun, self.owner.unraw());
        let variant_docs = variants.iter().map(|variant| format!("`{}`.", variant.unraw()));
        quote! {
            #[doc = #doc]
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
        }
    }

    /// Expands to what `#[derive(Debug, Clone)]` would write, which asks of each listed type what its own derive asks already;
    /// `shown` says how what is inside is shown.
    ///
    /// ```text
    /// impl Clone for AccountEvent { … }
    /// impl Debug for AccountEvent { … }
    /// ```
    pub(super) fn std_impls(
        &self,
        shown: impl Fn(&TokenStream, &str) -> TokenStream,
    ) -> TokenStream {
        let (name, variants, stored) = (self.name, self.variants(), self.stored());
        let words = self.words();
        let shown = stored.iter().zip(&words).map(|(stored, word)| shown(stored, word));
        quote_spanned! {Span::mixed_site()=>
            #[automatically_derived]
            #[allow(deprecated)]
            impl ::core::clone::Clone for #name {
                #[inline]
                fn clone(&self) -> Self {
                    match self {
                        #(Self::#variants(inside) => {
                            Self::#variants(#stored::copy(inside))
                        })*
                    }
                }
            }

            #[automatically_derived]
            #[allow(deprecated)]
            impl ::core::fmt::Debug for #name {
                fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                    match self {
                        #(Self::#variants(inside) => {
                            #shown
                        })*
                    }
                }
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
    pub(super) fn same(&self) -> TokenStream {
        let (annals, variants) = (self.annals, self.variants());
        let same = format_ident!("same_{}", self.noun);
        // One variant differs from no other.
        let differ =
            (variants.len() > 1).then(|| quote!(_ => ::core::option::Option::Some(false),));
        quote_spanned! {Span::mixed_site()=>
            fn #same(
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
    /// ```
    pub(super) fn from(&self, assumed: &TokenStream) -> TokenStream {
        let (annals, owner, name) = (self.annals, self.owner, self.name);
        let (member, into) = self.member;
        // `__T`: the owner itself may be called `T`.
        // As if the user had written it: of what a derive writes, the compiler would advise against the bound.
        let span = owner.span();
        let (member, into) = (Ident::new(member, span), format_ident!("{into}"));
        let annals_here = annals.at(span);
        impl_at(
            span,
            &quote_spanned!(span=>
                <__T: #annals_here::#member<#owner>> ::core::convert::From<__T> for #name #assumed
            ),
            quote! {
                #[inline]
                fn from(inside: __T) -> Self {
                    #annals::#member::<#owner>::#into(inside)
                }
            },
        )
    }

    /// Expands to one impl for each listed type, under what `assumed` says, and to the proof that its name differs from those
    /// before it:
    ///
    /// ```text
    /// impl EventOf<Account> for MoneyDeposited { … }
    /// const _: () = assert_new_name(<AccountEvent as EventEnum>::EVENTS, &["AccountOpened", "MoneyDeposited"]);
    /// ```
    pub(super) fn members(
        &self,
        (all_by, all): (&str, &str),
        assert: &str,
        assumed: impl Fn(&Type) -> TokenStream,
    ) -> TokenStream {
        let (owner, name) = (self.owner, self.name);
        let (member, into) = self.member;
        let into = format_ident!("{into}");
        let words = self.words();
        let each = self.listed.iter().enumerate().map(|(index, (variant, ty))| {
            let span = token_of(ty);
            let annals = self.annals.at(span);
            let member = Ident::new(member, span);
            // The first cannot clash with one before it.
            let assertion = (index > 0).then(|| {
                let before = &words[..=index];
                let assert = Ident::new(assert, span);
                let (all_by, all) = (Ident::new(all_by, span), Ident::new(all, span));
                quote_spanned! {span=>
                    const _: () =
                        #annals::#assert(<#name as #annals::#all_by>::#all, &[#(#before),*]);
                }
            });
            let assumed = assumed(ty);
            let member_impl = impl_at(
                span,
                &quote_spanned!(span=> #annals::#member<#owner> for #ty #assumed),
                quote! {
                    #[inline]
                    fn #into(self) -> #name {
                        #name::#variant(self)
                    }
                },
            );
            quote! {
                #[automatically_derived]
                #[allow(deprecated)]
                #member_impl

                #assertion
            }
        });
        each.collect()
    }
}
