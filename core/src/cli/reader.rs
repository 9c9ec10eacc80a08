//! Readers of the log by the names of what they are for.

use serde::Serialize;

use crate::process::{CATEGORY_OF_PROCESSES, CATEGORY_OF_REACTORS};
use crate::store::{CheckpointId, LeaseHolder, ReaderSeen};

/// With which the names of projections' readers begin.
pub(super) const PROJECTIONS: &str = "annals/projection/";

/// With which the names of all readers begin that park events.
pub(super) const ALL: &str = "annals/";

/// What a reader is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Of {
    pub(super) kind: Kind,
    pub(super) name: String,
    /// Of a projection, which of its tables it writes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) generation: Option<u32>,
}

/// What a reader is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    Projection,
    Process,
    Reactor,
    Subscription,
}

impl Kind {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Projection => "projection",
            Self::Process => "process",
            Self::Reactor => "reactor",
            Self::Subscription => "subscription",
        }
    }
}

impl Of {
    /// What a reader is for; `None` of those that stand for something else than reading.
    pub(super) fn reader(id: &CheckpointId) -> Option<Self> {
        let of = |kind, name: &str, generation| Self { kind, name: name.to_owned(), generation };
        let name = &*id.name;
        if let Some(rest) = name.strip_prefix(PROJECTIONS) {
            let (name, generation) = rest.rsplit_once('/')?;
            return Some(of(Kind::Projection, name, Some(generation.parse().ok()?)));
        }
        for (category, kind) in
            [(CATEGORY_OF_PROCESSES, Kind::Process), (CATEGORY_OF_REACTORS, Kind::Reactor)]
        {
            if let Some(name) = name.strip_prefix(category) {
                return (!name.contains('/')).then(|| of(kind, name, None));
            }
        }
        (!name.starts_with(ALL)).then(|| of(Kind::Subscription, name, None))
    }
}

/// Who holds a lease, by the name of the engine.
pub(super) fn owner(reader: &ReaderSeen) -> String {
    let ReaderSeen { id, owner, epoch, left, .. } = reader;
    let owner = owner.clone().unwrap_or_default();
    LeaseHolder::new(id.clone(), owner, *epoch, *left).engine().to_owned()
}
