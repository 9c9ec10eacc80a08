//! `streams`: one of them, or those that are longest or grow fastest.

use clap::{Args, Subcommand};
use serde::Serialize;

use super::app::{Fault, Store, Verdict};
use super::console::{Answer, Console};
use super::events::Shown;
use super::table::Table;
use super::{progress, span};
use crate::position::Position;
use crate::store::{ReadStream, StreamSize};
use crate::stream::StreamId;
use crate::timestamp::Timestamp;

/// How many streams are looked at at once.
const PAGE: usize = 10_000;

#[derive(Debug, Subcommand)]
pub(super) enum Streams {
    /// Show a stream: how long it is, and its last events
    Show {
        /// The stream, as `category-id`
        stream: String,
        /// How many of its last events
        #[arg(long, default_value_t = 10)]
        events: usize,
    },
    /// Show the streams that are longest, and those that grew most of late
    Stats(Stats),
}

#[derive(Debug, Args)]
pub(super) struct Stats {
    /// Only streams of this category; those that grew are told of all
    #[arg(long)]
    category: Option<String>,
    /// How many streams of each kind
    #[arg(long, default_value_t = 10)]
    limit: usize,
    /// Of late: so many events of the log
    #[arg(long, value_name = "EVENTS", default_value_t = 100_000)]
    window: u64,
}

/// `{"stream", "category", "version", "position", "recorded_at", "events": [the events, newest last]}`.
#[derive(Serialize)]
#[expect(clippy::struct_field_names, reason = "these are the names in the JSON")]
struct Stream {
    stream: StreamId,
    category: String,
    version: u64,
    position: Position,
    recorded_at: Timestamp,
    events: Vec<Shown>,
}

/// `{"streams", "events", "longest": […], "growing": […], "window"}`: `streams` and `events` count what was looked at for the
/// longest; each stream is `{"stream", "version", "events", "last_at"}`, where `events` of a growing one are those of the window.
#[derive(Serialize)]
struct Statistics {
    streams: u64,
    events: u64,
    longest: Vec<Size>,
    growing: Vec<Size>,
    window: u64,
}

#[derive(Serialize)]
struct Size {
    stream: StreamId,
    version: u64,
    events: u64,
    last_at: Timestamp,
}

impl From<StreamSize> for Size {
    fn from(size: StreamSize) -> Self {
        let StreamSize { stream_id, version, events, last_at } = size;
        Self { stream: stream_id, version, events, last_at }
    }
}

impl Streams {
    pub(super) async fn run(self, store: Store, console: &mut Console) -> Result<Verdict, Fault> {
        match self {
            Self::Show { stream, events } => show(&store, console, stream, events).await,
            Self::Stats(stats) => stats.run(&store, console).await,
        }
    }
}

async fn show(
    store: &Store,
    console: &mut Console,
    name: String,
    events: usize,
) -> Result<Verdict, Fault> {
    let stream = StreamId::from_name(name);
    let head = store.stream_head(&stream).await?;
    if head.version == 0 {
        return Err(Fault::Absent(format!("stream `{stream}` has no events")));
    }
    let mut shown = Vec::new();
    if events > 0 {
        let read = ReadStream::new(stream.clone()).backwards().limit(events.min(10_000));
        let page = store.stream_page(&read).await?;
        shown = page.events.iter().map(|event| Shown::of(store, event)).collect();
        shown.reverse();
    }
    console.answer(&Stream {
        category: stream.category().to_owned(),
        stream,
        version: head.version,
        position: head.position,
        recorded_at: head.recorded_at,
        events: shown,
    })?;
    Ok(Verdict::Fine)
}

impl Stats {
    async fn run(self, store: &Store, console: &mut Console) -> Result<Verdict, Fault> {
        let Self { category, limit, window } = self;
        if let Some(category) = &category {
            super::events::find_category(store, category).await?;
        }
        let bar = progress::counting("streams");
        let mut longest: Vec<StreamSize> = Vec::new();
        let (mut streams, mut events) = (0, 0);
        // Names are in order, so that those of a category stand together.
        let mut after = category.as_ref().map(|category| StreamId::new(category, ""));
        loop {
            let page = store.stream_heads(after.as_ref(), PAGE).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.stream_id.clone());
            let is_wanted = |size: &StreamSize| {
                category.as_ref().is_none_or(|category| size.stream_id.category() == category)
            };
            let ends = !page.iter().all(is_wanted);
            for size in page.into_iter().filter(is_wanted) {
                streams += 1;
                events += size.version;
                longest.push(size);
            }
            longest.sort_by(|one, two| {
                two.version.cmp(&one.version).then_with(|| one.stream_id.cmp(&two.stream_id))
            });
            longest.truncate(limit);
            bar.set_position(streams);
            if ends {
                break;
            }
        }
        let after = Position::from(store.head().await?.get().saturating_sub(window));
        let growing = store.grown_streams(after, limit).await?;
        bar.finish_and_clear();
        console.answer(&Statistics {
            streams,
            events,
            longest: longest.into_iter().map(Size::from).collect(),
            growing: growing.into_iter().map(Size::from).collect(),
            window,
        })?;
        Ok(Verdict::Fine)
    }
}

impl Answer for Stream {
    fn text(&self) -> String {
        let Self { stream, version, position, recorded_at, events, .. } = self;
        let mut text = format!(
            "{}: version {version}, last at position {position} on {recorded_at}\n",
            super::console::safe(stream.as_str())
        );
        if !events.is_empty() {
            text.push('\n');
            text.push_str(&super::events::table(events));
        }
        text
    }
}

impl Answer for Statistics {
    fn text(&self) -> String {
        let table = |sizes: &[Size]| {
            let mut table = Table::new(["STREAM", "#VERSION", "#EVENTS", "LAST AT"]);
            for Size { stream, version, events, last_at } in sizes {
                let (version, events) = (version.to_string(), events.to_string());
                table.row([stream.to_string(), version, events, last_at.to_string()]);
            }
            table.text("no stream")
        };
        let Self { streams, events, longest, growing, window } = self;
        format!(
            "{} with {}; the longest:\n\n{}\nof the last {window} events, most are in:\n\n{}",
            span::count(*streams, "stream"),
            span::count(*events, "event"),
            table(longest),
            table(growing),
        )
    }
}
