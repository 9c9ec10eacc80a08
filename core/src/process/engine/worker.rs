//! The task of one shard of a process manager: it holds the lease, reads the log, and does what it is asked.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::FutureExt;
use tokio::sync::{Notify, Semaphore, mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::asked::Asked;
use super::builder::Settings;
use super::kind::Kind;
use super::owner::Owned;
use super::reading::{Barrier, Page, joined};
use super::sender::Told;
use super::shown::Shown;
use super::stopped::Blocked;
use super::writing::IDLE_CHECKPOINT;
use crate::bus::CommandBus;
use crate::position::Position;
use crate::projection::{Failures, Next, ProjectionState, chain, message_of};
use crate::shards::{Places, Shard};
use crate::store::{EventStore, StoreError, UnitOfWorkStore, WriteError};
use crate::subscription::SubscriptionError;
use crate::timestamp::Timestamp;

pub(super) struct Worker {
    pub(super) kind: Kind,
    pub(super) category: String,
    pub(super) bus: CommandBus,
    pub(super) events: Arc<dyn EventStore>,
    pub(super) settings: Arc<Settings>,
    pub(super) turns: Arc<Semaphore>,
    /// Those whose ids fall into it are its own.
    pub(super) shard: Shard,
    /// Whether there are to be other shards: then it comes to rest.
    pub(super) rest: watch::Receiver<bool>,
    /// For as many shards as this engine may have.
    pub(super) places: Arc<Places>,
    /// Has the lead look at the layout.
    pub(super) call: Arc<Notify>,
    pub(super) stop: CancellationToken,
    pub(super) shown: watch::Sender<Shown>,
    /// The event at which it reads no further, and why.
    pub(super) blocked: Option<Blocked>,
    /// What it was asked while it had stopped, and only the owner can do.
    pub(super) later: Vec<Asked>,
    /// Where it starts, if whoever was to say so has died before.
    pub(super) begins_at: Position,
}

/// Why a worker is no longer the owner.
pub(super) enum Ended {
    Shutdown,
    /// The lease has passed on.
    Again,
    /// There are to be other shards, or are already: those go on.
    Rests,
    /// It has stopped at an event that cannot be read, and nothing else is to be done: others may try.
    Stopped(Blocked),
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
        error => Ended::Failed(failure(error)),
    }
}

/// What a panic means for its worker: it has stopped, and says why.
pub(super) fn panicked(panic: &(dyn Any + Send)) -> Ended {
    Ended::Failed(StoreError::invalid(format!("panicked: {}", message_of(panic))))
}

/// How a store failed at a write.
pub(super) fn failure(error: WriteError) -> StoreError {
    match error {
        WriteError::UnknownOutcome { source, .. } | WriteError::UnknownCommit { source } => source,
        WriteError::Store(error) => error,
        error => StoreError::other(chain(&error)),
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
                    let ended = owning.await.unwrap_or_else(|panic| panicked(&*panic));
                    if owned.kept > kept || began.elapsed() > Duration::from_mins(1) {
                        failures = Failures::default();
                    }
                    // It reads again from where it was kept, and finds again what cannot be read.
                    self.blocked = None;
                    self.show(|shown| {
                        shown.disowned();
                        if !matches!(ended, Ended::Stopped(_)) {
                            shown.goes_on();
                        }
                    });
                    // Whether it could be given up, its task tells the log.
                    let _ = owned.lease.give_up().await;
                    ended
                }
                Err(ended) => ended,
            };
            let error = match ended {
                Ended::Shutdown => break,
                Ended::Again => {
                    self.call.notify_one();
                    continue;
                }
                Ended::Rests if self.rests(&mut asked).await => break,
                Ended::Stopped(at) if self.stays_stopped(&at, &mut asked).await => break,
                Ended::Rests | Ended::Stopped(_) => continue,
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

    /// Reads, steps and writes as the owner.
    async fn own(&mut self, owned: &mut Owned, asked: &mut mpsc::Receiver<Asked>) -> Ended {
        let (mut page, mut again): (Option<Page>, Option<Page>) = (None, None);
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
            if let Err(ended) = self.do_requested(owned).await {
                return ended;
            }
            if let Err(ended) = self.advance(owned).await {
                return ended;
            }
            self.show_owned(owned);
            owned.looks_at_place();
            if owned.rests()
                && let Some(ended) = self.leaves(owned).await
            {
                return ended;
            }
            if let Some(ended) = self.leaves_stopped(owned).await {
                return ended;
            }
            let is_reading = self.blocked.is_none() && !owned.rests();
            if page.is_none() && is_reading && !owned.inbox.is_full() {
                page = Some(self.next_page(owned));
            }
            if again.is_none() {
                again = owned.inbox.hungry().map(|after| self.page_again(after));
            }
            let now = self.now();
            if barrier.is_none() && owned.deadlines.next().is_some_and(|due| due <= now) {
                barrier = Some(self.barrier(now));
            }
            let is_ready = !owned.ready.is_empty() && owned.room() > 0;
            let has_more = is_ready || !owned.decided.is_empty();
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
                Ok(()) = self.rest.changed() => {
                    owned.comes_to_rest = *self.rest.borrow_and_update();
                    page = page.filter(|_| !owned.rests());
                    Ok(())
                }
                read = joined(&mut page) => match read {
                    Ok((read, page)) => self.read_on(owned, read, page).await,
                    Err(error) => Err(error.into()),
                },
                read = joined(&mut again) => read.map_err(Ended::from).and_then(|(read, page)| {
                    let after = read.after;
                    read.following(&page)?;
                    self.take_in_again(owned, after, page)
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

    pub(super) fn told(&mut self, owned: &mut Owned, told: Told) {
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
}
