//! Marks outside the blocks that read them: real attributes that say where they belong.

use proc_macro2::{Span, TokenStream};
use quote::quote_spanned;

/// The item as it is, and an error on the mark.
pub(crate) fn expand(message: &str, item: TokenStream) -> TokenStream {
    let mut tokens = quote_spanned!(Span::call_site()=> ::core::compile_error! { #message });
    tokens.extend(item);
    tokens
}
