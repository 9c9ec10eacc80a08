//! `upcast(…)` by itself: of an event's shapes, and of a process's states.

use crate::check::upcast::Report;
use crate::errors::Errors;
use crate::model::upcast::{Number, Upcast};

/// Checks that each version of a state has a way up; `false` after a mistake, or if what it depends on was `refused`.
pub(super) fn check_state(
    upcasts: &[Upcast],
    version: Option<Number>,
    noun: &str,
    refused: bool,
    errors: &Errors,
) -> bool {
    let report = Report::new(errors);
    check_alone(upcasts, &report);
    if !refused {
        check_range(upcasts, version.map_or(1, |version| version.value), noun, &report);
        check_twice(upcasts, &report);
        let known: Vec<u32> =
            upcasts.iter().filter_map(|upcast| Some(upcast.from?.value)).collect();
        if !report.has_found()
            && let Some(version) = version
            && let Some(Gap { first, named }) = gap(&known, 1, version.value)
        {
            // #[process_manager(version = 2)] struct Fulfilment { … }
            let message = format_args!(
                "no way up {named}: write `upcast(from = {first}, with = function)`, or `upcast(from = {first})` if nothing has to be done"
            );
            report.at(version.span, message);
        }
    }
    !refused && !report.has_found()
}

/// What is wrong with an `upcast(…)`, whatever the present version.
pub(super) fn check_alone(upcasts: &[Upcast], report: &Report<'_>) {
    for upcast in upcasts {
        match (upcast.from, upcast.mark) {
            // #[event(version = 2, upcast(from = 0, with = split))]
            (Some(from), _) if from.value == 0 => report.at(from.span, "versions begin at 1"),
            // #[event(version = 2, upcast(with = split))]
            (None, Some(mark)) => report.at(
                mark,
                "`upcast` does not say from which version it leads up; write `upcast(from = 1, …)`",
            ),
            _ => {}
        }
    }
}

/// No step leads above the present version of the `noun`.
pub(super) fn check_range(upcasts: &[Upcast], version: u32, noun: &str, report: &Report<'_>) {
    for from in upcasts.iter().filter_map(|upcast| upcast.from) {
        let value = from.value;
        if value >= version {
            // #[event(version = 2, upcast(from = 2, with = split))]
            let message = format_args!(
                "a step from version {value} leads above the version of the {noun}, {version}; write `version = {}`, or leave the step out",
                value.saturating_add(1)
            );
            report.at(from.span, message);
        }
    }
}

/// Each step is said once.
pub(super) fn check_twice(upcasts: &[Upcast], report: &Report<'_>) {
    let mut known: Vec<u32> = Vec::new();
    for from in upcasts.iter().filter_map(|upcast| upcast.from) {
        let value = from.value;
        if known.contains(&value) {
            // #[event(version = 2, upcast(from = 1, with = split), upcast(from = 1, with = join))]
            let message = format_args!(
                "the step from version {value} to {} is given twice; leave one out",
                value.saturating_add(1)
            );
            report.at(from.span, message);
        }
        known.push(value);
    }
}

/// Versions from which no step leads up.
pub(super) struct Gap {
    pub(super) first: u32,
    /// "from version 1 to 2, from version 2 to 3, and 1 step more"
    pub(super) named: String,
}

/// What is missing on the way from the oldest version to the present one; `known` are those from which a step leads up.
pub(super) fn gap(known: &[u32], oldest: u32, version: u32) -> Option<Gap> {
    let missing: Vec<u32> =
        (oldest..version).filter(|from| !known.contains(from)).take(3).collect();
    let first = *missing.first()?;
    let named: Vec<String> =
        missing.iter().map(|from| format!("from version {from} to {}", from + 1)).collect();
    let all = u64::from(version - oldest);
    let more = match all - known.len() as u64 - named.len() as u64 {
        0 => String::new(),
        1 => ", and 1 step more".to_owned(),
        more => format!(", and {more} steps more"),
    };
    Some(Gap { first, named: format!("{}{more}", named.join(", ")) })
}
