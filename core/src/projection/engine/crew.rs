//! All workers of a projection in this engine: one for each shard, as many as are kept for it.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use futures::FutureExt;
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::asked::{Asked, Given};
use super::pulse::Pulse;
use super::rebuild::TURN;
use super::shown::Shown;
use super::status::ProjectionState;
use super::worker::{Berth, Worker};
use super::{EngineError, Settings};
use crate::causes::chain;
use crate::position::Position;
use crate::projection::progress::Workers;
use crate::projection::{CatalogEntry, Projector};
use crate::shards::{Hanging, Places, Seats, Shard, Share};
use crate::store::{CheckpointId, EventStore, ReadModelStore};
use crate::subscription::claim::Checkpoints;

/// What all workers of a projection share.
pub(super) struct Crew {
    pub(super) projector: Arc<dyn Projector>,
    pub(super) settings: Arc<Settings>,
    stores: (Arc<dyn EventStore>, Arc<dyn ReadModelStore>),
    pulse: Arc<Pulse>,
    stop: CancellationToken,
    tasks: TaskTracker,
    members: RwLock<Vec<Member>>,
    /// For those who wait for the rows.
    reached: Workers,
    /// Somebody has seen that there is to be another number of workers.
    other_number: Notify,
}

/// A worker, as others reach it.
#[derive(Clone)]
pub(super) struct Member {
    pub(super) shard: Shard,
    pub(super) asks: mpsc::Sender<Asked>,
    pub(super) shown: watch::Receiver<Shown>,
}

/// Workers of one number of shards.
struct Watch {
    shards: u32,
    places: Arc<Places>,
    /// Has them all go, once there are others.
    retired: CancellationToken,
}

impl Crew {
    /// Begins the workers of a projection.
    pub(super) fn start(
        projector: Arc<dyn Projector>,
        (entry, awaits_tables): (CatalogEntry, bool),
        stores: (Arc<dyn EventStore>, Arc<dyn ReadModelStore>),
        (settings, pulse): (Arc<Settings>, Arc<Pulse>),
        (stop, tasks): (CancellationToken, TaskTracker),
    ) -> Arc<Self> {
        let crew = Arc::new(Self {
            projector,
            settings,
            stores,
            pulse,
            stop,
            tasks,
            members: RwLock::default(),
            reached: Workers::default(),
            other_number: Notify::new(),
        });
        let watch = crew.muster(&entry, awaits_tables);
        crew.tasks.spawn(crew.clone().keep(watch));
        crew
    }

    /// Begins a worker for each shard.
    fn muster(self: &Arc<Self>, entry: &CatalogEntry, awaits_tables: bool) -> Watch {
        let places = Arc::new(Places::of(entry.shards));
        let (retired, shards) = (self.stop.child_token(), entry.shards);
        let (mut members, mut reached) = (Vec::new(), Vec::new());
        for shard in Shard::all(shards) {
            let (asks, asked) = mpsc::channel(16);
            let (mut worker, shown, reached_to) = Worker::new(
                self.projector.clone(),
                entry.clone(),
                self.stores.clone(),
                (self.settings.clone(), self.pulse.clone()),
                retired.clone(),
            );
            worker.awaits_tables = awaits_tables;
            worker.berth =
                Berth { shard, places: places.clone(), crew: Some(Arc::downgrade(self)) };
            members.push(Member { shard, asks, shown });
            reached.push(reached_to);
            self.tasks.spawn(worker.run(asked));
        }
        *self.members.write().unwrap_or_else(PoisonError::into_inner) = members;
        self.reached.replace(reached);
        Watch { shards, places, retired }
    }

    /// Keeps as many workers as there are shards, and no more leases than are fair, until the engine ends.
    async fn keep(self: Arc<Self>, mut watch: Watch) {
        let definition = self.projector.definition();
        let id = CheckpointId::of_seats(&definition.projection, definition.version);
        let rows = Checkpoints::Apart(self.stores.1.clone());
        let settings = &self.settings;
        let mut seats =
            Seats::new(id, (self.stores.0.clone(), rows), &settings.name, settings.lease);
        let (pause, mut hanging) = (settings.polling.min(settings.lease / 4), Hanging::default());
        let mut looked_at = Instant::now();
        loop {
            let is_told = tokio::select! {
                () = self.stop.cancelled() => return seats.leave().await,
                () = self.other_number.notified() => true,
                () = self.share_out(&mut seats, pause, &watch) => false,
            };
            // One that has no shard hears of it from nobody.
            if !is_told && looked_at.elapsed() < settings.polling {
                continue;
            }
            let before = std::mem::replace(&mut looked_at, Instant::now());
            let after = if is_told { looked_at } else { before };
            let entry = tokio::select! {
                () = self.stop.cancelled() => return seats.leave().await,
                entry = self.pulse.entry(definition, after) => entry,
            };
            // What the store does not tell now, it tells the next time: whoever has seen it goes on to say so.
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) if is_told => {
                    self.tell_hanging(&mut hanging, watch.shards, &chain(&error));
                    continue;
                }
                Err(_) => continue,
            };
            hanging.ends();
            let Some(entry) = entry.filter(|entry| entry.shards != watch.shards) else { continue };
            tracing::info!(
                projection = definition.projection,
                before = watch.shards,
                shards = entry.shards,
                "the projection has another number of shards"
            );
            // Those of before write no more: their leases are given up.
            let next = self.muster(&entry, self.awaits_tables());
            let retired = std::mem::replace(&mut watch, next).retired;
            retired.cancel();
            seats.anew();
        }
    }

    /// Whether the workers wait until somebody has made the tables.
    fn awaits_tables(&self) -> bool {
        let awaits = |member: &Member| member.shown.borrow().state == ProjectionState::Unprepared;
        self.members().iter().any(awaits)
    }

    fn tell_hanging(&self, hanging: &mut Hanging, before: u32, error: &str) {
        if let Some(hangs) = hanging.is_told(self.settings.lease) {
            let projection = &self.projector.definition().projection;
            let message = "there are to be other shards, and the store does not tell how many";
            tracing::warn!(projection, before, error, ?hangs, "{message}");
        }
    }

    /// Says how many shards this engine may have, now for the first time, then after a pause; and tells others at which it has
    /// stopped.
    async fn share_out(&self, seats: &mut Seats, pause: Duration, watch: &Watch) {
        if !seats.is_first() {
            tokio::time::sleep(pause).await;
        }
        let members = self.members();
        let has_stopped = |member: &&Member| member.shown.borrow().stopped.is_some();
        let stopped = members.iter().filter(has_stopped).map(|member| member.shard.index());
        let share = Share {
            shards: watch.shards,
            stopped: stopped.collect(),
            runs: members.iter().any(|member| member.shown.borrow().position.is_some()),
        };
        seats.share(&share, &watch.places).await;
    }

    /// Hears that the number of shards is another one.
    pub(super) fn look_for_number(&self) {
        self.other_number.notify_one();
    }

    /// How far the workers are, for those who wait.
    pub(super) fn reached(&self) -> Workers {
        self.reached.clone()
    }

    pub(super) fn members(&self) -> Vec<Member> {
        self.members.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The worker that has a key.
    fn member_of(&self, key: &str) -> Option<Member> {
        self.members().into_iter().find(|member| member.shard.has_key(key))
    }

    /// What all workers show together.
    pub(super) fn shown(&self) -> Shown {
        let shown = self.members().into_iter().map(|member| member.shown.borrow().clone());
        shown.reduce(Shown::beside).unwrap_or_default()
    }

    /// Up to where the worker that has a key has come, if it is the owner.
    pub(super) fn position_of(&self, key: &str) -> Option<Position> {
        self.member_of(key)?.shown.borrow().position
    }

    /// Whether it is asked in vain.
    pub(super) fn has_ended(&self) -> bool {
        self.members().iter().all(|member| member.asks.is_closed())
    }

    fn ended(&self) -> EngineError {
        EngineError::Ended { projection: self.projector.definition().projection.clone() }
    }

    /// Asks all workers, and waits for all answers.
    pub(super) async fn ask_all<T>(
        &self,
        mut asked: impl FnMut(oneshot::Sender<T>) -> Asked,
    ) -> Result<Vec<T>, EngineError> {
        let mut answers = Vec::new();
        for member in self.members() {
            let (answer, answered) = oneshot::channel();
            if member.asks.send(asked(answer)).await.is_ok()
                && let Ok(answer) = answered.await
            {
                answers.push(answer);
            }
        }
        // Of several, some may have gone for another number of them: the others read what is kept.
        if answers.is_empty() { Err(self.ended()) } else { Ok(answers) }
    }

    /// Asks the worker that has a key.
    pub(super) async fn ask_of<T>(
        &self,
        key: &str,
        asked: impl FnOnce(oneshot::Sender<T>) -> Asked,
    ) -> Result<T, EngineError> {
        let member = self.member_of(key).ok_or_else(|| self.ended())?;
        let (answer, answered) = oneshot::channel();
        member.asks.send(asked(answer)).await.map_err(|_| self.ended())?;
        answered.await.map_err(|_| self.ended())
    }

    /// Has those pass over an event who have stopped there.
    pub(super) async fn skip(&self, position: Position) -> Result<(), EngineError> {
        let has_stopped = |member: &&Member| member.shown.borrow().stopped_at == Some(position);
        let members = self.members();
        let mut stopped: Vec<&Member> = members.iter().filter(has_stopped).collect();
        if stopped.is_empty() {
            // One that has not stopped says so.
            stopped.extend(members.first());
        }
        let mut skipped = Err(self.ended());
        for member in stopped {
            let (answer, answered) = oneshot::channel();
            let asked = Asked::Skip { position, answer };
            member.asks.send(asked).await.map_err(|_| self.ended())?;
            let answer = answered.await.map_err(|_| self.ended())?;
            // One that sees that another has skipped it goes on by itself, and has nothing to skip any more.
            if skipped.is_err() {
                skipped = answer;
            }
        }
        skipped
    }

    /// Has the workers look which generation answers, and waits for a moment until they are its owners.
    pub(super) async fn look(&self) {
        let members = self.members();
        let each = members.iter().map(|member| {
            async move {
                let (answer, answered) = oneshot::channel();
                if member.asks.send(Asked::Look { answer }).await.is_ok() {
                    // A worker that ends needs not look.
                    let _ = answered.await;
                }
                let mut shown = member.shown.clone();
                let owns = |shown: &Shown| shown.position.is_some() || shown.stopped.is_some();
                let _ = shown.wait_for(owns).await;
            }
            .boxed()
        });
        // Another engine may be the owner, or the worker have much to do: it looks by itself, too.
        let _ = tokio::time::timeout(TURN, futures::future::join_all(each)).await;
    }

    /// Hands the lease over under which rows were built that answer now, so that nobody else takes them in between.
    pub(super) async fn take_over(&self, given: Given) {
        let members = self.members();
        // Of several shards, each has a lease of its own: this one was given up.
        if let [member] = &members[..] {
            // Dropped by a worker that has ended, it is given up.
            let _ = member.asks.send(Asked::TakeOver { given }).await;
        }
    }
}

impl Shown {
    /// What is shown of two shards together: what is worst, and what is furthest behind.
    fn beside(self, other: Self) -> Self {
        let worst = if rank(other.state) > rank(self.state) { other.state } else { self.state };
        let is_same = self.generation == other.generation;
        Self {
            state: worst,
            generation: self.generation.max(other.generation),
            position: self
                .position
                .zip(other.position)
                .filter(|_| is_same)
                .map(|(one, two)| one.min(two)),
            rate: self.rate.max(other.rate),
            events: self.events.max(other.events),
            last_error: self.last_error.or(other.last_error),
            stopped: self.stopped.or(other.stopped),
            stopped_at: self.stopped_at.or(other.stopped_at),
            lag: self.lag.max(other.lag),
            parked: self.parked + other.parked,
        }
    }
}

/// How much a state of one shard says of all.
const fn rank(state: ProjectionState) -> u8 {
    match state {
        ProjectionState::Ended => 0,
        ProjectionState::Waiting => 1,
        ProjectionState::Live => 2,
        ProjectionState::CatchingUp => 3,
        ProjectionState::Paused => 4,
        ProjectionState::Unprepared => 5,
        ProjectionState::Retrying => 6,
        ProjectionState::Stopped => 7,
    }
}
