//! Aggregates held against what was stored: their categories, what their streams have, and their snapshots.

use std::collections::BTreeSet;

use annals::registry::AggregateRegistration;

use super::compare::{Comparison, short};
use super::difference::differences;
use super::file::{KeptAggregate, SchemaFile};
use super::finding::{Finding, FindingKind};
use super::program::Schema;

pub(super) fn compare(
    schema: &Schema,
    program: &SchemaFile,
    file: &SchemaFile,
    comparison: &mut Comparison,
) {
    let mut renamed = BTreeSet::new();
    for (category, kept) in &file.aggregates {
        let present = schema.aggregates.iter().find(|aggregate| aggregate.category == category);
        if let Some(aggregate) = present {
            compare_one(aggregate, kept, &program.aggregates[category], comparison);
            continue;
        }
        let successor = schema.aggregates.iter().find(|aggregate| {
            let now = &program.aggregates[aggregate.category];
            let reads_all = kept.events.iter().all(|name| reads(aggregate, name));
            !file.aggregates.contains_key(aggregate.category)
                && reads_all
                && now.events.is_subset(&kept.events)
        });
        renamed.extend(successor.map(|aggregate| aggregate.category));
        comparison.findings.push(gone(category, successor));
    }
    for (category, now) in &program.aggregates {
        if !file.aggregates.contains_key(category) && !renamed.contains(category.as_str()) {
            comparison.additions.push(format!("aggregate `{category}`"));
            comparison.accepted.aggregates.insert(category.clone(), now.clone());
        }
    }
}

fn compare_one(
    aggregate: &AggregateRegistration,
    kept: &KeptAggregate,
    now: &KeptAggregate,
    comparison: &mut Comparison,
) {
    let category = aggregate.category;
    let before = comparison.findings.len();
    compare_events(aggregate, kept, comparison);
    compare_snapshots(aggregate, kept, now, comparison);
    // Streams hold what they held, whether the aggregate still lists it or has come to ignore it.
    let events = kept.events.union(&now.events).cloned().collect();
    let accepted = KeptAggregate { events, snapshot: now.snapshot.clone() };
    if comparison.findings.len() == before && *kept != accepted {
        comparison.additions.push(format!("aggregate `{category}`: what it lists or snapshots"));
        comparison.accepted.aggregates.insert(category.to_owned(), accepted);
    }
}

fn gone(category: &str, successor: Option<&AggregateRegistration>) -> Finding {
    let finding = match successor {
        Some(aggregate) => {
            let type_name = (aggregate.type_name)();
            Finding::new(
                FindingKind::CategoryRenamed,
                format!(
                    "aggregate `{category}` is not there any more; `{type_name}` looks like it"
                ),
            )
            .changed([format!("the category was `{category}`, is `{}`", aggregate.category)])
            .write([format!("#[aggregate(category = {category:?})] on `{}`", short(type_name))])
        }
        None => Finding::new(
            FindingKind::CategoryVanished,
            format!("aggregate `{category}` is not there any more"),
        )
        .write([format!("the aggregate again, with #[aggregate(category = {category:?})]")]),
    };
    finding.breaks(format!("nothing finds the streams `{category}-…`"))
}

/// What a stream has, its aggregate lists or ignores.
fn compare_events(
    aggregate: &AggregateRegistration,
    kept: &KeptAggregate,
    comparison: &mut Comparison,
) {
    let (category, type_name) = (aggregate.category, short((aggregate.type_name)()));
    for name in &kept.events {
        if reads(aggregate, name) {
            continue;
        }
        comparison.findings.push(
            Finding::new(
                FindingKind::EventUnlisted,
                format!("aggregate `{category}` does not list event `{name}` any more"),
            )
            .breaks(format!("a stream `{category}-…` that has one cannot be loaded"))
            .write([
                format!("the event again in #[aggregate(events(…))] on `{type_name}`"),
                format!("or #[aggregate(ignore({name:?}))] on `{type_name}`, if the state does not depend on it"),
            ]),
        );
    }
}

/// Whether an aggregate lists what is stored under a name, or ignores it.
fn reads(aggregate: &AggregateRegistration, name: &str) -> bool {
    let is_listed = aggregate
        .events
        .iter()
        .any(|event| std::iter::once(&event.name).chain(event.aliases).any(|read| *read == name));
    is_listed || aggregate.ignored.contains(&name)
}

/// The aggregates whose streams hold an event of a name, by category.
pub(super) fn holders<'a>(
    file: &'a SchemaFile,
    name: &'a str,
) -> impl Iterator<Item = &'a str> + use<'a> {
    let is_named = move |event: &String| {
        let kept = file.events.get(event);
        event == name || kept.is_some_and(|kept| kept.aliases.contains(name))
    };
    let holders = file.aggregates.iter().filter(move |(_, kept)| kept.events.iter().any(is_named));
    holders.map(|(category, _)| category.as_str())
}

/// Whether each aggregate whose streams hold an event of a name says that it may be passed over.
pub(super) fn is_passed_over(schema: &Schema, file: &SchemaFile, name: &str) -> bool {
    let mut holders = holders(file, name).peekable();
    let ignores = |category: &str| {
        let mut aggregates = schema.aggregates.iter();
        let present = aggregates.find(|aggregate| aggregate.category == category);
        present.is_some_and(|aggregate| aggregate.ignored.contains(&name))
    };
    holders.peek().is_some() && holders.all(ignores)
}

fn compare_snapshots(
    aggregate: &AggregateRegistration,
    kept: &KeptAggregate,
    now: &KeptAggregate,
    comparison: &mut Comparison,
) {
    let (Some(kept), Some(now)) = (&kept.snapshot, &now.snapshot) else { return };
    if kept.version != now.version || kept.shape == now.shape {
        return;
    }
    let (category, version) = (aggregate.category, now.version);
    comparison.findings.push(
        Finding::new(
            FindingKind::SnapshotChanged,
            format!("aggregate `{category}`: its state changed, and the version of its snapshots is still {version}"),
        )
        .changed(differences(&kept.shape, &now.shape))
        .breaks("no history, but each snapshot counts as none, and two releases at once overwrite each other's")
        .write([format!(
            "#[aggregate(snapshot(…, version = {}))] on `{}`",
            version + 1,
            short((aggregate.type_name)())
        )]),
    );
}
