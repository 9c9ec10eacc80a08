//! `projections pause`, `resume`, `skip` and `show-version`: what a person changes of one that runs.

use std::time::{Duration, Instant};

use clap::Args;
use serde::Serialize;

use super::{Named, operator, shards};
use crate::cli::app::{Fault, Store, Verdict};
use crate::cli::console::{Answer, Console, safe};
use crate::cli::requests::{LOOK, ask_and_wait, forget};
use crate::cli::{each_shard, span};
use crate::position::Position;
use crate::projection::{CatalogEntry, Showing, Shown};
use crate::request::{Request, Wish};
use crate::store::{CheckpointId, ReaderSeen};
use crate::timestamp::Timestamp;

#[derive(Debug, Args)]
pub(in crate::cli) struct Resumed {
    #[command(flatten)]
    named: Named,
    /// How long to wait for somebody to run it again
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = span::parse)]
    wait: Duration,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Skipped {
    #[command(flatten)]
    named: Named,
    /// The position of the event
    position: u64,
    /// How long to wait for it to go on
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = span::parse)]
    wait: Duration,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ShownVersion {
    /// Its name
    name: String,
    /// The version
    version: u32,
}

/// `{"projection", "version", "did", "done"}`: `done` is false of what nobody has done yet, since nobody runs it.
#[derive(Serialize)]
struct Changed {
    projection: String,
    version: u32,
    did: &'static str,
    done: bool,
}

/// Has one pause, in all programs.
pub(super) async fn pause(
    named: &Named,
    store: &Store,
    console: &mut Console,
) -> Result<Verdict, Fault> {
    let CatalogEntry { projection, version, .. } = named.find(store).await?;
    store.set_paused(&projection, version, true).await?;
    console.answer(&Changed { projection, version, did: "paused", done: true })?;
    Ok(Verdict::Fine)
}

impl Resumed {
    pub(super) async fn run(self, store: &Store, console: &mut Console) -> Result<Verdict, Fault> {
        let entry = self.named.find(store).await?;
        store.set_paused(&entry.projection, entry.version, false).await?;
        // One that has stopped holds no lease: it hears of it by this.
        let asked = shards::of_each(&entry, &Wish::Resume { asked_at: Timestamp::now() });
        let CatalogEntry { projection, version, .. } = entry;
        let done = ask_and_wait(store, &asked, self.wait).await?;
        if !done {
            forget(store, &asked).await?;
        }
        console.answer(&Changed { projection, version, did: "resumed", done })?;
        Ok(Verdict::wrong_if(!done))
    }
}

impl Skipped {
    pub(super) async fn run(self, store: &Store, console: &mut Console) -> Result<Verdict, Fault> {
        let entry = self.named.find(store).await?;
        let position = Position::from(self.position);
        let stands = store.standing(&entry.reader()).await?.lowest();
        let head = store.head().await?;
        let CatalogEntry { projection, version, .. } = entry.clone();
        let skips = CheckpointId::of_skips(&projection, version);
        if position > head {
            return Err(Fault::Absent(format!(
                "the log ends at position {head}: projection `{projection}` has not stopped at {position}"
            )));
        }
        if stands >= position {
            return Err(Fault::Absent(format!(
                "projection `{projection}` is at position {stands} already: it has not stopped at {position}"
            )));
        }
        console.confirm(&format!(
            "has projection `{projection}` pass over the event at position {position} for good: none of its rows will ever say what it says"
        ))?;
        let began = Instant::now();
        let asked = stopped_before(store, &entry, position, self.wait).await?;
        let left = self.wait.saturating_sub(began.elapsed());
        if !ask_and_wait(store, &asked, left).await? {
            forget(store, &asked).await?;
        }
        // Whoever comes past it without a stop takes back what was asked, too, and one shard is enough to have stopped there.
        let skipped = store.parked(&skips, None).await?;
        if skipped.iter().all(|skipped| skipped.position != position) {
            return Err(Fault::Absent(format!(
                "nobody has passed over position {position}: no engine runs projection `{projection}`, or it has not stopped there"
            )));
        }
        console.answer(&Changed { projection, version, did: "skipped", done: true })?;
        Ok(Verdict::Fine)
    }
}

/// What those shards are asked at which an engine has stopped before a position, as soon as there are any. One that runs is not
/// asked: it would pass over the event later, when nobody looks.
async fn stopped_before(
    store: &Store,
    entry: &CatalogEntry,
    position: Position,
    patience: Duration,
) -> Result<Vec<Request>, Fault> {
    let began = Instant::now();
    let reader = entry.reader();
    loop {
        let readers = store.readers().await?;
        let stands = |shard: u32| {
            let is_it = |seen: &&ReaderSeen| {
                (&seen.id.name, seen.id.version, seen.id.shard)
                    == (&reader.name, reader.version, shard)
            };
            readers.iter().find(is_it).and_then(|seen| seen.position).unwrap_or_default()
        };
        let seats = CheckpointId::of_seats(&entry.projection, entry.version);
        let mut stopped = each_shard::stopped(&readers, &seats, entry.shards);
        stopped.retain(|shard| stands(*shard) < position);
        if !stopped.is_empty() || began.elapsed() >= patience {
            let mut asked = shards::of_each(entry, &Wish::Skip { position });
            asked.retain(|request| stopped.contains(&request.reader.shard));
            return Ok(asked);
        }
        tokio::time::sleep(LOOK).await;
    }
}

impl ShownVersion {
    pub(super) async fn run(self, store: &Store, console: &mut Console) -> Result<Verdict, Fault> {
        let named = Named { name: self.name, version: Some(self.version) };
        let CatalogEntry { projection, version, .. } = named.find(store).await?;
        let operator = operator(store)?;
        // Whether it is whole is looked at in the step that shows it: nobody is asked about what is so no more.
        let shown = operator.show_version(&projection, version, Showing::Whole).await?;
        if let Shown::Lacking { behind, parked } = shown {
            let mut lacks = Vec::new();
            if behind > 0 {
                lacks.push(format!("is {behind} behind the log's end"));
            }
            if parked > 0 {
                lacks.push(format!("has {} with parked events", span::count(parked, "row")));
            }
            console.confirm(&format!(
                "has the public name of projection `{projection}` show version {version}, which {}",
                lacks.join(" and ")
            ))?;
            operator.show_version(&projection, version, Showing::AsItIs).await?;
        }
        console.answer(&Changed { projection, version, did: "shown", done: true })?;
        Ok(Verdict::Fine)
    }
}

impl Answer for Changed {
    fn text(&self) -> String {
        let Self { projection, version, did, done } = self;
        let projection = safe(projection);
        let name = format!("projection `{projection}` (version {version})");
        match (*did, done) {
            ("shown", _) => format!("{name} is what the public name shows"),
            ("skipped", _) => format!("{name} has passed over the event, and goes on"),
            (_, true) => format!("{name} is {did}"),
            (_, false) => format!("{name} is {did}, but nobody runs it now"),
        }
    }
}
