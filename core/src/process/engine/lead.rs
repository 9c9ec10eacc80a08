//! Who leads the workers of one process manager: it has one for each shard, and others once there are to be other shards.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Notify, Semaphore, mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::asked::Asked;
use super::builder::Settings;
use super::crew::{Crew, Member};
use super::dividing::{Divided, Hangs};
use super::handle::Handle;
use super::kind::Kind;
use super::shown::Shown;
use super::worker::Worker;
use crate::bus::CommandBus;
use crate::metrics;
use crate::position::Position;
use crate::process::Start;
use crate::projection::chain;
use crate::shards::{Division, Hanging, Places, Seats, Shard};
use crate::store::{EventStore, StoreError, UnitOfWorkStore};
use crate::subscription::claim::Checkpoints;

/// How often it is measured how far behind a process manager is.
const MEASURED: Duration = Duration::from_secs(1);

pub(super) struct Lead {
    pub(super) kind: Kind,
    pub(super) bus: CommandBus,
    pub(super) events: Arc<dyn EventStore>,
    pub(super) settings: Arc<Settings>,
    /// How many commands are on their way at once, of all shards.
    pub(super) turns: Arc<Semaphore>,
    pub(super) stop: CancellationToken,
    /// Where shards begin of which nobody has said it: where the log was before this engine began.
    pub(super) begins_at: Position,
}

/// A lead whose workers know where they begin, and have not begun.
pub(super) struct Prepared {
    lead: Lead,
    crew: watch::Sender<Arc<Crew>>,
    call: Arc<Notify>,
    workers: Vec<(Worker, mpsc::Receiver<Asked>)>,
    hanging: Hanging,
}

impl Lead {
    /// Has the workers of all shards say where they begin, if nobody has.
    pub(super) async fn prepare(mut self, shards: u32) -> Result<(Prepared, Handle), StoreError> {
        if self.kind.start() == Start::Head {
            self.begins_at = self.events.head().await?;
        }
        let call = Arc::new(Notify::new());
        let shards = self.first_shards(shards).await?;
        let (crew, workers) = self.crew(shards, &call);
        for (worker, _) in &workers {
            worker.begin().await?;
        }
        let (crew, shown) = watch::channel(Arc::new(crew));
        let (kind, lease) = (self.kind.clone(), self.settings.lease);
        let handle = Handle { kind, lease, crew: shown, call: call.clone() };
        let hanging = Hanging::default();
        Ok((Prepared { lead: self, crew, call, workers, hanging }, handle))
    }

    /// The seat by which other engines know that this one is there.
    fn seats(&self) -> Seats {
        let stores = (self.events.clone(), Checkpoints::Beside(self.events.clone()));
        Seats::new(self.kind.seats(), stores, &self.settings.name, self.settings.lease)
    }

    /// How many shards there are: what somebody said before, else this number.
    async fn first_shards(&self, shards: u32) -> Result<u32, StoreError> {
        let (store, reader) = (self.store()?, self.kind.reader(0));
        let standing = store.standing(&reader).await?;
        // Who runs already has something on its way.
        if standing.reached.iter().any(Option::is_some) {
            return Ok(standing.layout.shards);
        }
        Ok(store.divide(&reader, Division::AtFirst(shards)).await?.layout.shards)
    }

    pub(super) fn store(&self) -> Result<&dyn UnitOfWorkStore, StoreError> {
        self.events.unit_of_work().ok_or_else(|| {
            StoreError::invalid(
                "the store keeps events only, and a process needs one that keeps what it has to do",
            )
        })
    }

    fn crew(
        &self,
        shards: u32,
        call: &Arc<Notify>,
    ) -> (Crew, Vec<(Worker, mpsc::Receiver<Asked>)>) {
        let (rest, rests) = watch::channel(false);
        let (stop, places) = (self.stop.child_token(), Arc::new(Places::of(shards)));
        let (mut members, mut workers) = (Vec::new(), Vec::new());
        for shard in Shard::all(shards) {
            let (shown, shown_to) = watch::channel(Shown::default());
            let (asks, asked) = mpsc::channel(16);
            let process = self.kind.name();
            members.push(Member { process, shard, asks, shown: shown_to });
            let worker = Worker {
                kind: self.kind.clone(),
                category: self.kind.category(),
                bus: self.bus.clone(),
                events: self.events.clone(),
                settings: self.settings.clone(),
                turns: self.turns.clone(),
                shard,
                rest: rests.clone(),
                places: places.clone(),
                call: call.clone(),
                stop: stop.clone(),
                shown,
                blocked: None,
                later: Vec::new(),
                begins_at: self.begins_at,
            };
            workers.push((worker, asked));
        }
        (Crew { shards, members, stop, places, rest }, workers)
    }
}

impl Prepared {
    /// Runs the workers until the engine stops.
    pub(super) async fn run(mut self) {
        let mut tasks = JoinSet::new();
        self.spawn(&mut tasks);
        let (mut measured_at, stop) = (None, self.lead.stop.clone());
        let mut seats = self.lead.seats();
        loop {
            self.share(&mut seats).await;
            tokio::select! {
                () = stop.cancelled() => break,
                () = self.call.notified() => {}
                () = tokio::time::sleep(self.lead.settings.polling) => {}
            }
            tokio::select! {
                () = stop.cancelled() => break,
                () = self.look(&mut tasks) => {}
            }
            if measured_at.is_none_or(|at: Instant| at.elapsed() >= MEASURED) {
                measured_at = Some(Instant::now());
                self.measure().await;
            }
        }
        while tasks.join_next().await.is_some() {}
        seats.leave().await;
    }

    /// Says how many of the shards this engine may have: with others that are there, none keeps all. Tells those at which it has
    /// stopped.
    async fn share(&self, seats: &mut Seats) {
        let crew = self.crew.borrow().clone();
        seats.share(&crew.share(), &crew.places).await;
    }

    fn spawn(&mut self, tasks: &mut JoinSet<()>) {
        for (worker, asked) in self.workers.drain(..) {
            tasks.spawn(worker.run(asked));
        }
    }

    /// Looks what the shards are and are to be, and has other workers if they are others.
    async fn look(&mut self, tasks: &mut JoinSet<()>) {
        let (divided, process) = (self.lead.divide().await, self.lead.kind.name());
        let every = self.lead.settings.lease;
        let Divided { shards, hangs } = match divided {
            Ok(divided) => divided,
            Err(error) => {
                if let Some(hangs) = self.hanging.is_told(every) {
                    let error = chain(&error);
                    let message = "the store does not tell how many shards there are";
                    tracing::warn!(process, error, ?hangs, "{message}");
                }
                return;
            }
        };
        let crew = self.crew.borrow().clone();
        match &hangs {
            Some(Hangs { into, why }) => {
                if let Some(hangs) = self.hanging.is_told(every) {
                    let message = "there are to be other shards, and the change hangs";
                    tracing::warn!(
                        process,
                        before = shards,
                        shards = into,
                        why,
                        ?hangs,
                        "{message}"
                    );
                }
            }
            None => self.hanging.ends(),
        }
        if crew.shards == shards {
            let rests = hangs.is_some();
            crew.rest.send_if_modified(|told| std::mem::replace(told, rests) != rests);
            return;
        }
        crew.stop.cancel();
        while tasks.join_next().await.is_some() {}
        tracing::info!(process, shards, "there are other shards now");
        let (crew, workers) = self.lead.crew(shards, &self.call);
        self.workers = workers;
        self.spawn(tasks);
        self.crew.send_replace(Arc::new(crew));
    }

    /// Tells how far behind the shards are that run here.
    async fn measure(&self) {
        let crew = self.crew.borrow().clone();
        let own: Vec<Shown> = crew
            .members
            .iter()
            .map(|member| member.shown.borrow().clone())
            .filter(|shown| shown.reached().is_some())
            .collect();
        let Some(position) = own.iter().filter_map(Shown::reached).min() else { return };
        let Ok(head) = self.lead.events.head().await else {
            tracing::debug!(
                process = self.lead.kind.name(),
                "the store did not tell the log's end"
            );
            return;
        };
        let behind = head.get().saturating_sub(position.get());
        let (now, oldest) =
            (self.lead.settings.now(), own.iter().filter_map(|shown| shown.oldest_unsent).min());
        let age = oldest.map_or(Duration::ZERO, |oldest| now.since(oldest));
        let parked = own.iter().map(|shown| shown.parked).sum();
        metrics::process_lag(self.lead.kind.name(), behind, age, parked);
    }
}
