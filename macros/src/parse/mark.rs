//! The marks on methods, and what stands in their parentheses.

use proc_macro2::Span;
use syn::spanned::Spanned;
use syn::{Attribute, Meta, Path};

use crate::errors::Errors;
use crate::model::CratePath;
use crate::model::method::{Deadline, Key, Mark, Routing};
use crate::parse::marked_impl::UserMethod;
use crate::parse::options::{Place, Spec, Table};
use crate::parse::routing;

const APPLY: Table<MarkOptions> = Table { attribute: "apply", options: &[UPSERT] };
const HANDLE: Table<MarkOptions> = Table { attribute: "handle", options: &[UPSERT] };
const ON: Table<MarkOptions> = Table { attribute: "on", options: &[UPSERT, KEY, EACH, FROM] };
const REACT: Table<MarkOptions> = Table { attribute: "on", options: &[UPSERT, KEY, FROM] };
const CALL: Table<MarkOptions> = Table { attribute: "on", options: &[KEY, FROM] };
const REJECTED: Table<MarkOptions> = Table { attribute: "rejected", options: &[UPSERT] };
const DEADLINE: Table<MarkOptions> = Table {
    attribute: "deadline",
    options: &[
        Spec::once(
            "name",
            Place::Here,
            "a string, as in `name = \"too_slow\"`",
            |options, value| {
                options.deadline.name = Some(value.text()?);
                Ok(())
            },
        ),
        Spec::once(
            "after",
            Place::Here,
            "a duration, as in `after = Duration::from_secs(900)`",
            |options, value| {
                options.deadline.after = Some(value.expr()?);
                Ok(())
            },
        ),
    ],
};

const KEY: Spec<MarkOptions> = Spec::once(
    "key",
    Place::Here,
    "a field of the event or a closure, as in `key = owner` or `key = |event| event.owners.clone()`",
    |options, value| {
        let by = routing::read_key(value.expr()?)?;
        options.routing.key = Some(Key { word: value.name.span(), by });
        Ok(())
    },
);

const EACH: Spec<MarkOptions> = Spec::once(
    "each",
    Place::Here,
    "a column and the field of the event with its value, as in `each(customer = customer)`",
    |options, value| {
        options.routing.each = Some(routing::read_each(value)?);
        Ok(())
    },
);

const FROM: Spec<MarkOptions> =
    Spec::once("from", Place::Here, "an aggregate, as in `from = Account`", |options, value| {
        options.routing.from = Some(value.ty()?);
        Ok(())
    });

const UPSERT: Spec<MarkOptions> =
    Spec::once("upsert", Place::Here, "no value", |options, value| {
        value.flag()?;
        options.upsert = Some(value.name.span());
        Ok(())
    });

/// What stands in the parentheses of a mark.
#[derive(Default)]
pub(crate) struct MarkOptions {
    pub(crate) upsert: Option<Span>,
    pub(crate) routing: Routing,
    pub(crate) deadline: Deadline,
}

/// Takes the marks that are `known` off a method.
pub(crate) fn take(
    written: &mut UserMethod,
    known: &[Mark],
    crate_path: &CratePath,
) -> Vec<(Mark, Attribute)> {
    let mut marks = Vec::new();
    written.attributes.retain(|attribute| match mark_of(attribute.path(), known, crate_path) {
        Some(mark) => {
            marks.push((mark, attribute.clone()));
            false
        }
        None => true,
    });
    marks
}

/// One of the marks, as `#[apply]`, with or without the path of annals before it.
fn mark_of(path: &Path, known: &[Mark], crate_path: &CratePath) -> Option<Mark> {
    known.iter().copied().find(|mark| is_mark(path, mark.word(), crate_path))
}

/// Whether a path is a mark of this word, with or without the path of the crate before it.
pub(crate) fn is_mark(path: &Path, word: &str, crate_path: &CratePath) -> bool {
    if path.segments.last().is_none_or(|last| last.ident != word) {
        return false;
    }
    let before: Vec<String> = path
        .segments
        .iter()
        .take(path.segments.len() - 1)
        .map(|segment| segment.ident.to_string())
        .collect();
    let given = crate_path.given().map(|given| {
        given.segments.iter().map(|segment| segment.ident.to_string()).collect::<Vec<_>>()
    });
    before.is_empty()
        || before == ["annals"]
        || before == [crate_path.usual()]
        || given.is_some_and(|given| given == before)
}

/// Reads the options of a mark.
pub(crate) fn read(mark: Mark, attribute: &Attribute, errors: &Errors) -> MarkOptions {
    let table = match mark {
        Mark::Apply => &APPLY,
        Mark::Handle => &HANDLE,
        Mark::On => &ON,
        Mark::React => &REACT,
        Mark::Call => &CALL,
        Mark::Rejected => &REJECTED,
        Mark::Deadline => &DEADLINE,
    };
    let mut options = MarkOptions::default();
    match &attribute.meta {
        Meta::Path(_) => {}
        Meta::List(list) => {
            let refused = table.read_tokens(list.tokens.clone(), &mut options, errors);
            if refused.is("upsert") {
                options.upsert = Some(attribute.path().span());
            }
            options.routing.refused = refused.may_be("key") || refused.may_be("each");
            options.deadline.name_refused = refused.may_be("name");
        }
        // #[apply = "MoneyDeposited"]
        Meta::NameValue(value) => {
            let word = mark.word();
            let example = match mark {
                Mark::Deadline => "name = \"…\"",
                Mark::Call => "key = …",
                _ => "upsert",
            };
            let message = format!(
                "`{word}` takes no value; its options are in parentheses, as in `{word}({example})`"
            );
            options.deadline.name_refused = true;
            errors.on(&value.value, message);
        }
    }
    options
}
