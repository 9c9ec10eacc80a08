//! The mistakes of one item, gathered so that all are reported at once.
//!
//! It decides nothing about what is a mistake; the stages do.

use std::cell::{Cell, RefCell};
use std::fmt::Display;

use proc_macro2::{Span, TokenStream};
use quote::ToTokens;

/// Gathers mistakes while a macro's stages go on with what is sound.
///
/// Dropping it without [`into_compile_errors`](Errors::into_compile_errors) panics: a mistake that nobody looks at would
/// let wrong code through.
pub(crate) struct Errors {
    found: RefCell<Vec<syn::Error>>,
    looked_into: Cell<bool>,
}

impl Errors {
    pub(crate) fn new() -> Self {
        Self { found: RefCell::new(Vec::new()), looked_into: Cell::new(false) }
    }

    /// Reports a mistake at the tokens that the user typed.
    pub(crate) fn on(&self, tokens: impl ToTokens, message: impl Display) {
        self.push(syn::Error::new_spanned(tokens, message));
    }

    /// Reports a mistake at a place.
    pub(crate) fn at(&self, span: Span, message: impl Display) {
        self.push(syn::Error::new(span, message));
    }

    /// Reports what the parser found.
    pub(crate) fn push(&self, error: syn::Error) {
        self.found.borrow_mut().push(error);
    }

    /// One `compile_error!` for each mistake.
    pub(crate) fn into_compile_errors(self) -> TokenStream {
        self.looked_into.set(true);
        self.found.take().into_iter().map(syn::Error::into_compile_error).collect()
    }
}

impl Drop for Errors {
    fn drop(&mut self) {
        assert!(
            self.looked_into.get() || std::thread::panicking(),
            "bug in annals: mistakes were gathered, but not reported"
        );
    }
}
