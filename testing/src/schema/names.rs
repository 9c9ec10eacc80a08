//! Names that stand for two things.

use std::any::TypeId;
use std::collections::BTreeMap;

use super::compare::{Comparison, short};
use super::finding::{Finding, FindingKind};
use super::program::Schema;

pub(super) fn compare(schema: &Schema, comparison: &mut Comparison) {
    let events = schema.present_events().flat_map(|event| {
        let own = Bearer::new(event.event.type_name, event.event.type_id);
        let aliases = event.event.aliases.iter();
        let aliases = aliases.map(move |alias| (*alias, Bearer { is_alias: true, ..own }));
        std::iter::once((event.event.name, own)).chain(aliases)
    });
    clashes("the stored event name", "event(name", events, comparison);
    let categories = schema
        .aggregates
        .iter()
        .map(|aggregate| (aggregate.category, Bearer::new(aggregate.type_name, aggregate.type_id)));
    clashes("the category", "aggregate(category", categories, comparison);
    let commands = schema
        .commands
        .iter()
        .map(|command| (command.command, Bearer::new(command.type_name, command.type_id)));
    clashes("the name of command", "command(name", commands, comparison);
    let processes = schema
        .processes
        .iter()
        .map(|process| (process.name, Bearer::new(process.type_name, process.type_id)));
    clashes("the name of process", "process_manager(name", processes, comparison);
    let reactors = schema
        .reactors
        .iter()
        .map(|reactor| (reactor.name, Bearer::new(reactor.type_name, reactor.type_id)));
    clashes("the name of reactor", "reactor(name", reactors, comparison);
    let sagas =
        schema.sagas.iter().map(|saga| (saga.name, Bearer::new(saga.type_name, saga.type_id)));
    clashes("the name of saga", "saga(name", sagas, comparison);
}

/// A type that a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Bearer<'a> {
    type_name: &'a str,
    /// Two types may have one name: of two releases of a crate, or of two blocks of one function.
    type_id: TypeId,
    is_alias: bool,
}

impl Bearer<'_> {
    fn new(type_name: fn() -> &'static str, type_id: fn() -> TypeId) -> Self {
        Self { type_name: type_name(), type_id: type_id(), is_alias: false }
    }
}

fn clashes<'a>(
    what: &str,
    option: &str,
    names: impl Iterator<Item = (&'a str, Bearer<'a>)>,
    comparison: &mut Comparison,
) {
    let mut bearers: BTreeMap<&str, Vec<Bearer<'_>>> = BTreeMap::new();
    for (name, bearer) in names {
        bearers.entry(name).or_default().push(bearer);
    }
    for (name, mut bearers) in bearers {
        // Its own name before an alias, which says nothing more of the same type.
        bearers.sort_unstable();
        bearers.dedup_by_key(|bearer| bearer.type_id);
        let [one, others @ ..] = &bearers[..] else { continue };
        for other in others {
            let (first, second) = (one.type_name, other.type_name);
            let types = if first == second {
                format!("two types `{first}`, of two releases of a crate or of two blocks")
            } else {
                format!("both `{first}` and `{second}`")
            };
            let headline = format!("{what} `{name}` stands for {types}");
            comparison.findings.push(
                Finding::new(FindingKind::NameClash, headline)
                    .breaks(format!("what is stored as `{name}` may be read as either"))
                    .write(advice(name, option, *one, *other)),
            );
        }
    }
}

/// An alias goes before a name does: of two types, the one that has the name as its own goes on storing it.
fn advice(name: &str, option: &str, one: Bearer<'_>, other: Bearer<'_>) -> Vec<String> {
    let without_alias = |place: &str| format!("#[event(…)] without `alias = {name:?}` on {place}");
    let other_name = |place: &str| format!("#[{option} = \"…\")] on {place}");
    let quoted = |bearer: Bearer<'_>| format!("`{}`", short(bearer.type_name));
    let (alias, own) = match (one.is_alias, other.is_alias) {
        (false, false) => return vec![other_name("the one that was stored under another name")],
        (true, true) => {
            return vec![without_alias(&format!("one of {} and {}", quoted(one), quoted(other)))];
        }
        (true, false) => (one, other),
        (false, true) => (other, one),
    };
    vec![
        without_alias(&quoted(alias)),
        format!("or {}, if it was stored under another name", other_name(&quoted(own))),
    ]
}
