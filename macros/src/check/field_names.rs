//! What the fields of an event were called in its earlier versions: each change must fit those before it.

use syn::{LitStr, Member};

use crate::check::upcast::Report;
use crate::model::Event;
use crate::model::upcast::{Mark, goes_by, name_at};

pub(super) fn check(event: &Event, report: &Report<'_>) {
    for (field, marks) in event.options.marks.iter().enumerate() {
        check_order(marks, report);
        for mark in marks {
            check_names_once(mark, report);
            for old in mark.earlier_names() {
                check_rename(event, field, mark, old, report);
            }
        }
    }
    check_removals(event, report);
}

/// A field comes once, and changes once in a version.
fn check_order(marks: &[Mark], report: &Report<'_>) {
    for (index, mark) in marks.iter().enumerate() {
        let version = mark.version();
        let Some(since) = mark.since else { continue };
        // #[event(since = 2, renamed_from = "addr")] #[event(since = 2, convert_with = trim)] address: String
        if marks[..index].iter().any(|other| other.version() == version) {
            let message = format_args!(
                "another `#[event(…)]` of this field is of version {version}; put both into one"
            );
            report.at(since.span, message);
            continue;
        }
        // #[event(since = 2, renamed_from = "addr")] #[event(since = 3, default = "")] address: String
        let earlier = marks.iter().map(Mark::version).filter(|other| *other < version).min();
        if let Some(earlier) = earlier
            && mark.is_addition()
        {
            let message = format_args!(
                "the field is there in version {earlier}, and cannot be added in version {version}; say how it changed, with `renamed_from` or `convert_with`"
            );
            report.at(since.span, message);
        }
    }
}

/// One name is one field's.
fn check_rename(event: &Event, field: usize, mark: &Mark, old: &LitStr, report: &Report<'_>) {
    let (name, since) = (old.value(), mark.version());
    let before = since.saturating_sub(1);
    // #[event(since = 2, renamed_from = "address")] address: String
    if name_at(event, field, since).as_deref() == Some(&*name) {
        let message =
            format_args!("the field is called `{name}` already; name what it was called before");
        return report.at(old.span(), message);
    }
    // Of two that are renamed from one name, the second is told.
    let is_told_there = |other: usize| {
        let marks = &event.options.marks[other];
        let mut renames = marks.iter().filter(|mark| mark.version() == since);
        other > field && renames.any(|mark| mark.earlier_names().any(|other| other.value() == name))
    };
    let other =
        owners(event, &name, before).find(|other| *other != field && !is_told_there(*other));
    let Some(other) = other else { return };
    // #[event(since = 2, renamed_from = "name")] first: String, #[event(since = 2, renamed_from = "name")] last: String
    report.at(
        old.span(),
        format_args!(
            "in version {before} `{name}` is the field `{}`: two cannot come from one; split it with `upcast(from = {before}, with = function)`",
            word(event, other)
        ),
    );
}

/// Each earlier name is said once.
fn check_names_once(mark: &Mark, report: &Report<'_>) {
    let mut known = Vec::new();
    for old in mark.earlier_names() {
        let name = old.value();
        // #[event(since = 2, renamed_from = "addr", renamed_from = "addr")] address: String
        if known.contains(&name) {
            report.at(old.span(), format_args!("`{name}` is given twice; leave one out"));
        }
        known.push(name);
    }
}

/// What is removed is no field of the struct under another name, or still.
fn check_removals(event: &Event, report: &Report<'_>) {
    for removed in &event.options.removed {
        let (name, since) = (removed.name.value(), removed.since.value);
        let Some(field) = owners(event, &name, since.saturating_sub(1)).next() else { continue };
        // #[event(version = 2, removed(since = 2, "coupon"))] struct … { coupon: Option<String> }
        let message = format_args!(
            "`{name}` is not removed in version {since}: it is the field `{field}` of the struct; leave this out, or say with `#[event(since = …)]` on `{field}` when it came back",
            field = word(event, field)
        );
        report.at(removed.name.span(), message);
    }
}

/// The fields that go by a name in the JSON of a version: before the checks here, there may be several.
fn owners<'a>(event: &'a Event, name: &'a str, version: u32) -> impl Iterator<Item = usize> + 'a {
    (0..event.item.fields.len()).filter(move |field| goes_by(event, *field, name, version))
}

/// The field as the user wrote it.
fn word(event: &Event, field: usize) -> String {
    match &event.item.fields[field].member {
        Member::Named(name) => name.to_string(),
        Member::Unnamed(index) => index.index.to_string(),
    }
}
