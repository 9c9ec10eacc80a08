//! The task of one projection: it holds the lease, reads, writes, retries, and does what it is asked.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::asked::Asked;
use super::failures::{Failures, Next};
use super::parked::waiting;
use super::shown::Shown;
use super::size::Size;
use super::status::ProjectionState;
use super::{EngineError, Settings};
use crate::causes::chain;
use crate::metrics;
use crate::position::Position;
use crate::projection::progress::Reached;
use crate::projection::{CatalogEntry, ParkedEvent, Projector};
use crate::store::{CheckpointChange, CheckpointId, EventStore, ReadModelStore, StoreError};
use crate::subscription::SubscriptionError;
use crate::subscription::lease::{Checkpoints, Claim, Lease, RunOut};

/// How often a checkpoint is written that moved past events of others only.
pub(super) const IDLE_CHECKPOINT: Duration = Duration::from_millis(250);

pub(super) struct Worker {
    pub(super) projector: Arc<dyn Projector>,
    pub(super) events: Arc<dyn EventStore>,
    pub(super) rows: Arc<dyn ReadModelStore>,
    pub(super) settings: Arc<Settings>,
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
    pub(super) reader: CheckpointId,
    /// Up to where the log was read and its effects written.
    pub(super) position: Position,
    /// What the store keeps.
    pub(super) kept: Option<Position>,
    pub(super) kept_at: Instant,
    pub(super) measured_at: Option<Instant>,
    pub(super) is_at_end: bool,
    pub(super) parked: Vec<ParkedEvent>,
    pub(super) waiting: HashSet<String>,
    pub(super) size: Size,
}

/// Why a worker is no longer the owner.
pub(super) enum Ended {
    Shutdown,
    /// The lease has passed on, or what is kept has to be looked at anew.
    Again,
    /// The store did not answer, or failed.
    Failed(StoreError),
    Stopped(EngineError, Option<Position>),
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
        settings: Arc<Settings>,
        stop: CancellationToken,
    ) -> (Self, watch::Receiver<Shown>, watch::Receiver<Reached>) {
        let generation = entry.generation;
        let shown = watch::Sender::new(Shown { generation, ..Shown::default() });
        let reached = watch::Sender::new(Reached { generation, ..Reached::default() });
        let (shown_to, reached_to) = (shown.subscribe(), reached.subscribe());
        let worker =
            Self { projector, events, rows, settings, stop, entry, generation, shown, reached };
        (worker, shown_to, reached_to)
    }

    pub(super) fn name(&self) -> &str {
        &self.projector.definition().projection
    }

    /// Runs until it is stopped.
    pub(super) async fn run(mut self, mut asked: mpsc::Receiver<Asked>) {
        let mut failures = Failures::default();
        loop {
            self.show(|shown| shown.state = ProjectionState::Waiting);
            let ended = match self.take_lease(&mut asked).await {
                Ok(mut owned) => {
                    let (kept, began) = (owned.kept, Instant::now());
                    let ended = self.own(&mut owned, &mut asked).await;
                    if !matches!(ended, Ended::Failed(_)) || owned.has_gone_on(kept, began) {
                        failures = Failures::default();
                    }
                    self.disown(owned).await;
                    ended
                }
                Err(ended) => ended,
            };
            match ended {
                Ended::Shutdown => break,
                Ended::Again => {}
                Ended::Failed(error) => {
                    let text = chain(&error);
                    let pause = match failures.next(&error) {
                        Next::Stop => {
                            if self.stopped(text, None, &mut asked).await.is_err() {
                                break;
                            }
                            failures = Failures::default();
                            continue;
                        }
                        Next::Again(pause) => pause,
                    };
                    self.show(|shown| {
                        shown.state = ProjectionState::Retrying;
                        shown.last_error = Some(text);
                    });
                    let projection = self.name();
                    tracing::warn!(projection, %error, ?pause, "the store failed: tries again");
                    tokio::select! {
                        () = self.stop.cancelled() => break,
                        () = tokio::time::sleep(pause) => {}
                    }
                }
                Ended::Stopped(error, position) => {
                    if self.stopped(chain(&error), position, &mut asked).await.is_err() {
                        break;
                    }
                }
            }
        }
        self.show(|shown| shown.state = ProjectionState::Ended);
    }

    /// Tells why it has stopped, and waits to be resumed; an error if the engine ends.
    async fn stopped(
        &mut self,
        reason: String,
        at: Option<Position>,
        asked: &mut mpsc::Receiver<Asked>,
    ) -> Result<(), ()> {
        tracing::error!(projection = self.name(), reason, "the projection has stopped");
        metrics::projection_stopped(self.name());
        self.show(|shown| {
            shown.state = ProjectionState::Stopped;
            shown.last_error = Some(reason.clone());
            shown.stopped = Some(reason.clone());
        });
        self.reached.send_modify(|reached| reached.stopped = Some(reason.clone()));
        loop {
            let ask = tokio::select! {
                () = self.stop.cancelled() => return Err(()),
                ask = asked.recv() => ask.ok_or(())?,
            };
            let projection = self.name().to_owned();
            let refusal = || EngineError::Stopped { projection, reason: reason.clone() };
            match ask {
                Asked::Paused { paused: false, answer } => {
                    self.goes_on();
                    let _ = answer.send(());
                    return Ok(());
                }
                Asked::Paused { paused: true, answer } => drop(answer.send(())),
                Asked::Skip { position, answer } if Some(position) == at => {
                    let skipped = self.skip(position).await;
                    let is_done = skipped.is_ok();
                    if is_done {
                        self.goes_on();
                    }
                    let _ = answer.send(skipped);
                    if is_done {
                        return Ok(());
                    }
                }
                Asked::Skip { answer, .. } => drop(answer.send(Err(refusal()))),
                Asked::RetryParked { answer, .. } | Asked::DropParked { answer, .. } => {
                    let _ = answer.send(Err(refusal()));
                }
                Asked::Switch { answer, .. } => drop(answer.send(Err(refusal()))),
            }
        }
    }

    /// Takes back that it has stopped. Before whoever asked for it has an answer: what they ask next is of one that goes on.
    fn goes_on(&self) {
        self.show(|shown| {
            shown.stopped = None;
            shown.state = ProjectionState::Waiting;
        });
        self.reached.send_modify(|reached| reached.stopped = None);
    }

    /// Moves the checkpoint past an event that stopped the projection.
    async fn skip(&self, position: Position) -> Result<(), EngineError> {
        let reader = self.projector.definition().reader(self.generation);
        let (owner, lifetime) = (&self.settings.name, self.settings.lease);
        let Some(fence) = self.rows.claim_lease(&reader, owner, lifetime).await? else {
            return Err(EngineError::NotOwner { projection: self.name().to_owned() });
        };
        let change = CheckpointChange { fence: fence.clone(), position };
        let moved = self.rows.write_rows(Vec::new(), change).await;
        self.rows.release_lease(&fence).await?;
        moved?;
        let position = position.get();
        tracing::warn!(projection = self.name(), position, "an event was skipped by hand");
        Ok(())
    }

    async fn take_lease(&mut self, asked: &mut mpsc::Receiver<Asked>) -> Result<Owned, Ended> {
        self.entry = self.find_entry().await?;
        self.generation = self.entry.generation;
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
        let position = kept.unwrap_or_default();
        let most = self.projector.batch().unwrap_or(self.settings.batch);
        let owned = Owned {
            lease,
            reader,
            position,
            kept,
            kept_at: Instant::now(),
            measured_at: None,
            is_at_end: false,
            waiting: waiting(&parked),
            parked,
            size: Size::new(most),
        };
        Ok(owned)
    }

    /// What is kept of the projection, which another engine may have changed.
    pub(super) async fn find_entry(&self) -> Result<CatalogEntry, StoreError> {
        let catalog = self.rows.catalog().await?;
        let Self { entry, .. } = self;
        let found = catalog
            .into_iter()
            .find(|found| found.projection == entry.projection && found.version == entry.version);
        found.ok_or_else(|| {
            StoreError::invalid(format!(
                "projection `{}`: version {} is not in the store any more; start the engine again",
                entry.projection, entry.version
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
        self.show_reached(owned, None, 0, Duration::ZERO);
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
            } else {
                self.advance(owned).await
            };
            if let Err(ended) = step {
                return ended;
            }
            if let Err(error) = self.measure(owned).await {
                return error.into();
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
                    let _ = answer.send(());
                    Ok(())
                }
                Some(ask) => self.answer(owned, ask).await,
                // Another process may have said so.
                None if owned.is_at_end || is_paused => self
                    .find_entry()
                    .await
                    .map(|entry| is_paused = entry.paused)
                    .map_err(Into::into),
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
                std::future::pending().await
            } else {
                self.events.wait_for_events(owned.position).await
            }
        };
        let ended = tokio::select! {
            biased;
            () = self.stop.cancelled() => return Ok(None),
            lost = owned.lease.lost() => return Err(lost.into()),
            ask = asked.recv() => return Ok(ask),
            came = events => came,
            () = tokio::time::sleep(pause) => Ok(()),
        };
        ended?;
        if !is_paused && owned.kept_at.elapsed() >= IDLE_CHECKPOINT {
            self.keep_checkpoint(owned).await?;
        }
        Ok(None)
    }
}
