//! Readers of the log: where each stands, and by whose lease it moves.

use std::time::Duration;

use uuid::Uuid;

use crate::position::Position;
use crate::read_model::ModelTable;

/// Whose checkpoint it is: a reader of the log by name, version and shard.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CheckpointId {
    /// The name of the projection, process or reactor.
    pub name: String,
    /// Its version.
    pub version: u32,
    /// Its shard.
    pub shard: u32,
}

impl CheckpointId {
    /// With which the names of projections' readers begin.
    pub(crate) const PROJECTIONS: &str = "annals/projection/";

    /// With which the names of those begin who fold rows aside that are not to be kept.
    pub const SCRATCH: &str = "annals/scratch/";

    /// The reader of a projection's generation.
    pub fn of_projection(projection: &str, version: u32, generation: u32) -> Self {
        let is_scratch = generation >= ModelTable::FIRST_SCRATCH;
        let of = if is_scratch { Self::SCRATCH } else { Self::PROJECTIONS };
        Self { name: format!("{of}{projection}/{generation}"), version, shard: 0 }
    }

    /// The generation of the rows that it folds aside, if it does that.
    pub fn scratch_generation(&self) -> Option<u32> {
        let (_, generation) = self.name.strip_prefix(Self::SCRATCH)?.rsplit_once('/')?;
        generation.parse().ok().filter(|generation| *generation >= ModelTable::FIRST_SCRATCH)
    }

    /// Under which the events are kept that a projection passes over since a person said so.
    pub(crate) fn of_skips(projection: &str, version: u32) -> Self {
        Self { name: format!("{}{projection}/skipped", Self::PROJECTIONS), version, shard: 0 }
    }

    /// By whose lease one at a time rebuilds a projection.
    pub fn of_rebuild(projection: &str, version: u32) -> Self {
        Self { name: format!("{}{projection}/rebuild", Self::PROJECTIONS), version, shard: 0 }
    }

    /// By whose leases engines know of each other that share the shards of a projection.
    pub(crate) fn of_seats(projection: &str, version: u32) -> Self {
        Self { name: format!("{}{projection}/seats", Self::PROJECTIONS), version, shard: 0 }
    }

    /// By whose leases engines know of each other that share the shards of a process manager or reactor, by its category.
    pub(crate) fn of_process_seats(category: &str) -> Self {
        Self { name: format!("{category}/seats"), version: 1, shard: 0 }
    }

    /// Whether it is of some generation of a projection's version, of what is skipped of it, or of who rebuilds or shares it.
    pub(crate) fn is_of(&self, projection: &str, version: u32) -> bool {
        let rest = self.name.strip_prefix(Self::PROJECTIONS);
        let name = rest.and_then(|rest| rest.rsplit_once('/')).map(|(name, _)| name);
        name == Some(projection) && self.version == version
    }

    /// Whether a name is kept for the readers of annals itself.
    pub(crate) fn is_reserved(name: &str) -> bool {
        name.starts_with(RESERVED)
    }
}

/// With which the names of annals' own readers begin.
const RESERVED: &str = "annals/";

/// A lease as its owner holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fence {
    /// What the lease is for.
    pub id: CheckpointId,
    /// The epoch, which rises with each owner.
    pub epoch: u64,
}

/// Who has a lease, as anybody sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LeaseHolder {
    /// What the lease is for.
    pub id: CheckpointId,
    /// Who took it last, as it was claimed.
    pub owner: String,
    /// The epoch, which rises with each owner.
    pub epoch: u64,
    /// For how long it is held unless it is renewed; zero if it has run out, and anybody may take it.
    pub left: Duration,
}

impl LeaseHolder {
    /// Makes one from its parts.
    pub fn new(id: CheckpointId, owner: impl Into<String>, epoch: u64, left: Duration) -> Self {
        Self { id, owner: owner.into(), epoch, left }
    }

    /// Whether it is held, so that nobody else can take it.
    pub const fn is_held(&self) -> bool {
        !self.left.is_zero()
    }

    /// The name of the engine that took it, without what tells its takings apart; the whole owner where it has none.
    pub fn engine(&self) -> &str {
        self.owner.rsplit_once(TAKING).map_or(&self.owner, |(engine, _)| engine)
    }

    /// Who holds a lease, among those that were listed.
    pub(crate) fn of<'a>(listed: &'a [Self], id: &CheckpointId) -> Option<&'a Self> {
        listed.iter().find(|holder| holder.id == *id && holder.is_held())
    }

    /// An owner that no other is equal to, of an engine's name; empty if nobody gave one.
    pub(crate) fn owner_of(engine: &str) -> String {
        let taking = Uuid::now_v7();
        if engine.is_empty() { taking.to_string() } else { format!("{engine}{TAKING}{taking}") }
    }
}

/// Between the name of an engine and what tells its takings of leases apart.
const TAKING: char = '#';

/// A checkpoint's move, under its owner's lease.
///
/// Under one epoch it never moves back: that would do again what was done. The first move under a new epoch goes anywhere,
/// which is how a reader is reset: a person, or a rebuild, claims its lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckpointChange {
    /// The lease under which it moves.
    pub fence: Fence,
    /// Where it is afterwards.
    pub position: Position,
}
