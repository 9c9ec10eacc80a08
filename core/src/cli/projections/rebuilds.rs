//! `projections rebuild`, `rebuilds`, `set-load` and `cancel`: rows built anew.

use std::cmp::Reverse;
use std::time::{Duration, Instant};

use clap::Args;

use super::rebuild_answers::{All, Outcome, Told, Waits};
use super::{Named, differences, operator};
use crate::cli::app::{Fault, Store, Verdict};
use crate::cli::console::Console;
use crate::cli::{progress, span};
use crate::projection::{CatalogEntry, EngineError, Operator, Rebuild, RebuildLoad, RebuildState};
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
