//! The runner of sagas: it makes the calls, keeps the logs, and takes over what others left.

mod builder;
mod core;
mod drive;
mod error;
mod journal;
mod parked;
mod requested;
mod resume;
mod run;
mod seat;
mod status;
mod stuck;

use std::collections::BTreeMap;
use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use self::builder::SagaRunnerBuilder;
use self::core::{Begins, Core};
use self::drive::Ended;
pub use self::error::SagaError;
use self::error::panicked;
pub(crate) use self::journal::Kept;
#[cfg(feature = "cli")]
pub(crate) use self::journal::{Entry, Journal, Listed, Logged};
pub use self::parked::ParkedList;
pub use self::run::SagaRun;
use self::seat::{Found, Seats};
#[cfg(feature = "cli")]
pub(crate) use self::seat::{asked_of, seat_id};
pub(crate) use self::status::SagasSeen;
pub use self::status::{ParkedSaga, SagasStatus, StuckSaga};
use super::{AnySaga, Saga, SagaData, SagaOutcome, category_of};
use crate::bus::SetupError;
use crate::metadata::Metadata;
use crate::registry::SagaRegistration;
use crate::store::{EventStore, StoreError};
use crate::stream::StreamId;

/// What comes of a call; it says nothing of the saga, as [`SagaRun`] does not.
type Answer<T> = BoxFuture<'static, Result<T, SagaError>>;

/// How often it is looked whether all have ended.
const LOOK: Duration = Duration::from_millis(10);

/// Runs sagas: makes their calls, keeps their logs, and goes on with what a crash left.
///
/// [`new`](Self::new) goes on with a saga when it is run again; one that was [started](SagaRunnerBuilder::start) takes up all
/// that nobody runs, at once and from then on, and does what operators ask for from outside. Several runners may share the work:
/// each saga is run by one at a time, and goes on with another when that one dies.
///
/// It stops with [`shutdown`](Self::shutdown), or when its last handle is dropped: steps that are under way end, and nothing
/// more begins.
#[derive(Clone)]
pub struct SagaRunner {
    handle: Arc<Handle>,
}

struct Handle {
    core: Arc<Core>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.core.stop.cancel();
    }
}

impl SagaRunner {
    /// Makes a runner of all sagas that the program links and that call such services. It needs no start; what others left, it
    /// takes up when it is [run](Self::run) again, or by [`resume_all`](Self::resume_all).
    pub fn new<S: Send + Sync + 'static>(store: impl EventStore, services: Arc<S>) -> Self {
        let builder = SagaRunnerBuilder::new(store, services);
        Self::make(builder, |_| None)
    }

    /// Begins a runner that resumes what was left; `services` are what the steps call of each saga whose services are of this
    /// type.
    pub fn builder<S: Send + Sync + 'static>(
        store: impl EventStore,
        services: Arc<S>,
    ) -> SagaRunnerBuilder {
        SagaRunnerBuilder::new(store, services)
    }

    fn make(
        builder: SagaRunnerBuilder,
        registered: impl FnOnce(
            BTreeMap<&'static str, SagaRegistration>,
        ) -> Option<BTreeMap<&'static str, SagaRegistration>>,
    ) -> Self {
        let core = Core {
            journal: builder.journal,
            settings: builder.settings,
            services: builder.services,
            registered: registered(builder.registered),
            seats: Seats::default(),
            turns: Semaphore::new(builder.workers),
            running: Mutex::default(),
            stuck: Mutex::default(),
            failing: Mutex::default(),
            left: Mutex::default(),
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
        };
        Self { handle: Arc::new(Handle { core: Arc::new(core) }) }
    }

    async fn start(builder: SagaRunnerBuilder) -> Result<Self, SagaError> {
        let runner = Self::make(builder, Some);
        let core = runner.core();
        for known in core.known() {
            let saga = core.saga(&known)?;
            resume::check(&*saga)?;
            // A clock or a recorder that panics keeps no program from starting: it is looked again.
            let resumed = AssertUnwindSafe(core.resume(&saga, resume::Which::Due)).catch_unwind();
            match resumed.await {
                Ok(resumed) => drop(resumed?),
                Err(panic) => {
                    let error = StoreError::invalid(panicked(&*panic));
                    core.tell_failing(Some(&error.into()));
                }
            }
        }
        core.tasks.spawn(core.clone().keep_resuming());
        Ok(runner)
    }

    fn core(&self) -> &Arc<Core> {
        &self.handle.core
    }

    /// Runs a saga to its end and tells how it ended. Under an id it is run once: run again, it answers from its log, and goes on
    /// if it has not ended.
    ///
    /// # Errors
    ///
    /// [`SagaError::OtherData`] if a saga was begun under the id with other data; otherwise when the store cannot be written, the
    /// saga cannot go on in this program, or the runner is shut down.
    ///
    /// # Cancel safety
    ///
    /// Once the log holds the saga, it goes on though the call is dropped.
    pub fn run<S: Saga>(&self, id: impl fmt::Display, data: S::Data) -> SagaRun<SagaOutcome> {
        // Whose output says nothing of the saga: what is none is one error, not one more for what is awaited.
        let (runner, stream_id) = (self.clone(), stream_of::<S>(id));
        SagaRun::new(move |said| async move {
            let saga = runner.begun::<S>(&stream_id, &data, said).await?;
            runner.ended(&saga, &stream_id).await
        })
    }

    /// Begins a saga and returns as soon as the log holds it; it goes on in the background. Begun under an id again, it is the same
    /// saga: a reactor may call this as often as it likes.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run).
    ///
    /// # Cancel safety
    ///
    /// A dropped call has begun the saga or not; called again, it finds out.
    pub fn begin<S: Saga>(&self, id: impl fmt::Display, data: S::Data) -> SagaRun<()> {
        let (runner, stream_id) = (self.clone(), stream_of::<S>(id));
        SagaRun::new(move |said| async move {
            runner.begun::<S>(&stream_id, &data, said).await.map(drop)
        })
    }

    /// Waits until a saga has ended, whoever runs it, and tells how; without waiting if it is parked.
    ///
    /// # Errors
    ///
    /// [`SagaError::NotBegun`] if it never began; otherwise as [`run`](Self::run).
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when the call is dropped.
    pub fn outcome<S: Saga>(&self, id: impl fmt::Display) -> Answer<SagaOutcome> {
        let (runner, stream_id) = (self.clone(), stream_of::<S>(id));
        Box::pin(async move {
            let saga = runner.saga::<S>()?;
            runner.ended(&saga, &stream_id).await
        })
    }

    /// The saga without its types, if this runner runs it.
    fn saga<S: Saga>(&self) -> Result<Arc<dyn AnySaga>, SagaError> {
        let core = self.core();
        core.journal.store()?;
        let known = SagaRegistration::of::<S>();
        if core.registered.as_ref().is_some_and(|registered| !registered.contains_key(S::NAME)) {
            return Err(SetupError::saga_not_registered((known.type_name)()).into());
        }
        Ok(core.sound(&known)?)
    }

    async fn begun<S: Saga>(
        &self,
        stream_id: &StreamId,
        data: &S::Data,
        said: Metadata,
    ) -> Result<Arc<dyn AnySaga>, SagaError> {
        let (core, saga) = (self.core(), self.saga::<S>()?);
        let data = SagaData::of::<S>(data)?;
        if let Some(fault) = stream_id.fault() {
            let message = format!("begin saga `{}`: {fault}", S::NAME);
            return Err(StoreError::invalid(message).into());
        }
        let metadata = core.settings.metadata_of(stream_id, said);
        let begins = Begins { data, metadata };
        loop {
            if let Some(kept) = core.journal.load(S::NAME, stream_id).await? {
                is_the_same(&*saga, &kept, &begins.data)?;
                if kept.instance.outcome().is_some() {
                    return Ok(saga);
                }
                return match core.take_up(&saga, stream_id, &mut Found::default()).await {
                    // It is begun, and goes on with a program that can.
                    Ok(_) | Err(SagaError::Stuck { .. }) => Ok(saga),
                    Err(error) => Err(error),
                };
            }
            let Some(turn) = core.turn(stream_id) else {
                // Another call of this program is about to begin it.
                tokio::time::sleep(LOOK).await;
                continue;
            };
            if turn.begin(saga.clone(), begins.clone()).await? {
                return Ok(saga);
            }
        }
    }

    /// Waits until a saga has ended; goes on with it if nobody does.
    async fn ended(
        &self,
        saga: &Arc<dyn AnySaga>,
        stream_id: &StreamId,
    ) -> Result<SagaOutcome, SagaError> {
        let core = self.core();
        let id = || stream_id.id().to_owned();
        let mut look = tokio::time::Instant::now();
        loop {
            if let Some(mut running) = core.runs(stream_id) {
                let ended = running.wait_for(Option::is_some).await;
                match ended.ok().and_then(|ended| ended.clone()) {
                    Some(Ended::Over(outcome)) => return Ok(outcome),
                    Some(Ended::Stopped) => return Err(SagaError::ShutDown),
                    Some(Ended::Stuck(reason)) => {
                        return Err(SagaError::Stuck { saga: saga.name(), id: id(), reason });
                    }
                    Some(Ended::Lost) | None => look = tokio::time::Instant::now(),
                }
            }
            let head = core.journal.events().head().await?;
            let Some(kept) = core.journal.load(saga.name(), stream_id).await? else {
                return Err(SagaError::NotBegun { saga: saga.name(), id: id() });
            };
            if let Some(outcome) = kept.instance.outcome() {
                return Ok(outcome);
            }
            // Whether its runner lives is asked no more often than of all others.
            if tokio::time::Instant::now() >= look {
                look = tokio::time::Instant::now() + core.settings.polling;
                if core.take_up(saga, stream_id, &mut Found::default()).await? {
                    continue;
                }
            }
            core.until_moved(stream_id, (kept.version, head), look).await?;
        }
    }

    /// Takes up all sagas that nobody runs, and tells how many they were; they go on in the background.
    ///
    /// Sagas whose services this runner was not given are left to others, and are not counted: [`run`](Self::run) and
    /// [`outcome`](Self::outcome) say what is missing.
    ///
    /// # Errors
    ///
    /// When the store cannot be read or written, or, before anything is taken up, when two sagas share a name or one cannot be
    /// kept under its name.
    ///
    /// # Cancel safety
    ///
    /// What was taken up when the call is dropped goes on.
    pub async fn resume_all(&self) -> Result<usize, SagaError> {
        let (core, mut count) = (self.core(), 0);
        core.journal.store()?;
        let known = core.known();
        // Another service of the same code may run those whose services it lacks.
        let runs = known.iter().filter(|known| core.saga(known).is_ok());
        let sagas: Vec<_> = runs.map(|known| core.sound(known)).collect::<Result<_, _>>()?;
        for saga in sagas {
            count += core.resume(&saga, resume::Which::All).await?;
        }
        Ok(count)
    }

    /// Waits until no saga runs here: for tests.
    ///
    /// # Errors
    ///
    /// [`SagaError::Late`] if it takes longer than `patience`.
    pub async fn settle(&self, patience: Duration) -> Result<(), SagaError> {
        let begun = Instant::now();
        loop {
            let running = self.status().running;
            if running == 0 {
                return Ok(());
            }
            if begun.elapsed() >= patience {
                return Err(SagaError::Late { running, patience });
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Tells how its sagas are.
    pub fn status(&self) -> SagasStatus {
        let core = self.core();
        let running = core.running.lock().unwrap_or_else(PoisonError::into_inner).len();
        let failing = core.failing.lock().unwrap_or_else(PoisonError::into_inner).clone();
        SagasStatus { running, stuck: core.all_stuck(), failing }
    }

    /// Stops the runner: steps that are under way end and are logged, nothing more begins, and its sagas are left to others.
    ///
    /// # Cancel safety
    ///
    /// A dropped call has stopped it all the same.
    pub async fn shutdown(&self) {
        let core = self.core();
        core.stop.cancel();
        core.tasks.close();
        core.tasks.wait().await;
        core.seats.give_up().await;
    }
}

/// The stream of a saga's log.
fn stream_of<S: Saga>(id: impl fmt::Display) -> StreamId {
    StreamId::new(&category_of(S::NAME), id)
}

/// Refuses other data under the same id.
fn is_the_same(saga: &dyn AnySaga, kept: &Kept, given: &SagaData) -> Result<(), SagaError> {
    let (name, id) = (saga.name(), kept.instance.stream_id().id().to_owned());
    match saga.is_begun_with(kept.instance.begun_with(), given) {
        Ok(true) => Ok(()),
        Ok(false) => Err(SagaError::OtherData { saga: name, id }),
        Err(source) => Err(SagaError::Unreadable { saga: name, id, source }),
    }
}

impl fmt::Debug for SagaRunner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SagaRunner").field("status", &self.status()).finish_non_exhaustive()
    }
}
