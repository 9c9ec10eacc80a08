//! What the fields of an event were called in its earlier versions: each change must fit those before it.

use syn::Member;

use crate::check::upcast::Report;
use crate::model::Event;
use crate::model::upcast::{Mark, name_at};

pub(super) fn check(event: &Event, report: &Report<'_>) {
    for (field, marks) in event.options.marks.iter().enumerate() {
        check_order(marks, report);
        for mark in marks {
            check_rename(event, field, mark, report);
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
fn check_rename(event: &Event, field: usize, mark: &Mark, report: &Report<'_>) {
    let Some((_, old)) = &mark.renamed_from else { return };
    let (name, before) = (old.value(), mark.version().saturating_sub(1));
    // #[event(since = 2, renamed_from = "address")] address: String
    if name_at(event, field, mark.version()).as_deref() == Some(&*name) {
        let message =
            format_args!("the field is called `{name}` already; name what it was called before");
        return report.at(old.span(), message);
    }
    let Some(other) = owner(event, &name, before).filter(|other| *other != field) else { return };
    let also_renamed = event.options.marks[other].iter().any(|mark| mark.version() == before + 1)
        && name_at(event, other, before + 1).as_deref() != Some(&*name);
    // Of two that are renamed from one name, the second is told.
    if also_renamed && other > field {
        return;
    }
    // #[event(since = 2, renamed_from = "name")] first: String, #[event(since = 2, renamed_from = "name")] last: String
    report.at(
        old.span(),
        format_args!(
            "in version {before} `{name}` is the field `{}`: two cannot come from one; split it with `upcast(from = {before}, with = function)`",
            word(event, other)
        ),
    );
}

/// What is removed is no field of the struct under another name, or still.
fn check_removals(event: &Event, report: &Report<'_>) {
    for removed in &event.options.removed {
        let (name, since) = (removed.name.value(), removed.since.value);
        let Some(field) = owner(event, &name, since.saturating_sub(1)) else { continue };
        // #[event(version = 2, removed(since = 2, "coupon"))] struct … { coupon: Option<String> }
        let message = format_args!(
            "`{name}` is not removed in version {since}: it is the field `{field}` of the struct; leave this out, or say with `#[event(since = …)]` on `{field}` when it came back",
            field = word(event, field)
        );
        report.at(removed.name.span(), message);
    }
}

/// The field that goes by a name in the JSON of a version; it must have been there.
fn owner(event: &Event, name: &str, version: u32) -> Option<usize> {
    (0..event.item.fields.len()).find(|field| {
        let marks = &event.options.marks[*field];
        let came = marks.iter().filter(|mark| mark.is_addition()).map(Mark::version).min();
        came.is_none_or(|came| came <= version)
            && event.serde.fields[*field].skip.is_none()
            && name_at(event, *field, version).as_deref() == Some(name)
    })
}

/// The field as the user wrote it.
fn word(event: &Event, field: usize) -> String {
    match &event.item.fields[field].member {
        Member::Named(name) => name.to_string(),
        Member::Unnamed(index) => index.index.to_string(),
    }
}
