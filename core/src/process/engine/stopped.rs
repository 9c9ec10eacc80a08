//! A worker that has stopped: at an event that cannot be read, which others may try meanwhile, or since the store will not do.

use std::collections::HashSet;
use std::time::Instant;

use tokio::sync::mpsc;

use super::ProcessError;
use super::asked::Asked;
use super::owner::Owned;
use super::shown::Shown;
use super::worker::{Ended, Worker, failure};
use crate::position::Position;
use crate::request::{Wish, requests};
use crate::store::{CheckpointChange, RowChange, StoreError};
use crate::subscription::SubscriptionError;
use crate::subscription::lease::Lease;

/// The event at which a worker reads no further, and why.
#[derive(Debug, Clone)]
pub(super) struct Blocked {
    pub(super) position: Position,
    pub(super) why: String,
    pub(super) since: Instant,
}

impl Worker {
    /// Leaves the shard to others that may be able to read the event at which it has stopped, once nothing else is to be done.
    pub(super) async fn leaves_stopped(&self, owned: &mut Owned) -> Option<Ended> {
        let blocked = self.blocked.clone()?;
        // What was asked of it is taken back by the owner.
        let has_heard = owned.looked_at > blocked.since && owned.asked.is_empty();
        if !has_heard || !owned.is_still() {
            return None;
        }
        let kept = self.keep_now(owned).await;
        Some(kept.err().unwrap_or(Ended::Stopped(blocked)))
    }

    /// Waits until somebody has come past the event at which it has stopped, or it is asked for something; tells whether the engine
    /// ends.
    pub(super) async fn stays_stopped(
        &mut self,
        at: &Blocked,
        asked: &mut mpsc::Receiver<Asked>,
    ) -> bool {
        loop {
            let ask = tokio::select! {
                () = self.stop.cancelled() => return true,
                () = tokio::time::sleep(self.settings.polling) => None,
                ask = asked.recv() => match ask {
                    Some(ask) => Some(ask),
                    None => return true,
                },
            };
            let process = self.name();
            match ask {
                // What the store does not tell now, it tells the next time.
                None if self.may_go_on(at).await.unwrap_or(false) => break,
                None => {}
                // Shown before whoever asked has an answer: what they ask next is of one that goes on.
                Some(Asked::Resume { answer }) => {
                    self.show(Shown::goes_on);
                    let _ = answer.send(Ok(()));
                    break;
                }
                Some(Asked::Skip { position, answer }) if position == at.position => {
                    let skipped = self.skip_unowned(at).await;
                    let is_done = skipped.is_ok();
                    if is_done {
                        self.show(Shown::goes_on);
                    }
                    let _ = answer.send(skipped);
                    if is_done {
                        break;
                    }
                }
                Some(Asked::Skip { position, answer }) => {
                    let _ = answer.send(Err(ProcessError::NothingToSkip { process, position }));
                }
                // The owner does that.
                Some(ask @ (Asked::RetryParked { .. } | Asked::DropParked { .. })) => {
                    self.later.push(ask);
                    break;
                }
                Some(ask @ Asked::Look { .. }) => ask.refuse(|| ProcessError::NotOwner { process }),
            }
        }
        self.show(Shown::goes_on);
        false
    }

    /// Whether the event is no more in its way, or the owner has something else to do.
    async fn may_go_on(&self, at: &Blocked) -> Result<bool, StoreError> {
        let store = self.store()?;
        let reached = store.checkpoint(&self.kind.reader(self.shard.index())).await?;
        if reached >= Some(at.position) {
            return Ok(true);
        }
        let skipped = store.parked(&self.kind.skips(), None).await?;
        if skipped.iter().any(|event| event.position == at.position) {
            return Ok(true);
        }
        let is_ahead =
            |wish: &Wish| matches!(wish, Wish::Skip { position } if *position > at.position);
        let asked = requests(store).await?;
        Ok(asked.iter().any(|request| {
            self.is_asked(request) && !is_ahead(&request.wish) && !request.is_over()
        }))
    }

    /// Keeps that the event is passed over.
    async fn skip_unowned(&self, at: &Blocked) -> Result<(), ProcessError> {
        let process = self.name();
        let store_failed = |error: SubscriptionError| match error {
            SubscriptionError::Store(error) => ProcessError::from(error),
            _ => ProcessError::NotOwner { process },
        };
        let claim = self.kind.claim(self.shard, &self.events, &self.settings);
        let Some(lease) = Lease::try_take(claim).await.map_err(store_failed)? else {
            return Err(ProcessError::NotOwner { process });
        };
        let position = lease.read_checkpoint().await.map_err(store_failed)?;
        // Whoever else comes to the event passes over it, too: which shard says so does not matter.
        let change = CheckpointChange {
            fence: lease.fence().await,
            position: position.unwrap_or(self.begins_at),
        };
        let skip = RowChange::Park(self.skip(at.position, &at.why));
        let written = self.store()?.write_rows(vec![skip], change).await;
        lease.give_up().await?;
        written.map_err(failure)?;
        tracing::warn!(process, position = at.position.get(), "an event was skipped by hand");
        Ok(())
    }

    /// Waits until it is resumed, since the store will not do; tells whether the engine ends.
    pub(super) async fn stopped(&self, reason: &str, asked: &mut mpsc::Receiver<Asked>) -> bool {
        let mut before: Option<HashSet<_>> = self.asked_to_resume().await.ok();
        loop {
            tokio::select! {
                () = self.stop.cancelled() => return true,
                () = tokio::time::sleep(self.settings.polling) => {
                    // What the store does not tell now, it tells the next time.
                    let Ok(now) = self.asked_to_resume().await else { continue };
                    // Whoever has the shard then takes it back.
                    if !now.is_subset(before.get_or_insert_with(|| now.clone())) {
                        return false;
                    }
                }
                ask = asked.recv() => match ask {
                    Some(Asked::Resume { answer }) => {
                        let _ = answer.send(Ok(()));
                        return false;
                    }
                    Some(ask) => ask.refuse(|| ProcessError::Stopped {
                        process: self.name(),
                        reason: reason.to_owned(),
                    }),
                    None => return true,
                },
            }
        }
    }
}
