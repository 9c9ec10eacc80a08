//! `#[derive(Event)]`.

use syn::ext::IdentExt;

use crate::check::item::Refusals;
use crate::check::{default, item, stored_name, upcast};
use crate::errors::Errors;
use crate::model::Event;

const REFUSALS: Refusals = Refusals {
    enums: Some(
        "an event is a struct; write one for each variant, and list them in `#[aggregate(events(…))]`",
    ),
    unions: "an event is a struct; serde cannot write a union",
    generics: "an event cannot be generic: its stored name stands for one shape; write one struct for each type",
};

pub(crate) fn check(event: &mut Event, errors: &Errors) {
    item::check(&event.item, &REFUSALS, errors);
    let options = &mut event.options;
    if let Some(name) = &options.name {
        stored_name::check(name, "a stored name", errors);
    }
    // #[event(version = 0)]
    if let Some(version) = options.version.take_if(|version| version.value == 0) {
        errors.at(version.span, "versions begin at 1");
        event.versions_refused = true;
    }
    let name = match &options.name {
        Some(name) => name.value(),
        None => event.item.ident.unraw().to_string(),
    };
    let mut known = vec![name];
    options.aliases.retain(|alias| {
        stored_name::check(alias, "a stored name", errors);
        let text = alias.value();
        // #[event(name = "Deposited", alias = "Deposited")]
        let again = known.contains(&text);
        if again {
            errors.on(alias, format_args!("the event is read as `{text}` already; leave this out"));
        }
        known.push(text);
        !again
    });
    default::check(event, errors);
    upcast::check(event, errors);
}
