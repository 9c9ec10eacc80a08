//! The task of one projection: it holds the lease, reads, writes, retries, and does what it is asked.

use std::collections::HashSet;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::FutureExt;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::asked::Asked;
use super::failures::{Failures, Next};
use super::parked::waiting;
use super::pulse::Pulse;
use super::shown::Shown;
use super::size::Size;
use super::status::ProjectionState;
use super::stopped::Over;
use super::{EngineError, Settings};
use crate::causes::chain;
use crate::position::Position;
use crate::projection::progress::Reached;
use crate::projection::{CatalogEntry, ParkedEvent, Projector, message_of};
use crate::store::{CheckpointId, EventStore, ReadModelStore, StoreError};
use crate::subscription::SubscriptionError;
use crate::subscription::lease::{Checkpoints, Claim, Lease, RunOut};

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
    /// The generation that it writes: the one that answers, or one that is built beside.
    pub(super) generation: u32,
    pub(super) shown: watch::Sender<Shown>,
    pub(super) reached: watch::Sender<Reached>,
}

/// What a worker has while it is the owner.
pub(super) struct Owned {
    pub(super) lease: Lease,
    pub(super) generation: u32,
    pub(super) reader: CheckpointId,
    /// Up to where the log was read and its effects written.
    pub(super) position: Position,
    /// What the store keeps.
    pub(super) kept: Option<Position>,
    pub(super) kept_at: Instant,
    pub(super) measured_at: Option<Instant>,
    /// When it was looked, or said, whether it is paused.
    pub(super) looked_at: Instant,
    pub(super) is_at_end: bool,
    /// When the store is told that the log's end was reached; `None` once it knows.
    pub(super) tells_end_at: Option<Instant>,
    pub(super) parked: Vec<ParkedEvent>,
    pub(super) waiting: HashSet<String>,
    /// What is passed over, since a person said so.
    pub(super) skipped: HashSet<Position>,
    pub(super) size: Size,
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
            generation,
            shown,
            reached,
        };
        (worker, shown_to, reached_to)
    }

    pub(super) fn name(&self) -> &str {
        &self.projector.definition().projection
    }

    /// Runs until it is stopped.
    pub(super) async fn run(mut self, mut asked: mpsc::Receiver<Asked>) {
        let mut failures = Failures::default();
        let mut given = None;
        loop {
            // Whatever panics, a person is told, and the worker stays.
            let turn = AssertUnwindSafe(self.turn(given.take(), &mut asked, &mut failures));
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
            match self.stopped(error, &mut asked).await {
                Ok(owned) => given = owned,
                Err(Over) => break,
            }
        }
        self.show(|shown| shown.state = ProjectionState::Ended);
    }

    /// Takes the lease, unless it is given it, and has it for as long as it can.
    async fn turn(
        &mut self,
        given: Option<Owned>,
        asked: &mut mpsc::Receiver<Asked>,
        failures: &mut Failures,
    ) -> Ended {
        self.show(|shown| shown.state = ProjectionState::Waiting);
        let taken = match given {
            Some(owned) => self.take_over(owned).await,
            None => self.take_lease(asked).await,
        };
        let mut owned = match taken {
            Ok(owned) => owned,
            Err(ended) => return ended,
        };
        let (kept, began) = (owned.kept, Instant::now());
        let ended = self.own(&mut owned, asked).await;
        if !matches!(ended, Ended::Failed(_)) || owned.has_gone_on(kept, began) {
            *failures = Failures::default();
        }
        self.disown(owned).await;
        ended
    }

    fn tell_failed(&self, error: &StoreError, pause: Duration) {
        let text = chain(error);
        self.show(|shown| {
            shown.state = ProjectionState::Retrying;
            shown.last_error = Some(text);
        });
        let projection = self.name();
        tracing::warn!(projection, %error, ?pause, "the store failed: tries again");
    }

    /// Goes on with a generation that was built beside, and answers now.
    async fn take_over(&mut self, built: Owned) -> Result<Owned, Ended> {
        self.entry = self.find_entry().await?;
        self.generation = built.generation;
        Ok(built)
    }

    async fn take_lease(&mut self, asked: &mut mpsc::Receiver<Asked>) -> Result<Owned, Ended> {
        self.entry = self.find_entry().await?;
        self.generation = self.entry.generation;
        self.show(|shown| shown.generation = self.generation);
        self.reached.send_modify(|reached| reached.generation = self.generation);
        let owned = {
            let mut taken = std::pin::pin!(self.hold());
            loop {
                tokio::select! {
                    () = self.stop.cancelled() => return Err(Ended::Shutdown),
                    taken = &mut taken => break taken?,
                    ask = asked.recv() => self.refuse(ask),
                }
            }
        };
        // Whoever was the owner may have rebuilt the rows meanwhile: then this is the lease of those that are gone. From here
        // on nobody else can.
        self.entry = self.find_entry().await?;
        if self.entry.generation != self.generation {
            let _ = owned.lease.give_up().await;
            return Err(Ended::Again);
        }
        Ok(owned)
    }

    /// Takes the lease of the generation, and looks at what is kept.
    pub(super) async fn hold(&self) -> Result<Owned, Ended> {
        let reader = self.projector.definition().reader(self.generation);
        let claim = Claim {
            events: self.events.clone(),
            checkpoints: Checkpoints::Apart(self.rows.clone()),
            name: self.name().to_owned(),
            id: reader.clone(),
            lifetime: self.settings.lease,
            // What is parked changes under a checkpoint that stays.
            run_out: RunOut::Lost,
        };
        let (lease, kept) = Lease::take(claim).await?;
        let parked = self.rows.parked(&reader, None).await?;
        let definition = self.projector.definition();
        let skips = CheckpointId::of_skips(&definition.projection, definition.version);
        let skipped = self.rows.parked(&skips, None).await?;
        let position = kept.unwrap_or_default();
        let most = self.projector.batch().unwrap_or(self.settings.batch);
        let owned = Owned {
            lease,
            generation: self.generation,
            reader,
            position,
            kept,
            kept_at: Instant::now(),
            measured_at: None,
            looked_at: Instant::now(),
            is_at_end: false,
            tells_end_at: Some(Instant::now()),
            waiting: waiting(&parked),
            parked,
            skipped: skipped.iter().map(|event| event.position).collect(),
            size: Size::new(most),
        };
        Ok(owned)
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
        self.show(|shown| shown.position = None);
        self.reached.send_modify(|reached| reached.position = None);
        // Whether it could be given up, its task tells the log.
        let _ = owned.lease.give_up().await;
    }

    /// Reads and writes as the owner.
    async fn own(&mut self, owned: &mut Owned, asked: &mut mpsc::Receiver<Asked>) -> Ended {
        self.show_reached(owned, &[], Duration::ZERO);
        let mut is_paused = self.entry.paused;
        loop {
            if self.stop.is_cancelled() {
                return match self.keep_checkpoint(owned).await {
                    Ok(()) | Err(_) => Ended::Shutdown,
                };
            }
            let step = if is_paused {
                self.show(|shown| shown.state = ProjectionState::Paused);
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
            let has_more = !is_paused && !owned.is_at_end;
            let ask = if has_more {
                asked.try_recv().ok()
            } else {
                match self.wait(owned, is_paused, asked).await {
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
                None if owned.looked_at.elapsed() >= self.settings.polling => {
                    let before = std::mem::replace(&mut owned.looked_at, Instant::now());
                    let entry = self.pulse.entry(self.projector.definition(), before).await;
                    entry
                        .map(|entry| is_paused = entry.is_some_and(|entry| entry.paused))
                        .map_err(Into::into)
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
        is_paused: bool,
        asked: &mut mpsc::Receiver<Asked>,
    ) -> Result<Option<Asked>, Ended> {
        let mut pause = self.settings.polling;
        if owned.kept.unwrap_or_default() < owned.position {
            pause = pause.min(IDLE_CHECKPOINT);
        }
        let now = self.settings.clock.now();
        if let Some(next) = owned.parked.iter().filter_map(|event| event.retry_at).min() {
            pause = pause.min(next.since(now)).max(Duration::from_millis(1));
        }
        let events = async {
            if is_paused {
                std::future::pending::<()>().await;
            } else {
                self.pulse.above(owned.position).await;
            }
        };
        tokio::select! {
            biased;
            () = self.stop.cancelled() => return Ok(None),
            lost = owned.lease.lost() => return Err(lost.into()),
            ask = asked.recv() => return Ok(ask),
            () = events => {}
            () = tokio::time::sleep(pause) => {}
        }
        if !is_paused && owned.kept_at.elapsed() >= IDLE_CHECKPOINT {
            self.keep_checkpoint(owned).await?;
        }
        Ok(None)
    }
}
