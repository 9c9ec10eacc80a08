//! The shards of projections, process managers and reactors, a line for each.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::Serialize;

use super::app::{Fault, Store};
use super::reader::owner;
use super::span;
use super::table::Table;
use crate::position::Position;
use crate::projection::{CatalogEntry, Level};
use crate::shards::marked;
use crate::store::{CheckpointId, ReaderSeen};

/// `{"shard", "state", "level", "position", "behind", "seconds_behind", "owner"}`: `state` is `running`, `paused`, `stopped` of one
/// that nobody runs since an engine has stopped at it, or `idle` if nobody runs it; `position` is null of one that never began; `level` and `seconds_behind` are told of projections only, and
/// `seconds_behind` of those that this program links.
#[derive(Debug, Clone, Serialize)]
pub(super) struct ShardSeen {
    pub(super) shard: u32,
    pub(super) state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) level: Option<Level>,
    pub(super) position: Option<Position>,
    pub(super) behind: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) seconds_behind: Option<f64>,
    pub(super) owner: Option<String>,
}

impl ShardSeen {
    /// What the checkpoint and the lease of a shard tell; `None` of one that nobody ever had.
    pub(super) fn of(shard: u32, reader: Option<&ReaderSeen>, head: Position) -> Self {
        let position = reader.and_then(|reader| reader.position);
        let owned = reader.filter(|reader| reader.is_held());
        Self {
            shard,
            state: if owned.is_some() { "running" } else { "idle" },
            level: None,
            position,
            behind: head.get().saturating_sub(position.unwrap_or_default().get()),
            seconds_behind: None,
            owner: owned.map(owner),
        }
    }

    /// One at which an engine has stopped.
    pub(super) fn stopped(self) -> Self {
        Self { state: "stopped", ..self }
    }
}

/// The shards of a reader at which an engine that is there has stopped, by its seats.
pub(super) fn stopped(readers: &[ReaderSeen], seats: &CheckpointId, shards: u32) -> BTreeSet<u32> {
    let is_seat = |id: &CheckpointId| id.name == seats.name && id.version == seats.version;
    let held = readers.iter().filter(|reader| reader.is_held() && is_seat(&reader.id));
    held.filter_map(|reader| marked(reader.id.shard)).filter(|shard| *shard < shards).collect()
}

/// Whether an engine that is there has stopped at some shard of a projection.
pub(super) async fn has_stopped(store: &Store, entry: &CatalogEntry) -> Result<bool, Fault> {
    let seats = CheckpointId::of_seats(&entry.projection, entry.version);
    Ok(!stopped(&store.readers().await?, &seats, entry.shards).is_empty())
}

/// The shards of projections, by their names and versions.
pub(super) fn of_projections<'s>(
    each: impl Iterator<Item = (&'s str, u32, &'s [ShardSeen])>,
) -> Table {
    let mut table = Table::new([
        "NAME",
        "#VERSION",
        "#SHARD",
        "STATE",
        "LEVEL",
        "#POSITION",
        "#BEHIND",
        "#TIME BEHIND",
        "OWNER",
    ]);
    for (name, version, shards) in each {
        for seen in shards {
            let time = seen.seconds_behind.map(Duration::from_secs_f64);
            table.row([
                name.to_owned(),
                version.to_string(),
                seen.shard.to_string(),
                seen.state.to_owned(),
                seen.level.unwrap_or_default().as_str().to_owned(),
                position(seen),
                seen.behind.to_string(),
                time.map_or_else(|| "?".to_owned(), span::text),
                seen.owner.clone().unwrap_or_default(),
            ]);
        }
    }
    table
}

/// The shards of process managers and reactors, by their names and kinds.
pub(super) fn of_processes<'s>(
    each: impl Iterator<Item = (&'s str, &'s str, &'s [ShardSeen])>,
) -> Table {
    let mut table =
        Table::new(["NAME", "KIND", "#SHARD", "STATE", "#POSITION", "#BEHIND", "OWNER"]);
    for (name, kind, shards) in each {
        for seen in shards {
            table.row([
                name.to_owned(),
                kind.to_owned(),
                seen.shard.to_string(),
                seen.state.to_owned(),
                position(seen),
                seen.behind.to_string(),
                seen.owner.clone().unwrap_or_default(),
            ]);
        }
    }
    table
}

fn position(seen: &ShardSeen) -> String {
    seen.position.map_or_else(|| "-".to_owned(), |position| position.to_string())
}
