//! How an engine is built.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use super::status::Thresholds;
use super::{EngineError, ProjectionEngine, Tables, divided};
use crate::bus::{RetryPolicy, SetupError};
use crate::clock::{Clock, SystemClock};
use crate::projection::inline::Inline;
use crate::projection::{Projection, Projector};
use crate::registry::{EventRegistration, ProjectionRegistration};
use crate::store::{EventStore, ReadModelStore};
use crate::subscription::lease::SHORTEST_LEASE;

/// Makes a [`ProjectionEngine`].
///
/// ```
/// use annals::prelude::*;
///
/// # async fn run() -> Result<(), EngineError> {
/// let engine = ProjectionEngine::builder(MemoryStore::new()).register_all().start().await?;
/// engine.shutdown().await?;
/// # Ok(())
/// # }
/// ```
#[must_use]
pub struct ProjectionEngineBuilder {
    pub(super) events: Arc<dyn EventStore>,
    pub(super) rows: Arc<dyn ReadModelStore>,
    pub(super) projectors: BTreeMap<(String, u32), Arc<dyn Projector>>,
    pub(super) inline: Vec<Arc<dyn Inline>>,
    pub(super) settings: Settings,
    /// The first clash of names.
    fault: Option<SetupError>,
}

/// What the builder was told.
pub(crate) struct Settings {
    /// Who holds the leases.
    pub(crate) name: String,
    pub(crate) retry: RetryPolicy,
    pub(crate) polling: Duration,
    pub(crate) lease: Duration,
    pub(crate) batch: usize,
    pub(crate) thresholds: Thresholds,
    /// How many rebuilds go on at once.
    pub(crate) rebuilds: usize,
    pub(crate) tables: Tables,
    /// How many shards projections have, of which nobody has said another number.
    pub(crate) shards: BTreeMap<(String, u32), u32>,
    pub(crate) clock: Box<dyn Clock>,
}

impl ProjectionEngineBuilder {
    pub(super) fn new<S: EventStore + ReadModelStore>(store: S) -> Self {
        let store = Arc::new(store);
        let settings = Settings {
            name: format!("{}/{}", std::process::id(), Uuid::now_v7().simple()),
            retry: RetryPolicy::times(5)
                .with_pause(Duration::from_millis(100))
                .with_longest_pause(Duration::from_secs(10)),
            polling: Duration::from_secs(1),
            lease: Duration::from_secs(10),
            batch: 5_000,
            thresholds: Thresholds::default(),
            rebuilds: 1,
            tables: Tables::default(),
            shards: BTreeMap::new(),
            clock: Box::new(SystemClock),
        };
        let (events, rows) = (store.clone(), store);
        Self {
            events,
            rows,
            projectors: BTreeMap::new(),
            inline: Vec::new(),
            settings,
            fault: None,
        }
    }

    /// Keeps rows, checkpoints and leases in another store than the events.
    pub fn rows_in(mut self, store: impl ReadModelStore) -> Self {
        self.rows = Arc::new(store);
        self
    }

    /// Runs the projection of a read model.
    ///
    /// The rows of an [inline](Projection::INLINE) one change with the appends of a command bus; the engine writes those of
    /// streams that were there before.
    pub fn register<P: Projection>(self) -> Self {
        self.register_linked(&ProjectionRegistration::of::<P>())
    }

    /// Has the projection of `P` run in so many shards: each has the rows of some keys, reads the log, and goes by the events for
    /// those; engines share them. It is the number of the first start. Later ones, of any release, go by what is kept, which
    /// [`set_shards`](ProjectionEngine::set_shards) changes while they run.
    ///
    /// What is [worth it](crate::shards) is a projection whose steps, or whose rows, are more than one connection writes in time.
    pub fn shards<P: Projection>(mut self, shards: u32) -> Self {
        self.settings.shards.insert((P::NAME.to_owned(), P::VERSION), shards);
        self
    }

    /// Runs the projections of all read models that the program links.
    pub fn register_all(mut self) -> Self {
        for registration in ProjectionRegistration::all() {
            self = self.register_linked(registration);
        }
        self
    }

    fn register_linked(mut self, registration: &ProjectionRegistration) -> Self {
        let Some(inline) = registration.inline else {
            return self.register_projector((registration.projector)());
        };
        match inline() {
            Ok(inline) => {
                let is_known = |other: &Arc<dyn Inline>| other.definition() == inline.definition();
                if !self.inline.iter().any(is_known) {
                    self.inline.push(inline);
                }
            }
            Err(fault) => drop(self.fault.get_or_insert(fault)),
        }
        self
    }

    /// Runs what writes by other means than annotated rows. What is registered twice runs once.
    pub fn register_projector(mut self, projector: Arc<dyn Projector>) -> Self {
        let definition = projector.definition();
        let key = (definition.projection.clone(), definition.version);
        if let Some(other) = self.projectors.get(&key)
            && other.definition() != definition
        {
            let name = &definition.projection;
            self.fault.get_or_insert(SetupError::projection_name(name));
        }
        let of_table = self.projectors.values().find(|other| {
            let (other, table) = (other.definition(), definition.table.map(|table| table.name));
            other.projection != definition.projection
                && table.is_some()
                && other.table.map(|table| table.name) == table
        });
        if let (Some(other), Some(table)) = (of_table, definition.table) {
            let names = [&other.definition().projection, &definition.projection];
            self.fault.get_or_insert(SetupError::table_name(table.name, names));
        }
        self.projectors.insert(key, projector);
        self
    }

    /// Sets how often, and after what pauses, a failed event is tried again before it waits for a person; unless set, five
    /// times within some seconds.
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.settings.retry = policy;
        self
    }

    /// Sets how often the store is asked for events when nothing wakes the engine; every second unless set.
    pub fn polling(mut self, interval: Duration) -> Self {
        self.settings.polling = interval.max(Duration::from_millis(1));
        self
    }

    /// Sets how many events a batch has at most; 5,000 unless set. How many it has at a time, the engine finds out.
    pub fn batch(mut self, events: usize) -> Self {
        self.settings.batch = events.max(1);
        self
    }

    /// Sets how long a projection stays this engine's when its process dies or stands still; ten seconds unless set.
    pub fn lease(mut self, lifetime: Duration) -> Self {
        self.settings.lease = lifetime.max(SHORTEST_LEASE);
        self
    }

    /// Sets from when on it is bad that a projection is behind.
    pub fn thresholds(mut self, thresholds: Thresholds) -> Self {
        self.settings.thresholds = thresholds;
        self
    }

    /// Says who makes the tables: the engine, unless set. One that [awaits](Tables::Awaited) them needs no right to make any.
    pub fn tables(mut self, tables: Tables) -> Self {
        self.settings.tables = tables;
        self
    }

    /// Sets how many rebuilds this engine does at once; one unless set. Each has a few connections at most.
    pub fn rebuilds(mut self, at_once: usize) -> Self {
        self.settings.rebuilds = at_once.max(1);
        self
    }

    /// Sets the clock by which failed events are tried again and lag is told.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.settings.clock = Box::new(clock);
        self
    }

    /// Sets the name by which the engine is known as an owner; unless set, it has one of its own.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.settings.name = name.into();
        self
    }

    /// Prepares the tables and starts the projections, each in a task of its own.
    ///
    /// # Errors
    ///
    /// When two projections share a name or a table, stored names of events clash, or a projection's table is refused: another
    /// definition was kept under its name and version.
    ///
    /// # Cancel safety
    ///
    /// A dropped call has started nothing; tables that it made stay.
    pub async fn start(self) -> Result<ProjectionEngine, EngineError> {
        ProjectionEngine::start(self.checked()?).await
    }

    /// Refuses what clashes.
    pub(super) fn checked(mut self) -> Result<Self, EngineError> {
        if let Some(fault) = self.fault.take() {
            return Err(fault.into());
        }
        for ((name, version), shards) in &self.settings.shards {
            let known = self.projectors.get(&(name.clone(), *version));
            divided::check(name, known.map(|known| &**known), *shards)?;
        }
        crate::bus::check_events(EventRegistration::all().map(|event| &event.event))?;
        Ok(self)
    }
}

impl fmt::Debug for ProjectionEngineBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProjectionEngineBuilder")
            .field("projections", &self.projectors.keys())
            .finish_non_exhaustive()
    }
}
