//! What stands behind the name of an option.

use std::str::FromStr;

use proc_macro2::TokenStream;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Expr, ExprPath, Ident, LitInt, LitStr, Path, Result, Token, Type, parenthesized};

use crate::errors::Errors;
use crate::parse::options::{Refused, Table};

/// The value of an option, ready to be read as what the option takes.
pub(crate) struct Value<'a> {
    pub(crate) input: ParseStream<'a>,
    pub(crate) name: &'a Ident,
    pub(crate) errors: &'a Errors,
}

impl Value<'_> {
    /// `= "text"`
    pub(crate) fn text(&self) -> Result<LitStr> {
        self.assigned()
    }

    /// `= 3`, in the range of `N`.
    pub(crate) fn number<N: FromStr>(&self) -> Result<LitInt>
    where
        N::Err: std::fmt::Display,
    {
        let number: LitInt = self.assigned()?;
        number.base10_parse::<N>()?;
        if !number.suffix().is_empty() {
            return Err(syn::Error::new(number.span(), "suffix"));
        }
        Ok(number)
    }

    /// `= Type`
    pub(crate) fn ty(&self) -> Result<Type> {
        self.assigned()
    }

    /// `= Name`
    pub(crate) fn ident(&self) -> Result<Ident> {
        self.assigned()
    }

    /// `= some::path`
    pub(crate) fn path(&self) -> Result<Path> {
        self.input.parse::<Token![=]>()?;
        self.input.call(Path::parse_mod_style)
    }

    /// `= path::of_a::<Function>`, `= <Type as Trait>::function`
    pub(crate) fn function(&self) -> Result<ExprPath> {
        match self.expr()? {
            Expr::Path(path) if path.attrs.is_empty() => Ok(path),
            other => Err(syn::Error::new_spanned(other, "no path")),
        }
    }

    /// Nothing at all.
    pub(crate) fn flag(&self) -> Result<()> {
        if self.input.is_empty() || self.input.peek(Token![,]) {
            Ok(())
        } else {
            Err(self.input.error("value"))
        }
    }

    /// `(A, B, …)`
    pub(crate) fn list<T: Parse>(&self) -> Result<Vec<T>> {
        let content;
        parenthesized!(content in self.input);
        let list = content.call(Punctuated::<T, Token![,]>::parse_terminated);
        if list.is_err() {
            // The parser would report what is left over once more.
            content.parse::<TokenStream>()?;
        }
        Ok(list?.into_iter().collect())
    }

    /// `(option = …, …)`
    pub(crate) fn options<M: Default>(&self, table: &Table<M>) -> Result<M> {
        self.options_or_refused(table).map(|(model, _)| model)
    }

    /// `(option = …, …)`, and which of them were refused.
    pub(crate) fn options_or_refused<M: Default>(&self, table: &Table<M>) -> Result<(M, Refused)> {
        let content;
        parenthesized!(content in self.input);
        let mut model = M::default();
        let refused = table.read_tokens(content.parse()?, &mut model, self.errors);
        Ok((model, refused))
    }

    /// `= expression`, without the invisible group that a `macro_rules!` leaves around `$default:expr`
    pub(crate) fn expr(&self) -> Result<Expr> {
        let mut expr: Expr = self.assigned()?;
        while let Expr::Group(group) = expr {
            expr = *group.expr;
        }
        Ok(expr)
    }

    /// `= expression`, of a type that no literal has
    pub(crate) fn computed(&self) -> Result<Expr> {
        match self.expr()? {
            Expr::Lit(literal) => Err(syn::Error::new_spanned(literal, "literal")),
            expr => Ok(expr),
        }
    }

    fn assigned<T: Parse>(&self) -> Result<T> {
        self.input.parse::<Token![=]>()?;
        self.input.parse()
    }
}
