//! `#[derive(AggregateId)]`.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};

use crate::expand::{assuming, impl_at, token_of};
use crate::model::AggregateId;

/// Expands to:
///
/// ```text
/// impl Display for AccountId { … }
/// impl FromStr for AccountId { type Err = <String as IdText>::Error; … }
/// impl From<String> for AccountId { … }
/// impl From<AccountId> for String { … }
/// impl<'a> From<&'a str> for AccountId where String: From<&'a str> { … }
/// impl AggregateId for AccountId {}
/// impl ToId<AccountId> for String { … }
/// impl ToId<AccountId> for str { … }
/// ```
///
/// and to what [`column`] says.
pub(crate) fn expand(id: &AggregateId) -> TokenStream {
    let item = &id.item;
    let ([field], true) = (item.fields.as_slice(), item.can_expand()) else { return fallback(id) };
    let annals = &id.options.crate_path;
    let ident = &item.ident;
    let (member, inner) = (&field.member, &field.ty);
    let conversions = conversions(id);
    let column = column(id);
    // A type that cannot be wrapped is reported once, where it stands.
    let span = token_of(inner);
    let annals_here = annals.at(span);
    let text = quote_spanned!(span=> <#inner as #annals_here::IdText>);
    let from_str = impl_at(
        span,
        &quote_spanned! {span=>
            ::core::str::FromStr for #ident where for<'__a> #inner: #annals_here::IdText
        },
        quote! {
            type Err = #text::Error;

            fn from_str(
                text: &::core::primitive::str,
            ) -> ::core::result::Result<Self, Self::Err> {
                match #text::read(text) {
                    ::core::result::Result::Ok(inner) => {
                        ::core::result::Result::Ok(Self { #member: inner })
                    }
                    ::core::result::Result::Err(error) => ::core::result::Result::Err(error),
                }
            }
        },
    );
    quote! {
        #[automatically_derived]
        impl ::core::fmt::Display for #ident {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                #text::show(&self.#member, f)
            }
        }

        #from_str

        #conversions

        #column

        #[automatically_derived]
        impl #annals::AggregateId for #ident {}

        #[automatically_derived]
        impl #annals::ToId<#ident> for #inner {
            fn to_id(&self) -> ::core::result::Result<#ident, #annals::IdError> {
                ::core::result::Result::Ok(#ident { #member: #text::copy(self) })
            }
        }

        #[automatically_derived]
        impl #annals::ToId<#ident> for ::core::primitive::str {
            fn to_id(&self) -> ::core::result::Result<#ident, #annals::IdError> {
                #text::read_id(self, |inner| #ident { #member: inner })
            }
        }
    }
}

/// Expands to impls without bodies for what the check has refused, so that those who use it do not refuse it once more.
fn fallback(id: &AggregateId) -> TokenStream {
    let item = &id.item;
    let annals = &id.options.crate_path;
    let ident = &item.ident;
    let generics = assuming(
        item,
        &quote!(::core::clone::Clone + ::core::marker::Send + ::core::marker::Sync + 'static),
    );
    let (impl_generics, of_type, bounds) = generics.split_for_impl();
    quote! {
        #[automatically_derived]
        impl #impl_generics ::core::fmt::Display for #ident #of_type #bounds {
            fn fmt(&self, _: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                ::core::unreachable!()
            }
        }

        #[automatically_derived]
        impl #impl_generics ::core::str::FromStr for #ident #of_type #bounds {
            type Err = ::core::convert::Infallible;

            fn from_str(
                _: &::core::primitive::str,
            ) -> ::core::result::Result<Self, Self::Err> {
                ::core::unreachable!()
            }
        }

        #[automatically_derived]
        impl #impl_generics #annals::AggregateId for #ident #of_type #bounds {}
    }
}

/// Expands to the `From` impls.
fn conversions(id: &AggregateId) -> Option<TokenStream> {
    let ident = &id.item.ident;
    let field = id.item.fields.first()?;
    let (member, inner) = (&field.member, &field.ty);
    // The lifetime makes the bound one that may fail: `Uuid` has no `From<&str>`.
    Some(quote! {
        #[automatically_derived]
        impl ::core::convert::From<#inner> for #ident {
            fn from(inner: #inner) -> Self {
                Self { #member: inner }
            }
        }

        #[automatically_derived]
        impl ::core::convert::From<#ident> for #inner {
            fn from(id: #ident) -> Self {
                id.#member
            }
        }

        #[automatically_derived]
        impl<'a> ::core::convert::From<&'a ::core::primitive::str> for #ident
        where
            #inner: ::core::convert::From<&'a ::core::primitive::str>,
        {
            fn from(text: &'a ::core::primitive::str) -> Self {
                Self { #member: <#inner as ::core::convert::From<&'a _>>::from(text) }
            }
        }
    })
}

/// Expands to, as far as the inner type goes into a column itself:
///
/// ```text
/// impl ColumnType for AccountId where String: ColumnType { … }
/// impl KeyColumn for AccountId where String: KeyColumn {}
/// impl IntoColumn<AccountId> for String { … }
/// impl<'a> IntoColumn<AccountId> for &'a str where String: From<&'a str> { … }
/// ```
fn column(id: &AggregateId) -> Option<TokenStream> {
    let annals = &id.options.crate_path;
    let ident = &id.item.ident;
    let field = id.item.fields.first()?;
    let (member, inner) = (&field.member, &field.ty);
    let column = quote!(<#inner as #annals::ColumnType>);
    // The lifetime makes the bounds ones that may fail.
    Some(quote! {
        #[automatically_derived]
        impl #annals::ColumnType for #ident
        where
            for<'__a> #inner: #annals::ColumnType,
        {
            const KIND: #annals::ColumnKind = #column::KIND;
            const NULLABLE: ::core::primitive::bool = #column::NULLABLE;

            fn to_value(
                &self,
            ) -> ::core::result::Result<#annals::Value, #annals::ColumnError> {
                #column::to_value(&self.#member)
            }

            fn from_value(
                value: #annals::Value,
            ) -> ::core::result::Result<Self, #annals::ColumnError> {
                ::core::result::Result::Ok(Self { #member: #column::from_value(value)? })
            }
        }

        #[automatically_derived]
        impl #annals::KeyColumn for #ident
        where
            for<'__a> #inner: #annals::KeyColumn,
            for<'__a> #ident: ::core::clone::Clone,
        {
        }

        #[automatically_derived]
        impl #annals::IntoColumn<#ident> for #inner {
            fn into_column(self) -> #ident {
                #ident { #member: self }
            }
        }

        #[automatically_derived]
        impl<'a> #annals::IntoColumn<#ident> for &'a ::core::primitive::str
        where
            #inner: ::core::convert::From<&'a ::core::primitive::str>,
        {
            fn into_column(self) -> #ident {
                #ident { #member: <#inner as ::core::convert::From<&'a _>>::from(self) }
            }
        }
    })
}
