//! Events held against what was stored.

use annals::registry::EventRegistration;

use super::aggregates::{holders, is_passed_over};
use super::compare::{Comparison, short};
use super::file::{KeptEvent, SchemaFile};
use super::finding::{Finding, FindingKind};
use super::kept_event::KeptAs;
use super::program::Schema;
use super::proof;
use super::successor::{Successor, any_of, successors};

pub(super) fn compare(
    schema: &Schema,
    program: &SchemaFile,
    file: &SchemaFile,
    comparison: &mut Comparison,
) {
    let mut gone = Vec::new();
    let mut present = Vec::new();
    for (name, kept) in &file.events {
        match reader(schema, name) {
            Some(event) => present.push((name.as_str(), kept, event)),
            // Its entry stays in the file: should an aggregate cease to ignore it, its streams still hold it.
            None if is_retired_for_good(schema, file, name, kept) => {}
            None => gone.push((name.as_str(), kept)),
        }
    }
    let (mut found, renamed) = compare_gone(&gone, schema, program, file);
    for (name, kept, event) in present {
        let now = &program.events[event.event.name];
        let findings = KeptAs { schema, file, event, name, kept, now }.compare(comparison);
        found.extend(findings.into_iter().map(|finding| (name, finding)));
    }
    // By name, and stably: what is found of one event stays in its order.
    found.sort_by_key(|(name, _)| *name);
    comparison.findings.extend(found.into_iter().map(|(_, finding)| finding));
    for event in schema.present_events() {
        let name = event.event.name;
        let kept_now =
            file.events.get(name).and_then(|kept| kept.versions.get(&event.event.version));
        comparison.findings.extend(proof::not_read_back(event, &program.events[name], kept_now));
        if !file.events.contains_key(name) && !renamed.contains(&name) {
            let kept = &program.events[name];
            comparison.additions.push(format!("event `{name}`"));
            comparison.accepted.events.insert(name.to_owned(), kept.clone());
            for (version, kept) in &kept.versions {
                comparison.findings.extend(proof::unproven(event, *version, kept));
                let earlier = schema.struct_of(event, *version).unwrap_or(event);
                let whose = format!("event `{name}` at version {version}");
                comparison.notes.extend(proof::notes(&whose, earlier));
            }
        }
    }
}

/// Whether nobody reads an event any more, by what the aggregates that have it say: under none of its names.
fn is_retired_for_good(schema: &Schema, file: &SchemaFile, name: &str, kept: &KeptEvent) -> bool {
    let mut names = std::iter::once(name).chain(kept.aliases.iter().map(String::as_str));
    names.all(|name| is_passed_over(schema, file, name))
}

/// The event of today that reads what is stored under a name.
fn reader<'a>(schema: &'a Schema, name: &str) -> Option<&'a EventRegistration> {
    let named = |event: &&EventRegistration| event.event.name == name;
    let aliased = |event: &&EventRegistration| event.event.aliases.contains(&name);
    schema.present_events().find(named).or_else(|| schema.present_events().find(aliased))
}

/// Says what is gone, by its name, and the names of the events that may have taken the place of it.
fn compare_gone<'a>(
    gone: &[(&'a str, &KeptEvent)],
    schema: &Schema,
    program: &SchemaFile,
    file: &SchemaFile,
) -> (Vec<(&'a str, Finding)>, Vec<&'static str>) {
    let is_new = |event: &&EventRegistration| !file.events.contains_key(event.event.name);
    let new: Vec<_> = schema.present_events().filter(is_new).collect();
    // Of the same shape, and of the same version.
    let looks_like = |(_, kept): (&str, &KeptEvent), event: &EventRegistration| {
        let last = kept.versions.last_key_value();
        last.is_some_and(|(version, last)| {
            let now = program.events[event.event.name].versions.get(version);
            now.is_some_and(|now| now.shape == last.shape)
        })
    };
    let (mut findings, mut renamed) = (Vec::new(), Vec::new());
    for ((name, kept), successor) in successors(gone, &new, looks_like) {
        renamed.extend(successor.all().iter().map(|event| event.event.name));
        let finding = match successor {
            Successor::One(event) => was_renamed(event, name),
            Successor::AnyOf(events) => became_any_of(&events, name, kept),
            Successor::Nothing => vanished(name, kept, file),
        };
        findings.push((name, finding));
    }
    (findings, renamed)
}

fn became_any_of(events: &[&EventRegistration], name: &str, kept: &KeptEvent) -> Finding {
    let version = last_version(kept);
    let candidates = any_of(events.iter().map(|event| short((event.event.type_name)())));
    Finding::new(
        FindingKind::EventVanished,
        format!("event `{name}` is not there any more; {candidates} may have taken its place"),
    )
    .breaks(format!("events stored as `{name}` stop each reader"))
    .write([
        format!("#[event(name = {name:?})] on the one that it became, or alias = {name:?} to store the new name from now on"),
        format!("or the event again, with #[event(name = {name:?}, version = {version}, retired)] if nothing returns it any more"),
    ])
}

fn last_version(kept: &KeptEvent) -> u32 {
    kept.versions.keys().next_back().copied().unwrap_or(1)
}

fn was_renamed(event: &EventRegistration, name: &str) -> Finding {
    let (now, type_name) = (event.event.name, (event.event.type_name)());
    Finding::new(
        FindingKind::EventRenamed,
        format!("event `{name}` is not there any more; `{type_name}` looks like it"),
    )
    .changed([format!("the stored name was `{name}`, is `{now}`")])
    .breaks(format!("events stored as `{name}` do not read"))
    .write([format!("#[event(name = {name:?})] on `{}`", short(type_name))])
}

fn vanished(name: &str, kept: &KeptEvent, file: &SchemaFile) -> Finding {
    let version = last_version(kept);
    let finding =
        Finding::new(FindingKind::EventVanished, format!("event `{name}` is not there any more"))
            .breaks(format!("events stored as `{name}` stop each reader"))
            .write([
                format!("the event again, with #[event(name = {name:?}, version = {version}, retired)] if nothing returns it any more"),
                format!("or #[event(alias = {name:?}, version = {version})] on the event that took its place, with the steps if its shape is another"),
            ]);
    let holders: Vec<_> = holders(file, name).map(|category| format!("`{category}`")).collect();
    finding.write((!holders.is_empty()).then(|| {
        let holders = holders.join(", ");
        format!("or #[aggregate(ignore({name:?}))] on the aggregates of {holders}, if it has no meaning any more")
    }))
}
