//! `processes resume` and `processes skip`: what a person decides of one that has stopped, done by whoever runs it.

use std::time::Duration;

use clap::Args;
use serde::Serialize;

use super::category;
use crate::cli::app::{Fault, Store, Verdict};
use crate::cli::console::{Answer, Console, safe};
use crate::cli::reader::{Kind, Of};
use crate::cli::requests::{ask_and_wait, forget};
use crate::cli::{linked, span};
use crate::position::Position;
use crate::request::{Request, Wish};
use crate::store::CheckpointId;
use crate::timestamp::Timestamp;

#[derive(Debug, Args)]
pub(in crate::cli) struct Resumed {
    /// The process manager or reactor
    name: String,
    /// How long to wait for somebody who runs it
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = span::parse)]
    wait: Duration,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Skipped {
    /// The process manager or reactor
    name: String,
    /// The position of the event
    position: u64,
    /// How long to wait for it to read on
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = span::parse)]
    wait: Duration,
}

/// `{"kind", "name", "did", "done"}`: `done` is false of what nobody has done, since nobody runs it.
#[derive(Serialize)]
struct Changed {
    kind: Kind,
    name: String,
    did: &'static str,
    done: bool,
}

impl Resumed {
    pub(super) async fn run(self, store: &Store, console: &mut Console) -> Result<Verdict, Fault> {
        let Self { name, wait } = self;
        let kind = find(store, &name).await?;
        let wish = Wish::Resume { asked_at: Timestamp::now() };
        let asked = [Request::new(reader(kind, &name), wish)];
        let done = ask_and_wait(store, &asked, wait).await?;
        if !done {
            forget(store, &asked).await?;
        }
        console.answer(&Changed { kind, name, did: "resumed", done })?;
        Ok(Verdict::wrong_if(!done))
    }
}

impl Skipped {
    pub(super) async fn run(self, store: &Store, console: &mut Console) -> Result<Verdict, Fault> {
        let Self { name, position, wait } = self;
        let kind = find(store, &name).await?;
        let (reader, position) = (reader(kind, &name), Position::from(position));
        let what = kind.as_str();
        let stands = store.checkpoint(&reader).await?.unwrap_or_default();
        if stands >= position {
            return Err(Fault::Absent(format!(
                "{what} `{name}` is at position {stands} already: it has not stopped at {position}"
            )));
        }
        console.confirm(&format!(
            "has {what} `{name}` pass over the event at position {position} for good: no process ever takes it"
        ))?;
        let asked = [Request::new(reader.clone(), Wish::Skip { position })];
        if !ask_and_wait(store, &asked, wait).await? {
            forget(store, &asked).await?;
        }
        // Whoever runs it takes back what cannot be done, too.
        let skips = CheckpointId { name: format!("{}/skipped", reader.name), ..reader };
        let skipped = store.parked(&skips, None).await?;
        if skipped.iter().all(|skipped| skipped.position != position) {
            return Err(Fault::Absent(format!(
                "nobody has passed over position {position}: no engine runs {what} `{name}`, or it has not stopped there"
            )));
        }
        console.answer(&Changed { kind, name, did: "skipped", done: true })?;
        Ok(Verdict::Fine)
    }
}

/// The reader of a process manager's or reactor's events.
pub(super) fn reader(kind: Kind, name: &str) -> CheckpointId {
    CheckpointId { name: category(kind, name), version: 1, shard: 0 }
}

/// What has a name: of those that the program links, or else of those that the store knows.
pub(super) async fn find(store: &Store, name: &str) -> Result<Kind, Fault> {
    let linked = linked::processes();
    if let Some((kind, _)) = linked.iter().find(|(_, linked)| *linked == name) {
        return Ok(*kind);
    }
    let readers = store.readers().await?;
    let kept = readers.iter().filter_map(|reader| Of::reader(&reader.id));
    let mut kept = kept.filter(|of| matches!(of.kind, Kind::Process | Kind::Reactor));
    if let Some(of) = kept.find(|of| of.name == name) {
        return Ok(of.kind);
    }
    let known: Vec<&str> = linked.iter().map(|(_, linked)| *linked).collect();
    Err(linked::absent("process manager or reactor", name, &known))
}

impl Answer for Changed {
    fn text(&self) -> String {
        let Self { kind, name, did, done } = self;
        let name = format!("{} `{}`", kind.as_str(), safe(name));
        match (*did, done) {
            ("skipped", _) => format!("{name} has passed over the event, and reads on"),
            (_, true) => format!("{name} is {did}"),
            (_, false) => format!("nobody runs {name} now: nothing was done"),
        }
    }
}
