//! The task of one process manager: it holds the lease, reads the log, and does what it is asked.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::FutureExt;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::asked::Asked;
use super::builder::Settings;
use super::kind::Kind;
use super::owner::Owned;
use super::reading::{Barrier, Page, joined};
use super::sender::{Sender, Told};
use super::shown::Shown;
use crate::bus::CommandBus;
use crate::position::Position;
use crate::process::Start;
use crate::projection::{Failures, Next, ProjectionState, chain, message_of};
use crate::store::{CheckpointChange, EventStore, StoreError, UnitOfWorkStore, WriteError};
use crate::subscription::SubscriptionError;
use crate::subscription::lease::{Checkpoints, Claim, Lease, RunOut};
use crate::timestamp::Timestamp;

/// How many events may wait for their processes before no more are read.
const MOST_WAITING: usize = 10_000;

/// How often a checkpoint is written that moved past what nobody had to do.
pub(super) const IDLE_CHECKPOINT: Duration = Duration::from_millis(250);

/// How long commands that are on their way may take when the engine is shut down.
const LAST_ANSWERS: Duration = Duration::from_secs(10);

pub(super) struct Worker {
    pub(super) kind: Kind,
    pub(super) category: String,
    pub(super) bus: CommandBus,
    pub(super) events: Arc<dyn EventStore>,
    pub(super) settings: Arc<Settings>,
    pub(super) turns: Arc<Semaphore>,
    pub(super) stop: CancellationToken,
    pub(super) shown: watch::Sender<Shown>,
    /// The event at which it reads no further, and why.
    pub(super) blocked: Option<(Position, String)>,
    /// Where it starts, if whoever was to say so has died before.
    pub(super) begins_at: Position,
}

/// Why a worker is no longer the owner.
pub(super) enum Ended {
    Shutdown,
    /// The lease has passed on.
    Again,
    /// The store did not answer, or failed.
    Failed(StoreError),
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

/// What a write that failed means for its worker: what is kept tells whether it was done.
pub(super) fn ended(error: WriteError) -> Ended {
    match error {
        WriteError::Fenced { .. } => Ended::Again,
        WriteError::UnknownOutcome { source, .. } | WriteError::UnknownCommit { source } => {
            Ended::Failed(source)
        }
        WriteError::Store(error) => Ended::Failed(error),
        error => Ended::Failed(StoreError::other(chain(&error))),
    }
}

impl Worker {
    pub(super) fn name(&self) -> &'static str {
        self.kind.name()
    }

    pub(super) fn store(&self) -> Result<&dyn UnitOfWorkStore, StoreError> {
        self.events.unit_of_work().ok_or_else(|| {
            StoreError::invalid(
                "the store keeps events only, and a process needs one that keeps what it has to do",
            )
        })
    }

    pub(super) fn now(&self) -> Timestamp {
        self.settings.now()
    }

    /// Says where a process that was never run before starts.
    ///
    /// It is done before the engine has started: what is dispatched then, the process sees.
    pub(super) async fn begin(&mut self) -> Result<(), StoreError> {
        let reader = self.kind.reader();
        if self.store()?.checkpoint(&reader).await?.is_some() {
            return Ok(());
        }
        let position = match self.kind.start() {
            Start::Head => self.events.head().await?,
            Start::Beginning => Position::START,
        };
        self.begins_at = position;
        let store = self.store()?;
        // Whoever holds it has said so, or will.
        let (owner, lifetime) = (&self.settings.name, self.settings.lease);
        let Some(fence) = store.claim_lease(&reader, owner, lifetime).await? else { return Ok(()) };
        let known = store.checkpoint(&reader).await?;
        let change = CheckpointChange { fence: fence.clone(), position };
        let written = match known {
            None => store.write_rows(Vec::new(), change).await,
            Some(_) => Ok(()),
        };
        store.release_lease(&fence).await?;
        match written {
            Ok(()) | Err(WriteError::Fenced { .. }) => Ok(()),
            Err(WriteError::Store(error) | WriteError::UnknownCommit { source: error }) => {
                Err(error)
            }
            Err(error) => Err(StoreError::other(chain(&error))),
        }
    }

    /// Runs until it is stopped.
    pub(super) async fn run(mut self, mut asked: mpsc::Receiver<Asked>) {
        let mut failures = Failures::default();
        loop {
            self.show(|shown| shown.state = ProjectionState::Waiting);
            let began = Instant::now();
            let ended = match self.take_lease(&mut asked).await {
                Ok(mut owned) => {
                    let kept = owned.kept;
                    // What panics is shown as why it has stopped, and not told by silence.
                    let owning = AssertUnwindSafe(self.own(&mut owned, &mut asked)).catch_unwind();
                    let ended = owning.await.unwrap_or_else(|panic| {
                        let text = format!("panicked: {}", message_of(&*panic));
                        Ended::Failed(StoreError::invalid(text))
                    });
                    if owned.kept > kept || began.elapsed() > Duration::from_mins(1) {
                        failures = Failures::default();
                    }
                    self.show(Shown::disowned);
                    // It reads again from where it was kept, and finds again what cannot be read.
                    self.blocked = None;
                    self.show(|shown| shown.stopped = None);
                    // Whether it could be given up, its task tells the log.
                    let _ = owned.lease.give_up().await;
                    ended
                }
                Err(ended) => ended,
            };
            let error = match ended {
                Ended::Shutdown => break,
                Ended::Again => continue,
                Ended::Failed(error) => error,
            };
            let text = chain(&error);
            let next = failures.next(&error);
            let state = match next {
                Next::Again(_) => ProjectionState::Retrying,
                Next::Stop => ProjectionState::Stopped,
            };
            self.show(|shown| {
                shown.state = state;
                shown.last_error = Some(text.clone());
                shown.stopped = (state == ProjectionState::Stopped).then(|| text.clone());
            });
            let process = self.name();
            let is_over = match next {
                Next::Again(pause) => {
                    tracing::warn!(process, error = text, ?pause, "the store failed: tries again");
                    tokio::select! {
                        () = self.stop.cancelled() => true,
                        () = tokio::time::sleep(pause) => false,
                    }
                }
                Next::Stop => {
                    tracing::error!(process, error = text, "the process has stopped");
                    self.stopped(&text, &mut asked).await
                }
            };
            if is_over {
                break;
            }
            self.show(|shown| shown.stopped = None);
        }
        self.show(|shown| shown.state = ProjectionState::Ended);
    }

    /// Waits until it is resumed; tells whether the engine ends.
    async fn stopped(&self, reason: &str, asked: &mut mpsc::Receiver<Asked>) -> bool {
        loop {
            tokio::select! {
                () = self.stop.cancelled() => return true,
                ask = asked.recv() => match ask {
                    Some(Asked::Resume { answer }) => {
                        let _ = answer.send(Ok(()));
                        return false;
                    }
                    Some(ask) => ask.refuse(|| super::ProcessError::Stopped {
                        process: self.name(),
                        reason: reason.to_owned(),
                    }),
                    None => return true,
                },
            }
        }
    }

    async fn take_lease(&self, asked: &mut mpsc::Receiver<Asked>) -> Result<Owned, Ended> {
        let mut taken = std::pin::pin!(self.hold());
        loop {
            tokio::select! {
                () = self.stop.cancelled() => return Err(Ended::Shutdown),
                taken = &mut taken => return taken,
                ask = asked.recv() => if let Some(ask) = ask {
                    ask.refuse(|| super::ProcessError::NotOwner { process: self.name() });
                },
            }
        }
    }

    /// Takes the lease, and goes on with what the store keeps.
    async fn hold(&self) -> Result<Owned, Ended> {
        let reader = self.kind.reader();
        let claim = Claim {
            events: self.events.clone(),
            checkpoints: Checkpoints::Beside(self.events.clone()),
            name: reader.name.clone(),
            id: reader.clone(),
            lifetime: self.settings.lease,
            // What is parked and what waits to go out change under a checkpoint that stays.
            run_out: RunOut::Lost,
        };
        let (lease, kept) = Lease::take(claim).await?;
        let (answer, answers) = mpsc::unbounded_channel();
        let sender = Sender {
            bus: self.bus.clone(),
            process: self.name().into(),
            turns: self.turns.clone(),
            retry: self.settings.retry,
            time_limit: self.settings.time_limit,
            lease: lease.freshness(),
            stop: self.stop.clone(),
            answers: answer,
        };
        let mut owned = Owned::new(lease, reader, kept.unwrap_or(self.begins_at), sender, answers);
        if kept.is_none() {
            self.commit(&mut owned, &[], self.begins_at).await.map_err(ended)?;
        }
        self.recover(&mut owned).await?;
        Ok(owned)
    }

    /// Reads, steps and writes as the owner.
    async fn own(&mut self, owned: &mut Owned, asked: &mut mpsc::Receiver<Asked>) -> Ended {
        let mut page: Option<Page> = None;
        let mut barrier: Option<Barrier> = None;
        loop {
            if self.stop.is_cancelled() {
                return self.wind_up(owned).await;
            }
            for ask in std::mem::take(&mut owned.later) {
                if let Err(ended) = self.answer(owned, ask).await {
                    return ended;
                }
            }
            if let Err(ended) = self.advance(owned).await {
                return ended;
            }
            self.show_owned(owned);
            if self.measure(owned).await.is_err() {
                tracing::debug!(process = self.name(), "the store did not tell the log's end");
            }
            if page.is_none() && self.blocked.is_none() && owned.inbox.len() < MOST_WAITING {
                page = Some(self.next_page(owned));
            }
            let now = self.now();
            if barrier.is_none() && owned.deadlines.next().is_some_and(|due| due <= now) {
                barrier = Some(self.barrier(now));
            }
            let has_more = !owned.ready.is_empty() || !owned.decided.is_empty();
            let pause = self.pause(owned, barrier.is_some());
            let ended = tokio::select! {
                biased;
                () = self.stop.cancelled() => Ok(()),
                lost = owned.lease.lost() => Err(lost.into()),
                Some(told) = owned.answers.recv() => {
                    self.told(owned, told);
                    while let Ok(told) = owned.answers.try_recv() {
                        self.told(owned, told);
                    }
                    Ok(())
                }
                ask = asked.recv() => match ask {
                    Some(ask) => self.answer(owned, ask).await,
                    None => Ok(()),
                },
                read = joined(&mut page) => read.map_err(Ended::from).and_then(|(read, page)| {
                    read.following(&page)?;
                    self.take_in(owned, page);
                    Ok(())
                }),
                due = joined(&mut barrier) => due.map_err(Ended::from).map(|(at, ceiling)| {
                    self.settings.is_now(at);
                    owned.deadlines.are_due(at, ceiling);
                }),
                () = tokio::time::sleep(pause), if !has_more => Ok(()),
                () = std::future::ready(()), if has_more => Ok(()),
            };
            if let Err(ended) = ended {
                return ended;
            }
        }
    }

    fn told(&mut self, owned: &mut Owned, told: Told) {
        match told {
            Told::Answered(answered) => self.answered(owned, answered),
            Told::Called(called) => self.called(owned, called),
        }
    }

    /// How long nothing is to be done if nothing comes.
    fn pause(&self, owned: &Owned, is_asking: bool) -> Duration {
        let mut pause = self.settings.polling;
        if owned.checkpoint() > owned.kept {
            pause = pause.min(IDLE_CHECKPOINT);
        }
        if let Some(due) = owned.deadlines.next()
            && !is_asking
        {
            pause = pause.min(due.since(self.now()));
        }
        pause.max(Duration::from_millis(1))
    }

    /// Lets what is on its way end, and writes what is known of it.
    async fn wind_up(&mut self, owned: &mut Owned) -> Ended {
        let under_way = owned.busy.values_mut().map(|busy| &mut busy.sending);
        let all = futures::future::join_all(under_way);
        let is_late = tokio::time::timeout(LAST_ANSWERS, all).await.is_err();
        while let Ok(told) = owned.answers.try_recv() {
            self.told(owned, told);
        }
        if is_late {
            let process = self.name();
            tracing::warn!(process, "commands take long: they are sent again when it is started");
        }
        // What was answered is written, and what was decided on it; nothing new begins, neither a step nor a deadline.
        match self.write_known(owned).await {
            Ok(()) | Err(_) => Ended::Shutdown,
        }
    }
}
