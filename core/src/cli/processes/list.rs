//! `processes list`: how far process managers and reactors are, what waits, and who runs them.

use std::fmt::Write as _;
use std::time::Duration;

use clap::Args;
use serde::Serialize;

use super::{COUNTED, category};
use crate::cli::app::{Fault, Store, Verdict};
use crate::cli::console::{Answer, Console, safe};
use crate::cli::each_shard::{self, ShardSeen};
use crate::cli::levels::Levels;
use crate::cli::reader::{Kind, Of, owner};
use crate::cli::table::Table;
use crate::cli::{linked, parked, span};
use crate::position::Position;
use crate::projection::{Level, ProjectionState, Thresholds};
use crate::store::{CheckpointId, ParkedKey, ReadAll, ReaderSeen};
use crate::timestamp::Timestamp;

#[derive(Debug, Args)]
pub(in crate::cli) struct Listing {
    #[command(flatten)]
    levels: Levels,
}

/// `{"level", "head", "processes": [{"kind", "name", "linked", "state", "level", "shards", "idle_shards", "owner", "position", "behind",
/// "seconds_behind", "unsent", "parked"}]}`: `state` is `running`, `stopped` if nobody runs it since an engine has stopped at it, `idle` if
/// nobody runs it, or `new` if nobody ever did; `position` is
/// that of the shard which is furthest behind; `seconds_behind` is the age of the first event that it has not passed, and null of one
/// that this program does not link; `idle_shards` counts those that nobody runs. One that nobody runs, in whole or in part, and that is
/// behind, and one with parked processes, is at `warning` at least, and one that has stopped `critical`. `unsent` counts the commands that have not been answered, up to
/// 1000; `parked` counts processes. With `--shards` each has its `each_shard`, a list of [shards](ShardSeen).
#[derive(Serialize)]
struct Listed {
    level: Level,
    head: Position,
    processes: Vec<Item>,
}

#[derive(Serialize)]
struct Item {
    kind: Kind,
    name: String,
    linked: bool,
    state: &'static str,
    level: Level,
    shards: u32,
    idle_shards: usize,
    owner: Option<String>,
    position: Option<Position>,
    behind: u64,
    seconds_behind: Option<f64>,
    unsent: usize,
    parked: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    each_shard: Option<Vec<ShardSeen>>,
}

/// What is read once for all.
struct Read {
    head: Position,
    readers: Vec<ReaderSeen>,
    parked: Vec<(Of, ParkedKey)>,
    thresholds: Thresholds,
    tells_shards: bool,
}

impl Listing {
    pub(super) async fn run(self, store: &Store, console: &mut Console) -> Result<Verdict, Fault> {
        let Self { levels } = self;
        let read = Read {
            head: store.head().await?,
            readers: store.readers().await?,
            parked: parked::keys(store, None).await?,
            thresholds: levels.thresholds(),
            tells_shards: levels.shards,
        };
        let mut names: Vec<(Kind, String)> =
            linked::processes().iter().map(|(kind, name)| (*kind, (*name).to_owned())).collect();
        let kept = read.readers.iter().filter_map(|reader| Of::reader(&reader.id));
        let kept = kept.filter(|of| matches!(of.kind, Kind::Process | Kind::Reactor));
        names.extend(kept.map(|of| (of.kind, of.name)));
        names.sort_by(|one, two| (&one.1, one.0.as_str()).cmp(&(&two.1, two.0.as_str())));
        names.dedup();
        let mut processes = Vec::new();
        for (kind, name) in names {
            processes.push(read.item(store, kind, name).await?);
        }
        let level = processes.iter().map(|item| item.level).max().unwrap_or_default();
        console.answer(&Listed { level, head: read.head, processes })?;
        Ok(Verdict::wrong_if(level > Level::Normal))
    }
}

impl Read {
    async fn item(&self, store: &Store, kind: Kind, name: String) -> Result<Item, Fault> {
        let is_its = |of: &Of| of.kind == kind && of.name == name;
        let readers = self.readers.iter();
        let readers: Vec<&ReaderSeen> =
            readers.filter(|reader| Of::reader(&reader.id).is_some_and(|of| is_its(&of))).collect();
        let position = readers.iter().filter_map(|reader| reader.position).min();
        let reader = CheckpointId { name: category(kind, &name), version: 1, shard: 0 };
        let shards = store.standing(&reader).await?.layout.shards;
        let of_shard = |shard| readers.iter().find(|reader| reader.id.shard == shard).copied();
        let seats = CheckpointId::of_process_seats(&category(kind, &name));
        let stopped = each_shard::stopped(&self.readers, &seats, shards);
        let seen = |shard| {
            let seen = ShardSeen::of(shard, of_shard(shard), self.head);
            if seen.owner.is_none() && stopped.contains(&shard) { seen.stopped() } else { seen }
        };
        let each: Vec<ShardSeen> = (0..shards).map(seen).collect();
        let mut owners: Vec<String> =
            readers.iter().filter(|reader| reader.is_held()).map(|reader| owner(reader)).collect();
        owners.sort_unstable();
        owners.dedup();
        let state = match (position, owners.is_empty()) {
            (_, false) => "running",
            _ if !stopped.is_empty() => "stopped",
            (Some(_), true) => "idle",
            (None, true) => "new",
        };
        let time = match position {
            Some(position) => self.time_behind(store, (kind, &name), position).await?,
            None => Some(Duration::ZERO),
        };
        let idle = each.iter().filter(|shard| shard.owner.is_none());
        let idle_shards = idle.clone().count();
        let lowest = idle.filter_map(|shard| shard.position).min().filter(|_| state != "new");
        let is_left = match lowest {
            Some(lowest) => {
                self.time_behind(store, (kind, &name), lowest).await? != Some(Duration::ZERO)
            }
            None => false,
        };
        let parked = self.parked.iter().filter(|(of, _)| is_its(of)).count();
        let mut level =
            time.map_or(Level::Normal, |time| self.thresholds.level(ProjectionState::Live, time));
        if parked > 0 || is_left {
            level = level.max(Level::Warning);
        }
        if each.iter().any(|shard| shard.state == "stopped") {
            level = Level::Critical;
        }
        Ok(Item {
            kind,
            linked: linked::processes().contains(&(kind, &*name)),
            state,
            level,
            shards,
            idle_shards,
            owner: (!owners.is_empty()).then(|| owners.join(", ")),
            position,
            behind: position.map_or(0, |position| self.head.get().saturating_sub(position.get())),
            seconds_behind: time.map(|time| time.as_secs_f64()),
            unsent: store.outgoing(&category(kind, &name), 0, COUNTED).await?.len(),
            parked,
            each_shard: self.tells_shards.then_some(each),
            name,
        })
    }

    /// How old the first event is that a position has not passed; `None` of one that this program does not link.
    async fn time_behind(
        &self,
        store: &Store,
        (kind, name): (Kind, &str),
        position: Position,
    ) -> Result<Option<Duration>, Fault> {
        if position >= self.head {
            return Ok(Some(Duration::ZERO));
        }
        let Some(filter) = linked::taken(kind, name) else { return Ok(None) };
        let page = store.log_page(&ReadAll::after(position).filter(filter).limit(1)).await?;
        let now = Timestamp::now();
        let age = page.events.first().map(|event| now.since(event.recorded_at));
        Ok(Some(age.unwrap_or_default()))
    }
}

impl Answer for Listed {
    fn text(&self) -> String {
        let head = [
            "NAME",
            "KIND",
            "STATE",
            "LEVEL",
            "#SHARDS",
            "#POSITION",
            "#BEHIND",
            "#TIME BEHIND",
            "#UNSENT",
            "#PARKED",
            "OWNER",
        ];
        let mut table = Table::new(head);
        for item in &self.processes {
            let position = item.position.map_or_else(|| "-".to_owned(), |at| at.to_string());
            let most = if item.unsent == COUNTED { "+" } else { "" };
            let time = item.seconds_behind.map(Duration::from_secs_f64);
            table.row([
                item.name.clone(),
                item.kind.as_str().to_owned(),
                item.state.to_owned(),
                item.level.as_str().to_owned(),
                item.shards.to_string(),
                position,
                item.behind.to_string(),
                time.map_or_else(|| "?".to_owned(), span::text),
                format!("{}{most}", item.unsent),
                item.parked.to_string(),
                item.owner.clone().unwrap_or_default(),
            ]);
        }
        let mut text = table.text("there are no process managers and no reactors");
        for Item { name, state, shards, idle_shards, .. } in &self.processes {
            if *state == "running" && *idle_shards > 0 {
                let are = if *idle_shards == 1 { "is" } else { "are" };
                // Writing to a text does not fail.
                let _ = writeln!(
                    text,
                    "{idle_shards} of {shards} shards of `{}` {are} run by nobody: see --shards",
                    safe(name)
                );
            }
        }
        let _ = writeln!(text, "the log ends at position {}", self.head);
        let shards = self.processes.iter().filter_map(|item| {
            Some((&*item.name, item.kind.as_str(), item.each_shard.as_deref()?))
        });
        if shards.clone().next().is_some() {
            let _ = write!(text, "\n{}", each_shard::of_processes(shards).text("none has shards"));
        }
        text
    }
}
