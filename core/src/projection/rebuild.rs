//! What is kept of a rebuild: it outlives whoever asked for it, and whoever does it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::ModelDefinition;
use crate::position::Position;
use crate::store::StoreError;
use crate::timestamp::Timestamp;

/// A rebuild of a projection's rows, as a store keeps it: the last one of all rows, or of one row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Rebuild {
    /// The projection's name.
    pub projection: String,
    /// Its version.
    pub version: u32,
    /// The key of the row, as text; `None` if all rows are written anew.
    pub key: Option<String>,
    /// What has become of it.
    pub state: RebuildState,
    /// How much it may ask of the store.
    pub load: RebuildLoad,
    /// When it was asked for.
    pub asked_at: Timestamp,
    /// When it was last told how it goes.
    pub told_at: Timestamp,
    /// Which engine does it, or did.
    pub by: Option<String>,
    /// The generation that is built.
    pub generation: Option<u32>,
    /// Up to where the log has been read.
    pub position: Position,
    /// How many events are done.
    pub events: u64,
    /// How many there are to do; more may come meanwhile.
    pub of: u64,
    /// For how long it has been worked at, in milliseconds: without pauses between one engine and the next.
    pub worked: u64,
    /// When the new rows first were about to answer, as [`worked`](Self::worked) was then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub switching_since: Option<u64>,
    /// Why it failed, if it did.
    pub error: Option<String>,
    /// How often what is kept has changed. A change is made to what was read, or not at all.
    pub revision: u64,
}

/// What has become of a rebuild.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RebuildState {
    /// It is asked for; an engine that runs the projection takes it up.
    Asked,
    /// An engine builds the new rows. If that one is gone, the next goes on.
    Building,
    /// The new rows are about to answer. It is not cancelled any more.
    Switching,
    /// The new rows answer.
    Done,
    /// Somebody has cancelled it: the rows stay as they were.
    Cancelled,
    /// It cannot go on: the rows stay as they were.
    Failed,
}

impl RebuildState {
    /// The state's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Asked => "asked",
            Self::Building => "building",
            Self::Switching => "switching",
            Self::Done => "done",
            Self::Cancelled => "cancelled",
            Self::Failed => "failed",
        }
    }

    /// Whether an engine does it, or takes it up when it looks.
    pub const fn is_under_way(self) -> bool {
        matches!(self, Self::Asked | Self::Building | Self::Switching)
    }
}

/// How much a rebuild may ask of the store, beside those who read and write meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RebuildLoad {
    /// How many events a second it does at most.
    pub events_per_second: Option<u32>,
    /// How many events a batch of it has at most.
    pub batch: Option<usize>,
    /// For how long it rests after each batch, in milliseconds.
    pub pause: u64,
    /// Over how many connections it reads and writes at most.
    #[serde(default)]
    pub connections: Option<u32>,
}

impl RebuildLoad {
    /// As much as there is.
    pub const fn unlimited() -> Self {
        Self { events_per_second: None, batch: None, pause: 0, connections: None }
    }

    /// Caps how many events a second are done. Less than what is written meanwhile, and it never ends.
    #[must_use]
    pub const fn events_per_second(mut self, events: u32) -> Self {
        self.events_per_second = Some(events);
        self
    }

    /// Caps how many events a batch has.
    #[must_use]
    pub const fn batch(mut self, events: usize) -> Self {
        self.batch = Some(events);
        self
    }

    /// Sets for how long it rests after each batch.
    #[must_use]
    pub fn pause(mut self, pause: Duration) -> Self {
        self.pause = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
        self
    }

    /// Caps over how many connections it reads and writes at once: by default two, since the next events are read while those
    /// before are written. Over one, they take turns. The statements that renew its leases, one each few seconds, come beside.
    #[must_use]
    pub const fn connections(mut self, connections: u32) -> Self {
        self.connections = Some(connections);
        self
    }

    /// Whether the next events may be read while those before are written.
    pub(crate) fn reads_ahead(&self) -> bool {
        self.connections.is_none_or(|connections| connections > 1)
    }

    /// For how long it rests after a batch of so many events that took so long.
    pub(crate) fn rest(&self, events: usize, took: Duration) -> Duration {
        let least = self.events_per_second.map_or(Duration::ZERO, |most| {
            let seconds = events as u64 / u64::from(most.max(1));
            let part = events as u64 % u64::from(most.max(1));
            Duration::from_secs(seconds)
                + Duration::from_micros(part * 1_000_000 / u64::from(most.max(1)))
        });
        least.saturating_sub(took).max(Duration::from_millis(self.pause))
    }
}

impl Rebuild {
    /// Begins one of all rows, or of the row of a key.
    pub fn new(projection: impl Into<String>, version: u32, key: Option<String>) -> Self {
        let now = Timestamp::now();
        Self {
            projection: projection.into(),
            version,
            key,
            state: RebuildState::Asked,
            load: RebuildLoad::default(),
            asked_at: now,
            told_at: now,
            by: None,
            generation: None,
            position: Position::START,
            events: 0,
            of: 0,
            worked: 0,
            switching_since: None,
            error: None,
            revision: 0,
        }
    }

    /// Whether it is of all rows of a projection.
    pub(crate) fn is_of(&self, definition: &ModelDefinition) -> bool {
        self.projection == definition.projection
            && self.version == definition.version
            && self.key.is_none()
    }

    /// Under what a store keeps it, of all those of its projection and version.
    pub fn id(&self) -> String {
        self.key.as_ref().map_or_else(|| "all".to_owned(), |key| format!("row {key}"))
    }

    /// How many events a second it has done; zero before the first ones.
    #[expect(clippy::cast_precision_loss, reason = "a rate")]
    pub fn rate(&self) -> f64 {
        if self.worked == 0 { 0.0 } else { self.events as f64 * 1e3 / self.worked as f64 }
    }

    /// How long it will take still, at its rate; `None` if that is not known yet.
    #[expect(clippy::cast_precision_loss, reason = "an estimate")]
    pub fn left(&self) -> Option<Duration> {
        let left = self.of.saturating_sub(self.events);
        if left == 0 || !self.state.is_under_way() {
            return Some(Duration::ZERO);
        }
        let seconds = left as f64 / self.rate();
        Duration::try_from_secs_f64(seconds).ok()
    }

    /// As it is kept.
    pub fn kept(&self) -> String {
        // Cannot fail: names and numbers only.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Reads what is kept.
    ///
    /// # Errors
    ///
    /// When it does not read as one: a newer release has written it.
    pub fn from_kept(kept: &str) -> Result<Self, StoreError> {
        serde_json::from_str(kept).map_err(|error| {
            StoreError::other("what is kept of a rebuild does not read").with_source(error)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cap_on_events_rests_for_what_the_batch_was_too_quick() {
        let load = RebuildLoad::unlimited().events_per_second(1_000);
        assert_eq!(load.rest(500, Duration::from_millis(100)), Duration::from_millis(400));
        assert_eq!(load.rest(500, Duration::from_secs(2)), Duration::ZERO);
        let load = load.pause(Duration::from_millis(50));
        assert_eq!(load.rest(500, Duration::from_secs(2)), Duration::from_millis(50));
        assert_eq!(RebuildLoad::unlimited().rest(500, Duration::ZERO), Duration::ZERO);
    }

    #[test]
    fn the_time_left_is_told_by_the_rate() {
        let mut rebuild = Rebuild::new("items", 1, None);
        (rebuild.events, rebuild.of) = (0, 100);
        assert_eq!(rebuild.left(), None);
        (rebuild.events, rebuild.worked) = (25, 500);
        assert_eq!(rebuild.left(), Some(Duration::from_millis(1_500)));
        rebuild.state = RebuildState::Done;
        assert_eq!(rebuild.left(), Some(Duration::ZERO));
        assert_eq!(Rebuild::from_kept(&rebuild.kept()).expect("it is one"), rebuild);
    }
}
