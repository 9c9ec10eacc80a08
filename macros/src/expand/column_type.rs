//! `#[derive(ColumnType)]`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::ext::IdentExt;

use crate::expand::assuming;
use crate::model::ColumnType;

/// Expands to:
///
/// ```text
/// impl ColumnType for Status {
///     const KIND: ColumnKind = ColumnKind::Text;
///     fn to_value(&self) -> Result<Value, ColumnError> { Ok(text(match self { Self::Open => "Open", … })) }
///     fn from_value(value: Value) -> Result<Self, ColumnError> {
///         text_variant(value, &["Open", …], |variant| match variant { 0 => Some(Self::Open), …, _ => None })
///     }
/// }
/// impl KeyColumn for Status where for<'a> Status: Clone {}
/// ```
pub(crate) fn expand(column: &ColumnType) -> TokenStream {
    if column.refused {
        return fallback(column);
    }
    let annals = &column.options.crate_path;
    let ident = &column.item.ident;
    let variants: Vec<_> = column.item.variants.iter().map(|variant| &variant.ident).collect();
    let names: Vec<String> = column
        .item
        .variants
        .iter()
        .zip(&column.names)
        .map(|(variant, given)| match given {
            Some(name) => name.value(),
            None => variant.ident.unraw().to_string(),
        })
        .collect();
    quote! {
        #[automatically_derived]
        #[allow(deprecated)]
        impl #annals::ColumnType for #ident {
            const KIND: #annals::ColumnKind = #annals::ColumnKind::Text;

            fn to_value(
                &self,
            ) -> ::core::result::Result<#annals::Value, #annals::ColumnError> {
                let name: &'static ::core::primitive::str = match *self {
                    #(Self::#variants => #names,)*
                };
                ::core::result::Result::Ok(#annals::text_of(name))
            }

            fn from_value(
                value: #annals::Value,
            ) -> ::core::result::Result<Self, #annals::ColumnError> {
                #annals::text_variant(value, &[#(#names),*], |name| match name {
                    #(#names => ::core::option::Option::Some(Self::#variants),)*
                    _ => ::core::option::Option::None,
                })
            }
        }

        #[automatically_derived]
        #[allow(deprecated)]
        impl #annals::KeyColumn for #ident where for<'__a> #ident: ::core::clone::Clone {}
    }
}

/// Expands to a column for what the check has refused, so that the read model does not refuse it once more.
fn fallback(column: &ColumnType) -> TokenStream {
    let item = &column.item;
    let annals = &column.options.crate_path;
    let ident = &item.ident;
    let generics = assuming(item, &quote!(::core::marker::Send + ::core::marker::Sync + 'static));
    let (impl_generics, of_type, bounds) = generics.split_for_impl();
    quote! {
        #[automatically_derived]
        impl #impl_generics #annals::ColumnType for #ident #of_type #bounds {
            const KIND: #annals::ColumnKind = #annals::ColumnKind::Text;

            fn to_value(
                &self,
            ) -> ::core::result::Result<#annals::Value, #annals::ColumnError> {
                ::core::unreachable!()
            }

            fn from_value(
                _: #annals::Value,
            ) -> ::core::result::Result<Self, #annals::ColumnError> {
                ::core::unreachable!()
            }
        }
    }
}
