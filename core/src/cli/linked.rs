//! What the program links, by name.

use super::app::Fault;
use crate::projection::CatalogEntry;
use crate::registry::{
    AggregateRegistration, EventRegistration, ProcessRegistration, ProjectionRegistration,
    ReactorRegistration, SagaRegistration,
};
use crate::store::EventFilter;

/// The projections, in the order of their names and versions.
pub(super) fn projections() -> Vec<&'static ProjectionRegistration> {
    let mut all: Vec<_> = ProjectionRegistration::all().collect();
    all.sort_by_key(|linked| (linked.name, linked.version));
    all
}

/// The one of them that an entry of the catalog is of, if it is linked.
pub(super) fn projection_of<'l>(
    linked: &'l [&'static ProjectionRegistration],
    entry: &CatalogEntry,
) -> Option<&'l &'static ProjectionRegistration> {
    linked.iter().find(|linked| linked.name == entry.projection && linked.version == entry.version)
}

/// The process managers and reactors, in the order of their names: which of the two each is, and its name.
pub(super) fn processes() -> Vec<(super::reader::Kind, &'static str)> {
    use super::reader::Kind;
    let processes = ProcessRegistration::all().map(|linked| (Kind::Process, linked.name));
    let reactors = ReactorRegistration::all().map(|linked| (Kind::Reactor, linked.name));
    let mut all: Vec<_> = processes.chain(reactors).collect();
    all.sort_by_key(|(_, name)| *name);
    all
}

/// The events that a process manager or reactor takes, if it is linked.
pub(super) fn taken(kind: super::reader::Kind, name: &str) -> Option<EventFilter> {
    if kind == super::reader::Kind::Reactor {
        let found = ReactorRegistration::all().find(|linked| linked.name == name);
        return found.map(|linked| (linked.taken)());
    }
    let found = ProcessRegistration::all().find(|linked| linked.name == name);
    found.map(|linked| (linked.process)().filter())
}

/// The sagas, in the order of their names.
pub(super) fn sagas() -> Vec<&'static SagaRegistration> {
    let mut all: Vec<_> = SagaRegistration::all().collect();
    all.sort_by_key(|linked| linked.name);
    all
}

/// The aggregate whose streams begin with a category.
pub(super) fn aggregate(category: &str) -> Result<&'static AggregateRegistration, Fault> {
    let known: Vec<_> = AggregateRegistration::all().map(|linked| linked.category).collect();
    let found = AggregateRegistration::all().find(|linked| linked.category == category);
    found.ok_or_else(|| absent("aggregate", category, &known))
}

/// An event by the name under which it is stored, or was once.
pub(super) fn event(event_type: &str) -> Option<&'static EventRegistration> {
    EventRegistration::all().find(|linked| {
        linked.event.name == event_type || linked.event.aliases.contains(&event_type)
    })
}

/// Says that nothing has a name, and which name may be meant.
pub(super) fn absent(what: &str, name: &str, known: &[&str]) -> Fault {
    let mut known = known.to_vec();
    known.sort_unstable();
    known.dedup();
    let close = |other: &&&str| strsim::damerau_levenshtein(name, other) <= 1 + name.len() / 4;
    let near =
        known.iter().filter(close).min_by_key(|other| strsim::damerau_levenshtein(name, other));
    let text = match near {
        Some(near) => format!("no {what} is named `{name}`; did you mean `{near}`?"),
        None if known.is_empty() => format!("no {what} is named `{name}`: there is none"),
        None => format!("no {what} is named `{name}`; there are: {}", known.join(", ")),
    };
    Fault::Absent(text)
}
