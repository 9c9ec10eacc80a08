//! How a worker becomes the owner of its shard, and how it comes to an end of that.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures::FutureExt;
use tokio::sync::mpsc;

use super::asked::Asked;
use super::owner::Owned;
use super::sender::Sender;
use super::worker::{Ended, Worker, ended, failure, panicked};
use crate::position::Position;
use crate::shards::Place;
use crate::store::{CheckpointChange, LeaseHolder, StoreError, WriteError};
use crate::subscription::claim::Claim;
use crate::subscription::lease::Lease;

/// How long commands that are on their way may take when the engine is shut down.
const LAST_ANSWERS: Duration = Duration::from_secs(10);

/// How soon one who waits for the lease of a shard asks again, at first and in the long run.
const FIRST_WAIT: Duration = Duration::from_millis(20);
const LONGEST_WAIT: Duration = Duration::from_secs(1);

impl Worker {
    /// Says where a process that was never run before starts.
    ///
    /// It is done before the engine has started: what is dispatched then, the process sees.
    pub(super) async fn begin(&self) -> Result<(), StoreError> {
        let reader = self.kind.reader(self.shard.index());
        if self.store()?.checkpoint(&reader).await?.is_some() {
            return Ok(());
        }
        let store = self.store()?;
        // Whoever holds it has said so, or will.
        // Of this call alone: another engine of the same name is another owner.
        let (owner, lifetime) = (LeaseHolder::owner_of(&self.settings.name), self.settings.lease);
        let claimed = store.claim_lease(&reader, &owner, lifetime).await?;
        let Some(fence) = claimed else { return Ok(()) };
        let known = store.standing(&reader).await?;
        let change = CheckpointChange { fence: fence.clone(), position: self.begins_at };
        // There may be other shards by now, which begin where these were.
        let is_shard = known.layout.shards == self.shard.of();
        let written = match known.reached.get(self.shard.index() as usize) {
            Some(None) if is_shard => store.write_rows(Vec::new(), change).await,
            _ => Ok(()),
        };
        store.release_lease(&fence).await?;
        match written {
            Ok(()) | Err(WriteError::Fenced { .. }) => Ok(()),
            Err(error) => Err(failure(error)),
        }
    }

    /// Becomes the owner. What it was asked while it had stopped, it does then, unless another is the owner for long.
    pub(super) async fn take_lease(
        &mut self,
        asked: &mut mpsc::Receiver<Asked>,
    ) -> Result<Owned, Ended> {
        let mut later = std::mem::take(&mut self.later);
        let not_owner = || super::ProcessError::NotOwner { process: self.name() };
        let taken = {
            let late = tokio::time::sleep(self.settings.lease);
            // What panics, as a codec may that reads what is kept, is shown as why it has stopped. The lease is given up.
            let hold = AssertUnwindSafe(self.hold()).catch_unwind();
            let (mut taken, mut late) = (std::pin::pin!(hold), std::pin::pin!(late));
            loop {
                tokio::select! {
                    () = self.stop.cancelled() => break Err(Ended::Shutdown),
                    taken = &mut taken => {
                        break taken.unwrap_or_else(|panic| Err(panicked(&*panic)));
                    }
                    () = &mut late, if !later.is_empty() => {
                        later.drain(..).for_each(|ask| ask.refuse(not_owner));
                    }
                    ask = asked.recv() => if let Some(ask) = ask {
                        ask.refuse(not_owner);
                    },
                }
            }
        };
        let Ok(mut owned) = taken else {
            later.drain(..).for_each(|ask| ask.refuse(not_owner));
            return taken;
        };
        owned.later = later;
        Ok(owned)
    }

    /// Takes the lease, and goes on with what the store keeps.
    async fn hold(&self) -> Result<Owned, Ended> {
        let reader = self.kind.reader(self.shard.index());
        let claim = self.kind.claim(self.shard, &self.events, &self.settings);
        let (lease, kept, place) = self.take(claim).await?;
        // As long as this lease is held, the shards stay what they are now.
        let store = self.store()?;
        let standing = store.standing(&reader).await?;
        let part = standing.part(self.shard.index()).filter(|part| part.shard() == self.shard);
        let Some(part) = part else {
            lease.give_up().await?;
            return Err(Ended::Rests);
        };
        if self.kind.wished(store).await?.is_some() {
            lease.give_up().await?;
            return Err(Ended::Rests);
        }
        let (answer, answers) = mpsc::unbounded_channel();
        let sender = Sender {
            bus: self.bus.clone(),
            process: self.name().into(),
            turns: self.turns.clone(),
            retry: self.settings.retry,
            time_limit: self.settings.time_limit,
            lease: lease.freshness(),
            stop: self.stop.child_token(),
            answers: answer,
        };
        let reader = self.kind.reader(0);
        let mut owned = Owned::new(lease, reader, kept.unwrap_or(self.begins_at), sender, answers);
        (owned.part, owned.place) = (part, place);
        if kept.is_none() {
            self.commit(&mut owned, &[], self.begins_at).await.map_err(ended)?;
        }
        self.recover(&mut owned).await?;
        Ok(owned)
    }

    /// Waits for the lease; of several shards, until this engine may have one more, too.
    async fn take(&self, claim: Claim) -> Result<(Lease, Option<Position>, Option<Place>), Ended> {
        if self.shard.of() == 1 {
            let (lease, kept) = Lease::take(claim).await?;
            return Ok((lease, kept, None));
        }
        let longest = (self.settings.lease / 8).min(LONGEST_WAIT);
        let mut pause = FIRST_WAIT.min(longest);
        loop {
            // Not kept while it waits: another shard may be free.
            let place = self.places.take().await;
            if let Some(lease) = Lease::try_take(claim.clone()).await? {
                let kept = lease.read_checkpoint().await?;
                return Ok((lease, kept, Some(place)));
            }
            drop(place);
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(longest);
        }
    }

    /// Waits until there are other shards, of which it is none: it is stopped then. Or until there are to be none. Tells whether it
    /// ends.
    pub(super) async fn rests(&mut self, asked: &mut mpsc::Receiver<Asked>) -> bool {
        self.call.notify_one();
        loop {
            // Who leads may not have looked yet.
            let is_told = *self.rest.borrow_and_update();
            tokio::select! {
                () = self.stop.cancelled() => return true,
                changed = self.rest.changed() => match changed {
                    Ok(()) if *self.rest.borrow_and_update() => {}
                    changed => return changed.is_err(),
                },
                ask = asked.recv() => match ask {
                    Some(ask) => ask.refuse(|| super::ProcessError::NotOwner { process: self.name() }),
                    None => return true,
                },
                () = tokio::time::sleep(self.settings.polling), if !is_told => return false,
            }
        }
    }

    /// Leaves the shard to those who go on, once nothing is under way.
    ///
    /// For other shards it takes the time that it takes. For another engine that stands by, no longer than a shutdown does: what
    /// is under way then, that one does again under its keys.
    pub(super) async fn leaves(&mut self, owned: &mut Owned) -> Option<Ended> {
        let left = if owned.comes_to_rest { Ended::Rests } else { Ended::Again };
        if !owned.is_still() {
            let is_late = owned.leaves_since.is_some_and(|since| since.elapsed() > LAST_ANSWERS);
            if !is_late || owned.comes_to_rest {
                return None;
            }
            owned.sender.stop.cancel();
            self.wind_up(owned).await;
            return Some(left);
        }
        Some(self.keep_now(owned).await.err().unwrap_or(left))
    }

    /// Writes the checkpoint where it may be, for whoever goes on.
    pub(super) async fn keep_now(&self, owned: &mut Owned) -> Result<(), Ended> {
        let position = owned.checkpoint();
        if position == owned.kept {
            return Ok(());
        }
        self.commit(owned, &[], position).await.map_err(ended)
    }

    /// Lets what is on its way end, and writes what is known of it.
    pub(super) async fn wind_up(&mut self, owned: &mut Owned) -> Ended {
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
