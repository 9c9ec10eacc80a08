//! Engines that share the shards of a reader: each has a seat, and no more shards than are fair.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::places::Places;
use super::slice::SLICES;
use crate::store::{CheckpointId, EventStore, LeaseHolder, StoreError};
use crate::subscription::claim::{Checkpoints, Claim, RunOut};
use crate::subscription::lease::Lease;

/// From this number on, a seat is a mark: of an engine that has stopped at the shard whose number is so much less.
const MARKS: u32 = SLICES;

/// The shard at which an engine has stopped, by the number of a seat that is a mark.
#[cfg(feature = "cli")]
pub(crate) const fn marked(number: u32) -> Option<u32> {
    number.checked_sub(MARKS)
}

/// The seat of an engine: a lease that says that it is there. Marks beside it say at which shards it has stopped.
pub(crate) struct Seats {
    id: CheckpointId,
    stores: (Arc<dyn EventStore>, Checkpoints),
    engine: String,
    lifetime: Duration,
    seat: Option<Seat>,
    marks: BTreeMap<u32, Lease>,
    is_first: bool,
}

/// A seat, by its number among those of all engines.
struct Seat {
    number: u32,
    lease: Lease,
}

/// The shards of a reader, as an engine sees its own.
pub(crate) struct Share {
    /// How many there are.
    pub(crate) shards: u32,
    /// At which of them this engine has stopped.
    pub(crate) stopped: BTreeSet<u32>,
    /// Whether it runs any.
    pub(crate) runs: bool,
}

impl Share {
    /// Whether others have to know that this engine is there: one that has stopped, and runs nothing, is in nobody's way.
    fn wants_a_seat(&self) -> bool {
        self.shards > 1 && (self.runs || self.stopped.is_empty())
    }
}

impl Seats {
    pub(crate) fn new(
        id: CheckpointId,
        stores: (Arc<dyn EventStore>, Checkpoints),
        engine: &str,
        lifetime: Duration,
    ) -> Self {
        let (seat, marks) = (None, BTreeMap::new());
        Self { id, stores, engine: engine.to_owned(), lifetime, seat, marks, is_first: true }
    }

    /// Has the next share be told at once, since there are other shards.
    pub(crate) const fn anew(&mut self) {
        self.is_first = true;
    }

    /// Whether a share was told.
    pub(crate) const fn is_first(&self) -> bool {
        self.is_first
    }

    /// Says now how many of the shards this engine may have: its share, and those at which others have stopped.
    pub(crate) async fn share(&mut self, share: &Share, places: &Places) {
        self.marks
            .retain(|shard, mark| share.stopped.contains(shard) && mark.freshness().is_held());
        if share.wants_a_seat() || self.marks.len() < share.stopped.len() {
            match self.look(share).await {
                Ok(most) if share.wants_a_seat() => places.set(most),
                // Better all than none, until the store tells.
                Err(_) if self.is_first => places.set(share.shards),
                _ => {}
            }
        }
        // Not before the marks are there: who looks whether somebody is there finds one or the other.
        if !share.wants_a_seat() {
            self.give_seat_up().await;
        }
        self.is_first = false;
    }

    /// Takes a seat, unless this engine has one: of a reader without shards, it says no more than that somebody is there.
    pub(crate) async fn sit(&mut self) -> Result<(), StoreError> {
        self.rise();
        if self.seat.is_none() {
            let (seats, _) = self.held().await?;
            self.take_seat(&seats).await;
        }
        Ok(())
    }

    /// Leaves a seat whose lease is lost.
    fn rise(&mut self) {
        self.seat = self.seat.take().filter(|seat| seat.lease.freshness().is_held());
    }

    /// The numbers of the seats that are held, and those of marks.
    async fn held(&self) -> Result<(Vec<u32>, Vec<u32>), StoreError> {
        let listed = self.stores.1.store()?.leases(&self.id.name).await?;
        let is_of = |held: &&LeaseHolder| {
            held.id.name == self.id.name && held.id.version == self.id.version && held.is_held()
        };
        let held = listed.iter().filter(is_of).map(|held| held.id.shard);
        Ok(held.partition(|number| *number < MARKS))
    }

    /// Takes the first seat that is free. If another is quicker, this engine has another one the next time.
    async fn take_seat(&mut self, seats: &[u32]) {
        let most = u32::try_from(seats.len()).unwrap_or(u32::MAX);
        let free = (0..=most).find(|seat| !seats.contains(seat)).unwrap_or_default();
        let lease = Lease::try_take(self.claim(free)).await.unwrap_or_default();
        self.seat = lease.map(|lease| Seat { number: free, lease });
    }

    /// How many shards this engine may have, by the leases of all engines, this one included.
    async fn look(&mut self, share: &Share) -> Result<u32, StoreError> {
        self.rise();
        let (seats, marks) = self.held().await?;
        let marked: BTreeSet<u32> = marks.into_iter().map(|number| number - MARKS).collect();
        for shard in share.stopped.difference(&marked) {
            // If another was quicker, that one says it.
            if let Ok(Some(mark)) = Lease::try_take(self.claim(MARKS + shard)).await {
                self.marks.insert(*shard, mark);
            }
        }
        let held = u32::try_from(seats.len()).unwrap_or(u32::MAX);
        let mut engines = held.max(1);
        if self.seat.is_none() && share.wants_a_seat() {
            // If another is quicker, there is one more of them.
            self.take_seat(&seats).await;
            engines = held + 1;
        }
        let before = match &self.seat {
            Some(own) => seats.iter().filter(|seat| **seat < own.number).count(),
            None => seats.len(),
        };
        let before = u32::try_from(before).unwrap_or(u32::MAX);
        let of_others = marked.difference(&share.stopped).filter(|shard| **shard < share.shards);
        let of_others = u32::try_from(of_others.count()).unwrap_or(u32::MAX);
        Ok(even(share.shards, engines, before).saturating_add(of_others).min(share.shards))
    }

    fn claim(&self, number: u32) -> Claim {
        Claim {
            events: self.stores.0.clone(),
            checkpoints: self.stores.1.clone(),
            name: self.id.name.clone(),
            engine: self.engine.clone(),
            id: CheckpointId { shard: number, ..self.id.clone() },
            lifetime: self.lifetime,
            run_out: RunOut::Lost,
        }
    }

    /// Gives the seat and the marks up.
    pub(crate) async fn leave(&mut self) {
        self.give_seat_up().await;
        for (_, mark) in std::mem::take(&mut self.marks) {
            let _ = mark.give_up().await;
        }
    }

    async fn give_seat_up(&mut self) {
        if let Some(seat) = self.seat.take() {
            // Whether it could be given up, its task tells the log.
            let _ = seat.lease.give_up().await;
        }
    }
}

/// How many of the shards are an engine's, before whom sit so many of them: as many as another's, or one more.
fn even(shards: u32, engines: u32, before: u32) -> u32 {
    shards / engines + u32::from(before < shards % engines)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_shards_are_shared_and_evenly() {
        for (shards, engines) in (0..40).flat_map(|shards| (1..9).map(move |of| (shards, of))) {
            let shares: Vec<u32> =
                (0..engines).map(|before| even(shards, engines, before)).collect();
            assert_eq!(shares.iter().sum::<u32>(), shards, "{shares:?}");
            let fewest = shards / engines;
            assert!(shares.iter().all(|share| (0..=1).contains(&(share - fewest))), "{shares:?}");
        }
    }
}
