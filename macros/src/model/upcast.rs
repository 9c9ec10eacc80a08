//! The changes of an event's shape: what leads from each version to the next.

use proc_macro2::Span;
use syn::{Expr, LitInt, LitStr, Path};

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
    pub(crate) with: Option<Path>,
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
    /// Where `convert_with` stands, and the function.
    pub(crate) convert_with: Option<(Span, Path)>,
}

impl Mark {
    /// Whether the field came with this version, rather than changed in it.
    pub(crate) fn is_addition(&self) -> bool {
        self.renamed_from.is_none() && self.convert_with.is_none()
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
    pub(crate) fn is_direct(&self) -> bool {
        self.upcast.is_none_or(|upcast| upcast.with.is_none())
            && self.removed.is_empty()
            && self.marks.iter().all(|(_, mark)| mark.is_addition() && mark.default.is_none())
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

/// The name of a field in the JSON of a version.
///
/// A later rename tells what it was called before.
pub(crate) fn name_at(event: &Event, field: usize, version: u32) -> Option<String> {
    let renames = event.options.marks.get(field).into_iter().flatten();
    let next = renames
        .filter(|mark| mark.version() > version)
        .filter_map(|mark| Some((mark.version(), &mark.renamed_from.as_ref()?.1)))
        .min_by_key(|(since, _)| *since);
    match next {
        Some((_, old)) => Some(old.value()),
        None => event.serde.fields.get(field)?.name.clone(),
    }
}
