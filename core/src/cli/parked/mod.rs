//! `parked`: events that could not be applied, and wait for a person.

mod asked;

use std::fmt::Write as _;

use clap::Subcommand;
use serde::Serialize;

use super::app::{Fault, Store, Verdict};
use super::console::{Answer, Console, cut, safe, safe_lines};
use super::reader::{ALL, Kind, Of};
use super::table::{Table, more};
use super::{linked, sagas, span};
use crate::position::Position;
use crate::projection::ParkedEvent;
use crate::store::ParkedKey;
use crate::stream::StreamId;
use crate::timestamp::Timestamp;

/// How many letters of an error stand in a table.
const CUT: usize = 60;

/// How many keys are looked at at most for those that are meant.
const MOST: usize = 100_000;

#[derive(Debug, Subcommand)]
pub(super) enum Parked {
    /// List what is parked: of each row or process, the event that failed; exits with 3 if there is anything
    List {
        /// Only of this projection, process manager or reactor
        name: Option<String>,
        /// How many at most
        #[arg(long, default_value_t = 100)]
        limit: usize,
    },
    /// Show all that is parked for a row or process, and why
    Show {
        /// The projection, process manager or reactor
        name: String,
        /// The key of the row, or the id of the process, as `list` shows it
        key: String,
        /// The version of the projection; without it, the one that this program links, or the newest
        #[arg(long)]
        version: Option<u32>,
        /// How many events at most
        #[arg(long, default_value_t = 100)]
        limit: usize,
    },
    /// Have whoever runs it try again
    Retry(asked::Chosen),
    /// Have whoever runs it give up: the events are never applied
    Drop(asked::Chosen),
}

/// `{"parked": [{"kind", "name", "generation", "version", "key", "position", "stream", "type", "error", "attempts", "parked_at",
/// "retry_at", "events"}], "more"}`: each is the first event of its key; only projections have `generation` and `version`; `events` are parked for that; `retry_at` is null of what
/// waits for a person; `more` counts the keys that are not listed; with `"sagas"`, how many sagas are parked, if there are any and
/// no name was given: `sagas list` tells of those.
#[derive(Serialize)]
struct Listed {
    parked: Vec<Item>,
    more: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    sagas: Option<usize>,
}

/// `{"events": [as in the list, without "events"], "more"}`: those of one key, in the order of the log; those without an error wait
/// behind the first; `more` counts those that are not shown.
#[derive(Serialize)]
struct All {
    events: Vec<Item>,
    more: usize,
}

#[derive(Serialize)]
struct Item {
    #[serde(flatten)]
    of: Of,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<u32>,
    key: String,
    position: Position,
    stream: StreamId,
    #[serde(rename = "type")]
    event_type: String,
    error: String,
    attempts: u32,
    parked_at: Timestamp,
    retry_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    events: Option<u64>,
}

impl Item {
    fn new(of: Of, event: ParkedEvent, events: Option<u64>) -> Self {
        Self {
            version: (of.kind == Kind::Projection).then_some(event.reader.version),
            of,
            key: event.key,
            position: event.position,
            stream: event.stream_id,
            event_type: event.event_type,
            error: event.error,
            attempts: event.attempts,
            parked_at: event.parked_at,
            retry_at: event.retry_at,
            events,
        }
    }
}

impl Parked {
    pub(super) async fn run(self, store: Store, console: &mut Console) -> Result<Verdict, Fault> {
        match self {
            Self::List { name, limit } => {
                let found = keys(&store, name.as_deref()).await?;
                let sagas = match &name {
                    None => sagas::parked(&store).await?.into_iter().map(|(_, count)| count).sum(),
                    Some(name) if found.is_empty() => {
                        find(&store, name).await?;
                        0
                    }
                    Some(_) => 0,
                };
                let verdict = Verdict::wrong_if(!found.is_empty() || sagas > 0);
                answer(console, found, limit, sagas)?;
                Ok(verdict)
            }
            Self::Show { name, key, version, limit } => {
                let mut events = Vec::new();
                for (of, parked) in of_key(&store, &name, version, Some(&key)).await? {
                    let all = store.parked(&parked.first.reader, Some(&key)).await?;
                    events.extend(all.into_iter().map(|event| Item::new(of.clone(), event, None)));
                }
                let more = events.len().saturating_sub(limit);
                events.truncate(limit);
                console.answer(&All { events, more })?;
                Ok(Verdict::Wrong)
            }
            Self::Retry(chosen) => chosen.run(&store, console, "retried").await,
            Self::Drop(chosen) => chosen.run(&store, console, "dropped").await,
        }
    }
}

/// What is parked of all, or of one by its name; what was skipped is not, and what is parked of rows that are being built neither.
pub(super) async fn keys(store: &Store, name: Option<&str>) -> Result<Vec<(Of, ParkedKey)>, Fault> {
    let found = store.parked_keys(ALL, MOST).await?;
    let catalog = store.catalog().await?;
    let is_built = |of: &Of, key: &ParkedKey| {
        catalog.iter().any(|entry| {
            entry.projection == of.name
                && entry.version == key.first.reader.version
                && entry.building.is_some()
                && entry.building == of.generation
        })
    };
    let found = found.into_iter().filter_map(|key| Some((Of::reader(&key.first.reader)?, key)));
    let is_meant =
        |(of, key): &(Of, ParkedKey)| name.is_none_or(|name| of.name == name) && !is_built(of, key);
    Ok(found.filter(is_meant).collect())
}

/// Tells what is parked.
pub(super) fn answer(
    console: &mut Console,
    found: Vec<(Of, ParkedKey)>,
    limit: usize,
    sagas: usize,
) -> Result<(), Fault> {
    let more = found.len().saturating_sub(limit);
    let items = found.into_iter().take(limit);
    let parked = items.map(|(of, key)| Item::new(of, key.first, Some(key.events))).collect();
    console.answer(&Listed { parked, more, sagas: (sagas > 0).then_some(sagas) })
}

/// What is parked for a key, or for all of one name: of a projection, of one of its versions.
async fn of_key(
    store: &Store,
    name: &str,
    version: Option<u32>,
    key: Option<&str>,
) -> Result<Vec<(Of, ParkedKey)>, Fault> {
    let mut found = keys(store, Some(name)).await?;
    if found.is_empty() {
        find(store, name).await?;
    }
    if let Some(key) = key {
        let known: Vec<String> = found.iter().map(|(_, parked)| parked.first.key.clone()).collect();
        found.retain(|(_, parked)| parked.first.key == key);
        if found.is_empty() {
            let known: Vec<&str> = known.iter().map(String::as_str).take(20).collect();
            return Err(linked::absent(
                &format!("key with parked events of `{name}`"),
                key,
                &known,
            ));
        }
    }
    // Processes and reactors have no versions.
    let version_of = |(of, parked): &(Of, ParkedKey)| {
        (of.kind == Kind::Projection).then_some(parked.first.reader.version)
    };
    let linked = linked::projections().into_iter().filter(|linked| linked.name == name);
    let newest = found.iter().filter_map(version_of).max();
    let wanted = version.or(linked.map(|linked| linked.version).max()).or(newest);
    let is_wanted = |item: &(Of, ParkedKey)| version_of(item).is_none_or(|of| Some(of) == wanted);
    if let (false, Some(wanted), Some(newest)) = (found.iter().any(is_wanted), wanted, newest) {
        let of_key = key.map(|key| format!(" for `{key}`")).unwrap_or_default();
        let hint =
            if version.is_none() { format!("; add --version {newest}") } else { String::new() };
        return Err(Fault::Absent(format!(
            "what is parked{of_key} of `{name}` is of version {newest}, not {wanted}{hint}"
        )));
    }
    found.retain(is_wanted);
    Ok(found)
}

/// Refuses a name that nothing has of which events may be parked, neither what is stored nor what this program links.
async fn find(store: &Store, name: &str) -> Result<(), Fault> {
    if linked::sagas().iter().any(|linked| linked.name == name) {
        return Err(Fault::Absent(format!("`{name}` is a saga: see `sagas list {name}`")));
    }
    let projections = linked::projections().into_iter().map(|linked| linked.name.to_owned());
    let processes = linked::processes().into_iter().map(|(_, linked)| linked.to_owned());
    let catalog = store.catalog().await?.into_iter().map(|entry| entry.projection);
    let readers = store.readers().await?;
    let readers = readers.iter().filter_map(|reader| Of::reader(&reader.id)).map(|of| of.name);
    let known: Vec<String> = projections.chain(processes).chain(catalog).chain(readers).collect();
    if known.iter().any(|known| known == name) {
        return Ok(());
    }
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    Err(linked::absent("projection, process manager or reactor", name, &known))
}

impl Answer for Listed {
    fn text(&self) -> String {
        let head = [
            "OF",
            "#VERSION",
            "KEY",
            "#POSITION",
            "EVENT",
            "#EVENTS",
            "#TRIES",
            "PARKED AT",
            "NEXT TRY",
            "ERROR",
        ];
        let mut table = Table::new(head);
        for item in &self.parked {
            let next = item.retry_at.map_or_else(|| "never".to_owned(), |at| at.to_string());
            table.row([
                item.of.name.clone(),
                item.version.map(|version| version.to_string()).unwrap_or_default(),
                item.key.clone(),
                item.position.to_string(),
                item.event_type.clone(),
                item.events.unwrap_or_default().to_string(),
                item.attempts.to_string(),
                item.parked_at.to_string(),
                next,
                cut(&item.error, CUT),
            ]);
        }
        let mut text = match self.sagas {
            Some(_) if self.parked.is_empty() => String::new(),
            _ => table.text("nothing is parked"),
        };
        text.push_str(&more(self.more));
        if let Some(count) = self.sagas {
            let (is, sagas) =
                (if count == 1 { "is" } else { "are" }, span::count(count as u64, "saga"));
            // Writing to a text does not fail.
            let _ = writeln!(text, "{sagas} {is} parked: see `sagas list`");
        }
        text
    }
}

impl Answer for All {
    fn text(&self) -> String {
        let mut text = String::new();
        for (index, event) in self.events.iter().enumerate() {
            let Item { of, key, position, stream, event_type, error, attempts, parked_at, .. } =
                event;
            if index == 0 {
                let what = if of.kind == Kind::Projection { "row" } else { "process" };
                let version = event.version.map(|version| format!(" (version {version})"));
                let (kind, name) = (of.kind.as_str(), safe(&of.name));
                let version = version.unwrap_or_default();
                text = format!("{kind} `{name}`{version}, {what} `{}`\n", safe(key));
            }
            let event_type = safe(event_type);
            let stream = safe(stream.as_str());
            let _ = write!(
                text,
                "\nposition {position}  {event_type}  in {stream}, parked on {parked_at}\n"
            );
            if error.is_empty() {
                text.push_str("  waits behind the first\n");
            } else {
                let error = safe_lines(error).replace('\n', "\n    ");
                let _ = writeln!(
                    text,
                    "  tried {}: {error}",
                    span::count(u64::from(*attempts), "time")
                );
            }
        }
        if self.more > 0 {
            let _ = write!(text, "\n{}", more(self.more));
        }
        text
    }
}
