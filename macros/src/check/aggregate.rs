//! `#[derive(Aggregate)]`.

use syn::LitStr;

use crate::check::item::Refusals;
use crate::check::listing::Words;
use crate::check::{item, listing, stored_name};
use crate::errors::Errors;
use crate::model::Aggregate;
use crate::model::aggregate::SnapshotOptions;

const REFUSALS: Refusals = Refusals {
    enums: None,
    unions: "an aggregate is a struct or an enum",
    generics: "an aggregate cannot be generic: its category stands for one state; write one type for each",
};

const EVENTS: Words =
    Words { owner: "the aggregate", noun: "event", example: "AccountOpened", option: "event_enum" };

pub(crate) fn check(aggregate: &mut Aggregate, errors: &Errors) {
    item::check(&aggregate.item, &REFUSALS, errors);
    check_missing(aggregate, errors);
    check_events(aggregate, errors);
    check_event_enum(aggregate, errors);
    if let Some(category) = aggregate.options.category.take() {
        aggregate.options.category = check_category(category, errors);
    }
    if let Some(snapshot) = &mut aggregate.options.snapshot {
        check_snapshot(&mut snapshot.options, errors);
    }
    for name in &aggregate.options.ignored {
        stored_name::check(name, "a stored name", errors);
    }
}

fn check_missing(aggregate: &Aggregate, errors: &Errors) {
    let message = match (aggregate.missing.id, aggregate.missing.events) {
        // #[derive(Aggregate)] struct Account { … }
        (true, true) => {
            "the aggregate's id and events are missing; write `#[aggregate(id = …, events(…))]` with their types"
        }
        // #[aggregate(events(AccountOpened))]
        (true, false) => {
            "the aggregate's id is missing; write `#[aggregate(id = …)]` with its type"
        }
        // #[aggregate(id = AccountId)]
        (false, true) => {
            "the aggregate's events are missing; write `#[aggregate(events(…))]` with their types"
        }
        (false, false) => return,
    };
    errors.on(&aggregate.item.ident, message);
}

fn check_events(aggregate: &mut Aggregate, errors: &Errors) {
    let Some(events) = &mut aggregate.options.events else { return };
    // #[aggregate(id = AccountId, events())]
    if events.listed.is_empty() {
        errors.at(events.word, "an aggregate has at least one event; list their types");
        aggregate.options.events = None;
    } else {
        listing::check(&mut events.listed, &EVENTS, errors);
    }
}

/// Checks that the enum of the events has a name of its own.
fn check_event_enum(aggregate: &mut Aggregate, errors: &Errors) {
    let name = aggregate.event_enum();
    let Aggregate { item, options, .. } = aggregate;
    let listed = options.events.as_ref().map_or(&[][..], |events| &events.listed);
    let given = options.event_enum.as_ref();
    if let Some(other) = listing::check_name(&item.ident, &name, given, listed, &EVENTS, errors) {
        options.event_enum = Some(other);
    }
}

/// Returns the category if it can be one.
fn check_category(category: LitStr, errors: &Errors) -> Option<LitStr> {
    // #[aggregate(category = "bank-account")]
    if category.value().contains('-') {
        let message =
            "a category cannot contain `-`, which ends it in the name of a stream; write `_`";
        errors.on(category, message);
        return None;
    }
    stored_name::check(&category, "a category", errors);
    Some(category)
}

fn check_snapshot(options: &mut SnapshotOptions, errors: &Errors) {
    // #[aggregate(snapshot(every = 0))]
    if let Some(every) = options.every.take_if(|every| every.base10_digits() == "0") {
        errors.on(every, "a snapshot is taken every 1 or more events");
    }
    // #[aggregate(snapshot(version = 0))]
    if let Some(version) = options.version.take_if(|version| version.base10_digits() == "0") {
        errors.on(version, "versions begin at 1");
    }
}
