//! `#[sql_projection]`.

use proc_macro2::Span;
use quote::ToTokens;
use syn::spanned::Spanned;
use syn::{Attribute, FnArg, Meta, ReturnType, Type, parse_quote};

use crate::errors::Errors;
use crate::model::projection::Options;
use crate::model::sql_projection::{SqlMark, SqlMethod};
use crate::model::{CratePath, SqlProjection};
use crate::parse::mark::is_mark;
use crate::parse::marked_impl::{self, Input, UserMethod, carried};
use crate::parse::method::{read_subject, refers_to};
use crate::parse::options::Table;
use crate::parse::projection::{BATCH, CRATE, NAME, ON_ERROR, VERSION};

const TABLE: Table<Options> =
    Table { attribute: "sql_projection", options: &[NAME, VERSION, ON_ERROR, BATCH, CRATE] };

pub(crate) fn parse(input: Input, errors: &Errors) -> SqlProjection {
    let mut options = Options { crate_path: CratePath::postgres(), ..Options::default() };
    let refused = TABLE.read_tokens(input.arguments, &mut options, errors);
    let block = marked_impl::parse_with(input.block, |written| {
        read_method(written, &options.crate_path, errors)
    });
    SqlProjection { block, options, name_refused: refused.may_be("name") }
}

/// Takes the mark off a method and reads its signature; `None` for a method without one.
fn read_method(
    written: &mut UserMethod,
    crate_path: &CratePath,
    errors: &Errors,
) -> Option<SqlMethod> {
    let mut marks: Vec<(SqlMark, Span)> = Vec::new();
    written.attributes.retain(|attribute| {
        let known = [SqlMark::Setup, SqlMark::On];
        let mark =
            known.into_iter().find(|mark| is_mark(attribute.path(), mark.word(), crate_path));
        let Some(mark) = mark else { return true };
        refuse_options(mark, attribute, errors);
        marks.push((mark, attribute.path().span()));
        false
    });
    let (first, _) = *marks.first()?;
    let carried = carried(&written.attributes);
    // First, so that what the user says of these lints wins.
    written
        .attributes
        .insert(0, parse_quote!(#[allow(clippy::must_use_candidate, clippy::unused_async)]));
    let signature = &written.signature;
    let mut receiver = None;
    let mut types: Vec<&Type> = Vec::new();
    for parameter in &signature.inputs {
        match parameter {
            FnArg::Receiver(argument) => receiver = Some(argument.to_token_stream()),
            FnArg::Typed(parameter) => types.push(&parameter.ty),
        }
    }
    // Of two marks, what the method takes speaks for one.
    let mark = match marks.len() {
        1 => first,
        _ if types.len() > 1 => SqlMark::On,
        _ => SqlMark::Setup,
    };
    let context_first = match &*types {
        [first, _, ..] if mark == SqlMark::On && refers_to(first, "SqlContext") => {
            Some(first.to_token_stream())
        }
        _ => None,
    };
    if context_first.is_some() {
        types.swap(0, 1);
    }
    let mut types = types.into_iter();
    Some(SqlMethod {
        mark,
        second_mark: marks.get(1).map(|(_, span)| *span),
        name: signature.ident.clone(),
        carried,
        asyncness: signature.asyncness.as_ref().map(Spanned::span),
        unsafety: match &signature.safety {
            syn::Safety::Unsafe(token) => Some(token.span()),
            _ => None,
        },
        generics: (!signature.generics.params.is_empty()).then(|| signature.generics.clone()),
        receiver,
        event: if mark == SqlMark::On { types.next().map(read_subject) } else { None },
        database: types.next().cloned(),
        context_first,
        surplus: types.map(ToTokens::to_token_stream).collect(),
        output: match &signature.output {
            ReturnType::Default => None,
            ReturnType::Type(_, ty) => Some((**ty).clone()),
        },
        refused: false,
    })
}

/// Neither mark has options: an event goes wherever its SQL says.
fn refuse_options(mark: SqlMark, attribute: &Attribute, errors: &Errors) {
    match &attribute.meta {
        Meta::Path(_) => {}
        // #[on(key = owner)]
        Meta::List(list) => {
            let table: Table<()> = Table { attribute: mark.word(), options: &[] };
            table.read_tokens(list.tokens.clone(), &mut (), errors);
        }
        // #[on = "AccountOpened"]
        Meta::NameValue(value) => {
            errors.on(&value.value, format_args!("`{}` takes no value", mark.word()));
        }
    }
}
