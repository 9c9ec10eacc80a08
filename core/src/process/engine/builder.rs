//! How an engine of processes is built.

use std::any::TypeId;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use uuid::Uuid;

use super::kind::Kind;
use super::{ProcessEngine, ProcessError};
use crate::bus::{CommandBus, RetryPolicy, Services, SetupError};
use crate::clock::Clock;
use crate::process::Process;
use crate::projection::Thresholds;
use crate::reactor::Reactor;
use crate::registry::{EventRegistration, ProcessRegistration, ReactorRegistration};
use crate::subscription::lease::SHORTEST_LEASE;
use crate::timestamp::Timestamp;

/// Makes a [`ProcessEngine`].
///
/// ```
/// use annals::prelude::*;
///
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// let bus = CommandBus::new(MemoryStore::new());
/// let processes = ProcessEngine::builder(bus).register_all().start().await?;
/// processes.shutdown().await?;
/// # Ok(())
/// # }
/// ```
#[must_use]
pub struct ProcessEngineBuilder {
    pub(super) bus: CommandBus,
    processes: BTreeMap<&'static str, ProcessRegistration>,
    reactors: BTreeMap<&'static str, ReactorRegistration>,
    services: Services,
    /// What is run, once it is started.
    pub(super) kinds: Vec<Kind>,
    pub(super) settings: Settings,
    pub(super) workers: usize,
    /// The first clash of names.
    fault: Option<SetupError>,
}

/// What the builder was told.
pub(super) struct Settings {
    /// Who holds the leases.
    pub(super) name: String,
    pub(super) retry: RetryPolicy,
    pub(super) time_limit: Duration,
    pub(super) polling: Duration,
    pub(super) lease: Duration,
    pub(super) thresholds: Thresholds,
    /// How many shards each has at first, by its name, if it is not one.
    pub(super) shards: BTreeMap<&'static str, u32>,
    pub(super) reactor_shards: BTreeMap<&'static str, u32>,
    /// The store's, if none is given.
    pub(super) clock: Option<Box<dyn Clock>>,
    /// By how many microseconds the store's clock is ahead of the program's, as it was seen last.
    pub(super) ahead: AtomicI64,
}

impl Settings {
    /// The present instant: by the clock that was given; else by the store's, as far as it is known.
    pub(super) fn now(&self) -> Timestamp {
        self.clock.as_ref().map_or_else(
            || {
                let ahead = self.ahead.load(Ordering::Relaxed);
                Timestamp::from_micros(Timestamp::now().as_micros().saturating_add(ahead))
            },
            |clock| clock.now(),
        )
    }

    /// Takes in what the store's clock says now.
    pub(super) fn is_now(&self, instant: Timestamp) {
        let ahead = instant.as_micros().saturating_sub(Timestamp::now().as_micros());
        self.ahead.store(ahead, Ordering::Relaxed);
    }

    /// Into how many shards one is divided when it is run first.
    pub(super) fn shards_of(&self, kind: &Kind) -> u32 {
        let shards = match kind {
            Kind::Process(_) => &self.shards,
            Kind::Reactor(_) => &self.reactor_shards,
        };
        shards.get(kind.name()).copied().unwrap_or(1)
    }
}

impl ProcessEngineBuilder {
    pub(super) fn new(bus: CommandBus) -> Self {
        let settings = Settings {
            name: format!("{}/{}", std::process::id(), Uuid::now_v7().simple()),
            retry: RetryPolicy::times(5)
                .with_pause(Duration::from_millis(100))
                .with_longest_pause(Duration::from_secs(10)),
            time_limit: Duration::from_mins(1),
            polling: Duration::from_secs(1),
            lease: Duration::from_secs(10),
            thresholds: Thresholds::default(),
            shards: BTreeMap::new(),
            reactor_shards: BTreeMap::new(),
            clock: None,
            ahead: AtomicI64::new(0),
        };
        Self {
            bus,
            processes: BTreeMap::new(),
            reactors: BTreeMap::new(),
            services: Services::default(),
            kinds: Vec::new(),
            settings,
            workers: 16,
            fault: None,
        }
    }

    /// Runs a process manager.
    pub fn register<P: Process>(self) -> Self {
        self.register_linked(ProcessRegistration::of::<P>())
    }

    /// Runs a reactor.
    pub fn register_reactor<R: Reactor>(self) -> Self {
        self.register_linked_reactor(ReactorRegistration::of::<R>())
    }

    /// Runs all process managers and reactors that the program links.
    pub fn register_all(mut self) -> Self {
        for registration in ProcessRegistration::all() {
            self = self.register_linked(*registration);
        }
        for registration in ReactorRegistration::all() {
            self = self.register_linked_reactor(*registration);
        }
        self
    }

    /// Gives a reactor what its calls may use.
    pub fn services<R: Reactor>(self, services: R::Services) -> Self {
        self.shared_services::<R>(Arc::new(services))
    }

    /// Gives a reactor what its calls may use, where others share it.
    pub fn shared_services<R: Reactor>(mut self, services: Arc<R::Services>) -> Self {
        self.services.insert_for(TypeId::of::<R>(), services);
        self
    }

    fn register_linked_reactor(mut self, registration: ReactorRegistration) -> Self {
        if let Some(other) = self.reactors.insert(registration.name, registration)
            && (other.type_id)() != (registration.type_id)()
        {
            let (one, other) = ((registration.type_name)(), (other.type_name)());
            let fault = SetupError::reactor_name(registration.name, [one, other]);
            self.fault.get_or_insert(fault);
        }
        self
    }

    fn register_linked(mut self, registration: ProcessRegistration) -> Self {
        if let Some(other) = self.processes.insert(registration.name, registration)
            && (other.type_id)() != (registration.type_id)()
        {
            let (one, other) = ((registration.type_name)(), (other.type_name)());
            let fault = SetupError::process_name(registration.name, [one, other]);
            self.fault.get_or_insert(fault);
        }
        self
    }

    /// Sets into how many shards a process manager is divided when it is run first; one unless set. From then on the store says how
    /// many there are, and [`ProcessEngine::set_shards`] changes it.
    ///
    /// Each shard has its share of the processes, by their ids, and a worker of its own in one of the engines.
    pub fn shards<P: Process>(mut self, shards: u32) -> Self {
        self.settings.shards.insert(P::NAME, shards);
        self
    }

    /// Sets into how many shards a reactor is divided when it is run first, by its keys; one unless set.
    /// [`RunningReactor::set_shards`](super::RunningReactor::set_shards) changes it.
    pub fn reactor_shards<R: Reactor>(mut self, shards: u32) -> Self {
        self.settings.reactor_shards.insert(R::NAME, shards);
        self
    }

    /// Sets the clock by which deadlines fall due; unless set, the store's, by which events are dated. It is for tests: with
    /// another one than the store's, a deadline may fire before an event that was recorded in time.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.settings.clock = Some(Box::new(clock));
        self
    }

    /// Sets how many commands of a process manager, or calls of a reactor, are on their way at once; 16 for each of them unless
    /// set. Those of one process or key go one after the other.
    pub fn workers(mut self, commands: usize) -> Self {
        self.workers = commands.max(1);
        self
    }

    /// Sets how often, and after what pauses, a command that fails is sent again before its process waits for a person; unless
    /// set, five times within some seconds. Conflicts and outages are borne for as long as they last, and a refusal is an
    /// answer.
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.settings.retry = policy;
        self
    }

    /// Sets how long a command or a reactor's call may take; a minute unless set. One that takes longer is given up and counts as
    /// failed: a command was done or not, and sent again under its key, it is done once.
    pub fn time_limit(mut self, limit: Duration) -> Self {
        self.settings.time_limit = limit;
        self
    }

    /// Sets how often the store is asked for events when nothing wakes the engine; every second unless set.
    pub fn polling(mut self, interval: Duration) -> Self {
        self.settings.polling = interval.max(Duration::from_millis(1));
        self
    }

    /// Sets how long a process manager stays this engine's when its program dies or stands still; ten seconds unless set.
    pub fn lease(mut self, lifetime: Duration) -> Self {
        self.settings.lease = lifetime.max(SHORTEST_LEASE);
        self
    }

    /// Sets from when on it is bad that a command has not gone out.
    pub fn thresholds(mut self, thresholds: Thresholds) -> Self {
        self.settings.thresholds = thresholds;
        self
    }

    /// Sets the name by which the engine is known as an owner; unless set, it has one of its own.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.settings.name = name.into();
        self
    }

    /// Starts the process managers and reactors, each in a task of its own. What is dispatched from then on, they see.
    ///
    /// # Errors
    ///
    /// When two process managers or two reactors share a name, stored names of events clash, a reactor lacks its services, or
    /// the store keeps events only.
    ///
    /// # Cancel safety
    ///
    /// A dropped call has started nothing.
    pub async fn start(mut self) -> Result<ProcessEngine, ProcessError> {
        if let Some(fault) = self.fault {
            return Err(fault.into());
        }
        let processes = self.processes.values();
        self.kinds.extend(processes.map(|registration| Kind::Process((registration.process)())));
        for registration in self.reactors.values() {
            let Some(reactor) = (registration.reactor)(&self.services) else {
                return Err(SetupError::missing_reactor_services((registration.type_name)()).into());
            };
            self.kinds.push(Kind::Reactor(reactor));
        }
        crate::bus::check_events(EventRegistration::all().map(|event| &event.event))?;
        ProcessEngine::start(self).await
    }
}

impl fmt::Debug for ProcessEngineBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProcessEngineBuilder")
            .field("processes", &self.processes.keys())
            .field("reactors", &self.reactors.keys())
            .finish_non_exhaustive()
    }
}
