//! `snapshots`: what there is, and what can go.

use std::time::Duration;

use clap::{ArgGroup, Args, Subcommand};
use serde::Serialize;

use super::app::{Fault, Store, Verdict};
use super::console::{Answer, Console};
use super::table::Table;
use super::{sizes, span};
use crate::store::{SnapshotSeen, SnapshotsDropped};
use crate::stream::StreamId;
use crate::timestamp::Timestamp;

/// How many snapshots are read at once.
const PAGE: usize = 1_000;

#[derive(Debug, Subcommand)]
pub(super) enum Snapshots {
    /// List snapshots, in the order of their streams
    List {
        /// Only those of this stream
        #[arg(long, value_name = "STREAM")]
        stream: Option<String>,
        /// How many at most
        #[arg(long, default_value_t = 100)]
        limit: usize,
    },
    /// Drop snapshots: the next load of each stream reads more events, and gives the same state
    Drop(Dropping),
}

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("which").required(true))]
pub(super) struct Dropping {
    /// Drop those of which a stream has as many of higher versions
    #[arg(long, value_name = "VERSIONS", group = "which", value_parser = clap::value_parser!(u32).range(1..))]
    keep: Option<u32>,
    /// Drop those that were saved longer ago, such as `30d`
    #[arg(long, value_name = "TIME", group = "which", value_parser = span::parse)]
    older_than: Option<Duration>,
}

/// `{"snapshots": [{"stream", "snapshot_version", "stream_version", "saved_at", "bytes"}], "more"}`: `more` says that the
/// limit has cut the list.
#[derive(Serialize)]
struct Listed {
    snapshots: Vec<Snapshot>,
    more: bool,
}

#[derive(Serialize)]
#[expect(clippy::struct_field_names, reason = "these are the names in the JSON")]
struct Snapshot {
    stream: StreamId,
    snapshot_version: u32,
    stream_version: u64,
    saved_at: Timestamp,
    bytes: u64,
}

/// `{"dropped"}`: how many there were.
#[derive(Serialize)]
struct Dropped {
    dropped: u64,
}

impl Snapshots {
    pub(super) async fn run(self, store: Store, console: &mut Console) -> Result<Verdict, Fault> {
        match self {
            Self::List { stream, limit } => {
                let stream = stream.map(StreamId::from_name);
                let (snapshots, more) = listed(&store, stream.as_ref(), limit).await?;
                // A snapshot may be there without its stream, after a restore.
                if let Some(stream) = stream
                    && snapshots.is_empty()
                    && store.stream_head(&stream).await?.version == 0
                {
                    return Err(super::events::no_stream(stream.as_str()));
                }
                console.answer(&Listed { snapshots, more })?;
            }
            Self::Drop(Dropping { keep, older_than }) => {
                let (which, what) = match (keep, older_than) {
                    (Some(keep), _) => (
                        SnapshotsDropped::Surplus { keep },
                        format!(
                            "drops all snapshots but those of the {keep} highest versions of each stream"
                        ),
                    ),
                    (None, older_than) => {
                        let age = older_than.unwrap_or_default();
                        let what =
                            format!("drops all snapshots that are older than {}", span::text(age));
                        (SnapshotsDropped::OlderThan(age), what)
                    }
                };
                console.confirm(&what)?;
                console.answer(&Dropped { dropped: store.drop_snapshots(which).await? })?;
            }
        }
        Ok(Verdict::Fine)
    }
}

/// The first snapshots, of all streams or of one, and whether there are more.
async fn listed(
    store: &Store,
    stream: Option<&StreamId>,
    limit: usize,
) -> Result<(Vec<Snapshot>, bool), Fault> {
    let mut found: Vec<SnapshotSeen> = Vec::new();
    // A stream's first version is 1: behind version 0 come all of it.
    let mut after = stream.map(|stream| (stream.clone(), 0));
    while found.len() <= limit {
        let behind = after.as_ref().map(|(stream, version)| (stream, *version));
        let page =
            store.snapshots(behind, PAGE.min((limit - found.len()).saturating_add(1))).await?;
        let Some(last) = page.last() else { break };
        after = Some((last.stream_id.clone(), last.snapshot_version));
        let is_wanted = |seen: &SnapshotSeen| stream.is_none_or(|stream| seen.stream_id == *stream);
        let ends = !page.iter().all(is_wanted);
        found.extend(page.into_iter().filter(is_wanted));
        if ends {
            break;
        }
    }
    let more = found.len() > limit;
    found.truncate(limit);
    let snapshot = |seen: SnapshotSeen| Snapshot {
        stream: seen.stream_id,
        snapshot_version: seen.snapshot_version,
        stream_version: seen.stream_version,
        saved_at: seen.saved_at,
        bytes: seen.bytes,
    };
    Ok((found.into_iter().map(snapshot).collect(), more))
}

impl Answer for Listed {
    fn text(&self) -> String {
        let mut table = Table::new(["STREAM", "#SHAPE", "#AT VERSION", "SAVED AT", "#SIZE"]);
        for snapshot in &self.snapshots {
            table.row([
                snapshot.stream.to_string(),
                snapshot.snapshot_version.to_string(),
                snapshot.stream_version.to_string(),
                snapshot.saved_at.to_string(),
                sizes::in_units(snapshot.bytes),
            ]);
        }
        let mut text = table.text("there are no snapshots");
        if self.more {
            text.push_str("there are more; --limit shows them\n");
        }
        text
    }
}

impl Answer for Dropped {
    fn text(&self) -> String {
        match self.dropped {
            0 => "there was none to drop".to_owned(),
            1 => "1 snapshot was dropped".to_owned(),
            dropped => format!("{dropped} snapshots were dropped"),
        }
    }
}
