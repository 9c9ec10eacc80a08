//! The engine of processes: one task for each process manager, which reads the log, does steps, and sends commands.

mod advance;
mod asked;
mod builder;
mod error;
mod inbox;
mod listed;
mod owner;
mod parked;
mod plan;
mod reading;
mod recover;
mod sender;
mod shown;
mod status;
mod worker;

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
use self::listed::parked_processes;
pub use self::listed::{ParkedCause, ParkedProcess};
use self::shown::Shown;
pub use self::status::{ProcessStatus, ProcessesStatus};
use self::worker::{Worker, reader_of};
use super::record::category_of;
use super::{AnyProcess, Process};
use crate::aggregate_id::ToId;
use crate::bus::{CommandBus, SetupError};
use crate::position::Position;
use crate::store::{EventStore, StoreError, UnitOfWorkStore};
use crate::timestamp::Timestamp;

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
    process: Arc<dyn AnyProcess>,
    asks: mpsc::Sender<Asked>,
    shown: watch::Receiver<Shown>,
}

impl ProcessEngine {
    /// Begins an engine whose process managers see the events of a bus's store, and send their commands by the bus.
    pub fn builder(bus: CommandBus) -> ProcessEngineBuilder {
        ProcessEngineBuilder::new(bus)
    }

    async fn start(builder: ProcessEngineBuilder) -> Result<Self, ProcessError> {
        let ProcessEngineBuilder { bus, processes, settings, workers, .. } = builder;
        let events = bus.events();
        if events.unit_of_work().is_none() {
            return Err(SetupError::process_store().into());
        }
        let known = bus.command_names()?;
        let (stop, tasks, turns) =
            (CancellationToken::new(), TaskTracker::new(), Arc::new(Semaphore::new(workers)));
        let settings = Arc::new(settings);
        let mut prepared = Vec::new();
        for registration in processes.into_values() {
            let process = (registration.process)();
            for sent in process.commands().iter().filter(|sent| !known.contains(&sent.name)) {
                let (process, command) = (process.name(), sent.name);
                tracing::warn!(
                    process,
                    command,
                    "a command that is sent has no handler on the bus"
                );
            }
            let category = category_of(process.name());
            if let Some(reason) = crate::stream::StreamId::new(&category, "id").fault() {
                return Err(SetupError::process_category(process.name(), &reason).into());
            }
            let (shown, shown_to) = watch::channel(Shown::default());
            let worker = Worker {
                process: process.clone(),
                category,
                bus: bus.clone(),
                events: events.clone(),
                settings: settings.clone(),
                turns: turns.clone(),
                stop: stop.clone(),
                shown,
                blocked: None,
            };
            worker.begin().await?;
            prepared.push((worker, process, shown_to));
        }
        let mut workers = Vec::new();
        for (worker, process, shown) in prepared {
            let (asks, asked) = mpsc::channel(16);
            tasks.spawn(worker.run(asked));
            workers.push(Handle { process, asks, shown });
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
                let process = worker.process.name();
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
        match self.parked().await?.into_iter().next() {
            None => Ok(()),
            Some(first) => {
                let worker = self.inner.workers.iter();
                let mut worker = worker.filter(|worker| worker.process.name() == first.process);
                let process = worker.next().map_or("", |worker| worker.process.name());
                let count = self.parked_of(process).await?.len();
                Err(ProcessError::Parked { process, count, id: first.id, error: first.error })
            }
        }
    }

    /// Waits until a process manager has done all that follows from the log up to a position.
    async fn settled(&self, worker: &Handle, head: Position) -> Result<(), ProcessError> {
        let process = worker.process.name();
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
        let reader = reader_of(&*worker.process);
        let passed = store.checkpoint(&reader).await?.unwrap_or_default();
        if passed < head {
            return Ok(false);
        }
        let category = category_of(worker.process.name());
        let now =
            self.inner.settings.clock.as_ref().map_or_else(Timestamp::now, |clock| clock.now());
        let waiting = store.outgoing(&category, 0, 1).await?;
        let due = store.due_deadlines(&category, now, None, 1).await?;
        Ok(waiting.is_empty() && due.is_empty())
    }

    /// Tells how the process managers are.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub async fn status(&self) -> Result<ProcessesStatus, ProcessError> {
        let (store, settings) = (self.store()?, &self.inner.settings);
        let head = self.inner.events.head().await?;
        let now = settings.clock.as_ref().map_or_else(Timestamp::now, |clock| clock.now());
        let mut processes = Vec::new();
        for worker in &self.inner.workers {
            let shown = worker.shown.borrow().clone();
            let reader = reader_of(&*worker.process);
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
                name: worker.process.name(),
                state: shown.state,
                position,
                head,
                events_behind,
                time_behind,
                level: settings.thresholds.level(shown.state, worst),
                waiting: shown.waiting,
                unsent: shown.unsent,
                oldest_unsent,
                parked: parked_processes(worker.process.name(), parked).len(),
                begun: shown.begun,
                done: shown.done,
                skipped: shown.skipped,
                owner: shown.position.is_some().then(|| settings.name.clone()),
                last_error: shown.last_error,
            });
        }
        Ok(ProcessesStatus { processes })
    }

    /// Lists the processes that wait for a person, of all process managers.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub async fn parked(&self) -> Result<Vec<ParkedProcess>, ProcessError> {
        let mut parked = Vec::new();
        for worker in &self.inner.workers {
            parked.extend(self.parked_of(worker.process.name()).await?);
        }
        Ok(parked)
    }

    async fn parked_of(&self, process: &str) -> Result<Vec<ParkedProcess>, ProcessError> {
        let mut found = Vec::new();
        for worker in self.inner.workers.iter().filter(|worker| worker.process.name() == process) {
            let parked = self.store()?.parked(&reader_of(&*worker.process), None).await?;
            found.extend(parked_processes(process, parked));
        }
        Ok(found)
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
            Some(ProcessError::Stopped { process: worker.process.name(), reason })
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
        let process = P::NAME;
        let worker = self.inner.workers.iter().find(|worker| worker.process.name() == process);
        let worker = worker.ok_or(ProcessError::NotRegistered { process })?;
        let (answer, answered) = oneshot::channel();
        let ended = |_| ProcessError::Ended { process };
        worker.asks.send(asked(answer)).await.map_err(|_| ProcessError::Ended { process })?;
        answered.await.map_err(ended)?
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
        let names = self.inner.workers.iter().map(|worker| worker.process.name());
        f.debug_struct("ProcessEngine")
            .field("processes", &names.collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}
