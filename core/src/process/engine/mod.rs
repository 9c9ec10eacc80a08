//! The engine of processes: one task for each process manager, which reads the log, does steps, and sends commands.

mod advance;
mod asked;
mod builder;
mod calls;
mod error;
mod inbox;
mod kind;
mod listed;
mod owner;
mod parked;
mod plan;
mod reading;
mod recover;
mod running;
mod sender;
mod shown;
mod status;
mod under_way;
mod worker;

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::asked::Asked;
pub use self::builder::ProcessEngineBuilder;
use self::builder::Settings;
pub use self::error::ProcessError;
use self::kind::Kind;
use self::listed::parked_processes;
pub use self::listed::{ParkedCause, ParkedProcess};
pub use self::running::RunningReactor;
use self::shown::Shown;
pub use self::status::{ProcessStatus, ProcessesStatus};
use self::worker::Worker;
use super::Process;
use crate::aggregate_id::ToId;
use crate::bus::{CommandBus, SetupError};
use crate::position::Position;
use crate::reactor::Reactor;
use crate::store::{EventStore, StoreError, UnitOfWorkStore};
use crate::stream::StreamId;

/// How often it is looked whether another engine has settled.
const LOOK: Duration = Duration::from_millis(20);

/// Runs process managers: reads the log, does their steps, sends their commands by a bus, and tells how they are.
///
/// It stops with [`shutdown`](Self::shutdown), or when its last handle is dropped. Several engines may run the same process
/// managers: each is owned by one at a time, and goes on with another when that one dies.
#[derive(Clone)]
pub struct ProcessEngine {
    inner: Arc<Inner>,
}

struct Inner {
    events: Arc<dyn EventStore>,
    workers: Vec<Handle>,
    settings: Arc<Settings>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

struct Handle {
    kind: Kind,
    asks: mpsc::Sender<Asked>,
    shown: watch::Receiver<Shown>,
}

impl ProcessEngine {
    /// Begins an engine whose process managers see the events of a bus's store, and send their commands by the bus.
    pub fn builder(bus: CommandBus) -> ProcessEngineBuilder {
        ProcessEngineBuilder::new(bus)
    }

    async fn start(builder: ProcessEngineBuilder) -> Result<Self, ProcessError> {
        let ProcessEngineBuilder { bus, kinds, settings, workers, .. } = builder;
        let events = bus.events();
        if events.unit_of_work().is_none() {
            return Err(SetupError::process_store().into());
        }
        let known = bus.command_names()?;
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let settings = Arc::new(settings);
        let mut prepared = Vec::new();
        for kind in kinds {
            for sent in kind.commands().iter().filter(|sent| !known.contains(&sent.name)) {
                let (process, command) = (kind.name(), sent.name);
                tracing::warn!(
                    process,
                    command,
                    "a command that is sent has no handler on the bus"
                );
            }
            let category = kind.category();
            if let Some(reason) = StreamId::new(&category, "id").fault() {
                return Err(SetupError::process_category(kind.name(), &reason).into());
            }
            let (shown, shown_to) = watch::channel(Shown::default());
            let mut worker = Worker {
                kind: kind.clone(),
                category,
                bus: bus.clone(),
                events: events.clone(),
                settings: settings.clone(),
                turns: Arc::new(Semaphore::new(workers)),
                stop: stop.clone(),
                shown,
                blocked: None,
                begins_at: Position::START,
            };
            worker.begin().await?;
            prepared.push((worker, kind, shown_to));
        }
        let mut workers = Vec::new();
        for (worker, kind, shown) in prepared {
            let (asks, asked) = mpsc::channel(16);
            tasks.spawn(worker.run(asked));
            workers.push(Handle { kind, asks, shown });
        }
        tasks.close();
        Ok(Self { inner: Arc::new(Inner { events, workers, settings, stop, tasks }) })
    }

    /// Waits until everything is done that follows from what the log holds: all steps, all their commands, what follows from
    /// those, to the end of the chain. Deadlines that are not due yet do not count.
    ///
    /// # Errors
    ///
    /// [`ProcessError::Late`] if it takes longer than `patience`; [`ProcessError::Parked`] if a process waits for a person;
    /// [`ProcessError::Stopped`] if a process manager has stopped.
    pub async fn settle(&self, patience: Duration) -> Result<(), ProcessError> {
        let until = Instant::now() + patience;
        loop {
            let head = self.inner.events.head().await?;
            for worker in &self.inner.workers {
                let settled = tokio::time::timeout_at(until.into(), self.settled(worker, head));
                let process = worker.kind.name();
                settled.await.map_err(|_| ProcessError::Late { process, patience })??;
            }
            // What the later ones sent, the earlier ones may have to see.
            let is_still = |worker: &Handle| {
                let shown = worker.shown.borrow();
                shown.position.is_none() || shown.settled.is_some_and(|settled| settled >= head)
            };
            if self.inner.events.head().await? == head && self.inner.workers.iter().all(is_still) {
                break;
            }
        }
        for worker in &self.inner.workers {
            let parked = self.parked_of(worker).await?;
            let count = parked.len();
            if let Some(ParkedProcess { id, error, .. }) = parked.into_iter().next() {
                let process = worker.kind.name();
                return Err(ProcessError::Parked { process, count, id, error });
            }
        }
        Ok(())
    }

    /// Waits until a process manager has done all that follows from the log up to a position.
    async fn settled(&self, worker: &Handle, head: Position) -> Result<(), ProcessError> {
        let process = worker.kind.name();
        // Since it looked last, the clock may have been set. Who is not the owner has no deadlines to look for.
        let _ = worker.ask(|answer| Asked::Look { answer }).await;
        let mut shown = worker.shown.clone();
        loop {
            let (settled, is_owner) = {
                let shown = shown.borrow_and_update();
                if let Some(reason) = shown.stopped.clone() {
                    return Err(ProcessError::Stopped { process, reason });
                }
                (shown.settled, shown.position.is_some())
            };
            if settled.is_some_and(|settled| settled >= head) {
                return Ok(());
            }
            // Another engine may have it: then the store tells.
            if !is_owner && self.is_settled_elsewhere(worker, head).await? {
                return Ok(());
            }
            tokio::select! {
                changed = shown.changed() => changed.map_err(|_| ProcessError::Ended { process })?,
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }

    async fn is_settled_elsewhere(
        &self,
        worker: &Handle,
        head: Position,
    ) -> Result<bool, StoreError> {
        let store = self.store()?;
        let reader = worker.kind.reader();
        let passed = store.checkpoint(&reader).await?.unwrap_or_default();
        if passed < head {
            return Ok(false);
        }
        let now = self.inner.settings.now();
        let parked = store.parked(&reader, None).await?;
        // What waits for a person is not under way.
        let parked: HashSet<String> = parked.into_iter().map(|event| event.key).collect();
        under_way::is_nothing(store, &worker.kind.category(), &parked, now).await
    }

    /// Tells how the process managers are.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub async fn status(&self) -> Result<ProcessesStatus, ProcessError> {
        let (store, settings) = (self.store()?, &self.inner.settings);
        let head = self.inner.events.head().await?;
        let now = settings.now();
        let mut processes = Vec::new();
        for worker in &self.inner.workers {
            let shown = worker.shown.borrow().clone();
            let reader = worker.kind.reader();
            let position = match shown.position {
                Some(position) => position,
                None => store.checkpoint(&reader).await?.unwrap_or_default(),
            };
            let events_behind = head.get().saturating_sub(position.get());
            let time_behind = match shown.recorded_at {
                Some(recorded_at) if events_behind > 0 => now.since(recorded_at),
                _ => Duration::ZERO,
            };
            let oldest_unsent =
                shown.oldest_unsent.map_or(Duration::ZERO, |oldest| now.since(oldest));
            let parked = store.parked(&reader, None).await?;
            let worst = time_behind.max(oldest_unsent);
            processes.push(ProcessStatus {
                name: worker.kind.name(),
                state: shown.state,
                position,
                head,
                events_behind,
                time_behind,
                level: settings.thresholds.level(shown.state, worst),
                waiting: shown.waiting,
                unsent: shown.unsent,
                oldest_unsent,
                parked: parked_processes(worker.kind.name(), parked).len(),
                begun: shown.begun,
                done: shown.done,
                skipped: shown.skipped,
                owner: shown.position.is_some().then(|| settings.name.clone()),
                last_error: shown.last_error,
            });
        }
        Ok(ProcessesStatus { processes })
    }

    /// Lists what waits for a person, of all process managers and reactors.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub async fn parked(&self) -> Result<Vec<ParkedProcess>, ProcessError> {
        let mut parked = Vec::new();
        for worker in &self.inner.workers {
            parked.extend(self.parked_of(worker).await?);
        }
        Ok(parked)
    }

    async fn parked_of(&self, worker: &Handle) -> Result<Vec<ParkedProcess>, ProcessError> {
        let parked = self.store()?.parked(&worker.kind.reader(), None).await?;
        Ok(parked_processes(worker.kind.name(), parked))
    }

    /// A reactor that the engine runs: to retry or drop what waits for a person, and to have it read on.
    ///
    /// # Errors
    ///
    /// When the engine does not run it.
    pub fn reactor<R: Reactor>(&self) -> Result<RunningReactor<'_>, ProcessError> {
        let mut workers = self.inner.workers.iter();
        let found = workers.find(|worker| {
            matches!(worker.kind, Kind::Reactor(_)) && worker.kind.name() == R::NAME
        });
        let worker = found.ok_or(ProcessError::NotRegistered { process: R::NAME })?;
        Ok(RunningReactor { worker })
    }

    /// Has a process that waits for a person try again: the step that failed, or the commands. Tells how much had been
    /// waiting; whether it goes well, [`settle`](Self::settle) and [`parked`](Self::parked) tell.
    ///
    /// # Errors
    ///
    /// When another engine runs the process manager, or the store does not answer.
    pub async fn retry_parked<P: Process>(
        &self,
        id: &(impl ToId<P::Id> + ?Sized),
    ) -> Result<u64, ProcessError> {
        let id = text_of::<P>(id)?;
        self.ask::<P, _>(|answer| Asked::RetryParked { id, answer }).await
    }

    /// Gives up what a process waits with: the events are never taken, the commands never sent. Tells how much it was. The
    /// process's stream keeps that it was done.
    ///
    /// # Errors
    ///
    /// When another engine runs the process manager, or the store does not answer.
    pub async fn drop_parked<P: Process>(
        &self,
        id: &(impl ToId<P::Id> + ?Sized),
    ) -> Result<u64, ProcessError> {
        let id = text_of::<P>(id)?;
        self.ask::<P, _>(|answer| Asked::DropParked { id, answer }).await
    }

    /// Has a process manager read on that has stopped at an event which cannot be read, once that is mended.
    ///
    /// # Errors
    ///
    /// When another engine runs the process manager.
    pub async fn resume<P: Process>(&self) -> Result<(), ProcessError> {
        self.ask::<P, _>(|answer| Asked::Resume { answer }).await
    }

    /// Has a process manager pass over an event at which it has stopped. It is told of in the log.
    ///
    /// # Errors
    ///
    /// When it has not stopped at that position.
    pub async fn skip<P: Process>(&self, position: Position) -> Result<(), ProcessError> {
        self.ask::<P, _>(|answer| Asked::Skip { position, answer }).await
    }

    /// Stops: commands that are on their way are answered, what is known is written, the leases are given up.
    ///
    /// # Errors
    ///
    /// What made a process manager stop before, if anything did.
    pub async fn shutdown(self) -> Result<(), ProcessError> {
        let stopped = |worker: &Handle| {
            let reason = worker.shown.borrow().stopped.clone()?;
            Some(ProcessError::Stopped { process: worker.kind.name(), reason })
        };
        let before = self.inner.workers.iter().find_map(stopped);
        self.inner.stop.cancel();
        self.inner.tasks.wait().await;
        before.map_or(Ok(()), Err)
    }

    fn store(&self) -> Result<&dyn UnitOfWorkStore, StoreError> {
        let store = self.inner.events.unit_of_work();
        store.ok_or_else(|| {
            StoreError::other("bug in annals: the store of an engine keeps events only")
        })
    }

    async fn ask<P: Process, T>(
        &self,
        asked: impl FnOnce(oneshot::Sender<Result<T, ProcessError>>) -> Asked,
    ) -> Result<T, ProcessError> {
        let mut workers = self.inner.workers.iter();
        let found = workers.find(|worker| {
            matches!(worker.kind, Kind::Process(_)) && worker.kind.name() == P::NAME
        });
        let worker = found.ok_or(ProcessError::NotRegistered { process: P::NAME })?;
        worker.ask(asked).await
    }
}

impl Handle {
    async fn ask<T>(
        &self,
        asked: impl FnOnce(oneshot::Sender<Result<T, ProcessError>>) -> Asked,
    ) -> Result<T, ProcessError> {
        let process = self.kind.name();
        let (answer, answered) = oneshot::channel();
        self.asks.send(asked(answer)).await.map_err(|_| ProcessError::Ended { process })?;
        answered.await.map_err(|_| ProcessError::Ended { process })?
    }
}

fn text_of<P: Process>(id: &(impl ToId<P::Id> + ?Sized)) -> Result<String, ProcessError> {
    let id = id.to_id().map_err(|error| StoreError::invalid(error.to_string()))?;
    Ok(id.to_string())
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl fmt::Debug for ProcessEngine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.inner.workers.iter().map(|worker| worker.kind.name());
        f.debug_struct("ProcessEngine")
            .field("processes", &names.collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}
