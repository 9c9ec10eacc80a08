//! Under which path the output finds annals.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::Path;

/// The path of annals: `::annals`, or what `crate = path` says. Prints the hidden module that the output names.
#[derive(Default)]
pub(crate) struct CratePath {
    given: Option<Path>,
}

impl CratePath {
    pub(crate) fn new(path: Path) -> Self {
        Self { given: Some(path) }
    }

    /// The path as the user gave it.
    pub(crate) fn given(&self) -> Option<&Path> {
        self.given.as_ref()
    }

    /// The hidden module, as if written at `span`: the type checker's errors point there, and do not speak of a macro.
    pub(crate) fn at(&self, span: Span) -> TokenStream {
        match &self.given {
            None => quote_spanned!(span=> ::annals::__private),
            Some(path) => path
                .to_token_stream()
                .into_iter()
                .map(|mut token| {
                    token.set_span(token.span().located_at(span));
                    token
                })
                .chain(quote_spanned!(span=> ::__private))
                .collect(),
        }
    }
}

impl ToTokens for CratePath {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        tokens.extend(match &self.given {
            None => quote!(::annals::__private),
            Some(path) => quote!(#path::__private),
        });
    }
}
