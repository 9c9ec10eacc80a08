//! What the commands of rebuilds answer: how each is, as it is kept and as its text says it.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::Duration;

use serde::Serialize;

use crate::cli::app::{Fault, Store};
use crate::cli::console::{Answer, cut, safe};
use crate::cli::reader::{Kind, Of, owner};
use crate::cli::table::{Table, more};
use crate::cli::{parked, span};
use crate::projection::{CatalogEntry, ParkedEvent, Rebuild, RebuildState};
use crate::store::{CheckpointId, ReaderSeen};

/// A rebuild as it is kept: `{"projection", "version", "key", "state", "events", "of", "rate", "seconds_left", "by", "asked_at", "error",
/// "left", …}`; `key` is null of all rows; `state` is `asked`, `building`, `switching`, `done`, `cancelled` or `failed`; `left` says that
/// whoever began it is gone, and nobody has taken it up: then it has no rate, and nobody knows how long it takes, as of one that is only
/// asked for.
#[derive(Serialize)]
pub(super) struct Told {
    #[serde(flatten)]
    rebuild: Rebuild,
    rate: f64,
    seconds_left: Option<f64>,
    left: bool,
}

/// What has become of a rebuild that was asked for: as it is kept, with `"parked"`, the keys with parked events of what was built anew,
/// `"paused"`, whether the projection is, and `"owners"`, who runs it.
#[derive(Serialize)]
pub(super) struct Outcome {
    #[serde(flatten)]
    told: Told,
    pub(super) parked: usize,
    paused: bool,
    owners: BTreeSet<String>,
    /// What it waits for, if it is asked for.
    #[serde(skip)]
    pub(super) waits: Waits,
    /// Why the first of what is parked is.
    #[serde(skip)]
    first: Option<ParkedEvent>,
}

/// What a rebuild waits for that somebody runs, and has not begun.
#[derive(Clone, Copy)]
pub(super) enum Waits {
    /// Whoever runs it looks now and then what is asked for.
    ForTheNextLook,
    /// Others are under way.
    ForOthers,
    /// It was waited for in vain.
    InVain,
}

/// `{"rebuilds": […], "more"}`: of each projection the last one of all rows, and the last one of each row; those that are under way
/// come first, then those that were last told of; `more` counts those that are not listed.
#[derive(Serialize)]
pub(super) struct All {
    pub(super) rebuilds: Vec<Told>,
    pub(super) more: usize,
}

impl Told {
    pub(super) fn new(rebuild: Rebuild, readers: &[ReaderSeen]) -> Self {
        let left = is_left(&rebuild, readers);
        let is_done_now = !left && rebuild.state != RebuildState::Asked;
        let time = rebuild.left().filter(|_| is_done_now);
        let rate = if is_done_now { rebuild.rate() } else { 0.0 };
        Self { rate, seconds_left: time.map(|time| time.as_secs_f64()), left, rebuild }
    }

    fn name(&self) -> String {
        let Rebuild { projection, version, key, .. } = &self.rebuild;
        let name = format!("projection `{}` (version {version})", safe(projection));
        match key {
            Some(key) => format!("row `{}` of {name}", safe(key)),
            None => name,
        }
    }
}

/// Whether a rebuild was begun, and nobody is at it: who does all rows has a lease for it, who does one row that of its shard.
pub(super) fn is_left(rebuild: &Rebuild, readers: &[ReaderSeen]) -> bool {
    let Rebuild { projection, version, state, key, .. } = rebuild;
    let lease = CheckpointId::of_rebuild(projection, *version);
    let is_its = |id: &CheckpointId| match key {
        None => *id == lease,
        Some(_) => {
            id.version == *version
                && Of::reader(id)
                    .is_some_and(|of| of.kind == Kind::Projection && of.name == *projection)
        }
    };
    let is_at_it = readers.iter().any(|reader| reader.is_held() && is_its(&reader.id));
    state.is_under_way() && *state != RebuildState::Asked && !is_at_it
}

impl Outcome {
    pub(super) async fn of(told: Rebuild, store: &Store) -> Result<Self, Fault> {
        let (catalog, readers) = (store.catalog().await?, store.readers().await?);
        let is_it = |entry: &&CatalogEntry| {
            (&entry.projection, entry.version) == (&told.projection, told.version)
        };
        let mut outcome = Self {
            parked: 0,
            paused: false,
            owners: BTreeSet::new(),
            waits: Waits::ForTheNextLook,
            first: None,
            told: Told::new(told.clone(), &readers),
        };
        let Some(entry) = catalog.iter().find(is_it) else { return Ok(outcome) };
        outcome.paused = entry.paused;
        let reader = entry.reader();
        let is_its = |id: &CheckpointId| (&id.name, id.version) == (&reader.name, reader.version);
        let held = readers.iter().filter(|reader| reader.is_held() && is_its(&reader.id));
        outcome.owners = held.map(owner).collect();
        if told.state == RebuildState::Done {
            let mut parked = parked::keys(store, Some(&told.projection)).await?;
            parked.retain(|(_, parked)| {
                is_its(&parked.first.reader)
                    && told.key.as_ref().is_none_or(|key| *key == parked.first.key)
            });
            outcome.parked = parked.len();
            outcome.first = parked.into_iter().next().map(|(_, parked)| parked.first);
        }
        Ok(outcome)
    }

    /// Whether rebuilds of all rows are under way beside it.
    pub(super) fn has_others(&self, all: &[Rebuild]) -> bool {
        let Rebuild { projection, version, .. } = &self.told.rebuild;
        let is_other = |other: &Rebuild| {
            (&other.projection, other.version) != (projection, *version)
                && matches!(other.state, RebuildState::Building | RebuildState::Switching)
                && other.key.is_none()
        };
        self.told.rebuild.key.is_none() && all.iter().any(is_other)
    }
}

impl Answer for Outcome {
    fn text(&self) -> String {
        let Self { told, parked, paused, owners, first, .. } = self;
        if told.rebuild.state == RebuildState::Asked && !owners.is_empty() {
            let owners: Vec<String> = owners.iter().map(|owner| safe(owner)).collect();
            let begins = match self.waits {
                Waits::ForTheNextLook => "begins when it looks next",
                Waits::ForOthers => "begins once other rebuilds are done",
                Waits::InVain => {
                    "has not begun: it may make no tables, its release does not know all columns, or it has not looked in this time"
                }
            };
            return format!(
                "the rebuild of {} is asked for; `{}` runs it, and {begins}",
                told.name(),
                owners.join("`, `")
            );
        }
        let mut text = told.text();
        match (first, &told.rebuild.key) {
            (Some(event), Some(_)) => {
                let (position, error) = (event.position, safe(&event.error));
                // Writing to a text does not fail.
                let _ = write!(text, ", and is parked at position {position}: {error}");
            }
            (Some(_), None) => {
                let rows = span::count(*parked as u64, "row");
                let _ = write!(text, "; {rows} with parked events: see `parked list`");
            }
            (None, _) => {}
        }
        if *paused && told.rebuild.state == RebuildState::Done && told.rebuild.key.is_none() {
            let at = told.rebuild.position;
            let _ = write!(text, "; it is paused still, at position {at}");
        }
        text
    }
}

impl Answer for Told {
    fn text(&self) -> String {
        let Rebuild { key, state, events, of, worked, error, .. } = &self.rebuild;
        let name = self.name();
        let (so_many, done) = (span::count(*of, "event"), span::count(*events, "event"));
        let took = span::text(Duration::from_millis(*worked));
        match state {
            RebuildState::Done if key.is_some() && *events == 0 => {
                format!("{name} is gone: no event of the log goes to it")
            }
            RebuildState::Done if key.is_some() => format!("{name} is rebuilt of {done}"),
            RebuildState::Done => format!("{name} is rebuilt: {done} in {took}"),
            RebuildState::Cancelled => format!(
                "{name} is as it was: the rebuild was cancelled after {events} of {so_many}"
            ),
            RebuildState::Failed => {
                let why = error.as_deref().unwrap_or("nobody knows why");
                format!("{name} is as it was: the rebuild failed: {}", safe(why))
            }
            RebuildState::Asked => format!("{name} is to be rebuilt, as soon as somebody runs it"),
            _ if self.left => format!(
                "the rebuild of {name} is left after {events} of {so_many}: it goes on as soon as somebody runs it"
            ),
            _ => format!("{name} is being rebuilt: {events} of {so_many}"),
        }
    }
}

impl Answer for All {
    fn text(&self) -> String {
        let head = [
            "NAME",
            "#VERSION",
            "ROW",
            "STATE",
            "#EVENTS",
            "#OF",
            "#PER SECOND",
            "#LEFT",
            "BY",
            "ERROR",
        ];
        let mut table = Table::new(head);
        for Told { rebuild, rate, seconds_left, left: is_left } in &self.rebuilds {
            let left = seconds_left.map(Duration::from_secs_f64);
            let goes_on =
                rebuild.state.is_under_way() && rebuild.state != RebuildState::Asked && !is_left;
            let of_what_goes_on = |text: String| if goes_on { text } else { String::new() };
            table.row([
                rebuild.projection.clone(),
                rebuild.version.to_string(),
                cut(rebuild.key.as_deref().unwrap_or("(all)"), 40),
                if *is_left { "left" } else { rebuild.state.as_str() }.to_owned(),
                rebuild.events.to_string(),
                rebuild.of.to_string(),
                of_what_goes_on(format!("{rate:.0}")),
                of_what_goes_on(left.map_or_else(|| "?".to_owned(), span::text)),
                rebuild.by.clone().unwrap_or_default(),
                cut(rebuild.error.as_deref().unwrap_or_default(), 60),
            ]);
        }
        let mut text = table.text("nothing was ever rebuilt");
        text.push_str(&more(self.more));
        text
    }
}
