//! The changes of an event's shape: what leads from each version to the next.

use proc_macro2::Span;
use syn::{Expr, ExprPath, LitInt, LitStr};

use crate::model::Event;

/// A version as the user gave it.
#[derive(Clone, Copy)]
pub(crate) struct Number {
    pub(crate) value: u32,
    pub(crate) span: Span,
}

impl Number {
    /// Takes a literal that has been found to be a `u32`.
    pub(crate) fn new(literal: &LitInt) -> syn::Result<Self> {
        Ok(Self { value: literal.base10_parse()?, span: literal.span() })
    }
}

/// `upcast(from = 1, with = split_name)`
#[derive(Default)]
pub(crate) struct Upcast {
    /// Where `upcast` stands.
    pub(crate) mark: Option<Span>,
    pub(crate) from: Option<Number>,
    /// The function, unless the step needs nothing.
    pub(crate) with: Option<ExprPath>,
}

/// `removed(since = 2, "coupon")`
pub(crate) struct Removed {
    pub(crate) since: Number,
    pub(crate) name: LitStr,
}

/// `#[event(since = 2, default = "EUR")]` above a field.
#[derive(Default)]
pub(crate) struct Mark {
    pub(crate) since: Option<Number>,
    /// Where `default` stands, and what it is.
    pub(crate) default: Option<(Span, Expr)>,
    /// Where `renamed_from` stands, and the name.
    pub(crate) renamed_from: Option<(Span, LitStr)>,
    /// The other names by which it was read then.
    pub(crate) also_renamed_from: Vec<LitStr>,
    /// Where `convert_with` stands, and the function.
    pub(crate) convert_with: Option<(Span, ExprPath)>,
}

impl Mark {
    /// Whether the field came with this version, rather than changed in it.
    pub(crate) fn is_addition(&self) -> bool {
        self.renamed_from.is_none() && self.convert_with.is_none()
    }

    /// All names that it had before.
    pub(crate) fn earlier_names(&self) -> impl Iterator<Item = &LitStr> {
        self.renamed_from.iter().map(|(_, name)| name).chain(&self.also_renamed_from)
    }

    /// The version of the change; the check has left no mark without.
    pub(crate) fn version(&self) -> u32 {
        self.since.map_or(0, |since| since.value)
    }
}

/// One step: all that changes from version `from` to the next.
pub(crate) struct Step<'a> {
    pub(crate) from: u32,
    /// The first token that speaks of it.
    pub(crate) span: Span,
    pub(crate) upcast: Option<&'a Upcast>,
    pub(crate) removed: Vec<&'a Removed>,
    /// The fields that change, by their index.
    pub(crate) marks: Vec<(usize, &'a Mark)>,
}

impl Step<'_> {
    /// Whether it only adds fields, so that a reader that leaves them out reads what came after it.
    pub(crate) fn only_adds(&self) -> bool {
        self.upcast.is_none()
            && self.removed.is_empty()
            && self.marks.iter().all(|(_, mark)| mark.is_addition())
    }

    /// Whether today's struct reads what came before it as it is.
    pub(crate) fn is_direct(&self, event: &Event) -> bool {
        let is_left_to_serde = |(field, mark): &(usize, &Mark)| {
            mark.is_addition() && mark.default.is_none() && !may_be_other_than_none(event, *field)
        };
        self.upcast.is_none_or(|upcast| upcast.with.is_none())
            && self.removed.is_empty()
            && self.marks.iter().all(is_left_to_serde)
    }
}

/// The steps that the event speaks of, from the lowest on.
pub(crate) fn steps(event: &Event) -> Vec<Step<'_>> {
    let mut steps: Vec<Step<'_>> = Vec::new();
    let options = &event.options;
    let mut at = |from: u32, span: Span| -> usize {
        let found = steps.iter().position(|step| step.from == from);
        found.unwrap_or_else(|| {
            steps.push(Step { from, span, upcast: None, removed: Vec::new(), marks: Vec::new() });
            steps.len() - 1
        })
    };
    let mut upcasts = Vec::new();
    for upcast in &options.upcasts {
        let Some(from) = upcast.from else { continue };
        upcasts.push((at(from.value, from.span), upcast));
    }
    let mut removals = Vec::new();
    for removed in &options.removed {
        removals.push((at(removed.since.value.saturating_sub(1), removed.since.span), removed));
    }
    let mut marks = Vec::new();
    for (field, marked) in options.marks.iter().enumerate() {
        for mark in marked {
            let Some(since) = mark.since else { continue };
            marks.push((at(since.value.saturating_sub(1), since.span), (field, mark)));
        }
    }
    for (step, upcast) in upcasts {
        steps[step].upcast = Some(upcast);
    }
    for (step, removed) in removals {
        steps[step].removed.push(removed);
    }
    for (step, mark) in marks {
        steps[step].marks.push(mark);
    }
    steps.sort_by_key(|step| step.from);
    steps
}

/// Whether serde may fill a field with `Some` where it is absent, should it be an `Option`.
pub(crate) fn may_be_other_than_none(event: &Event, field: usize) -> bool {
    // One with serde's `with` has been asserted to be none.
    let serde = event.serde.fields.get(field);
    serde.is_some_and(|serde| serde.own_default && serde.custom.is_none())
}

/// The name of a field in the JSON of a version.
///
/// A later rename tells what it was called before.
pub(crate) fn name_at(event: &Event, field: usize, version: u32) -> Option<String> {
    match next_rename(event, field, version).and_then(|mark| mark.earlier_names().next()) {
        Some(old) => Some(old.value()),
        None => event.serde.fields.get(field)?.name.clone(),
    }
}

/// Whether a field goes by a name in the JSON of a version; it must have been there.
pub(crate) fn goes_by(event: &Event, field: usize, name: &str, version: u32) -> bool {
    let (Some(marks), Some(serde)) =
        (event.options.marks.get(field), event.serde.fields.get(field))
    else {
        return false;
    };
    let came = marks.iter().filter(|mark| mark.is_addition()).map(Mark::version).min();
    let is_there = came.is_none_or(|came| came <= version) && serde.skip.is_none();
    is_there
        && match next_rename(event, field, version) {
            Some(mark) => mark.earlier_names().any(|old| old.value() == name),
            None => serde.name.as_deref() == Some(name),
        }
}

/// The other names by which serde reads a field, if they are no other field's in the JSON of a version.
pub(crate) fn aliases_at(event: &Event, field: usize, version: u32) -> Vec<&str> {
    let Some(serde) = event.serde.fields.get(field) else { return Vec::new() };
    let removed_later = |name: &str| {
        let mut later = event.options.removed.iter().filter(|gone| gone.since.value > version);
        later.any(|gone| gone.name.value() == name)
    };
    let is_taken = |name: &str| {
        (0..event.item.fields.len()).any(|field| goes_by(event, field, name, version))
            || removed_later(name)
    };
    serde.aliases.iter().map(String::as_str).filter(|alias| !is_taken(alias)).collect()
}

/// The first rename of a field after a version.
fn next_rename(event: &Event, field: usize, version: u32) -> Option<&Mark> {
    let marks = event.options.marks.get(field)?.iter();
    marks
        .filter(|mark| mark.version() > version && mark.renamed_from.is_some())
        .min_by_key(|mark| mark.version())
}
