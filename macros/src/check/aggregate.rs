//! `#[derive(Aggregate)]`.

use quote::{ToTokens, format_ident};
use syn::{Ident, LitStr, Type};

use crate::check::item::Refusals;
use crate::check::{item, stored_name};
use crate::errors::Errors;
use crate::model::Aggregate;
use crate::model::aggregate::{ListedEvent, SnapshotOptions};

const REFUSALS: Refusals = Refusals {
    enums: None,
    unions: "an aggregate is a struct or an enum",
    generics: "an aggregate cannot be generic: its category stands for one state; write one type for each",
};

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
    match &mut aggregate.options.events {
        None => {}
        // #[aggregate(id = AccountId, events())]
        Some(events) if events.listed.is_empty() => {
            errors.at(events.word, "an aggregate has at least one event; list their types");
            aggregate.options.events = None;
        }
        Some(events) => {
            let mut sound: Vec<ListedEvent> = Vec::new();
            for event in events.listed.drain(..) {
                if check_listed(&event, &sound, errors) {
                    sound.push(event);
                }
            }
            events.listed = sound;
        }
    }
}

/// Checks one entry of the list against those before it; `false` leaves it out.
fn check_listed(event: &ListedEvent, before: &[ListedEvent], errors: &Errors) -> bool {
    let Some(variant) = &event.variant else {
        // events((AccountOpened, MoneyDeposited))
        errors.on(&event.ty, "expected the type of an event, as in `AccountOpened`");
        return false;
    };
    let written = event.ty.to_token_stream().to_string();
    if before.iter().any(|other| other.ty.to_token_stream().to_string() == written) {
        // events(AccountOpened, AccountOpened)
        errors.on(&event.ty, format_args!("`{variant}` is listed twice; leave one out"));
        return false;
    }
    if before.iter().any(|other| other.variant.as_ref() == Some(variant)) {
        // events(billing::Issued, shipping::Issued)
        let path = written.replace(' ', "");
        let message = format!(
            "two events are called `{variant}`; name one of them, as in `{path} as Other{variant}`"
        );
        errors.on(variant, message);
        return false;
    }
    true
}

/// Checks that the enum of the events has a name of its own.
fn check_event_enum(aggregate: &mut Aggregate, errors: &Errors) {
    let name = aggregate.event_enum();
    let given = aggregate.options.event_enum.as_ref();
    // #[aggregate(event_enum = Account)] struct Account { … }
    if name == aggregate.item.ident {
        errors.on(
            given,
            format_args!("the aggregate itself is called `{name}`; name the enum otherwise"),
        );
    } else if let Some(event) = aggregate.listed().iter().find(|event| is_called(&event.ty, &name))
    {
        // #[aggregate(events(AccountEvent))] struct Account { … }
        let message = format!(
            "the enum of the events is called `{name}` too; name it otherwise by `event_enum = …`"
        );
        errors.on(&event.ty, message);
    } else {
        return;
    }
    // Under another name, so that one mistake stays one error.
    aggregate.options.event_enum = Some(format_ident!("{name}__", span = name.span()));
}

/// Whether a type is this one, of the aggregate's own module.
fn is_called(ty: &Type, name: &Ident) -> bool {
    matches!(ty, Type::Path(path) if path.path.is_ident(name))
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
