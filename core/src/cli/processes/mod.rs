//! `processes`: how the process managers and reactors are.

mod changes;
mod list;
mod shards;

use std::fmt::Write as _;

use clap::Subcommand;
use serde::Serialize;
use serde_json::Value;

use self::shards::Dividing;
use super::app::{Fault, Store, Verdict};
use super::console::{Answer, Console, safe, safe_lines};
use super::reader::Kind;
use super::table::Table;
use super::{linked, parked, span};
use crate::process::{AskedCommand, StepRecord, category_of, category_of_reactor};
use crate::store::ReadStream;
use crate::stream::StreamId;
use crate::timestamp::Timestamp;

/// How many commands that wait to go out are counted at most.
const COUNTED: usize = 1_000;

#[derive(Debug, Subcommand)]
pub(super) enum Processes {
    /// List the process managers and reactors: how far they are, what waits, who runs them; exits with 3 if one is behind or has parked
    List(list::Listing),
    /// Show one process: its state, its last steps, what it waits for
    Show {
        /// The process manager
        name: String,
        /// The id of the process
        id: String,
        /// How many of its last steps
        #[arg(long, default_value_t = 5)]
        steps: usize,
    },
    /// List the processes that wait for a person; exits with 3 if there are any
    Parked {
        /// How many at most
        #[arg(long, default_value_t = 100)]
        limit: usize,
    },
    /// Have one read on that has stopped at an event which could not be read, once that is mended
    Resume(changes::Resumed),
    /// Have one pass over an event at which it has stopped, for good, and read on
    Skip(changes::Skipped),
    /// Have one divided into so many shards, once what is under way has come to its end; exits with 3 if it is not yet
    Shards(Dividing),
}

/// `{"process", "id", "stream", "version", "ended", "state", "deadlines", "unsent", "steps"}`: `state` is null of one that has
/// ended; `unsent` are the commands that have not been answered; of the steps, the newest comes last.
#[derive(Serialize)]
struct Shown {
    process: String,
    id: String,
    stream: StreamId,
    version: u64,
    ended: bool,
    state: Option<Value>,
    deadlines: Vec<Due>,
    unsent: Vec<Unsent>,
    steps: Vec<Step>,
}

#[derive(Serialize)]
struct Due {
    name: String,
    due: Timestamp,
}

#[derive(Serialize)]
struct Unsent {
    command: String,
    key: String,
}

#[derive(Serialize)]
struct Step {
    version: u64,
    at: Timestamp,
    cause: Value,
    commands: Vec<String>,
}

impl Processes {
    pub(super) async fn run(self, store: Store, console: &mut Console) -> Result<Verdict, Fault> {
        match self {
            Self::List(listing) => listing.run(&store, console).await,
            Self::Shards(dividing) => dividing.run(&store, console).await,
            Self::Show { name, id, steps } => show(&store, console, &name, &id, steps).await,
            Self::Resume(resumed) => resumed.run(&store, console).await,
            Self::Skip(skipped) => skipped.run(&store, console).await,
            Self::Parked { limit } => {
                let mut found = parked::keys(&store, None).await?;
                found.retain(|(of, _)| matches!(of.kind, Kind::Process | Kind::Reactor));
                let verdict = Verdict::wrong_if(!found.is_empty());
                parked::answer(console, found, limit, 0)?;
                Ok(verdict)
            }
        }
    }
}

fn category(kind: Kind, name: &str) -> String {
    if kind == Kind::Reactor { category_of_reactor(name) } else { category_of(name) }
}

async fn show(
    store: &Store,
    console: &mut Console,
    name: &str,
    id: &str,
    count: usize,
) -> Result<Verdict, Fault> {
    let category = category_of(name);
    let stream = StreamId::new(&category, id);
    let read = ReadStream::new(stream.clone()).backwards().limit(count.clamp(1, 1_000));
    let page = store.stream_page(&read).await?;
    let Some(newest) = page.events.first() else {
        let known: Vec<&str> = linked::processes()
            .into_iter()
            .filter(|(kind, _)| *kind == Kind::Process)
            .map(|(_, name)| name)
            .collect();
        return Err(if known.contains(&name) {
            Fault::Absent(format!("process manager `{name}` has no process `{id}`"))
        } else {
            linked::absent("process manager", name, &known)
        });
    };
    let codec = store.codec();
    let read = |error: crate::codec::DecodeError| Fault::Store(error.into());
    let last = StepRecord::read(newest, codec).map_err(read)?;
    let mut steps = Vec::new();
    for event in page.events.iter().take(count).rev() {
        let StepRecord { cause, at, commands, .. } =
            StepRecord::read(event, codec).map_err(read)?;
        let cause = serde_json::to_value(&cause).unwrap_or_default();
        let commands = commands.into_iter().map(|AskedCommand { name, .. }| name).collect();
        steps.push(Step { version: event.stream_version, at, cause, commands });
    }
    let waiting = store.outgoing(&category, 0, COUNTED).await?;
    let unsent = waiting
        .into_iter()
        .filter(|waiting| waiting.command.process == stream)
        .map(|waiting| Unsent { command: waiting.command.command, key: waiting.command.key })
        .collect();
    let state = last.state.and_then(|state| serde_json::from_str(state.get()).ok());
    console.answer(&Shown {
        process: name.to_owned(),
        id: id.to_owned(),
        version: newest.stream_version,
        stream,
        ended: last.ends,
        state,
        deadlines: last.deadlines.into_iter().map(|(name, due)| Due { name, due }).collect(),
        unsent,
        steps,
    })?;
    Ok(Verdict::Fine)
}

impl Answer for Shown {
    fn text(&self) -> String {
        let Self { process, id, version, ended, state, deadlines, unsent, steps, .. } = self;
        let (process, id) = (safe(process), safe(id));
        let mut text = format!("process `{id}` of `{process}`, after step {version}");
        text.push_str(if *ended { ": it has ended\n" } else { "\n" });
        if let Some(state) = state {
            let state = serde_json::to_string_pretty(state).unwrap_or_default();
            let _ = write!(text, "\n{}\n", safe_lines(&state));
        }
        for Due { name, due } in deadlines {
            let left = span::text(due.since(Timestamp::now()));
            let left = if left == "0s" { "due".to_owned() } else { format!("in {left}") };
            let _ = write!(text, "\ndeadline {} on {due}, {left}", safe(name));
        }
        for Unsent { command, key } in unsent {
            let _ = write!(text, "\nunanswered: {}, under the key {}", safe(command), safe(key));
        }
        if !deadlines.is_empty() || !unsent.is_empty() {
            text.push('\n');
        }
        let mut table = Table::new(["#STEP", "AT", "CAUSE", "COMMANDS"]);
        for Step { version, at, cause, commands } in steps {
            let cause = super::console::cut(&cause.to_string(), 80);
            table.row([version.to_string(), at.to_string(), cause, commands.join(", ")]);
        }
        format!("{text}\n{}", table.text("no steps"))
    }
}
