//! The task of one projection: it holds the lease, reads, writes, retries, and does what it is asked.

use std::collections::HashSet;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use futures::FutureExt;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::asked::{Asked, Given};
use super::crew::Crew;
use super::failures::{Failures, Next};
use super::pages::NextPage;
use super::pulse::Pulse;
use super::shown::Shown;
use super::size::Size;
use super::status::ProjectionState;
use super::still::Still;
use super::stopped::{Left, Over};
use super::{EngineError, Settings};
use crate::causes::chain;
use crate::metrics;
use crate::position::Position;
use crate::projection::progress::Reached;
use crate::projection::{CatalogEntry, ParkedEvent, Projector, message_of};
use crate::request::Request;
use crate::shards::{Part, Place, Places, Shard};
use crate::store::{CheckpointId, EventStore, ReadModelStore, StoreError};
use crate::subscription::SubscriptionError;
use crate::subscription::lease::Lease;

/// How often a checkpoint is written that moved past events of others only.
pub(super) const IDLE_CHECKPOINT: Duration = Duration::from_millis(250);

pub(super) struct Worker {
    pub(super) projector: Arc<dyn Projector>,
    pub(super) events: Arc<dyn EventStore>,
    pub(super) rows: Arc<dyn ReadModelStore>,
    pub(super) settings: Arc<Settings>,
    pub(super) pulse: Arc<Pulse>,
    pub(super) stop: CancellationToken,
    pub(super) entry: CatalogEntry,
    /// Whether its tables are not there yet, and it may not make them.
    pub(super) awaits_tables: bool,
    /// The generation that it writes: the one that answers, or one that is built beside.
    pub(super) generation: u32,
    pub(super) shown: watch::Sender<Shown>,
    pub(super) reached: watch::Sender<Reached>,
    pub(super) berth: Berth,
    /// The lease under which rows were built that answer now.
    pub(super) given: Option<Given>,
    /// Whether the next page is read while the one before it is applied.
    pub(super) reads_ahead: bool,
    pub(super) left: Left,
    /// Whether it measured last that the store fails.
    pub(super) has_failed: bool,
    /// Under which epoch it was the owner last.
    pub(super) had_epoch: u64,
}

/// Which of a projection's workers it is.
pub(super) struct Berth {
    pub(super) shard: Shard,
    pub(super) places: Arc<Places>,
    /// None of a worker that is by itself, such as one who rebuilds.
    pub(super) crew: Option<Weak<Crew>>,
}

/// What a worker has while it is the owner.
pub(super) struct Owned {
    pub(super) lease: Lease,
    /// Of several shards, this engine has so many at most.
    pub(super) place: Option<Place>,
    pub(super) generation: u32,
    /// The reader for which events are parked: of all shards one.
    pub(super) reader: CheckpointId,
    /// What of the events it has to do.
    pub(super) part: Part,
    /// Up to where the log was read and its effects written.
    pub(super) position: Position,
    /// What the store keeps.
    pub(super) kept: Option<Position>,
    pub(super) kept_at: Instant,
    pub(super) measured_at: Option<Instant>,
    /// When it was looked, or said, whether it is paused.
    pub(super) looked_at: Instant,
    pub(super) is_at_end: bool,
    /// Where the log's end was when it was reached first.
    pub(super) end: Option<Position>,
    /// When the store is told that the log's end was reached; `None` once it knows.
    pub(super) tells_end_at: Option<Instant>,
    pub(super) parked: Vec<ParkedEvent>,
    pub(super) waiting: HashSet<String>,
    /// What is passed over, since a person said so.
    pub(super) skipped: HashSet<Position>,
    pub(super) size: Size,
    pub(super) next_page: Option<NextPage>,
    /// What was asked of which there was nothing to do: what all workers look at together may be older than that it was told.
    pub(super) told_vain: Vec<Request>,
    /// Whether new rows are built beside its own, as it has seen last.
    pub(super) has_beside: bool,
    pub(super) still: Option<Still>,
}

/// Why a worker is no longer the owner.
pub(super) enum Ended {
    Shutdown,
    /// The lease has passed on, or what is kept has to be looked at anew.
    Again,
    /// The store did not answer, or failed.
    Failed(StoreError),
    Stopped(EngineError),
}

impl Ended {
    /// What whoever waits for it is told.
    pub(super) fn into_error(self, projection: &str) -> EngineError {
        let projection = projection.to_owned();
        match self {
            Self::Shutdown => EngineError::Ended { projection },
            Self::Again => EngineError::NotOwner { projection },
            Self::Failed(error) => error.into(),
            Self::Stopped(error) => error,
        }
    }
}

impl From<StoreError> for Ended {
    fn from(error: StoreError) -> Self {
        Self::Failed(error)
    }
}

impl From<SubscriptionError> for Ended {
    fn from(error: SubscriptionError) -> Self {
        match error {
            SubscriptionError::Store(error) => Self::Failed(error),
            _ => Self::Again,
        }
    }
}

impl Worker {
    pub(super) fn new(
        projector: Arc<dyn Projector>,
        entry: CatalogEntry,
        (events, rows): (Arc<dyn EventStore>, Arc<dyn ReadModelStore>),
        (settings, pulse): (Arc<Settings>, Arc<Pulse>),
        stop: CancellationToken,
    ) -> (Self, watch::Receiver<Shown>, watch::Receiver<Reached>) {
        let generation = entry.generation;
        let shown = watch::Sender::new(Shown { generation, ..Shown::default() });
        let reached = watch::Sender::new(Reached { generation, ..Reached::default() });
        let (shown_to, reached_to) = (shown.subscribe(), reached.subscribe());
        let worker = Self {
            projector,
            events,
            rows,
            settings,
            pulse,
            stop,
            entry,
            awaits_tables: false,
            generation,
            shown,
            reached,
            berth: Berth { shard: Shard::WHOLE, places: Arc::new(Places::of(1)), crew: None },
            given: None,
            reads_ahead: true,
            left: Left::default(),
            has_failed: false,
            had_epoch: 0,
        };
        (worker, shown_to, reached_to)
    }

    pub(super) fn name(&self) -> &str {
        &self.projector.definition().projection
    }

    /// Runs until it is stopped.
    pub(super) async fn run(mut self, mut asked: mpsc::Receiver<Asked>) {
        let mut failures = Failures::default();
        if !self.await_tables(&mut asked).await {
            return self.show(|shown| shown.state = ProjectionState::Ended);
        }
        loop {
            // Whatever panics, a person is told, and the worker stays.
            let turn = AssertUnwindSafe(self.turn(&mut asked, &mut failures));
            let ended = turn.catch_unwind().await.unwrap_or_else(|panic| {
                let projection = self.name().to_owned();
                Ended::Stopped(EngineError::Panicked { projection, text: message_of(&*panic) })
            });
            let error = match ended {
                Ended::Shutdown => break,
                Ended::Again => continue,
                Ended::Stopped(error) => error,
                Ended::Failed(error) => match failures.next(&error) {
                    Next::Stop => error.into(),
                    Next::Again(pause) => {
                        self.tell_failed(&error, pause);
                        tokio::select! {
                            () = self.stop.cancelled() => break,
                            () = tokio::time::sleep(pause) => continue,
                        }
                    }
                },
            };
            failures = Failures::default();
            if let Err(Over) = self.stopped(error, &mut asked).await {
                break;
            }
        }
        self.show(|shown| shown.state = ProjectionState::Ended);
    }

    /// Takes the lease, and has it for as long as it can.
    async fn turn(&mut self, asked: &mut mpsc::Receiver<Asked>, failures: &mut Failures) -> Ended {
        self.show(|shown| shown.state = ProjectionState::Waiting);
        let mut owned = match self.take_lease(asked).await {
            Ok(owned) => owned,
            Err(ended) => return ended,
        };
        self.has_failed = false;
        self.had_epoch = owned.lease.fence().await.epoch;
        let (kept, began) = (owned.kept, Instant::now());
        let ended = self.own(&mut owned, asked).await;
        if !matches!(ended, Ended::Failed(_)) || owned.has_gone_on(kept, began) {
            *failures = Failures::default();
        }
        if matches!(ended, Ended::Stopped(_)) {
            self.leave(&owned).await;
        }
        self.disown(owned).await;
        ended
    }

    fn tell_failed(&mut self, error: &StoreError, pause: Duration) {
        self.has_failed = true;
        let text = chain(error);
        self.show(|shown| {
            shown.state = ProjectionState::Retrying;
            shown.last_error = Some(text);
        });
        let behind = self.shown.borrow().lag.map_or(Duration::ZERO, |(_, time)| time);
        let level = self.settings.thresholds.level(ProjectionState::Retrying, behind);
        metrics::projection_level(self.name(), level);
        let projection = self.name();
        tracing::warn!(projection, %error, ?pause, "the store failed: tries again");
    }

    /// What is kept of the projection, which another engine may have changed.
    pub(super) async fn find_entry(&self) -> Result<CatalogEntry, StoreError> {
        let definition = self.projector.definition();
        let found = self.rows.catalog().await?.into_iter().find(|found| found.is_of(definition));
        found.ok_or_else(|| {
            StoreError::invalid(format!(
                "projection `{}`: version {} is not in the store any more; start the engine again",
                definition.projection, definition.version
            ))
        })
    }

    async fn disown(&self, owned: Owned) {
        self.show(|shown| (shown.position, shown.lag, shown.parked) = (None, None, 0));
        self.reached.send_modify(|reached| reached.position = None);
        self.measure_no_more();
        // Whether it could be given up, its task tells the log.
        let _ = owned.lease.give_up().await;
    }

    /// Reads and writes as the owner.
    async fn own(&mut self, owned: &mut Owned, asked: &mut mpsc::Receiver<Asked>) -> Ended {
        self.show_reached(owned, &[], Duration::ZERO);
        // Whoever asked it to go on hears of it, even if it stops again at once.
        if let Err(ended) = self.do_requested(owned, Instant::now()).await {
            return ended;
        }
        let mut is_paused = self.entry.paused;
        loop {
            if self.stop.is_cancelled() {
                return match self.keep_checkpoint(owned).await {
                    Ok(()) | Err(_) => Ended::Shutdown,
                };
            }
            if owned.place.as_mut().is_some_and(Place::leaves) {
                // Another engine stands by: the next one that takes it goes on from here.
                let kept = self.keep_checkpoint(owned).await;
                return kept.err().unwrap_or(Ended::Again);
            }
            let rests = is_paused || self.holds_still(owned);
            let step = if is_paused {
                self.show(|shown| shown.state = ProjectionState::Paused);
                Ok(())
            } else if rests {
                Ok(())
            } else if owned.is_at_end && self.pulse.head() <= owned.position {
                self.show(|shown| shown.state = ProjectionState::Live);
                self.retry_due(owned).await
            } else {
                self.advance(owned).await
            };
            if let Err(ended) = step {
                return ended;
            }
            if let Err(error) = self.measure(owned).await {
                return error.into();
            }
            if owned.is_at_end {
                self.tell_end(owned).await;
            }
            let has_more = !rests && !owned.is_at_end;
            let ask = if has_more {
                asked.try_recv().ok()
            } else {
                match self.wait(owned, rests, asked).await {
                    Ok(ask) => ask,
                    Err(ended) => return ended,
                }
            };
            let answered = match ask {
                Some(Asked::Paused { paused, answer }) => {
                    is_paused = paused;
                    owned.looked_at = Instant::now();
                    let _ = answer.send(());
                    Ok(())
                }
                Some(ask) => self.answer(owned, ask).await,
                // Another process may have said so.
                None if owned.looked_at.elapsed() >= self.looks_every(owned) => {
                    let before = std::mem::replace(&mut owned.looked_at, Instant::now());
                    let entry = self.pulse.entry(self.projector.definition(), before).await;
                    match entry {
                        Ok(Some(entry)) if self.is_of_before(owned, &entry) => {
                            self.shows_none_of(entry.generation);
                            Err(Ended::Again)
                        }
                        Ok(entry) => {
                            is_paused = entry.as_ref().is_some_and(|entry| entry.paused);
                            if let Some(entry) = entry {
                                self.make_way(owned, &entry).await;
                            }
                            self.do_requested(owned, before).await
                        }
                        Err(error) => Err(error.into()),
                    }
                }
                None => Ok(()),
            };
            if let Err(ended) = answered {
                return ended;
            }
        }
    }

    /// Waits at the log's end for events, for parked ones whose time comes, for what is asked, or for the next look.
    async fn wait(
        &self,
        owned: &mut Owned,
        rests: bool,
        asked: &mut mpsc::Receiver<Asked>,
    ) -> Result<Option<Asked>, Ended> {
        let mut pause = self.looks_every(owned);
        if owned.kept.unwrap_or_default() < owned.position {
            pause = pause.min(IDLE_CHECKPOINT);
        }
        let now = self.settings.clock.now();
        if let Some(next) = owned.parked.iter().filter_map(|event| event.retry_at).min() {
            pause = pause.min(next.since(now)).max(Duration::from_millis(1));
        }
        let events = async {
            if rests {
                std::future::pending::<()>().await;
            } else {
                self.pulse.above(owned.position).await;
            }
        };
        let is_one_too_many = async {
            match &owned.place {
                Some(place) => place.is_one_too_many().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = self.stop.cancelled() => return Ok(None),
            () = is_one_too_many => {}
            lost = owned.lease.lost() => return Err(lost.into()),
            ask = asked.recv() => return Ok(ask),
            () = events => {}
            () = tokio::time::sleep(pause) => {}
        }
        if !rests && owned.kept_at.elapsed() >= IDLE_CHECKPOINT {
            self.keep_checkpoint(owned).await?;
        }
        Ok(None)
    }
}
