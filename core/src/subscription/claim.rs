//! What is asked for before a lease is held: whose it is to be, and the wait until it is free. Nothing is renewed here.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::Handle;

use super::SubscriptionError;
use super::retry::retried;
use crate::store::{CheckpointId, EventStore, Fence, ReadModelStore, StoreError};

/// How soon one who waits for a lease asks again, at first and in the long run.
const FIRST_WAIT: Duration = Duration::from_millis(20);
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// Where checkpoints are kept.
#[derive(Clone)]
pub(crate) enum Checkpoints {
    /// In the store of the events.
    Beside(Arc<dyn EventStore>),
    /// In another.
    Apart(Arc<dyn ReadModelStore>),
}

impl Checkpoints {
    pub(crate) fn store(&self) -> Result<&dyn ReadModelStore, StoreError> {
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
#[derive(Clone)]
pub(crate) struct Claim {
    pub(crate) events: Arc<dyn EventStore>,
    pub(crate) checkpoints: Checkpoints,
    /// For messages.
    pub(crate) name: String,
    /// The name by which others know the owner; empty if it has none.
    pub(crate) engine: String,
    pub(crate) id: CheckpointId,
    pub(crate) lifetime: Duration,
    pub(crate) run_out: RunOut,
}

/// What becomes of a lease that ran out and is free, as after an outage that lasted longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RunOut {
    /// It is held again if the checkpoint is where it was: nothing but the checkpoint depends on it.
    HeldAgain,
    /// It is lost: another owner may have changed what the checkpoint does not tell.
    Lost,
}

impl Claim {
    /// What renews a lease runs there.
    pub(super) fn runtime(&self) -> Result<Handle, SubscriptionError> {
        let runtime = Handle::try_current().map_err(|error| {
            let message =
                format!("subscribe as `{}`: a lease is renewed in a Tokio runtime", self.name);
            StoreError::invalid(message).with_source(error)
        })?;
        Ok(runtime)
    }

    /// Takes the lease if it is free.
    ///
    /// In a task of its own: what is taken for a call that was dropped meanwhile is given up, and nobody waits for its end.
    pub(super) async fn try_lease(
        &self,
        id: &CheckpointId,
        owner: &str,
    ) -> Result<Option<Claimed>, StoreError> {
        let (id, owner, lifetime) = (id.clone(), owner.to_owned(), self.lifetime);
        let checkpoints = self.checkpoints.clone();
        let claiming = tokio::spawn(async move {
            let fence = checkpoints.store()?.claim_lease(&id, &owner, lifetime).await?;
            Ok(fence.map(|fence| Claimed { fence, checkpoints, is_renewed: false }))
        });
        claiming.await.unwrap_or_else(|error| {
            Err(StoreError::other("the task that claims a lease has ended").with_source(error))
        })
    }

    /// Waits until the lease is free and takes it; tells when the claim was sent.
    pub(super) async fn wait_for_lease(
        &self,
        id: &CheckpointId,
        owner: &str,
    ) -> Result<(Claimed, Instant), StoreError> {
        let mut is_told = false;
        let longest = (self.lifetime / 8).min(LONGEST_WAIT);
        // Whoever gives the lease up does so at once, whoever has died does not: soon at first, then less often.
        let mut pause = FIRST_WAIT.min(longest);
        loop {
            let sent = Instant::now();
            let claimed = retried(&self.name, "claim the lease", || self.try_lease(id, owner));
            if let Some(claimed) = claimed.await? {
                return Ok((claimed, sent));
            }
            if !std::mem::replace(&mut is_told, true) {
                tracing::info!(
                    subscription = self.name,
                    "waits: another owner has the subscription"
                );
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(longest);
        }
    }
}

/// A lease that nobody renews yet: dropped, it is given up.
pub(super) struct Claimed {
    pub(super) fence: Fence,
    checkpoints: Checkpoints,
    is_renewed: bool,
}

impl Claimed {
    /// Leaves it to whoever renews it.
    pub(super) fn leave(mut self) {
        self.is_renewed = true;
    }
}

impl Drop for Claimed {
    fn drop(&mut self) {
        let Ok(runtime) = Handle::try_current() else { return };
        if self.is_renewed {
            return;
        }
        let (fence, checkpoints) = (self.fence.clone(), self.checkpoints.clone());
        runtime.spawn(async move {
            // One that could not be given up runs out.
            let _ = async { checkpoints.store()?.release_lease(&fence).await }.await;
        });
    }
}
