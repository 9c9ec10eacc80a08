//! What a runner is made of: where logs are kept, which sagas it knows, which it runs.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument;

use super::LOOK;
use super::SagaError;
use super::builder::Settings;
use super::drive::{Drive, Ended};
use super::journal::{Entry, Journal, Kept, Written};
use super::seat::{Found, Seat, Seats};
use super::stuck::Stuck;
use crate::bus::{Services, SetupError};
use crate::causes::chain;
use crate::metadata::Metadata;
use crate::position::Position;
use crate::registry::SagaRegistration;
use crate::request::Request;
use crate::saga::{AnySaga, Instance, Next, Owner, SagaData, SagaRecord};
use crate::store::StoreError;
use crate::stream::StreamId;
use crate::timestamp::Timestamp;

/// How seldom whoever waits for a saga looks at most whether its log has moved, while others write all the time.
const LONGEST_LOOK: Duration = Duration::from_millis(250);

/// What the handle of a runner and its tasks share.
pub(super) struct Core {
    pub(super) journal: Journal,
    pub(super) settings: Settings,
    pub(super) services: Services,
    /// The sagas that it runs; `None` stands for all that the program links.
    pub(super) registered: Option<BTreeMap<&'static str, SagaRegistration>>,
    pub(super) seats: Seats,
    /// How many calls are on their way at once.
    pub(super) turns: Semaphore,
    pub(super) running: Mutex<HashMap<StreamId, watch::Receiver<Option<Ended>>>>,
    /// Those that could not go on here.
    pub(super) stuck: Mutex<HashMap<StreamId, Stuck>>,
    /// Why it was not looked at all that others left, when it was looked last.
    pub(super) failing: Mutex<Option<String>>,
    /// Those that nobody was seen to run, and since when.
    pub(super) left: Mutex<HashMap<StreamId, Timestamp>>,
    pub(super) stop: CancellationToken,
    pub(super) tasks: TaskTracker,
}

/// The right to run a saga in this program: one at a time has it.
pub(super) struct Turn {
    core: Arc<Core>,
    stream_id: StreamId,
    tell: watch::Sender<Option<Ended>>,
}

/// With what a saga begins.
#[derive(Clone)]
pub(super) struct Begins {
    pub(super) data: SagaData,
    pub(super) metadata: Arc<Metadata>,
}

/// What is taken over, and how.
pub(super) struct Takes {
    pub(super) kept: Kept,
    /// What its log is given before it says who has it now.
    pub(super) first: Option<SagaRecord>,
    /// What a person asked for, taken back with it.
    pub(super) asked: Option<Request>,
}

/// What came of a try to become a saga's owner: under this seat it is; `None` if another was faster.
pub(super) type Owned = Option<(Arc<Seat>, Kept)>;

impl Core {
    pub(super) fn now(&self) -> Timestamp {
        self.settings.clock.now()
    }

    /// The saga by its registration, with its services.
    pub(super) fn saga(&self, known: &SagaRegistration) -> Result<Arc<dyn AnySaga>, SetupError> {
        (known.saga)(&self.services)
            .ok_or_else(|| SetupError::missing_saga_services((known.type_name)()))
    }

    /// The sagas that it runs: those that were registered, or all that the program links.
    pub(super) fn known(&self) -> Vec<SagaRegistration> {
        match &self.registered {
            Some(registered) => registered.values().copied().collect(),
            None => SagaRegistration::all().copied().collect(),
        }
    }

    /// Takes the turn of a saga; `None` if it runs here, or is about to.
    pub(super) fn turn(self: &Arc<Self>, stream_id: &StreamId) -> Option<Turn> {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if running.contains_key(stream_id) {
            return None;
        }
        let (tell, told) = watch::channel(None);
        running.insert(stream_id.clone(), told);
        Some(Turn { core: self.clone(), stream_id: stream_id.clone(), tell })
    }

    /// Whoever runs it here, to be asked how it ended.
    pub(super) fn runs(&self, stream_id: &StreamId) -> Option<watch::Receiver<Option<Ended>>> {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.get(stream_id).cloned()
    }

    /// Begins a saga, unless one was begun under its id.
    async fn begin(
        &self,
        saga: &dyn AnySaga,
        stream_id: &StreamId,
        begins: Begins,
    ) -> Result<Owned, SagaError> {
        let Begins { data, metadata } = begins;
        self.own(saga, None, |owner| {
            let (instance, first) = Instance::begin(stream_id.clone(), data.clone(), owner);
            let kept = Kept { instance, version: 0, metadata: metadata.clone(), last: None };
            (None, kept, vec![Entry::Record(first)])
        })
        .await
    }

    /// Takes a saga over whose runner is dead, or that a person has tried again; what was asked for is taken back with it.
    async fn take_over(&self, saga: &dyn AnySaga, takes: Takes) -> Result<Owned, SagaError> {
        let Takes { kept, first, asked } = takes;
        self.can_go_on(saga, &kept, first.as_ref())?;
        self.own(saga, asked.as_ref(), |owner| {
            let mut after = kept.clone();
            // Of one that it has already, its log says so.
            let is_mine = first.is_none() && kept.instance.owner() == owner;
            let says_so = (!is_mine).then_some(SagaRecord::Taken { owner });
            let records = first.clone().into_iter().chain(says_so);
            let entries: Vec<Entry> = records.map(Entry::Record).collect();
            for entry in &entries {
                entry.apply(&mut after.instance);
            }
            (Some(kept.clone()), after, entries)
        })
        .await
    }

    /// Looks whether this program can go on with a saga, before it is its owner: one that cannot leaves it to those who can.
    pub(super) fn can_go_on(
        &self,
        saga: &dyn AnySaga,
        kept: &Kept,
        first: Option<&SagaRecord>,
    ) -> Result<(), SagaError> {
        let mut instance = kept.instance.clone();
        if let Some(first) = first {
            instance.apply(first);
        }
        let reason = match instance.next(saga, self.now()) {
            Ok(Next::Nothing(_) | Next::End(_)) => return Ok(()),
            Ok(_) => match saga.can_read(instance.data()) {
                Ok(()) => return Ok(()),
                Err(error) => chain(&error),
            },
            Err(error) => error.to_string(),
        };
        self.hold_up(saga.name(), instance.stream_id(), reason.clone());
        let id = instance.stream_id().id().to_owned();
        Err(SagaError::Stuck { saga: saga.name(), id, reason })
    }

    /// Writes what makes this runner a saga's owner, with the step that begins with it; under a new seat if the seat was lost.
    async fn own(
        &self,
        saga: &dyn AnySaga,
        asked: Option<&Request>,
        make: impl Fn(Owner) -> (Option<Kept>, Kept, Vec<Entry>),
    ) -> Result<Owned, SagaError> {
        loop {
            if self.stop.is_cancelled() {
                return Err(SagaError::ShutDown);
            }
            let seat = self.seats.take(saga.name(), &self.journal, &self.settings).await?;
            let now = self.now();
            let (before, mut after, mut entries) = make(seat.owner);
            if let Ok(Next::Log(called)) = after.instance.next(saga, now) {
                after.instance.apply(&called);
                entries.push(Entry::Record(called));
            }
            if entries.is_empty() {
                return Ok(Some((seat, after)));
            }
            let fence = Some(&seat.fence);
            let mut change = self.journal.change(before.as_ref(), after, &entries, fence, now)?;
            if let Some(asked) = asked {
                change = change.with_row(asked.done());
            }
            let mut written = self.journal.write(&change).await;
            // Sent again, it finds out whether it was done.
            for _ in 0..3 {
                match written {
                    Err(error) if error.is_unavailable() => {
                        tracing::warn!(saga = saga.name(), %error, "the log is written again");
                        written = self.journal.write(&change).await;
                    }
                    _ => break,
                }
            }
            match written? {
                Written::Done => {
                    let id = change.after.instance.stream_id().id();
                    for entry in &entries {
                        entry.tell(saga.name(), id);
                    }
                    return Ok(Some((seat, change.after)));
                }
                Written::Overtaken => return Ok(None),
                Written::Fenced => seat.lose(),
            }
        }
    }

    /// Whether nobody runs a saga any more: its runner is dead, or was this one.
    pub(super) async fn is_free(
        &self,
        saga: &'static str,
        owner: Owner,
        found: &mut Found,
    ) -> Result<bool, SagaError> {
        if owner == Owner::NOBODY {
            return Ok(true);
        }
        if let Some(mine) = self.seats.mine(saga).await
            && mine.owner.seat == owner.seat
        {
            return Ok(mine.owner.epoch >= owner.epoch);
        }
        found.is_dead(saga, owner, &self.journal, self.settings.lease).await
    }

    /// Waits until a saga's log is not where it was, or until an instant. Whatever else is stored meanwhile, the log is not read.
    pub(super) async fn until_moved(
        &self,
        stream_id: &StreamId,
        (version, mut head): (u64, Position),
        until: tokio::time::Instant,
    ) -> Result<(), SagaError> {
        let events = self.journal.events();
        let (mut pause, longest) = (LOOK, (self.settings.polling / 4).clamp(LOOK, LONGEST_LOOK));
        let moved = async {
            loop {
                events.wait_for_events(head).await?;
                head = events.head().await?;
                if events.stream_head(stream_id).await?.version != version {
                    return Ok(());
                }
                // Others may write all the time.
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(longest);
            }
        };
        tokio::select! {
            () = self.stop.cancelled() => Err(SagaError::ShutDown),
            moved = tokio::time::timeout_at(until, moved) => moved.unwrap_or(Ok(())),
        }
    }

    /// Takes a saga up if nobody runs it.
    pub(super) async fn take_up(
        self: &Arc<Self>,
        saga: &Arc<dyn AnySaga>,
        stream_id: &StreamId,
        found: &mut Found,
    ) -> Result<bool, SagaError> {
        let Some(turn) = self.turn(stream_id) else { return Ok(false) };
        // Read once it is sure that nobody here writes to it.
        let Some(kept) = self.journal.load(saga.name(), stream_id).await? else { return Ok(false) };
        let is_over = kept.instance.outcome().is_some();
        if is_over || !self.is_free(saga.name(), kept.instance.owner(), found).await? {
            return Ok(false);
        }
        turn.take(saga.clone(), Takes { kept, first: None, asked: None }).await
    }
}

impl Turn {
    /// Begins a saga and runs it; `false` if one was begun under its id.
    pub(super) async fn begin(
        self,
        saga: Arc<dyn AnySaga>,
        begins: Begins,
    ) -> Result<bool, SagaError> {
        let (core, begun, stream_id) = (self.core.clone(), saga.clone(), self.stream_id.clone());
        self.own(saga, async move { core.begin(&*begun, &stream_id, begins).await }).await
    }

    /// Takes a saga over and runs it; `false` if another was faster.
    pub(super) async fn take(
        self,
        saga: Arc<dyn AnySaga>,
        takes: Takes,
    ) -> Result<bool, SagaError> {
        let (core, of) = (self.core.clone(), saga.clone());
        self.own(saga, async move { core.take_over(&*of, takes).await }).await
    }

    /// Becomes the saga's owner and runs it.
    ///
    /// In a task of its own: what the log holds by then goes on, though the call that asked for it was dropped.
    async fn own(
        self,
        saga: Arc<dyn AnySaga>,
        owning: impl Future<Output = Result<Owned, SagaError>> + Send + 'static,
    ) -> Result<bool, SagaError> {
        let tracked = self.core.clone();
        let owns = async move {
            let Some((seat, kept)) = owning.await? else { return Ok(false) };
            self.drive(saga, seat, kept);
            Ok(true)
        };
        let owned = tracked.tasks.spawn(owns.in_current_span()).await;
        owned.unwrap_or_else(|error| {
            let message = "the task that takes a saga has ended before it had an answer";
            Err(StoreError::other(message).with_source(error).into())
        })
    }

    /// Runs the saga in a task of its own.
    fn drive(self, saga: Arc<dyn AnySaga>, seat: Arc<Seat>, kept: Kept) {
        let core = self.core.clone();
        let tracked = core.clone();
        core.goes_on(&self.stream_id);
        tracked.tasks.spawn(async move {
            let name = saga.name();
            let ended = Drive { core: core.clone(), saga, seat, kept }.run().await;
            match &ended {
                Ended::Stuck(reason) => core.hold_up(name, &self.stream_id, reason.clone()),
                // Whoever has it may be stuck with it, too.
                Ended::Lost => {}
                Ended::Over(_) | Ended::Stopped => core.is_held_up_no_more(&self.stream_id),
            }
            let tell = self.tell.clone();
            // Whoever is told finds that it runs here no more.
            drop(self);
            tell.send_replace(Some(ended));
        });
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut running = self.core.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.remove(&self.stream_id);
    }
}
