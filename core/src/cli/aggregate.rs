//! `aggregate`: its state, now or at an earlier time.

use clap::Subcommand;
use serde::Serialize;
use serde_json::Value;

use super::app::{Fault, Store, Verdict};
use super::console::{Answer, Console, safe, safe_lines};
use super::linked;
use crate::position::Position;
use crate::registry::ShownAggregate;
use crate::repository::Until;
use crate::store::Stores;
use crate::stream::StreamId;
use crate::timestamp::Timestamp;

#[derive(Debug, Subcommand)]
pub(super) enum Aggregate {
    /// Show the state of an aggregate
    Show {
        /// Its stream, as `category-id`
        stream: String,
        /// As it was after this event of its stream
        #[arg(long, value_name = "VERSION", conflicts_with = "as_of")]
        at_version: Option<u64>,
        /// As it was at this instant, such as 2026-03-01T09:00:00Z
        #[arg(long, value_name = "INSTANT")]
        as_of: Option<Timestamp>,
    },
}

/// `{"stream", "version", "position", "recorded_at", "state", "shown"}`: `state` is what a snapshot would hold, and null of an
/// aggregate without snapshots; `shown` is what `Debug` shows, and null without that.
#[derive(Serialize)]
struct Seen {
    stream: StreamId,
    version: u64,
    position: Position,
    recorded_at: Timestamp,
    state: Option<Value>,
    shown: Option<String>,
}

impl Aggregate {
    pub(super) async fn run(self, store: Store, console: &mut Console) -> Result<Verdict, Fault> {
        let Self::Show { stream, at_version, as_of } = self;
        let stream = StreamId::from_name(stream);
        let linked = linked::aggregate(stream.category())?;
        let until = match (at_version, as_of) {
            (Some(version), _) => Until::Version(version),
            (None, Some(instant)) => Until::Instant(instant),
            (None, None) => Until::Head,
        };
        let stores = Stores::from(store);
        let loaded = (linked.show)(stores, stream.id().to_owned(), until).await?;
        let Some(loaded) = loaded else {
            let then = if until == Until::Head { "" } else { " then" };
            return Err(Fault::Absent(format!("`{stream}` does not exist{then}")));
        };
        let ShownAggregate { stream_id, version, position, recorded_at, state, shown } = loaded;
        let state = state.and_then(|json| serde_json::from_str(&json).ok());
        console.answer(&Seen {
            stream: stream_id,
            version,
            position,
            recorded_at,
            state,
            shown,
        })?;
        Ok(Verdict::Fine)
    }
}

impl Answer for Seen {
    fn text(&self) -> String {
        let Self { stream, version, position, recorded_at, .. } = self;
        let stream = safe(stream.as_str());
        let state =
            self.shown.clone().or_else(|| serde_json::to_string_pretty(self.state.as_ref()?).ok());
        let nothing = "its type has neither `Debug` nor snapshots: there is nothing to show";
        let state = state.as_deref().unwrap_or(nothing);
        format!(
            "{stream} at version {version}, position {position}, {recorded_at}\n\n{}\n",
            safe_lines(state)
        )
    }
}
