//! Aggregates held against what was stored: their categories, what their streams have, and their snapshots.

use std::cmp::Ordering;

use annals::registry::AggregateRegistration;

use super::compare::{Comparison, short};
use super::difference::differences;
use super::file::{KeptAggregate, SchemaFile};
use super::finding::{Finding, FindingKind};
use super::opaque;
use super::program::Schema;
use super::successor::{Gone, Named, tell_gone};

pub(super) fn compare(
    schema: &Schema,
    program: &SchemaFile,
    file: &SchemaFile,
    comparison: &mut Comparison,
) {
    let mut vanished = Vec::new();
    for (category, kept) in &file.aggregates {
        match schema.aggregates.iter().find(|aggregate| aggregate.category == category) {
            Some(aggregate) => {
                compare_one(aggregate, kept, &program.aggregates[category], comparison);
            }
            None => vanished.push((category.as_str(), kept)),
        }
    }
    let is_new =
        |aggregate: &&AggregateRegistration| !file.aggregates.contains_key(aggregate.category);
    let new: Vec<_> = schema.aggregates.iter().filter(is_new).collect();
    let looks_like = |kept: &KeptAggregate, aggregate: &AggregateRegistration| {
        let now = &program.aggregates[aggregate.category];
        kept.events.iter().all(|name| reads(aggregate, name)) && now.events.is_subset(&kept.events)
    };
    let (findings, renamed) = tell_gone(&vanished, &new, looks_like, gone);
    comparison.findings.extend(findings);
    for (category, now) in &program.aggregates {
        if !file.aggregates.contains_key(category) && !renamed.contains(category.as_str()) {
            comparison.additions.push(format!("aggregate `{category}`"));
            comparison.notes.extend(notes(category, now));
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
    // So may the store hold snapshots of an aggregate that takes none at present.
    let snapshot = now.snapshot.as_ref().or(kept.snapshot.as_ref()).cloned();
    let accepted = KeptAggregate { events, snapshot };
    if comparison.findings.len() == before && *kept != accepted {
        comparison.additions.push(format!("aggregate `{category}`: what it lists or snapshots"));
        if kept.snapshot != accepted.snapshot {
            comparison.notes.extend(notes(category, now));
        }
        comparison.accepted.aggregates.insert(category.to_owned(), accepted);
    }
}

/// What cannot be seen of a state, a line each: there a forgotten version of its snapshots is not found.
fn notes(category: &str, now: &KeptAggregate) -> Vec<String> {
    let places = now.snapshot.as_ref().map(|snapshot| opaque::in_shape(&snapshot.shape));
    let whose = format!("the state of aggregate `{category}`, where snapshots need a new version");
    opaque::notes(&whose, &places.unwrap_or_default())
}

fn gone(category: &str) -> Gone<'_> {
    let what = format!("aggregate `{category}` is not there any more");
    Gone {
        name: category,
        vanished: what.clone(),
        what,
        word: "category",
        pin: format!("#[aggregate(category = {category:?})]"),
        again: "the aggregate again, with",
        breaks: format!("nothing finds the streams `{category}-…`"),
        kinds: [FindingKind::CategoryRenamed, FindingKind::CategoryVanished],
    }
}

impl Named for &AggregateRegistration {
    fn stored_name(self) -> &'static str {
        self.category
    }

    fn type_name(self) -> &'static str {
        (self.type_name)()
    }
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
    let (category, version, is_changed) =
        (aggregate.category, now.version, kept.shape != now.shape);
    let finding = match version.cmp(&kept.version) {
        Ordering::Less => Finding::new(
            FindingKind::VersionFell,
            format!("aggregate `{category}`: the version of its snapshots fell from {} to {version}", kept.version),
        )
        .breaks_nothing(format!("no history, but what an earlier release took at version {version} may pass for a snapshot of today")),
        Ordering::Equal if is_changed => Finding::new(
            FindingKind::SnapshotChanged,
            format!("aggregate `{category}`: its state changed, and the version of its snapshots is still {version}"),
        )
        .breaks_nothing("no history, but each snapshot counts as none, and two releases at once overwrite each other's"),
        Ordering::Equal | Ordering::Greater => return,
    };
    let version = kept.version + u32::from(is_changed);
    let type_name = short((aggregate.type_name)());
    comparison.findings.push(
        finding
            .changed(differences(&kept.shape, &now.shape))
            .write([format!("#[aggregate(snapshot(…, version = {version}))] on `{type_name}`")]),
    );
}
