//! Under which path the output finds annals.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::Path;

/// The path of the crate whose hidden module the output names: what `crate = path` says, or where it is usually.
#[derive(Default)]
pub(crate) struct CratePath {
    given: Option<Path>,
    usual: Usual,
}

/// The crate that exports a macro.
#[derive(Clone, Copy, Default)]
enum Usual {
    #[default]
    Annals,
    Postgres,
}

impl CratePath {
    pub(crate) fn new(path: Path) -> Self {
        Self { given: Some(path), usual: Usual::default() }
    }

    /// The path of `annals-postgres`.
    pub(crate) fn postgres() -> Self {
        Self { given: None, usual: Usual::Postgres }
    }

    /// The name of the crate that exports the macro.
    pub(crate) fn usual(&self) -> &'static str {
        match self.usual {
            Usual::Annals => "annals",
            Usual::Postgres => "annals_postgres",
        }
    }

    /// The path as the user gave it.
    pub(crate) fn given(&self) -> Option<&Path> {
        self.given.as_ref()
    }

    /// The hidden module, as if written at `span`: the type checker's errors point there, and do not speak of a macro.
    pub(crate) fn at(&self, span: Span) -> TokenStream {
        match &self.given {
            None => match self.usual {
                Usual::Annals => quote_spanned!(span=> ::annals::__private),
                Usual::Postgres => quote_spanned!(span=> ::annals_postgres::__private),
            },
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
            None => match self.usual {
                Usual::Annals => quote!(::annals::__private),
                Usual::Postgres => quote!(::annals_postgres::__private),
            },
            Some(path) => quote!(#path::__private),
        });
    }
}
