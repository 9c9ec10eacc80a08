//! `projections status`: how far each is, and who runs it.

use std::collections::{BTreeSet, HashMap};
use std::fmt::Write as _;
use std::time::Duration;

use clap::Args;
use serde::Serialize;

use super::rebuild_answers::is_left;
use crate::cli::app::{Fault, Store, Verdict};
use crate::cli::console::{Answer, Console, safe};
use crate::cli::each_shard::{self, ShardSeen};
use crate::cli::levels::Levels;
use crate::cli::reader::{Kind, Of, PROJECTIONS, owner};
use crate::cli::table::Table;
use crate::cli::{linked, span};
use crate::position::Position;
use crate::projection::{
    CatalogEntry, Level, Preparation, ProjectionState, Rebuild, RebuildState, Thresholds,
    age_of_next,
};
use crate::registry::ProjectionRegistration;
use crate::store::{CheckpointId, ParkedKey, ReaderSeen};
use crate::timestamp::Timestamp;

/// How many keys with parked events are counted at most.
const COUNTED: usize = 10_000;

#[derive(Debug, Args)]
pub(in crate::cli) struct StatusOf {
    /// Only this one
    name: Option<String>,
    #[command(flatten)]
    levels: Levels,
}

/// `{"level", "head", "projections": [{"name", "version", "generation", "state", "shards", "owners", "position", "behind",
/// "seconds_behind", "level", "parked", "rebuilds_asked"}]}`: `state` is `running`, `paused`, `stopped` if nobody runs it since an
/// engine has stopped at something that a person has to mend, be it paused too, `idle` if nobody runs it, or `inline`; an older version
/// than this program links, which nobody runs, is kept to go back to, and raises no level; of one that runs, a shard that has
/// stopped makes the level `critical`, and one that nobody runs and that is behind `warning` at least; so do rows with parked events.
/// `unprepared` is one whose tables, or some columns, are to be made yet for this program's release, which makes it a `warning`, too: it
/// has no generation if nothing of it is in the store. `seconds_behind` is null of one that this program does not link; `parked` counts keys, and
/// `rebuilds_asked` the rebuilds that nobody has begun yet, or that who began them has left. With `--shards` each has its `each_shard`, a list of
/// [shards](ShardSeen), which is empty of one that is inline.
#[derive(Serialize)]
struct Statuses {
    level: Level,
    head: Position,
    projections: Vec<Status>,
}

#[derive(Serialize)]
struct Status {
    name: String,
    version: u32,
    generation: Option<u32>,
    state: &'static str,
    shards: u32,
    owners: BTreeSet<String>,
    position: Position,
    behind: u64,
    seconds_behind: Option<f64>,
    level: Level,
    parked: usize,
    rebuilds_asked: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    each_shard: Option<Vec<ShardSeen>>,
}

/// What is read once for all projections.
struct Read {
    linked: Vec<&'static ProjectionRegistration>,
    readers: Vec<ReaderSeen>,
    parked: Vec<ParkedKey>,
    rebuilds: Vec<Rebuild>,
    head: Position,
    now: Timestamp,
    thresholds: Thresholds,
    tells_shards: bool,
}

impl StatusOf {
    pub(super) async fn run(self, store: &Store, console: &mut Console) -> Result<Verdict, Fault> {
        let Self { name, levels } = self;
        let catalog = store.catalog().await?;
        let linked = linked::projections();
        let known = catalog.iter().map(|entry| &*entry.projection);
        let known: Vec<&str> = known.chain(linked.iter().map(|linked| linked.name)).collect();
        if let Some(name) = &name
            && !known.contains(&&**name)
        {
            return Err(linked::absent("projection", name, &known));
        }
        let is_meant = |of: &str| name.as_ref().is_none_or(|name| *name == of);
        let read = Read {
            linked,
            readers: store.readers().await?,
            parked: store.parked_keys(PROJECTIONS, COUNTED).await?,
            rebuilds: store.rebuilds().await?,
            head: store.head().await?,
            now: Timestamp::now(),
            thresholds: levels.thresholds(),
            tells_shards: levels.shards,
        };
        let mut projections = Vec::new();
        for entry in &catalog {
            if is_meant(&entry.projection) {
                projections.push(read.status(store, entry).await?);
            }
        }
        let is_kept = |linked: &ProjectionRegistration| {
            let is_it = |entry: &CatalogEntry| {
                entry.projection == linked.name && entry.version == linked.version
            };
            catalog.iter().any(is_it)
        };
        for linked in read.linked.iter().filter(|linked| is_meant(linked.name) && !is_kept(linked))
        {
            projections.push(read.unprepared(store, linked).await?);
        }
        projections.sort_by(|one, two| (&one.name, one.version).cmp(&(&two.name, two.version)));
        let level = projections.iter().map(|status| status.level).max().unwrap_or_default();
        console.answer(&Statuses { level, head: read.head, projections })?;
        Ok(Verdict::wrong_if(level > Level::Normal))
    }
}

impl Read {
    async fn status(&self, store: &Store, entry: &CatalogEntry) -> Result<Status, Fault> {
        let is_it = |id: &CheckpointId| {
            let of = Of::reader(id);
            of.is_some_and(|of| {
                of.kind == Kind::Projection
                    && of.name == entry.projection
                    && of.generation == Some(entry.generation)
                    && id.version == entry.version
                    && id.shard < entry.shards
            })
        };
        let readers: Vec<&ReaderSeen> =
            self.readers.iter().filter(|reader| is_it(&reader.id)).collect();
        let linked = linked::projection_of(&self.linked, entry);
        let is_inline = linked.is_some_and(|linked| linked.inline.is_some());
        // Of several shards, the last counts; one that never began, too.
        let positions = readers.iter().map(|reader| reader.position.unwrap_or_default());
        let have_begun = readers.len() == entry.shards as usize;
        let lowest = positions.min().filter(|_| have_begun).unwrap_or_default();
        let position = if is_inline { self.head } else { lowest };
        let behind = self.head.get().saturating_sub(position.get());
        let time = self.time_behind(store, linked, position).await?;
        let held: Vec<&&ReaderSeen> = readers.iter().filter(|reader| reader.is_held()).collect();
        let seats = CheckpointId::of_seats(&entry.projection, entry.version);
        let stopped = each_shard::stopped(&self.readers, &seats, entry.shards);
        let (state, level) = match (is_inline, entry.paused, held.is_empty()) {
            (true, ..) => ("inline", Level::Normal),
            // Nobody reads on until a person has mended it, be it paused as well.
            (_, _, true) if !stopped.is_empty() => ("stopped", Level::Critical),
            (_, true, _) => ("paused", self.level(time)),
            (_, _, false) => ("running", self.level(time)),
            // One that has everything done needs nobody.
            (..) if time == Some(Duration::ZERO) => ("idle", Level::Normal),
            (..) => ("idle", self.level(time).max(Level::Warning)),
        };
        let (state, level) = match (state, linked) {
            ("idle", Some(linked)) if is_awaited(store, linked).await? => {
                ("unprepared", level.max(Level::Warning))
            }
            _ => (state, level),
        };
        let of_it = |key: &&ParkedKey| is_it(&key.first.reader);
        let is_asked = |rebuild: &&Rebuild| {
            rebuild.projection == entry.projection
                && rebuild.version == entry.version
                && (rebuild.state == RebuildState::Asked || is_left(rebuild, &self.readers))
        };
        let rebuilds_asked = self.rebuilds.iter().filter(is_asked).count();
        // What is asked of nobody stays asked.
        let is_asked_of_nobody = rebuilds_asked > 0 && matches!(state, "idle" | "stopped");
        let parked = self.parked.iter().filter(of_it).count();
        let is_for_a_person = is_asked_of_nobody || parked > 0;
        let level = if is_for_a_person { level.max(Level::Warning) } else { level };
        // Those that run tell nothing of one beside them that nobody runs.
        let is_without_some = !held.is_empty() && held.len() < entry.shards as usize;
        let each_shard = if !is_inline && (self.tells_shards || is_without_some) {
            self.each_shard(store, entry, linked, (&readers, &stopped)).await?
        } else {
            Vec::new()
        };
        let idle = each_shard.iter().filter(|shard| is_without_some && shard.owner.is_none());
        let level = idle.filter_map(|shard| shard.level).fold(level, Level::max);
        // Kept to go back to, and run by nobody: it is no worse for what came since.
        let is_newer = |linked: &&ProjectionRegistration| {
            linked.name == entry.projection && linked.version > entry.version
        };
        let is_kept_only = linked.is_none() && state == "idle" && self.linked.iter().any(is_newer);
        let level = if is_kept_only { Level::Normal } else { level };
        Ok(Status {
            name: entry.projection.clone(),
            version: entry.version,
            generation: Some(entry.generation),
            state,
            shards: entry.shards,
            owners: held.into_iter().map(|reader| owner(reader)).collect(),
            position,
            behind,
            seconds_behind: time.map(|time| time.as_secs_f64()),
            level,
            parked,
            rebuilds_asked,
            each_shard: self.tells_shards.then_some(each_shard),
        })
    }

    /// One that this program links, and of which nothing is in the store.
    async fn unprepared(
        &self,
        store: &Store,
        linked: &&'static ProjectionRegistration,
    ) -> Result<Status, Fault> {
        let time = self.time_behind(store, Some(linked), Position::START).await?;
        Ok(Status {
            name: linked.name.to_owned(),
            version: linked.version,
            generation: None,
            state: "unprepared",
            shards: 1,
            owners: BTreeSet::new(),
            position: Position::START,
            behind: self.head.get(),
            seconds_behind: time.map(|time| time.as_secs_f64()),
            level: self.level(time).max(Level::Warning),
            parked: 0,
            rebuilds_asked: 0,
            each_shard: self.tells_shards.then(Vec::new),
        })
    }

    /// How old the first event is that a position has not passed; `None` of a projection that this program does not link.
    async fn time_behind(
        &self,
        store: &Store,
        linked: Option<&&'static ProjectionRegistration>,
        position: Position,
    ) -> Result<Option<Duration>, Fault> {
        if position >= self.head {
            return Ok(Some(Duration::ZERO));
        }
        let Some(linked) = linked else { return Ok(None) };
        let projector = (linked.projector)();
        Ok(Some(age_of_next(store, &*projector, position, self.now).await?))
    }

    async fn each_shard(
        &self,
        store: &Store,
        entry: &CatalogEntry,
        linked: Option<&&'static ProjectionRegistration>,
        (readers, stopped): (&[&ReaderSeen], &BTreeSet<u32>),
    ) -> Result<Vec<ShardSeen>, Fault> {
        let mut each = Vec::new();
        // Many shards stand at one position.
        let mut times: HashMap<Position, Option<Duration>> = HashMap::new();
        for shard in 0..entry.shards {
            let reader = readers.iter().find(|reader| reader.id.shard == shard);
            let mut seen = ShardSeen::of(shard, reader.copied(), self.head);
            let position = seen.position.unwrap_or_default();
            let time = match times.get(&position) {
                Some(time) => *time,
                None => self.time_behind(store, linked, position).await?,
            };
            times.insert(position, time);
            let mut level = self.level(time);
            if seen.owner.is_none() && stopped.contains(&shard) {
                (seen, level) = (seen.stopped(), Level::Critical);
            } else if entry.paused {
                seen.state = "paused";
            } else if seen.owner.is_none() && time != Some(Duration::ZERO) {
                level = level.max(Level::Warning);
            }
            (seen.level, seen.seconds_behind) = (Some(level), time.map(|time| time.as_secs_f64()));
            each.push(seen);
        }
        Ok(each)
    }

    fn level(&self, behind: Option<Duration>) -> Level {
        behind.map_or(Level::Normal, |behind| self.thresholds.level(ProjectionState::Live, behind))
    }
}

/// Whether something is to be made yet for what this program links.
async fn is_awaited(store: &Store, linked: &'static ProjectionRegistration) -> Result<bool, Fault> {
    let projector = (linked.projector)();
    let preparation = store.preparation(projector.definition()).await?;
    Ok(!matches!(
        preparation,
        Preparation::Nothing | Preparation::Behind { .. } | Preparation::Refused { .. }
    ))
}

impl Answer for Statuses {
    fn text(&self) -> String {
        let head = [
            "NAME",
            "#VERSION",
            "STATE",
            "LEVEL",
            "#POSITION",
            "#BEHIND",
            "#TIME BEHIND",
            "#PARKED",
            "OWNER",
        ];
        let mut table = Table::new(head);
        for status in &self.projections {
            let time = status.seconds_behind.map(Duration::from_secs_f64);
            table.row([
                status.name.clone(),
                status.version.to_string(),
                status.state.to_owned(),
                status.level.as_str().to_owned(),
                status.position.to_string(),
                status.behind.to_string(),
                time.map_or_else(|| "?".to_owned(), span::text),
                status.parked.to_string(),
                status.owners.iter().map(String::as_str).collect::<Vec<_>>().join(", "),
            ]);
        }
        let mut text = table.text("no projection is in the store");
        for Status { name, version, state, rebuilds_asked, .. } in &self.projections {
            if *state == "unprepared" {
                // Writing to a text does not fail.
                let _ = writeln!(
                    text,
                    "`{}` (version {version}) waits for its tables, or for columns: see `projections plan`",
                    safe(name)
                );
            }
            if *rebuilds_asked > 0 {
                let plural = if *rebuilds_asked == 1 { "rebuild is" } else { "rebuilds are" };
                let nobody = match *state {
                    "idle" => ", and nobody runs it",
                    "stopped" => ", and it has stopped",
                    _ => "",
                };
                // Writing to a text does not fail.
                let _ = writeln!(
                    text,
                    "{rebuilds_asked} {plural} asked for of `{}` (version {version}){nobody}: see `projections rebuilds`",
                    safe(name)
                );
            }
        }
        let _ = writeln!(text, "the log ends at position {}", self.head);
        let shards = self.projections.iter().filter_map(|status| {
            Some((&*status.name, status.version, status.each_shard.as_deref()?))
        });
        if shards.clone().next().is_some() {
            let _ =
                write!(text, "\n{}", each_shard::of_projections(shards).text("none has shards"));
        }
        text
    }
}
