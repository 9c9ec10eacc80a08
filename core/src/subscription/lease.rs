//! The durable checkpoint of a subscription, and the lease by which it has one owner at a time.

use std::sync::{Arc, Mutex as StdMutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures::FutureExt;
use tokio::runtime::Handle;
use tokio::sync::{Mutex, oneshot};
use tokio::task::JoinHandle;

use super::SubscriptionError;
use super::claim::{Claim, Claimed, RunOut};
use super::retry::{Backoff, retried};
use crate::metrics;
use crate::position::Position;
use crate::store::{CheckpointChange, CheckpointId, Fence, LeaseHolder, StoreError, WriteError};

/// The shortest time that a lease lasts: it has to be renewed within.
pub(crate) const SHORTEST_LEASE: Duration = Duration::from_millis(10);

/// A lease that is renewed until it is dropped, and then given up.
pub(crate) struct Lease {
    shared: Arc<Shared>,
    /// Dropped, it ends the task.
    stop: oneshot::Sender<()>,
    lost: oneshot::Receiver<SubscriptionError>,
    task: JoinHandle<Result<(), StoreError>>,
}

struct Shared {
    claim: Claim,
    id: CheckpointId,
    /// Of this subscription alone: another one of the same program is another owner.
    owner: String,
    held: Mutex<Held>,
    /// When the claim was sent by which it is held.
    renewed: StdMutex<Instant>,
}

/// Whether a lease is surely held, without asking anybody: for what no fence holds back.
#[derive(Clone)]
pub(crate) struct Freshness(Arc<Shared>);

impl Freshness {
    /// Whether it was renewed so lately that nobody else can have it: not so in a program that stood still meanwhile.
    pub(crate) fn is_held(&self) -> bool {
        let renewed = *self.0.renewed.lock().unwrap_or_else(PoisonError::into_inner);
        renewed.elapsed() < self.0.claim.lifetime
    }
}

struct Held {
    fence: Fence,
    /// The checkpoint as it is kept.
    kept: Option<Position>,
    /// Where it was moved to without an answer: it may be kept.
    in_doubt: Option<Position>,
}

impl Lease {
    /// Waits until the lease is free and takes it; gives back the checkpoint, too.
    pub(crate) async fn take(claim: Claim) -> Result<(Self, Option<Position>), SubscriptionError> {
        let runtime = claim.runtime()?;
        let (id, owner) = (claim.id.clone(), LeaseHolder::owner_of(&claim.engine));
        let (claimed, sent) = claim.wait_for_lease(&id, &owner).await?;
        let lease = Self::hold(claim, owner, claimed, sent, &runtime);
        let kept = lease.read_checkpoint().await?;
        Ok((lease, kept))
    }

    /// Takes the lease if it is free now.
    pub(crate) async fn try_take(claim: Claim) -> Result<Option<Self>, SubscriptionError> {
        let runtime = claim.runtime()?;
        let (id, owner) = (claim.id.clone(), LeaseHolder::owner_of(&claim.engine));
        let sent = Instant::now();
        let claimed = claim.try_lease(&id, &owner).await?;
        Ok(claimed.map(|claimed| Self::hold(claim, owner, claimed, sent, &runtime)))
    }

    /// Renews what was claimed from now on.
    fn hold(claim: Claim, owner: String, claimed: Claimed, sent: Instant, on: &Handle) -> Self {
        let held = Mutex::new(Held { fence: claimed.fence.clone(), kept: None, in_doubt: None });
        let (id, renewed) = (claim.id.clone(), StdMutex::new(sent));
        let shared = Arc::new(Shared { claim, id, owner, held, renewed });
        let (stop, stopped) = oneshot::channel();
        let (tell, lost) = oneshot::channel();
        // Dropped, the task gives it up.
        let task = on.spawn(keep(shared.clone(), stopped, tell));
        claimed.leave();
        Self { shared, stop, lost, task }
    }

    pub(crate) async fn read_checkpoint(&self) -> Result<Option<Position>, SubscriptionError> {
        let Shared { claim, id, held, .. } = &*self.shared;
        let mut held = held.lock().await;
        let store = claim.checkpoints.store()?;
        held.kept = retried(&claim.name, "read the checkpoint", || store.checkpoint(id)).await?;
        Ok(held.kept)
    }

    /// Moves the checkpoint, never back.
    ///
    /// In a task of its own: what a dropped call has begun may still be on its way to the store, and must not come after the
    /// next one.
    pub(super) async fn ack(&self, position: Position) -> Result<(), SubscriptionError> {
        let shared = self.shared.clone();
        let moved = tokio::spawn(async move { shared.ack(position).await }).await;
        moved.unwrap_or_else(|error| {
            let message = "the task that moves the checkpoint ended before it had an answer";
            Err(StoreError::other(message).with_source(error).into())
        })
    }

    /// Tells, without asking anybody, whether it is surely held.
    pub(crate) fn freshness(&self) -> Freshness {
        Freshness(self.shared.clone())
    }

    /// What a write has to carry.
    pub(crate) async fn fence(&self) -> Fence {
        self.shared.held.lock().await.fence.clone()
    }

    /// Waits until the lease is lost, and tells why. Not to be asked again then.
    pub(crate) async fn lost(&mut self) -> SubscriptionError {
        std::future::poll_fn(|cx| self.poll_lost(cx)).await
    }

    /// Is ready once the lease is lost, and tells why. Not to be asked again then.
    pub(crate) fn poll_lost(&mut self, cx: &mut Context<'_>) -> Poll<SubscriptionError> {
        self.lost.poll_unpin(cx).map(|told| {
            told.unwrap_or_else(|_| {
                let name = &self.shared.claim.name;
                let message =
                    format!("subscription `{name}`: the task that renews its lease has ended");
                StoreError::other(message).into()
            })
        })
    }

    /// Gives the lease up, so that another need not wait for its end.
    pub(crate) async fn give_up(self) -> Result<(), StoreError> {
        drop(self.stop);
        self.task.await.unwrap_or_else(|error| {
            let name = &self.shared.claim.name;
            let message =
                format!("subscription `{name}`: the task that renews its lease has ended");
            Err(StoreError::other(message).with_source(error))
        })
    }
}

/// Renews a lease until it is stopped, then gives it up.
async fn keep(
    shared: Arc<Shared>,
    mut stopped: oneshot::Receiver<()>,
    tell: oneshot::Sender<SubscriptionError>,
) -> Result<(), StoreError> {
    let name = &shared.claim.name;
    let interval = shared.claim.lifetime / 3;
    let (mut pause, mut backoff) = (interval, Backoff::new());
    while tokio::time::timeout(pause, &mut stopped).await.is_err() {
        let sent = Instant::now();
        pause = match shared.renew().await {
            Ok(()) => {
                *shared.renewed.lock().unwrap_or_else(PoisonError::into_inner) = sent;
                backoff = Backoff::new();
                shared.measure_lag().await;
                interval
            }
            Err(SubscriptionError::Store(error)) if error.is_unavailable() => {
                tracing::warn!(subscription = name, %error, "the lease could not be renewed: tries again");
                backoff.next_pause().min(interval)
            }
            Err(lost) => {
                // Whoever subscribed may be gone.
                let _ = tell.send(lost);
                break;
            }
        };
    }
    let released = shared.release().await;
    if let Err(error) = &released {
        tracing::warn!(subscription = name, %error, "the lease could not be given up: it runs out");
    }
    released
}

impl Shared {
    async fn ack(&self, position: Position) -> Result<(), SubscriptionError> {
        let claim = &self.claim;
        let store = claim.checkpoints.store()?;
        let mut backoff = Backoff::new();
        loop {
            // Not held during the pauses: meanwhile the lease is renewed, or given up, and a later position may be kept.
            let mut held = self.held.lock().await;
            if held.kept >= Some(position) {
                return Ok(());
            }
            let change = CheckpointChange { fence: held.fence.clone(), position };
            let error = match store.write_rows(Vec::new(), change).await {
                Ok(()) => {
                    held.kept = Some(position);
                    held.in_doubt = None;
                    return Ok(());
                }
                Err(WriteError::Fenced { .. }) => return Err(self.fenced()),
                // Written twice, it is the same.
                Err(WriteError::UnknownCommit { source }) => source,
                Err(WriteError::Store(error)) if error.is_unavailable() => error,
                Err(WriteError::Store(error)) => return Err(error.into()),
                Err(error) => return Err(StoreError::other(error.to_string()).into()),
            };
            held.in_doubt = Some(position);
            drop(held);
            backoff.wait(&claim.name, "move the checkpoint", &error).await;
        }
    }

    async fn renew(&self) -> Result<(), SubscriptionError> {
        let Claim { checkpoints, lifetime, name, .. } = &self.claim;
        let store = checkpoints.store()?;
        let mut held = self.held.lock().await;
        let Some(fence) = store.claim_lease(&self.id, &self.owner, *lifetime).await? else {
            return Err(self.fenced());
        };
        if fence == held.fence {
            return Ok(());
        }
        // The lease had run out, as in an outage that lasted longer. As long as nobody else has acknowledged anything, there
        // is nothing that this subscription would do twice.
        let kept = match store.checkpoint(&self.id).await {
            Ok(kept)
                if self.claim.run_out == RunOut::HeldAgain
                    && (kept == held.kept || (kept.is_some() && kept == held.in_doubt)) =>
            {
                held.kept = kept;
                tracing::info!(subscription = name, "the lease had run out, and is held again");
                held.fence = fence;
                return Ok(());
            }
            kept => kept,
        };
        store.release_lease(&fence).await?;
        kept?;
        Err(self.fenced())
    }

    async fn release(&self) -> Result<(), StoreError> {
        let held = self.held.lock().await;
        self.claim.checkpoints.store()?.release_lease(&held.fence).await
    }

    /// Tells how far the checkpoint is behind the log's end; a store that does not answer is told of elsewhere.
    async fn measure_lag(&self) {
        if CheckpointId::is_reserved(&self.id.name) {
            return;
        }
        if let Ok(head) = self.claim.events.head().await {
            let kept = self.held.lock().await.kept.unwrap_or_default();
            metrics::subscription_lag(&self.claim.name, head.get().saturating_sub(kept.get()));
        }
    }

    fn fenced(&self) -> SubscriptionError {
        SubscriptionError::Fenced { name: self.claim.name.clone() }
    }
}
