//! `processes`: how the process managers and reactors are.

mod changes;
mod shards;

use std::fmt::Write as _;

use clap::Subcommand;
use serde::Serialize;
use serde_json::Value;

use self::shards::Dividing;
use super::app::{Fault, Store, Verdict};
use super::console::{Answer, Console, safe, safe_lines};
use super::each_shard::{self, ShardSeen};
use super::reader::{Kind, Of, owner};
use super::table::Table;
use super::{linked, parked, span};
use crate::position::Position;
use crate::process::{AskedCommand, StepRecord, category_of, category_of_reactor};
use crate::store::{CheckpointId, ReadStream, ReaderSeen};
use crate::stream::StreamId;
use crate::timestamp::Timestamp;

/// How many commands that wait to go out are counted at most.
const COUNTED: usize = 1_000;

#[derive(Debug, Subcommand)]
pub(super) enum Processes {
    /// List the process managers and reactors: how far they are, what waits, who runs them
    List {
        /// Show each shard
        #[arg(long)]
        shards: bool,
    },
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

/// `{"head", "processes": [{"kind", "name", "linked", "state", "shards", "owner", "position", "behind", "unsent", "parked"}]}`:
/// `state` is `running`, `stopped` if nobody runs it since an engine has stopped at it, `idle` if nobody runs it, or `new` if nobody ever did; `position` is that of the shard which is furthest
/// behind; `unsent` counts the commands that have not been answered, up to 1000; `parked` counts processes. With `--shards` each has
/// its `each_shard`, a list of [shards](ShardSeen).
#[derive(Serialize)]
struct Listed {
    head: Position,
    processes: Vec<Item>,
}

#[derive(Serialize)]
struct Item {
    kind: Kind,
    name: String,
    linked: bool,
    state: &'static str,
    shards: u32,
    owner: Option<String>,
    position: Option<Position>,
    behind: u64,
    unsent: usize,
    parked: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    each_shard: Option<Vec<ShardSeen>>,
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
            Self::List { shards } => list(&store, console, shards).await,
            Self::Shards(dividing) => dividing.run(&store, console).await,
            Self::Show { name, id, steps } => show(&store, console, &name, &id, steps).await,
            Self::Resume(resumed) => resumed.run(&store, console).await,
            Self::Skip(skipped) => skipped.run(&store, console).await,
            Self::Parked { limit } => {
                let mut found = parked::keys(&store, None).await?;
                found.retain(|(of, _)| matches!(of.kind, Kind::Process | Kind::Reactor));
                let verdict = Verdict::wrong_if(!found.is_empty());
                parked::answer(console, found, limit)?;
                Ok(verdict)
            }
        }
    }
}

fn category(kind: Kind, name: &str) -> String {
    if kind == Kind::Reactor { category_of_reactor(name) } else { category_of(name) }
}

async fn list(store: &Store, console: &mut Console, tells_shards: bool) -> Result<Verdict, Fault> {
    let head = store.head().await?;
    let linked = linked::processes();
    let all = store.readers().await?;
    let is_process = |of: &Of| matches!(of.kind, Kind::Process | Kind::Reactor);
    let kept: Vec<(Of, &ReaderSeen)> = all
        .iter()
        .filter_map(|reader| Some((Of::reader(&reader.id)?, reader)))
        .filter(|(of, _)| is_process(of))
        .collect();
    let mut names: Vec<(Kind, String)> =
        linked.iter().map(|(kind, name)| (*kind, (*name).to_owned())).collect();
    names.extend(kept.iter().map(|(of, _)| (of.kind, of.name.clone())));
    names.sort_by(|one, two| (&one.1, one.0.as_str()).cmp(&(&two.1, two.0.as_str())));
    names.dedup();
    let parked = parked::keys(store, None).await?;
    let mut processes = Vec::new();
    for (kind, name) in names {
        let readers: Vec<&ReaderSeen> = kept
            .iter()
            .filter(|(of, _)| of.kind == kind && of.name == name)
            .map(|(_, reader)| *reader)
            .collect();
        let position = readers.iter().filter_map(|reader| reader.position).min();
        let reader = CheckpointId { name: category(kind, &name), version: 1, shard: 0 };
        let shards = store.standing(&reader).await?.layout.shards;
        let mut owners: Vec<String> =
            readers.iter().filter(|reader| reader.is_held()).map(|reader| owner(reader)).collect();
        owners.sort_unstable();
        owners.dedup();
        let unsent = store.outgoing(&category(kind, &name), 0, COUNTED).await?.len();
        let of_shard = |shard| readers.iter().find(|reader| reader.id.shard == shard).copied();
        let seats = CheckpointId::of_process_seats(&category(kind, &name));
        let stopped = each_shard::stopped(&all, &seats, shards);
        let seen = |shard| {
            let seen = ShardSeen::of(shard, of_shard(shard), head);
            if seen.owner.is_none() && stopped.contains(&shard) { seen.stopped() } else { seen }
        };
        let each_shard = tells_shards.then(|| (0..shards).map(seen).collect());
        processes.push(Item {
            kind,
            linked: linked.iter().any(|linked| *linked == (kind, &*name)),
            state: match (position, owners.is_empty()) {
                (_, false) => "running",
                _ if !stopped.is_empty() => "stopped",
                (Some(_), true) => "idle",
                (None, true) => "new",
            },
            shards,
            owner: (!owners.is_empty()).then(|| owners.join(", ")),
            position,
            behind: position.map_or(0, |position| head.get().saturating_sub(position.get())),
            unsent,
            parked: parked.iter().filter(|(of, _)| of.kind == kind && of.name == name).count(),
            each_shard,
            name,
        });
    }
    console.answer(&Listed { head, processes })?;
    Ok(Verdict::Fine)
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

impl Answer for Listed {
    fn text(&self) -> String {
        let head = [
            "NAME",
            "KIND",
            "STATE",
            "#SHARDS",
            "#POSITION",
            "#BEHIND",
            "#UNSENT",
            "#PARKED",
            "OWNER",
        ];
        let mut table = Table::new(head);
        for item in &self.processes {
            let position = item.position.map_or_else(|| "-".to_owned(), |at| at.to_string());
            let most = if item.unsent == COUNTED { "+" } else { "" };
            table.row([
                item.name.clone(),
                item.kind.as_str().to_owned(),
                item.state.to_owned(),
                item.shards.to_string(),
                position,
                item.behind.to_string(),
                format!("{}{most}", item.unsent),
                item.parked.to_string(),
                item.owner.clone().unwrap_or_default(),
            ]);
        }
        let table = table.text("there are no process managers and no reactors");
        let shards = self.processes.iter().filter_map(|item| {
            Some((&*item.name, item.kind.as_str(), item.each_shard.as_deref()?))
        });
        let shards = match shards.clone().next() {
            Some(_) => format!("\n{}", each_shard::of_processes(shards).text("none has shards")),
            None => String::new(),
        };
        format!("{table}the log ends at position {}\n{shards}", self.head)
    }
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
