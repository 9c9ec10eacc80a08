//! The durable checkpoint of a subscription, and the lease by which it has one owner at a time.

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::FutureExt;
use tokio::runtime::Handle;
use tokio::sync::{Mutex, oneshot};
use tokio::task::JoinHandle;
use uuid::Uuid;

use super::SubscriptionError;
use super::retry::{Backoff, retried};
use crate::metrics;
use crate::position::Position;
use crate::store::{
    CheckpointChange, CheckpointId, EventStore, Fence, ReadModelStore, StoreError, WriteError,
};

/// How soon one who waits for a lease asks again.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// Where checkpoints are kept.
#[derive(Clone)]
pub(super) enum Checkpoints {
    /// In the store of the events.
    Beside(Arc<dyn EventStore>),
    /// In another.
    Apart(Arc<dyn ReadModelStore>),
}

impl Checkpoints {
    fn store(&self) -> Result<&dyn ReadModelStore, StoreError> {
        match self {
            Self::Beside(events) => match events.unit_of_work() {
                Some(store) => Ok(store),
                None => Err(StoreError::invalid(
                    "the store keeps events but no checkpoints: name one that does with `.checkpoints_in(…)`",
                )),
            },
            Self::Apart(store) => Ok(&**store),
        }
    }
}

/// What a subscription asks for.
pub(super) struct Claim {
    pub(super) events: Arc<dyn EventStore>,
    pub(super) checkpoints: Checkpoints,
    pub(super) name: String,
    pub(super) lifetime: Duration,
}

/// A lease that is renewed until it is dropped, and then given up.
pub(super) struct Lease {
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
}

struct Held {
    fence: Fence,
    /// The checkpoint as it is kept.
    kept: Option<Position>,
}

impl Lease {
    /// Waits until the lease is free and takes it; gives back the checkpoint, too.
    pub(super) async fn take(claim: Claim) -> Result<(Self, Option<Position>), SubscriptionError> {
        let runtime = Handle::try_current().map_err(|error| {
            let message =
                format!("subscribe as `{}`: a lease is renewed in a Tokio runtime", claim.name);
            StoreError::invalid(message).with_source(error)
        })?;
        let id = CheckpointId { name: claim.name.clone(), version: 1, shard: 0 };
        let owner = Uuid::now_v7().to_string();
        let fence = claim.wait_for_lease(&id, &owner).await?;
        let held = Mutex::new(Held { fence, kept: None });
        let shared = Arc::new(Shared { claim, id, owner, held });
        let (stop, stopped) = oneshot::channel();
        let (tell, lost) = oneshot::channel();
        // From here on it is given up when this call is dropped.
        let task = runtime.spawn(keep(shared.clone(), stopped, tell));
        let lease = Self { shared, stop, lost, task };
        let kept = lease.read_checkpoint().await?;
        Ok((lease, kept))
    }

    async fn read_checkpoint(&self) -> Result<Option<Position>, SubscriptionError> {
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

    /// Is ready once the lease is lost, and tells why. Not to be asked again then.
    pub(super) fn poll_lost(&mut self, cx: &mut Context<'_>) -> Poll<SubscriptionError> {
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
    pub(super) async fn give_up(self) -> Result<(), StoreError> {
        drop(self.stop);
        self.task.await.unwrap_or_else(|error| {
            let name = &self.shared.claim.name;
            let message =
                format!("subscription `{name}`: the task that renews its lease has ended");
            Err(StoreError::other(message).with_source(error))
        })
    }
}

impl Claim {
    async fn wait_for_lease(&self, id: &CheckpointId, owner: &str) -> Result<Fence, StoreError> {
        let store = self.checkpoints.store()?;
        let mut is_told = false;
        loop {
            let claimed = retried(&self.name, "claim the lease", || {
                store.claim_lease(id, owner, self.lifetime)
            });
            if let Some(fence) = claimed.await? {
                return Ok(fence);
            }
            if !std::mem::replace(&mut is_told, true) {
                tracing::info!(
                    subscription = self.name,
                    "waits: another owner has the subscription"
                );
            }
            tokio::time::sleep((self.lifetime / 8).min(LONGEST_WAIT)).await;
        }
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
        pause = match shared.renew().await {
            Ok(()) => {
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
        let mut held = self.held.lock().await;
        if held.kept >= Some(position) {
            return Ok(());
        }
        let store = claim.checkpoints.store()?;
        let mut backoff = Backoff::new();
        loop {
            let change = CheckpointChange { fence: held.fence.clone(), position };
            let error = match store.write_rows(Vec::new(), change).await {
                Ok(()) => {
                    held.kept = Some(position);
                    return Ok(());
                }
                Err(WriteError::Fenced { .. }) => return Err(self.fenced()),
                // Written twice, it is the same.
                Err(WriteError::UnknownOutcome { source, .. }) => source,
                Err(WriteError::Store(error)) if error.is_unavailable() => error,
                Err(WriteError::Store(error)) => return Err(error.into()),
                Err(error) => return Err(StoreError::other(error.to_string()).into()),
            };
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
            Ok(kept) if kept == held.kept => {
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
        if let Ok(head) = self.claim.events.head().await {
            let kept = self.held.lock().await.kept.unwrap_or_default();
            metrics::subscription_lag(&self.claim.name, head.get().saturating_sub(kept.get()));
        }
    }

    fn fenced(&self) -> SubscriptionError {
        SubscriptionError::Fenced { name: self.claim.name.clone() }
    }
}
