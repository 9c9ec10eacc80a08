//! `projections rebuild`, `rebuilds`, `set-load` and `cancel`: rows built anew.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use clap::Args;
use serde::Serialize;

use super::{Named, differences, operator};
use crate::cli::app::{Fault, Store, Verdict};
use crate::cli::console::{Answer, Console, cut, safe};
use crate::cli::reader::{Kind, Of, owner};
use crate::cli::table::{Table, more};
use crate::cli::{parked, progress, span};
use crate::projection::{
    CatalogEntry, EngineError, Operator, ParkedEvent, Rebuild, RebuildLoad, RebuildState,
};
use crate::store::{CheckpointId, ReaderSeen};
use crate::timestamp::Timestamp;

/// How often it is looked how a rebuild goes.
const LOOK: Duration = Duration::from_millis(200);

#[derive(Debug, Args)]
pub(in crate::cli) struct Rebuilding {
    #[command(flatten)]
    named: Named,
    /// Only the row of this key, in the place of the one that is there; it reads all events of the projection, unless its rows
    /// follow streams of their own
    #[arg(long)]
    key: Option<String>,
    /// Tell how the rows would differ, all of them, and leave them as they are; exits with 3 if any would
    #[arg(long, conflicts_with = "detach")]
    dry_run: bool,
    #[command(flatten)]
    load: Load,
    /// Ask for it, and do not wait until it is done
    #[arg(long)]
    detach: bool,
    /// How long to wait for somebody to begin with it
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = span::parse)]
    wait: Duration,
}

/// How much it may ask of the database, beside those who read and write meanwhile.
#[derive(Debug, Args)]
#[group(id = "load", multiple = true)]
struct Load {
    /// Do no more events a second than this
    #[arg(long, value_name = "EVENTS", value_parser = clap::value_parser!(u32).range(1..))]
    events_per_second: Option<u32>,
    /// Write no more events at once than this
    #[arg(long, value_name = "EVENTS", value_parser = clap::value_parser!(u32).range(1..))]
    batch: Option<u32>,
    /// Rest for so long after each batch
    #[arg(long, value_name = "TIME", value_parser = span::parse)]
    pause: Option<Duration>,
    /// Read and write over no more connections than this: over one, they take turns
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..))]
    connections: Option<u32>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Listing {
    /// How many at most
    #[arg(long, default_value_t = 100)]
    limit: usize,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Cancelling {
    #[command(flatten)]
    named: Named,
    /// The rebuild of the row of this key alone
    #[arg(long)]
    key: Option<String>,
    /// Only the one that was asked for then, as `rebuilds --json` tells; without it, the one that is under way now
    #[arg(long, value_name = "INSTANT")]
    asked_at: Option<Timestamp>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Loading {
    #[command(flatten)]
    named: Named,
    /// The rebuild of the row of this key alone
    #[arg(long)]
    key: Option<String>,
    #[command(flatten)]
    load: Load,
}

/// A rebuild as it is kept: `{"projection", "version", "key", "state", "events", "of", "rate", "seconds_left", "by", "asked_at", "error",
/// "left", …}`; `key` is null of all rows; `state` is `asked`, `building`, `switching`, `done`, `cancelled` or `failed`; `left` says that
/// whoever began it is gone, and nobody has taken it up: then it has no rate, and nobody knows how long it takes, as of one that is only
/// asked for.
#[derive(Serialize)]
struct Told {
    #[serde(flatten)]
    rebuild: Rebuild,
    rate: f64,
    seconds_left: Option<f64>,
    left: bool,
}

/// What has become of a rebuild that was asked for: as it is kept, with `"parked"`, the keys with parked events of what was built anew,
/// `"paused"`, whether the projection is, and `"owners"`, who runs it.
#[derive(Serialize)]
struct Outcome {
    #[serde(flatten)]
    told: Told,
    parked: usize,
    paused: bool,
    owners: BTreeSet<String>,
    /// What it waits for, if it is asked for.
    #[serde(skip)]
    waits: Waits,
    /// Why the first of what is parked is.
    #[serde(skip)]
    first: Option<ParkedEvent>,
}

/// What a rebuild waits for that somebody runs, and has not begun.
#[derive(Clone, Copy)]
enum Waits {
    /// Whoever runs it looks now and then what is asked for.
    ForTheNextLook,
    /// Others are under way.
    ForOthers,
    /// It was waited for in vain.
    InVain,
}

/// `{"rebuilds": […], "more"}`: of each projection the last one of all rows, and the last one of each row; those that are under way
/// come first, then those that were last told of; `more` counts those that are not listed.
#[derive(Serialize)]
struct All {
    rebuilds: Vec<Told>,
    more: usize,
}

impl Told {
    fn new(rebuild: Rebuild, readers: &[ReaderSeen]) -> Self {
        let left = is_left(&rebuild, readers);
        let is_done_now = !left && rebuild.state != RebuildState::Asked;
        let time = rebuild.left().filter(|_| is_done_now);
        let rate = if is_done_now { rebuild.rate() } else { 0.0 };
        Self { rate, seconds_left: time.map(|time| time.as_secs_f64()), left, rebuild }
    }
}

/// Whether a rebuild was begun, and nobody is at it: who does all rows has a lease for it, who does one row that of its shard.
pub(super) fn is_left(rebuild: &Rebuild, readers: &[ReaderSeen]) -> bool {
    let Rebuild { projection, version, state, key, .. } = rebuild;
    let lease = CheckpointId::of_rebuild(projection, *version);
    let is_its = |id: &CheckpointId| match key {
        None => *id == lease,
        Some(_) => {
            id.version == *version
                && Of::reader(id)
                    .is_some_and(|of| of.kind == Kind::Projection && of.name == *projection)
        }
    };
    let is_at_it = readers.iter().any(|reader| reader.is_held() && is_its(&reader.id));
    state.is_under_way() && *state != RebuildState::Asked && !is_at_it
}

impl Load {
    fn wanted(&self) -> RebuildLoad {
        let mut wanted = RebuildLoad::unlimited();
        if let Some(events) = self.events_per_second {
            wanted = wanted.events_per_second(events);
        }
        if let Some(events) = self.batch {
            wanted = wanted.batch(events as usize);
        }
        if let Some(pause) = self.pause {
            wanted = wanted.pause(pause);
        }
        if let Some(connections) = self.connections {
            wanted = wanted.connections(connections);
        }
        wanted
    }
}

impl Rebuilding {
    pub(super) async fn run(self, store: &Store, console: &mut Console) -> Result<Verdict, Fault> {
        let Self { named, key, dry_run, load, detach, wait } = self;
        if let (true, Some(key)) = (dry_run, &key) {
            return Err(Fault::Usage(format!(
                "a dry run compares all rows, and knows no --key: leave it out, and look whether `{key}` is among those that differ"
            )));
        }
        let entry = named.find(store).await?;
        let operator = operator(store)?;
        if dry_run {
            return differences::tell((store, &operator), entry, load.wanted(), console).await;
        }
        let CatalogEntry { projection, version, paused, .. } = entry;
        let mut told = if let Some(key) = key {
            operator.begin_rebuild_key(&projection, version, key, load.wanted()).await?
        } else {
            let moves = if paused {
                "; it is paused: the new rows are those of the log's end all the same, and it stays paused there"
            } else {
                ""
            };
            console.confirm(&format!(
                "builds the rows of projection `{projection}` (version {version}) anew, and drops those that answer now{moves}"
            ))?;
            operator.begin_rebuild(&projection, version, load.wanted()).await?
        };
        if !detach {
            told = follow(&operator, told, wait).await?;
        }
        let is_done = told.state == RebuildState::Done;
        let mut outcome = Outcome::of(told, store).await?;
        if outcome.has_others(&operator.rebuilds().await?) {
            outcome.waits = Waits::ForOthers;
        } else if !detach {
            outcome.waits = Waits::InVain;
        }
        let is_wrong = !detach && !is_done || outcome.parked > 0;
        console.answer(&outcome)?;
        Ok(Verdict::wrong_if(is_wrong))
    }
}

impl Outcome {
    async fn of(told: Rebuild, store: &Store) -> Result<Self, Fault> {
        let (catalog, readers) = (store.catalog().await?, store.readers().await?);
        let is_it = |entry: &&CatalogEntry| {
            (&entry.projection, entry.version) == (&told.projection, told.version)
        };
        let mut outcome = Self {
            parked: 0,
            paused: false,
            owners: BTreeSet::new(),
            waits: Waits::ForTheNextLook,
            first: None,
            told: Told::new(told.clone(), &readers),
        };
        let Some(entry) = catalog.iter().find(is_it) else { return Ok(outcome) };
        outcome.paused = entry.paused;
        let reader = entry.reader();
        let is_its = |id: &CheckpointId| (&id.name, id.version) == (&reader.name, reader.version);
        let held = readers.iter().filter(|reader| reader.is_held() && is_its(&reader.id));
        outcome.owners = held.map(owner).collect();
        if told.state == RebuildState::Done {
            let mut parked = parked::keys(store, Some(&told.projection)).await?;
            parked.retain(|(_, parked)| {
                is_its(&parked.first.reader)
                    && told.key.as_ref().is_none_or(|key| *key == parked.first.key)
            });
            outcome.parked = parked.len();
            outcome.first = parked.into_iter().next().map(|(_, parked)| parked.first);
        }
        Ok(outcome)
    }

    /// Whether rebuilds of all rows are under way beside it.
    fn has_others(&self, all: &[Rebuild]) -> bool {
        let Rebuild { projection, version, .. } = &self.told.rebuild;
        let is_other = |other: &Rebuild| {
            (&other.projection, other.version) != (projection, *version)
                && matches!(other.state, RebuildState::Building | RebuildState::Switching)
                && other.key.is_none()
        };
        self.told.rebuild.key.is_none() && all.iter().any(is_other)
    }
}

/// Shows how a rebuild goes until it is over, or nobody has begun with it for so long.
async fn follow(operator: &Operator, begun: Rebuild, wait: Duration) -> Result<Rebuild, Fault> {
    let bar = progress::of(begun.of, "events");
    let (mut last, since) = (begun, Instant::now());
    while last.state.is_under_way() {
        if last.state == RebuildState::Asked && since.elapsed() >= wait {
            break;
        }
        tokio::time::sleep(LOOK).await;
        let all = operator.rebuilds().await?;
        let is_it = |found: &Rebuild| {
            found.projection == last.projection
                && found.version == last.version
                && found.key == last.key
        };
        match all.into_iter().find(is_it) {
            Some(found) => last = found,
            None => break,
        }
        progress::set_length(&bar, last.of.max(last.events));
        bar.set_position(last.events);
    }
    bar.finish_and_clear();
    Ok(last)
}

impl Listing {
    /// Tells of all rebuilds.
    pub(super) async fn run(self, store: &Store, console: &mut Console) -> Result<Verdict, Fault> {
        let mut rebuilds = operator(store)?.rebuilds().await?;
        rebuilds.sort_by_key(|rebuild| (!rebuild.state.is_under_way(), Reverse(rebuild.told_at)));
        let more = rebuilds.len().saturating_sub(self.limit);
        rebuilds.truncate(self.limit);
        let readers = store.readers().await?;
        let told = rebuilds.into_iter().map(|rebuild| Told::new(rebuild, &readers));
        console.answer(&All { rebuilds: told.collect(), more })?;
        Ok(Verdict::Fine)
    }
}

impl Cancelling {
    /// Cancels a rebuild.
    pub(super) async fn run(self, store: &Store, console: &mut Console) -> Result<Verdict, Fault> {
        let Self { named, key, asked_at } = self;
        let CatalogEntry { projection, version, .. } = named.find(store).await?;
        let operator = operator(store)?;
        let is_it = |found: &Rebuild| {
            (&found.projection, found.version, &found.key) == (&projection, version, &key)
                && found.state.is_under_way()
        };
        let found = operator.rebuilds().await?.into_iter().find(is_it);
        // Without one, nobody is asked: whoever wants to cancel it is told so.
        let Some(mut seen) = found else {
            return Err(EngineError::NotRebuilding { projection }.into());
        };
        seen.asked_at = asked_at.unwrap_or(seen.asked_at);
        // Of one row nothing is dropped: the row that is there stays.
        if key.is_none() {
            console.confirm(&format!(
                "drops what is built anew of projection `{projection}` (version {version}), asked for at {}: {} of {} events are done",
                seen.asked_at, seen.events, seen.of
            ))?;
        }
        let cancelled = operator.cancel_seen_rebuild(&seen).await?;
        console.answer(&Told::new(cancelled, &store.readers().await?))?;
        Ok(Verdict::Fine)
    }
}

impl Loading {
    /// Changes how much a rebuild may ask of the database.
    pub(super) async fn run(self, store: &Store, console: &mut Console) -> Result<Verdict, Fault> {
        let CatalogEntry { projection, version, .. } = self.named.find(store).await?;
        let (operator, load) = (operator(store)?, self.load.wanted());
        let changed = match &self.key {
            Some(key) => operator.set_rebuild_key_load(&projection, version, key, load).await?,
            None => operator.set_rebuild_load(&projection, version, load).await?,
        };
        console.answer(&Told::new(changed, &store.readers().await?))?;
        Ok(Verdict::Fine)
    }
}

impl Told {
    fn name(&self) -> String {
        let Rebuild { projection, version, key, .. } = &self.rebuild;
        let name = format!("projection `{}` (version {version})", safe(projection));
        match key {
            Some(key) => format!("row `{}` of {name}", safe(key)),
            None => name,
        }
    }
}

impl Answer for Outcome {
    fn text(&self) -> String {
        let Self { told, parked, paused, owners, first, .. } = self;
        if told.rebuild.state == RebuildState::Asked && !owners.is_empty() {
            let owners: Vec<String> = owners.iter().map(|owner| safe(owner)).collect();
            let begins = match self.waits {
                Waits::ForTheNextLook => "begins when it looks next",
                Waits::ForOthers => "begins once other rebuilds are done",
                Waits::InVain => {
                    "has not begun: it may make no tables, its release does not know all columns, or it has not looked in this time"
                }
            };
            return format!(
                "the rebuild of {} is asked for; `{}` runs it, and {begins}",
                told.name(),
                owners.join("`, `")
            );
        }
        let mut text = told.text();
        match (first, &told.rebuild.key) {
            (Some(event), Some(_)) => {
                let (position, error) = (event.position, safe(&event.error));
                // Writing to a text does not fail.
                let _ = write!(text, ", and is parked at position {position}: {error}");
            }
            (Some(_), None) => {
                let rows = span::count(*parked as u64, "row");
                let _ = write!(text, "; {rows} with parked events: see `parked list`");
            }
            (None, _) => {}
        }
        if *paused && told.rebuild.state == RebuildState::Done && told.rebuild.key.is_none() {
            let at = told.rebuild.position;
            let _ = write!(text, "; it is paused still, at position {at}");
        }
        text
    }
}

impl Answer for Told {
    fn text(&self) -> String {
        let Rebuild { key, state, events, of, worked, error, .. } = &self.rebuild;
        let name = self.name();
        let (so_many, done) = (span::count(*of, "event"), span::count(*events, "event"));
        let took = span::text(Duration::from_millis(*worked));
        match state {
            RebuildState::Done if key.is_some() && *events == 0 => {
                format!("{name} is gone: no event of the log goes to it")
            }
            RebuildState::Done if key.is_some() => format!("{name} is rebuilt of {done}"),
            RebuildState::Done => format!("{name} is rebuilt: {done} in {took}"),
            RebuildState::Cancelled => format!(
                "{name} is as it was: the rebuild was cancelled after {events} of {so_many}"
            ),
            RebuildState::Failed => {
                let why = error.as_deref().unwrap_or("nobody knows why");
                format!("{name} is as it was: the rebuild failed: {}", safe(why))
            }
            RebuildState::Asked => format!("{name} is to be rebuilt, as soon as somebody runs it"),
            _ if self.left => format!(
                "the rebuild of {name} is left after {events} of {so_many}: it goes on as soon as somebody runs it"
            ),
            _ => format!("{name} is being rebuilt: {events} of {so_many}"),
        }
    }
}

impl Answer for All {
    fn text(&self) -> String {
        let head = [
            "NAME",
            "#VERSION",
            "ROW",
            "STATE",
            "#EVENTS",
            "#OF",
            "#PER SECOND",
            "#LEFT",
            "BY",
            "ERROR",
        ];
        let mut table = Table::new(head);
        for Told { rebuild, rate, seconds_left, left: is_left } in &self.rebuilds {
            let left = seconds_left.map(Duration::from_secs_f64);
            let goes_on =
                rebuild.state.is_under_way() && rebuild.state != RebuildState::Asked && !is_left;
            let of_what_goes_on = |text: String| if goes_on { text } else { String::new() };
            table.row([
                rebuild.projection.clone(),
                rebuild.version.to_string(),
                cut(rebuild.key.as_deref().unwrap_or("(all)"), 40),
                if *is_left { "left" } else { rebuild.state.as_str() }.to_owned(),
                rebuild.events.to_string(),
                rebuild.of.to_string(),
                of_what_goes_on(format!("{rate:.0}")),
                of_what_goes_on(left.map_or_else(|| "?".to_owned(), span::text)),
                rebuild.by.clone().unwrap_or_default(),
                cut(rebuild.error.as_deref().unwrap_or_default(), 60),
            ]);
        }
        let mut text = table.text("nothing was ever rebuilt");
        text.push_str(&more(self.more));
        text
    }
}
