//! The engine of processes: one task for each shard of a process manager, which reads the log, does steps, and sends commands.

mod advance;
mod asked;
mod builder;
mod calls;
mod crew;
mod dividing;
mod error;
mod handle;
mod inbox;
mod kind;
mod known;
mod lead;
mod listed;
mod owner;
mod owning;
mod parked;
mod plan;
mod reading;
mod recover;
mod requested;
mod running;
mod sender;
mod settle;
mod shown;
mod status;
mod stopped;
mod told;
mod under_way;
mod worker;
mod writing;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::asked::Asked;
pub use self::builder::ProcessEngineBuilder;
use self::builder::Settings;
pub use self::error::ProcessError;
use self::handle::Handle;
use self::kind::Kind;
use self::lead::Lead;
pub use self::listed::{ParkedCause, ParkedProcess};
pub use self::running::RunningReactor;
pub use self::status::{ProcessShard, ProcessStatus, ProcessesStatus};
use self::worker::failure;
use super::Process;
use crate::aggregate_id::ToId;
use crate::bus::{CommandBus, SetupError};
use crate::position::Position;
use crate::reactor::Reactor;
use crate::request::{self, Request, Wish};
use crate::shards::Division;
use crate::store::{EventStore, StoreError, UnitOfWorkStore};
use crate::stream::StreamId;
use crate::timestamp::Timestamp;

/// How often it is looked whether what was wished is so.
const LOOK: Duration = Duration::from_millis(20);

/// Runs process managers: reads the log, does their steps, sends their commands by a bus, and tells how they are.
///
/// It stops with [`shutdown`](Self::shutdown), or when its last handle is dropped. Several engines may run the same process
/// managers: each shard of one is owned by one at a time, and goes on with another when that one dies.
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
            let shards = settings.shards_of(&kind);
            let lead = Lead {
                kind,
                bus: bus.clone(),
                events: events.clone(),
                settings: settings.clone(),
                turns: Arc::new(Semaphore::new(workers)),
                stop: stop.clone(),
                begins_at: Position::START,
            };
            prepared.push(lead.prepare(shards).await?);
        }
        let mut workers = Vec::new();
        for (lead, handle) in prepared {
            tasks.spawn(lead.run());
            workers.push(handle);
        }
        tasks.close();
        Ok(Self { inner: Arc::new(Inner { events, workers, settings, stop, tasks }) })
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
        Ok(RunningReactor { engine: self, worker })
    }

    /// Has a process that waits for a person try again: the step that failed, or the commands. Tells how much had been
    /// waiting; whether it goes well, [`settle`](Self::settle) and [`parked`](Self::parked) tell.
    ///
    /// An engine that has only just started may not be the owner yet: it waits for that as long as a lease lasts.
    ///
    /// # Errors
    ///
    /// When another engine runs the process manager, or the store does not answer.
    pub async fn retry_parked<P: Process>(
        &self,
        id: &(impl ToId<P::Id> + ?Sized),
    ) -> Result<u64, ProcessError> {
        let id = text_of::<P>(id)?;
        self.handle::<P>()?.ask(&id.clone(), |answer| Asked::RetryParked { id, answer }).await
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
        self.handle::<P>()?.ask(&id.clone(), |answer| Asked::DropParked { id, answer }).await
    }

    /// Has a process manager read on that has stopped at an event which cannot be read, once that is mended: all of its shards that
    /// this engine runs.
    ///
    /// # Errors
    ///
    /// When other engines run all of it.
    pub async fn resume<P: Process>(&self) -> Result<(), ProcessError> {
        self.handle::<P>()?.resume().await
    }

    /// Has a process manager pass over an event at which it has stopped: all of its shards, wherever they run. It is told of in the
    /// log.
    ///
    /// # Errors
    ///
    /// When it has not stopped at that position.
    pub async fn skip<P: Process>(&self, position: Position) -> Result<(), ProcessError> {
        self.handle::<P>()?.skip(position).await
    }

    /// Has a process manager divided into so many shards from now on, wherever they run; waits until it is.
    ///
    /// All of its shards come to rest for that: they read no further, and what was read is done, to the answers of the last
    /// commands. A command that gets no answer for long holds it up for as long.
    ///
    /// # Errors
    ///
    /// When there cannot be so many, or the store cannot be written; [`ProcessError::OtherShards`] if somebody has asked for another
    /// number later.
    ///
    /// # Cancel safety
    ///
    /// A dropped call leaves it wished: it is done.
    pub async fn set_shards<P: Process>(&self, shards: u32) -> Result<(), ProcessError> {
        self.divide(self.handle::<P>()?, shards).await
    }

    async fn divide(&self, handle: &Handle, shards: u32) -> Result<(), ProcessError> {
        Division::FromNow(shards).shards()?;
        let (store, wish) = (self.store()?, Wish::Shards { shards, asked_at: Timestamp::now() });
        let asked = [Request::new(handle.kind.reader(0), wish)];
        request::ask(store, &asked).await.map_err(failure)?;
        loop {
            handle.call.notify_one();
            if !request::requests(store).await?.iter().any(|open| open.is_same(&asked[0])) {
                break;
            }
            tokio::time::sleep(LOOK).await;
        }
        // The last wish is done, and takes those before it along.
        let now = store.standing(&handle.kind.reader(0)).await?.layout.shards;
        let (process, wished) = (handle.kind.name(), shards);
        if now == wished {
            Ok(())
        } else {
            Err(ProcessError::OtherShards { process, wished, shards: now })
        }
    }

    /// Stops: commands that are on their way are answered, what is known is written, the leases are given up.
    ///
    /// # Errors
    ///
    /// What made a process manager stop before, if anything did.
    pub async fn shutdown(self) -> Result<(), ProcessError> {
        let stopped = |worker: &Handle| {
            let (process, crew) = (worker.kind.name(), worker.crew());
            let mut reasons =
                crew.members.iter().map(|member| member.shown.borrow().stopped.clone());
            let reason = reasons.find_map(|reason| reason)?;
            Some(ProcessError::Stopped { process, reason })
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

    fn handle<P: Process>(&self) -> Result<&Handle, ProcessError> {
        let mut workers = self.inner.workers.iter();
        let found = workers.find(|worker| {
            matches!(worker.kind, Kind::Process(_)) && worker.kind.name() == P::NAME
        });
        found.ok_or(ProcessError::NotRegistered { process: P::NAME })
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
