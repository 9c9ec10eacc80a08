//! The seats of runners: leases by which it is known who is alive.
//!
//! A saga's log says which seat runs it, and under which epoch. As long as the seat's lease is held under that epoch, nobody
//! else touches the saga; once it is not, anybody takes it over by a record in its log, after which whoever ran it before
//! writes no more: its log is not where it was.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::super::Owner;
use super::SagaError;
use super::builder::Settings;
use super::journal::Journal;
use crate::causes::chain;
use crate::store::{CheckpointId, Fence, StoreError};
use crate::subscription::SubscriptionError;
use crate::subscription::claim::{Checkpoints, Claim, RunOut};
use crate::subscription::lease::{Freshness, Lease};

/// How often it is looked whether a lease has been renewed.
const LOOK: Duration = Duration::from_millis(10);

/// A lease that is held. Given up when it is dropped.
pub(super) struct Seat {
    pub(super) owner: Owner,
    pub(super) fence: Fence,
    freshness: Freshness,
    lost: CancellationToken,
    _stop: DropGuard,
}

/// The seats that a runner has: one for each saga that it runs.
#[derive(Default)]
pub(super) struct Seats {
    held: Mutex<HashMap<&'static str, Arc<Seat>>>,
    tasks: TaskTracker,
}

/// What was found out about seats of others.
#[derive(Default)]
pub(super) struct Found(HashMap<u32, Option<u64>>);

impl Seat {
    /// Waits until it is known that the seat is held; `false` once it is lost. A call has no fence: a program that stood still
    /// makes none until it knows that it is the owner.
    pub(super) async fn is_held(&self) -> bool {
        while !self.lost.is_cancelled() {
            if self.freshness.is_held() {
                return true;
            }
            tokio::time::sleep(LOOK).await;
        }
        false
    }

    /// Waits until it is lost.
    pub(super) async fn lost(&self) {
        self.lost.cancelled().await;
    }

    pub(super) fn is_lost(&self) -> bool {
        self.lost.is_cancelled()
    }

    /// Says that another has it, as a write found out.
    pub(super) fn lose(&self) {
        self.lost.cancel();
    }
}

/// Under which requests stand of the sagas of a name, for whoever runs them.
pub(crate) fn asked_of(saga: &str) -> CheckpointId {
    seat_id(saga, 0)
}

/// By whose lease a seat is held.
pub(crate) fn seat_id(saga: &str, seat: u32) -> CheckpointId {
    CheckpointId { name: format!("annals/saga/{saga}"), version: 1, shard: seat }
}

impl Seats {
    /// The seat of this runner for a saga.
    pub(super) async fn take(
        &self,
        saga: &'static str,
        journal: &Journal,
        settings: &Settings,
    ) -> Result<Arc<Seat>, SagaError> {
        let mut held = self.held.lock().await;
        if let Some(seat) = held.get(saga).filter(|seat| !seat.is_lost()) {
            return Ok(seat.clone());
        }
        for number in 0.. {
            let claim = Claim {
                events: journal.events().clone(),
                checkpoints: Checkpoints::Beside(journal.events().clone()),
                name: format!("saga `{saga}`"),
                engine: settings.name.clone(),
                id: seat_id(saga, number),
                lifetime: settings.lease,
                run_out: RunOut::Lost,
            };
            let Some(lease) = Lease::try_take(claim).await.map_err(store_error)? else { continue };
            let seat = self.hold(number, lease).await;
            // A seat of which sagas are left stays free: that is how others know that their runner is dead.
            let unfinished = journal.unfinished(saga).await?;
            let is_left = unfinished.iter().any(|listed| {
                listed.owner.is_some_and(|owner| {
                    owner.seat == number && owner != seat.owner && owner != Owner::NOBODY
                })
            });
            if !is_left {
                let seat = Arc::new(seat);
                held.insert(saga, seat.clone());
                return Ok(seat);
            }
        }
        Err(StoreError::other(format!("all seats of saga `{saga}` are taken")).into())
    }

    async fn hold(&self, number: u32, mut lease: Lease) -> Seat {
        let fence = lease.fence().await;
        let (freshness, lost, stop) =
            (lease.freshness(), CancellationToken::new(), CancellationToken::new());
        let (told, stopped) = (lost.clone(), stop.clone());
        self.tasks.spawn(async move {
            tokio::select! {
                why = lease.lost() => {
                    tracing::warn!(seat = number, error = chain(&why), "the seat of a runner of sagas is lost");
                    told.cancel();
                }
                () = stopped.cancelled() => {
                    told.cancel();
                    // What could not be given up runs out.
                    let _ = lease.give_up().await;
                }
            }
        });
        let owner = Owner::new(number, fence.epoch);
        Seat { owner, fence, freshness, lost, _stop: stop.drop_guard() }
    }

    /// The seat of this runner for a saga, if it has one.
    pub(super) async fn mine(&self, saga: &str) -> Option<Arc<Seat>> {
        self.held.lock().await.get(saga).filter(|seat| !seat.is_lost()).cloned()
    }

    /// Gives all seats up; whoever still holds one keeps it for as long.
    pub(super) async fn give_up(&self) {
        self.held.lock().await.clear();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

impl Found {
    /// Whether a runner is dead: nobody holds its seat, or another does.
    pub(super) async fn is_dead(
        &mut self,
        saga: &str,
        owner: Owner,
        journal: &Journal,
        lifetime: Duration,
    ) -> Result<bool, SagaError> {
        let free = match self.0.get(&owner.seat) {
            Some(free) => *free,
            None => free_since(seat_id(saga, owner.seat), journal, lifetime).await?,
        };
        self.0.insert(owner.seat, free);
        Ok(free.is_some_and(|epoch| owner.epoch < epoch))
    }
}

/// Claims a seat and gives it up again: the epoch since which it is free; `None` while it is held.
async fn free_since(
    id: CheckpointId,
    journal: &Journal,
    lifetime: Duration,
) -> Result<Option<u64>, SagaError> {
    let events = journal.events().clone();
    // In a task of its own: what is claimed for a call that was dropped meanwhile is given up all the same.
    let claiming = tokio::spawn(async move {
        let store = events.unit_of_work().ok_or_else(|| StoreError::invalid("no leases"))?;
        let owner = Uuid::now_v7().to_string();
        let Some(fence) = store.claim_lease(&id, &owner, lifetime).await? else { return Ok(None) };
        store.release_lease(&fence).await?;
        Ok(Some(fence.epoch))
    });
    let claimed = claiming.await.unwrap_or_else(|error| {
        Err(StoreError::other("the task that claims a seat has ended").with_source(error))
    });
    Ok(claimed?)
}

fn store_error(error: SubscriptionError) -> SagaError {
    match error {
        SubscriptionError::Store(error) => error.into(),
        other => StoreError::other(chain(&other)).into(),
    }
}
