//! The way from every version of an event to the present one.

use std::cell::Cell;
use std::fmt::Display;

use proc_macro2::Span;
use quote::ToTokens;
use syn::Type;
use syn::ext::IdentExt;

use crate::check::upcast_steps::Gap;
use crate::check::{field_names, upcast_steps};
use crate::errors::Errors;
use crate::model::Event;
use crate::model::item::Kind;
use crate::model::serde::Shape;
use crate::model::upcast::{Mark, Number, steps};

/// Gathers mistakes, and knows whether there were any.
pub(super) struct Report<'a> {
    errors: &'a Errors,
    found: Cell<bool>,
}

impl<'a> Report<'a> {
    pub(super) fn new(errors: &'a Errors) -> Self {
        Self { errors, found: Cell::new(false) }
    }

    pub(super) fn has_found(&self) -> bool {
        self.found.get()
    }

    pub(super) fn at(&self, span: Span, message: impl Display) {
        self.found.set(true);
        self.errors.at(span, message);
    }

    fn on(&self, tokens: &impl ToTokens, message: impl Display) {
        self.found.set(true);
        self.errors.on(tokens, message);
    }
}

/// After a mistake in what leads from version to version nothing of it is printed: one gap would bring others.
pub(crate) fn check(event: &mut Event, errors: &Errors) {
    if event.item.kind != Kind::Struct || !event.item.can_expand() {
        event.versions_refused = true;
        return;
    }
    let report = Report::new(errors);
    check_previous(event, &report);
    upcast_steps::check_alone(&event.options.upcasts, &report);
    check_removals_alone(event, &report);
    check_marks_alone(event, &report);
    if !event.versions_refused {
        check_range(event, &report);
        check_steps(event, &report);
        if !report.has_found() {
            field_names::check(event, &report);
        }
        if !report.has_found() {
            check_way(event, &report);
            check_readable_from(event, &report);
        }
    }
    event.versions_refused |= report.has_found();
}

/// An earlier struct is another struct.
fn check_previous(event: &mut Event, report: &Report<'_>) {
    let ident = &event.item.ident;
    let Some(previous) = &event.options.previous else { return };
    let path = match previous {
        Type::Path(path) if path.qself.is_none() => &path.path,
        _ => return,
    };
    // #[event(version = 2, previous = Self)]   #[event(version = 2, previous = PriceSet)] struct PriceSet { … }
    if path.is_ident("Self") || path.is_ident(ident) {
        let message = format_args!(
            "`previous` is the struct of an earlier version, not `{ident}` itself; keep the old shape as a struct of its own, and write `previous = {}V{}`",
            ident.unraw(),
            event.version().saturating_sub(1).max(1),
        );
        report.on(previous, message);
        event.options.previous = None;
    }
}

fn check_removals_alone(event: &Event, report: &Report<'_>) {
    let mut known: Vec<(String, u32)> = Vec::new();
    for removed in &event.options.removed {
        check_since(removed.since, report);
        check_shape(event, removed.since.span, removed.since, report);
        let name = removed.name.value();
        let value = removed.since.value;
        let same = |(removed, _): &&(String, u32)| *removed == name;
        // It takes a version in between for a field to come back.
        let mut others = known.iter().filter(same).map(|(_, since)| *since);
        if let Some(since) = others.find(|since| since.abs_diff(value) < 2) {
            // #[event(version = 3, removed(since = 2, "coupon"), removed(since = 3, "coupon"))]
            report.at(
                removed.name.span(),
                format_args!("`{name}` is removed in version {since} already; leave one out"),
            );
        }
        known.push((name, value));
    }
}

fn check_marks_alone(event: &Event, report: &Report<'_>) {
    for (field, marks) in event.options.marks.iter().enumerate() {
        for mark in marks {
            if let Some(since) = mark.since {
                check_since(since, report);
                check_shape(event, since.span, since, report);
                check_serde(event, field, mark, since, report);
            } else {
                check_without_since(event, mark, report);
            }
        }
    }
}

/// A mark says in which version the change came.
fn check_without_since(event: &Event, mark: &Mark, report: &Report<'_>) {
    let what = if let Some((span, _)) = &mark.renamed_from {
        // #[event(renamed_from = "addr")] address: String
        Some((*span, "renamed_from", "was renamed"))
    } else if let Some((span, _)) = &mark.convert_with {
        // #[event(convert_with = cents)] price: i64
        Some((*span, "convert_with", "got another type"))
    } else {
        // #[event(default = "EUR")] currency: String
        mark.default.as_ref().map(|(span, _)| (*span, "default", "was added"))
    };
    if let Some((span, word, did)) = what {
        // Most likely in the one that is being written.
        let version = event.version().max(2);
        report.at(
            span,
            format_args!(
                "`{word}` does not say in which version the field {did}; write `since = {version}, {word} = …`"
            ),
        );
    }
}

fn check_since(since: Number, report: &Report<'_>) {
    // #[event(since = 1, default = "EUR")] currency: String
    if since.value < 2 {
        report
            .at(since.span, "version 1 is the first: what changed, changed in version 2 or later");
    }
}

/// Marks speak of the fields of a JSON object.
fn check_shape(event: &Event, span: Span, since: Number, report: &Report<'_>) {
    let from = since.value.saturating_sub(1).max(1);
    let instead = format!("write `upcast(from = {from}, with = function)` or `previous = Type`");
    match event.serde.shape {
        None => {}
        // struct Priced(#[event(since = 2, default = 0)] u64);
        Some(Shape::Unnamed) => report.at(
            span,
            format_args!("what has no named fields cannot say what changed in one; {instead}"),
        ),
        // struct Priced { #[serde(flatten)] price: Price, #[event(since = 2)] currency: Option<String> }
        Some(Shape::Word(word)) => report.at(
            span,
            format_args!(
                "serde's `{word}` gives the event other fields in its JSON than in the struct; {instead}"
            ),
        ),
    }
}

/// What serde does with the field must leave the mark a meaning.
fn check_serde(event: &Event, field: usize, mark: &Mark, since: Number, report: &Report<'_>) {
    let Some(serde) = event.serde.fields.get(field) else { return };
    if let Some(word) = serde.skip {
        // #[serde(skip)] #[event(since = 2)] cache: Option<u64>
        let message =
            format_args!("serde's `{word}` keeps the field from being read; leave this out");
        return report.at(since.span, message);
    }
    let Some(word) = serde.custom else { return };
    match &mark.default {
        // #[serde(with = "cents")] #[event(since = 2, default = 0)] price: Price
        Some((span, _)) => report.at(
            *span,
            format_args!(
                "a default is written as its type writes itself, and serde's `{word}` has the field read otherwise; write `upcast(from = {}, with = function)`",
                since.value.saturating_sub(1).max(1)
            ),
        ),
        // #[serde(with = "cents")] #[event(since = 2)] price: Option<Price>
        None if mark.is_addition() && !serde.default => report.at(
            since.span,
            format_args!(
                "serde's `{word}` wants the field to be there; add `#[serde(default)]`, which makes it `None` where it is absent"
            ),
        ),
        None => {}
    }
}

/// Everything speaks of versions between the oldest and the present one.
fn check_range(event: &Event, report: &Report<'_>) {
    let options = &event.options;
    let (version, oldest) = (event.version(), event.oldest());
    let mut range_is_sound = true;
    for (word, given) in [("oldest", options.oldest), ("readable_from", options.readable_from)] {
        let Some(given) = given else { continue };
        range_is_sound &= (1..=version).contains(&given.value);
        if given.value == 0 {
            // #[event(version = 2, oldest = 0)]
            report.at(given.span, "versions begin at 1");
        } else if given.value > version {
            // #[event(version = 2, oldest = 3)]
            report.at(
                given.span,
                format_args!(
                    "`{word} = {}` is above the version of the event, {version}",
                    given.value
                ),
            );
        }
    }
    if !range_is_sound {
        return;
    }
    let noun = "event";
    upcast_steps::check_range(&options.upcasts, version, noun, report);
    for from in options.upcasts.iter().filter_map(|upcast| upcast.from) {
        if from.value < oldest && from.value > 0 {
            report.at(from.span, below(oldest));
        }
    }
    let marks = options.marks.iter().flatten().filter_map(|mark| mark.since);
    for since in options.removed.iter().map(|removed| removed.since).chain(marks) {
        let value = since.value;
        if value > version {
            // #[event(version = 2)] … #[event(since = 3)] coupon: Option<String>
            let message = format_args!(
                "`since = {value}` is above the version of the event, {version}; write `version = {value}` on the struct"
            );
            report.at(since.span, message);
        } else if value <= oldest && value > 1 {
            // #[event(version = 3, oldest = 2)] … #[event(since = 2)] coupon: Option<String>
            report.at(since.span, below(oldest));
        }
    }
}

fn below(oldest: u32) -> String {
    format!("no version before `oldest = {oldest}` is read; leave this out")
}

/// Each step is said once.
fn check_steps(event: &Event, report: &Report<'_>) {
    upcast_steps::check_twice(&event.options.upcasts, report);
    for step in steps(event) {
        let changes = !step.removed.is_empty() || !step.marks.is_empty();
        // #[event(version = 2, upcast(from = 1), removed(since = 2, "coupon"))]
        if let Some(upcast) = step.upcast
            && upcast.with.is_none()
            && changes
            && let Some(from) = upcast.from
        {
            let message = format_args!(
                "`upcast(from = {})` without a function says that the step needs nothing, but something changes in version {}; leave this out",
                step.from,
                step.from + 1
            );
            report.at(from.span, message);
        }
    }
}

/// Each version has a way up. How far an earlier struct leads, its type knows: there the compiler looks after it.
fn check_way(event: &Event, report: &Report<'_>) {
    let Some(version) = event.options.version else { return };
    if event.options.previous.is_some() {
        return;
    }
    let known: Vec<u32> = steps(event).iter().map(|step| step.from).collect();
    let Some(Gap { first, named }) = upcast_steps::gap(&known, event.oldest(), version.value)
    else {
        return;
    };
    // #[event(version = 2)] struct Priced { cents: i64 }
    report.at(
        version.span,
        format_args!(
            "no way up {named}: say what changed with `#[event(since = {next}, …)]` on a field, `upcast(from = {first}, with = function)` or `previous = Type`; write `upcast(from = {first})` if nothing has to be done, or `oldest = {version}` if nothing older was ever stored",
            next = first + 1,
            version = version.value
        ),
    );
}

/// A reader that leaves out what it does not know can do without what was added, and without nothing else.
///
/// Of what changed without a mark nothing is seen here: the schema test holds today's shape against the earlier ones.
fn check_readable_from(event: &Event, report: &Report<'_>) {
    let Some(readable_from) = event.options.readable_from else { return };
    if readable_from.value == event.version() {
        return;
    }
    if event.serde.deny_unknown_fields {
        // #[event(version = 2, readable_from = 1)] #[serde(deny_unknown_fields)]
        report.at(
            readable_from.span,
            "readers leave out what they do not know, which serde's `deny_unknown_fields` refuses; take one of the two out",
        );
    }
    if readable_from.value < event.oldest() {
        // #[event(version = 3, oldest = 2, readable_from = 1)]
        let message = format_args!(
            "nobody knows what changed before version {}; write `readable_from = {}` or above",
            event.oldest(),
            event.oldest()
        );
        return report.at(readable_from.span, message);
    }
    let known = steps(event);
    let mut breaking =
        known.iter().filter(|step| step.from >= readable_from.value && !step.only_adds());
    // #[event(version = 2, removed(since = 2, "coupon"), readable_from = 1)]
    if let Some(last) = breaking.next_back() {
        let message = format_args!(
            "readers of version {} cannot read the event: the step from version {} to {} does more than add fields; write `readable_from = {}` or above",
            readable_from.value,
            last.from,
            last.from + 1,
            last.from + 1
        );
        report.at(readable_from.span, message);
    }
}
