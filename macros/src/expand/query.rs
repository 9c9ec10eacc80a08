//! `#[derive(Query)]`.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::ext::IdentExt;

use crate::expand::assuming;
use crate::model::Query;

/// Expands to:
///
/// ```text
/// impl Query for AccountsOf { const NAME: &'static str = "AccountsOf"; type Result = Vec<AccountSummary>; }
/// ```
pub(crate) fn expand(query: &Query) -> TokenStream {
    let item = &query.item;
    let annals = &query.options.crate_path;
    let ident = &item.ident;
    let name = match &query.options.name {
        Some(name) => name.value(),
        None => ident.unraw().to_string(),
    };
    // Without a result, any will do, so that one mistake stays one error.
    let result = query
        .options
        .result
        .as_ref()
        .map_or_else(|| quote!(#annals::AnyAnswer), ToTokens::to_token_stream);
    let generics = if item.can_expand() {
        item.generics.clone()
    } else {
        assuming(item, &quote!(#annals::QueryData))
    };
    let (impl_generics, of_type, bounds) = generics.split_for_impl();
    quote! {
        #[automatically_derived]
        #[allow(deprecated)]
        impl #impl_generics #annals::Query for #ident #of_type #bounds {
            const NAME: &'static ::core::primitive::str = #name;
            type Result = #result;
        }
    }
}
