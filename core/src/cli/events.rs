//! `events`: as they are stored.

use std::borrow::Cow;
use std::collections::VecDeque;

use clap::{Args, Subcommand};
use futures::TryStreamExt;
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use super::app::{Fault, Store, Verdict};
use super::console::{Answer, Console, cut, safe};
use super::linked;
use super::table::Table;
use crate::causes::chain;
use crate::codec::PayloadOf;
use crate::position::Position;
use crate::recorded_event::RecordedEvent;
use crate::registry::{AggregateRegistration, EventRegistration};
use crate::store::{EventFilter, EventStoreExt, ReadAll};
use crate::stream::StreamId;
use crate::timestamp::Timestamp;

/// How many letters of a payload stand in a table.
const CUT: usize = 60;

#[derive(Debug, Subcommand)]
pub(super) enum Events {
    /// Show one event: what it says, who caused it, and whether this program reads it
    Show {
        /// Its position in the log
        position: u64,
    },
    /// Show the newest events
    Tail(Tail),
}

#[derive(Debug, Args)]
pub(super) struct Tail {
    /// How many
    #[arg(short = 'n', long, default_value_t = 10)]
    events: usize,
    /// Then show what comes, until it is interrupted
    #[arg(short, long)]
    follow: bool,
    /// Only events that are stored under this name; may be given several times
    #[arg(long = "type", value_name = "NAME")]
    types: Vec<String>,
    /// Only events in streams of this category
    #[arg(long)]
    category: Option<String>,
    /// Only events in this stream
    #[arg(long)]
    stream: Option<String>,
}

/// An event: `{"position", "stream", "version", "type", "schema_version", "id", "recorded_at", "data", "metadata",
/// "unreadable"}`; `unreadable` says why this program cannot read it, and is null where it can.
#[derive(Serialize)]
pub(super) struct Shown {
    position: Position,
    stream: StreamId,
    version: u64,
    #[serde(rename = "type")]
    event_type: String,
    schema_version: u32,
    id: Uuid,
    recorded_at: Timestamp,
    data: Value,
    metadata: Value,
    unreadable: Option<String>,
}

impl Shown {
    pub(super) fn of(store: &Store, event: &RecordedEvent) -> Self {
        let opened = opened(store, event);
        let (data, unreadable) = match &opened {
            Ok(json) => (serde_json::from_str(json).unwrap_or_default(), unreadable(event, json)),
            Err(error) => (Value::Null, Some(error.clone())),
        };
        Self {
            position: event.position,
            stream: event.stream_id.clone(),
            version: event.stream_version,
            event_type: event.event_type.clone().into_owned(),
            schema_version: event.schema_version,
            id: event.id,
            recorded_at: event.recorded_at,
            data,
            metadata: serde_json::to_value(&*event.metadata).unwrap_or_default(),
            unreadable,
        }
    }
}

fn opened<'e>(store: &Store, event: &'e RecordedEvent) -> Result<Cow<'e, str>, String> {
    let of = PayloadOf::Event { stream: event.stream_id.as_str(), event_type: &event.event_type };
    store.codec().open(of, &event.data).map_err(|error| chain(&*Box::from(error)))
}

/// Why this program cannot read an event, if it links its type and cannot.
pub(super) fn fault_of(store: &Store, event: &RecordedEvent) -> Option<String> {
    match opened(store, event) {
        Ok(json) => unreadable(event, &json),
        Err(error) => Some(error),
    }
}

fn unreadable(event: &RecordedEvent, json: &str) -> Option<String> {
    let linked = linked::event(&event.event_type)?;
    (linked.read)(event.stored(json)).err().map(|error| chain(&error))
}

impl Events {
    pub(super) async fn run(self, store: Store, console: &mut Console) -> Result<Verdict, Fault> {
        match self {
            Self::Show { position } => show(&store, console, position).await,
            Self::Tail(tail) => tail.run(&store, console).await,
        }
    }
}

async fn show(store: &Store, console: &mut Console, position: u64) -> Result<Verdict, Fault> {
    let head = store.head().await?;
    let absent =
        || Fault::Absent(format!("no event is at position {position}; the log ends at {head}"));
    if position == 0 || position > head.get() {
        return Err(absent());
    }
    let page = store.log_page(&ReadAll::after(Position::from(position - 1)).limit(1)).await?;
    let event = page.events.first().filter(|event| event.position.get() == position);
    let shown = Shown::of(store, event.ok_or_else(absent)?);
    let is_unreadable = shown.unreadable.is_some();
    console.answer(&Whole(shown))?;
    Ok(Verdict::wrong_if(is_unreadable))
}

impl Tail {
    async fn run(self, store: &Store, console: &mut Console) -> Result<Verdict, Fault> {
        let head = store.head().await?;
        let last = self.last(store, head).await?;
        if last.is_empty() && self.events > 0 {
            self.check(store).await?;
        }
        for event in last {
            console.line(&Line(Shown::of(store, &event)))?;
        }
        if !self.follow {
            return Ok(Verdict::Fine);
        }
        let mut passed = head;
        loop {
            store.wait_for_events(passed).await?;
            let page = store.log_page(&ReadAll::after(passed).filter(self.filter())).await?;
            for event in &page.events {
                console.line(&Line(Shown::of(store, event)))?;
            }
            passed = page.reached;
        }
    }

    /// Refuses names that nothing has, neither what is stored nor what this program links.
    async fn check(&self, store: &Store) -> Result<(), Fault> {
        for name in &self.types {
            let filter = EventFilter::all().event_types([name.clone()]);
            if linked::event(name).is_none() && !is_there(store, filter).await? {
                let known: Vec<_> =
                    EventRegistration::all().map(|linked| linked.event.name).collect();
                return Err(linked::absent("event", name, &known));
            }
        }
        if let Some(category) = &self.category {
            find_category(store, category).await?;
        }
        if let Some(stream) = &self.stream {
            let id = StreamId::from_name(&**stream);
            if store.stream_head(&id).await?.version == 0 {
                return Err(no_stream(stream));
            }
        }
        Ok(())
    }

    fn filter(&self) -> EventFilter {
        let mut filter = EventFilter::all();
        if !self.types.is_empty() {
            filter = filter.event_types(self.types.iter().cloned());
        }
        if let Some(category) = &self.category {
            filter = filter.categories([category.clone()]);
        }
        match &self.stream {
            Some(stream) => filter.streams([StreamId::from_name(&**stream)]),
            None => filter,
        }
    }

    /// The last events up to a position: looked for ever further back until there are enough.
    async fn last(&self, store: &Store, head: Position) -> Result<VecDeque<RecordedEvent>, Fault> {
        let mut last = VecDeque::new();
        let mut back = (self.events as u64).saturating_mul(2).max(1_000);
        loop {
            last.clear();
            let after = Position::from(head.get().saturating_sub(back));
            if after < head && self.events > 0 {
                let mut events = store.read_all(ReadAll::after(after).filter(self.filter()));
                while let Some(event) = events.try_next().await? {
                    if event.position > head {
                        break;
                    }
                    if last.len() == self.events {
                        last.pop_front();
                    }
                    last.push_back(event);
                }
            }
            if last.len() == self.events || after == Position::START {
                return Ok(last);
            }
            back = back.saturating_mul(8);
        }
    }
}

/// Refuses a category that nothing has, neither what is stored nor what this program links.
pub(super) async fn find_category(store: &Store, category: &str) -> Result<(), Fault> {
    let known: Vec<_> = AggregateRegistration::all().map(|linked| linked.category).collect();
    let filter = EventFilter::all().categories([category.to_owned()]);
    if known.contains(&category) || is_there(store, filter).await? {
        return Ok(());
    }
    Err(linked::absent("category", category, &known))
}

/// Says that a stream has no events.
pub(super) fn no_stream(stream: &str) -> Fault {
    Fault::Absent(format!("no stream is named `{stream}`"))
}

async fn is_there(store: &Store, filter: EventFilter) -> Result<bool, Fault> {
    let first = ReadAll::after(Position::START).filter(filter).limit(1);
    Ok(!store.log_page(&first).await?.events.is_empty())
}

/// A table of events.
pub(super) fn table(events: &[Shown]) -> String {
    let mut table = Table::new(["#POSITION", "#VERSION", "RECORDED AT", "TYPE", "DATA"]);
    for event in events {
        table.row([
            event.position.to_string(),
            event.version.to_string(),
            event.recorded_at.to_string(),
            event.event_type.clone(),
            cut(&event.data.to_string(), CUT),
        ]);
    }
    table.text("no events")
}

/// An event in one line.
#[derive(Serialize)]
#[serde(transparent)]
struct Line(Shown);

impl Answer for Line {
    fn text(&self) -> String {
        let Shown { position, stream, version, event_type, recorded_at, data, .. } = &self.0;
        let (stream, event_type) = (safe(stream.as_str()), safe(event_type));
        let data = safe(&data.to_string());
        format!("{position}  {recorded_at}  {stream} @{version}  {event_type}  {data}")
    }
}

/// An event with all that is known of it.
#[derive(Serialize)]
#[serde(transparent)]
struct Whole(Shown);

impl Answer for Whole {
    fn text(&self) -> String {
        let event = &self.0;
        let pretty = |value: &Value| serde_json::to_string_pretty(value).unwrap_or_default();
        let readable = match &event.unreadable {
            None if linked::event(&event.event_type).is_some() => "yes".to_owned(),
            None => "this program does not link its type".to_owned(),
            Some(why) => format!("no: {}", safe(why)),
        };
        format!(
            "position     {}\nstream       {} at version {}\ntype         {}, version {}\nid           {}\nrecorded at  {}\nreadable     {readable}\n\ndata\n{}\n\nmetadata\n{}\n",
            event.position,
            safe(event.stream.as_str()),
            event.version,
            safe(&event.event_type),
            event.schema_version,
            event.id,
            event.recorded_at,
            super::console::safe_lines(&pretty(&event.data)),
            super::console::safe_lines(&pretty(&event.metadata)),
        )
    }
}
