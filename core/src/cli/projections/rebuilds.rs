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
use crate::cli::reader::owner;
use crate::cli::table::{Table, more};
use crate::cli::{parked, progress, span};
use crate::projection::{
    CatalogEntry, EngineError, Operator, ParkedEvent, Rebuild, RebuildLoad, RebuildState,
};
use crate::store::CheckpointId;
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
/// …}`; `key` is null of all rows; `state` is `asked`, `building`, `switching`, `done`, `cancelled` or `failed`.
#[derive(Serialize)]
struct Told {
    #[serde(flatten)]
    rebuild: Rebuild,
    rate: f64,
    seconds_left: Option<f64>,
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
    /// Why the first of what is parked is.
    #[serde(skip)]
    first: Option<ParkedEvent>,
}

/// `{"rebuilds": […], "more"}`: of each projection the last one of all rows, and the last one of each row; those that are under way
/// come first, then those that were last told of; `more` counts those that are not listed.
#[derive(Serialize)]
struct All {
    rebuilds: Vec<Told>,
    more: usize,
}

impl From<Rebuild> for Told {
    fn from(rebuild: Rebuild) -> Self {
        let (rate, left) = (rebuild.rate(), rebuild.left());
        Self { rate, seconds_left: left.map(|left| left.as_secs_f64()), rebuild }
    }
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
        let CatalogEntry { projection, version, paused, .. } = named.find(store).await?;
        let operator = operator(store)?;
        if dry_run {
            return differences::tell(&operator, (projection, version), load.wanted(), console)
                .await;
        }
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
        let outcome = Outcome::of(told, store).await?;
        let is_wrong = !detach && !is_done || outcome.parked > 0;
        console.answer(&outcome)?;
        Ok(Verdict::wrong_if(is_wrong))
    }
}

impl Outcome {
    async fn of(told: Rebuild, store: &Store) -> Result<Self, Fault> {
        let catalog = store.catalog().await?;
        let is_it = |entry: &&CatalogEntry| {
            (&entry.projection, entry.version) == (&told.projection, told.version)
        };
        let mut outcome = Self {
            parked: 0,
            paused: false,
            owners: BTreeSet::new(),
            first: None,
            told: Told::from(told.clone()),
        };
        let Some(entry) = catalog.iter().find(is_it) else { return Ok(outcome) };
        outcome.paused = entry.paused;
        let reader = entry.reader();
        let is_its = |id: &CheckpointId| (&id.name, id.version) == (&reader.name, reader.version);
        let readers = store.readers().await?;
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
        console.answer(&All { rebuilds: rebuilds.into_iter().map(Told::from).collect(), more })?;
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
        console.answer(&Told::from(cancelled))?;
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
        console.answer(&Told::from(changed))?;
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
        let Self { told, parked, paused, owners, first } = self;
        if told.rebuild.state == RebuildState::Asked && !owners.is_empty() {
            let owners: Vec<String> = owners.iter().map(|owner| safe(owner)).collect();
            return format!(
                "the rebuild of {} is asked for; `{}` runs it, and begins once other rebuilds are done, unless it may make no tables",
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
        for Told { rebuild, rate, seconds_left } in &self.rebuilds {
            let left = seconds_left.map(Duration::from_secs_f64);
            let goes_on = rebuild.state.is_under_way();
            let of_what_goes_on = |text: String| if goes_on { text } else { String::new() };
            table.row([
                rebuild.projection.clone(),
                rebuild.version.to_string(),
                cut(rebuild.key.as_deref().unwrap_or("(all)"), 40),
                rebuild.state.as_str().to_owned(),
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
