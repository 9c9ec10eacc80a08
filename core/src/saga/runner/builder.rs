//! How a runner of sagas is built.

use std::any::TypeId;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use super::journal::{Journal, Kept};
use super::{SagaError, SagaRunner};
use crate::bus::{Services, SetupError};
use crate::clock::{Clock, SystemClock};
use crate::metadata::Metadata;
use crate::registry::SagaRegistration;
use crate::saga::{Backoff, Saga};
use crate::store::EventStore;
use crate::stream::StreamId;
use crate::subscription::lease::SHORTEST_LEASE;

/// Makes a [`SagaRunner`] that resumes what was left.
///
/// ```
/// use std::sync::Arc;
///
/// use annals::prelude::*;
///
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// let sagas =
///     SagaRunner::builder(MemoryStore::new(), Arc::new(())).register_all().start().await?;
/// sagas.shutdown().await;
/// # Ok(())
/// # }
/// ```
#[must_use]
pub struct SagaRunnerBuilder {
    pub(super) journal: Journal,
    pub(super) services: Services,
    pub(super) registered: BTreeMap<&'static str, SagaRegistration>,
    pub(super) settings: Settings,
    pub(super) workers: usize,
    /// The first clash of names.
    fault: Option<SetupError>,
}

/// What the builder was told.
pub(super) struct Settings {
    /// Who holds the leases.
    pub(super) name: String,
    pub(super) time_limit: Duration,
    pub(super) polling: Duration,
    pub(super) lease: Duration,
    pub(super) backoff: Backoff,
    pub(super) clock: Box<dyn Clock>,
}

impl Settings {
    /// What the records of a saga's log have in common, with what was said of it where it was begun.
    pub(super) fn metadata_of(&self, stream_id: &StreamId, said: Metadata) -> Arc<Metadata> {
        let correlation_id = said.correlation_id.or_else(|| Some(stream_id.to_string()));
        Arc::new(Metadata { correlation_id, issued_at: Some(self.clock.now()), ..said })
    }

    /// What the records have in common from where a person decides on: what that person said, and of the rest what they bore
    /// before.
    pub(super) fn metadata_again(&self, kept: &Kept, said: Metadata) -> Arc<Metadata> {
        let before = &kept.metadata;
        let correlation_id = said.correlation_id.or_else(|| before.correlation_id.clone());
        let user = said.user.or_else(|| before.user.clone());
        let mut headers = before.headers.clone();
        headers.extend(said.headers);
        let issued_at = Some(self.clock.now());
        Arc::new(Metadata { correlation_id, user, issued_at, headers, ..said })
    }
}

impl SagaRunnerBuilder {
    pub(super) fn new<S: Send + Sync + 'static>(store: impl EventStore, services: Arc<S>) -> Self {
        let mut all = Services::default();
        // Those of each saga that calls such services; `services::<…>(…)` gives one saga others.
        all.insert_for(TypeId::of::<S>(), services);
        let settings = Settings {
            name: format!("{}/{}", std::process::id(), Uuid::now_v7().simple()),
            time_limit: Duration::from_mins(1),
            polling: Duration::from_secs(1),
            lease: Duration::from_secs(10),
            backoff: Backoff::default(),
            clock: Box::new(SystemClock),
        };
        Self {
            journal: Journal::new(Arc::new(store)),
            services: all,
            registered: BTreeMap::new(),
            settings,
            workers: 64,
            fault: None,
        }
    }

    /// Runs a saga.
    pub fn register<S: Saga>(self) -> Self {
        self.register_linked(SagaRegistration::of::<S>())
    }

    /// Runs all sagas that the program links.
    pub fn register_all(mut self) -> Self {
        for registration in SagaRegistration::all() {
            self = self.register_linked(*registration);
        }
        self
    }

    fn register_linked(mut self, registration: SagaRegistration) -> Self {
        if let Some(other) = self.registered.insert(registration.name, registration)
            && (other.type_id)() != (registration.type_id)()
        {
            let (one, other) = ((registration.type_name)(), (other.type_name)());
            let fault = SetupError::saga_name(registration.name, [one, other]);
            self.fault.get_or_insert(fault);
        }
        self
    }

    /// Gives a saga what its steps call, where that is not what the runner was given for all.
    pub fn services<S: Saga>(self, services: S::Services) -> Self {
        self.shared_services::<S>(Arc::new(services))
    }

    /// Gives a saga what its steps call, where others share it.
    pub fn shared_services<S: Saga>(mut self, services: Arc<S::Services>) -> Self {
        self.services.insert_for(TypeId::of::<S>(), services);
        self
    }

    /// Sets how many steps are under way at once; 64 unless set.
    pub fn workers(mut self, steps: usize) -> Self {
        self.workers = steps.max(1);
        self
    }

    /// Sets how long a try of a step, or of an undo, may take that does not say so by `timeout`; a minute unless set. One that
    /// takes longer is given up and counts as failed, whatever it did.
    pub fn time_limit(mut self, limit: Duration) -> Self {
        self.settings.time_limit = limit;
        self
    }

    /// Sets the first pause between the tries of a step; 50 milliseconds unless set. Each is twice as long as the one before, up to
    /// a minute.
    pub fn backoff(mut self, first: Duration) -> Self {
        self.settings.backoff = Backoff::new(first);
        self
    }

    /// Sets how often it is looked for sagas of runners that died; every second unless set.
    pub fn polling(mut self, interval: Duration) -> Self {
        self.settings.polling = interval.max(Duration::from_millis(1));
        self
    }

    /// Sets how long sagas stay this runner's when its program dies or stands still; ten seconds unless set.
    pub fn lease(mut self, lifetime: Duration) -> Self {
        self.settings.lease = lifetime.max(SHORTEST_LEASE);
        self
    }

    /// Sets the name by which the runner is known as an owner; unless set, it has one of its own.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.settings.name = name.into();
        self
    }

    /// Sets the clock by which pauses end: for tests.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.settings.clock = Box::new(clock);
        self
    }

    /// Starts the runner: it takes up all sagas that nobody runs, now and from then on.
    ///
    /// # Errors
    ///
    /// When two sagas share a name, one lacks its services or cannot be kept under its name, or the store keeps events only or
    /// cannot be read.
    ///
    /// # Cancel safety
    ///
    /// A dropped call may have taken sagas up; they are given up again.
    pub async fn start(mut self) -> Result<SagaRunner, SagaError> {
        if let Some(fault) = self.fault.take() {
            return Err(fault.into());
        }
        self.journal.store()?;
        SagaRunner::start(self).await
    }
}

impl fmt::Debug for SagaRunnerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SagaRunnerBuilder")
            .field("sagas", &self.registered.keys())
            .finish_non_exhaustive()
    }
}
