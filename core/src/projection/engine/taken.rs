//! How a worker comes to its lease: it waits for it, or is handed the one under which its rows were built.

use std::time::{Duration, Instant};

use futures::FutureExt;
use tokio::sync::mpsc;

use super::asked::{Asked, Given};
use super::parked::waiting;
use super::size::Size;
use super::worker::{Ended, Owned, Worker};
use crate::position::Position;
use crate::projection::{CatalogEntry, ParkedEvent};
use crate::shards::Place;
use crate::store::{CheckpointId, LeaseHolder};
use crate::subscription::claim::{Checkpoints, Claim, RunOut};
use crate::subscription::lease::Lease;

/// How soon one who waits for the lease of a shard asks again, at first and in the long run.
const FIRST_WAIT: Duration = Duration::from_millis(20);
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// A lease that was taken.
struct Taken {
    lease: Lease,
    kept: Option<Position>,
    place: Option<Place>,
}

impl Worker {
    /// Becomes the owner of the rows that answer.
    pub(super) async fn take_lease(
        &mut self,
        asked: &mut mpsc::Receiver<Asked>,
    ) -> Result<Owned, Ended> {
        self.entry = self.find_entry().await?;
        if self.entry.shards != self.berth.shard.of() {
            return self.wait_for_others(asked).await;
        }
        self.generation = self.entry.generation;
        self.show(|shown| shown.generation = self.generation);
        self.reached.send_modify(|reached| reached.generation = self.generation);
        let given = self.given.take().filter(|given| given.generation == self.generation);
        let mut handed = None;
        let owned = {
            let mut another = std::pin::pin!(self.another_owns_it().fuse());
            let mut taken = std::pin::pin!(async {
                match given {
                    Some(Given { lease, .. }) => {
                        let kept = lease.read_checkpoint().await?;
                        self.begin(Taken { lease, kept, place: None }).await
                    }
                    None => self.hold().await,
                }
            });
            loop {
                tokio::select! {
                    () = self.stop.cancelled() => return Err(Ended::Shutdown),
                    taken = &mut taken => break Some(taken?),
                    () = &mut another, if self.has_failed => self.measure_no_more(),
                    ask = asked.recv() => match ask {
                        Some(Asked::TakeOver { given }) => {
                            handed = Some(given);
                            break None;
                        }
                        ask => self.refuse(ask),
                    },
                }
            }
        };
        self.given = handed;
        let Some(owned) = owned else { return Err(Ended::Again) };
        // Whoever was the owner may have rebuilt the rows meanwhile: then this is the lease of those that are gone. From here
        // on nobody else can.
        self.entry = self.find_entry().await?;
        if self.is_of_before(&owned, &self.entry) {
            let _ = owned.lease.give_up().await;
            return Err(Ended::Again);
        }
        Ok(owned)
    }

    /// Whether what is kept has gone on: other rows answer, or they are divided otherwise.
    pub(super) fn is_of_before(&self, owned: &Owned, entry: &CatalogEntry) -> bool {
        entry.generation != owned.generation || entry.shards != self.berth.shard.of()
    }

    /// Waits for those who take its place, since there is to be another number of shards.
    async fn wait_for_others(&self, asked: &mut mpsc::Receiver<Asked>) -> Result<Owned, Ended> {
        if let Some(crew) = self.berth.crew.as_ref().and_then(std::sync::Weak::upgrade) {
            crew.look_for_number();
        }
        let again = tokio::time::sleep(self.settings.polling);
        let mut again = std::pin::pin!(again);
        loop {
            tokio::select! {
                () = self.stop.cancelled() => return Err(Ended::Shutdown),
                () = &mut again => return Err(Ended::Again),
                ask = asked.recv() => self.refuse(ask),
            }
        }
    }

    /// Takes the lease of its shard of the generation, and looks at what is kept.
    pub(super) async fn hold(&self) -> Result<Owned, Ended> {
        let taken = if self.berth.shard.of() == 1 {
            let (lease, kept) = Lease::take(self.claim()).await?;
            Taken { lease, kept, place: None }
        } else {
            self.take_place().await?
        };
        self.begin(taken).await
    }

    /// Waits until the store tells that another owner has it since.
    async fn another_owns_it(&self) {
        let reader = self.reader_of(self.generation);
        let is_owner = |holder: &LeaseHolder| {
            holder.id == reader && holder.epoch > self.had_epoch && !holder.left.is_zero()
        };
        loop {
            tokio::time::sleep(self.settings.polling).await;
            // What the store does not tell now, it tells the next time.
            if self.rows.leases(&reader.name).await.is_ok_and(|all| all.iter().any(is_owner)) {
                return;
            }
        }
    }

    /// Waits until this engine may have one more shard, and the lease of this one is free.
    async fn take_place(&self) -> Result<Taken, Ended> {
        let longest = (self.settings.lease / 8).min(LONGEST_WAIT);
        let mut pause = FIRST_WAIT.min(longest);
        loop {
            // Not kept while it waits: another shard may be free.
            let place = self.berth.places.take().await;
            if let Some(lease) = Lease::try_take(self.claim()).await? {
                let kept = lease.read_checkpoint().await?;
                return Ok(Taken { lease, kept, place: Some(place) });
            }
            drop(place);
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(longest);
        }
    }

    fn claim(&self) -> Claim {
        Claim {
            events: self.events.clone(),
            checkpoints: Checkpoints::Apart(self.rows.clone()),
            name: self.name().to_owned(),
            engine: self.settings.name.clone(),
            id: self.reader_of(self.generation),
            lifetime: self.settings.lease,
            // What is parked changes under a checkpoint that stays.
            run_out: RunOut::Lost,
        }
    }

    /// The reader of its shard of a generation.
    pub(super) fn reader_of(&self, generation: u32) -> CheckpointId {
        let shard = self.berth.shard.index();
        CheckpointId { shard, ..self.projector.definition().reader(generation) }
    }

    /// Looks at what is kept, under the lease.
    async fn begin(&self, Taken { lease, kept, place }: Taken) -> Result<Owned, Ended> {
        let definition = self.projector.definition();
        let reader = definition.reader(self.generation);
        // As long as the lease is held, the reader is divided as it is now.
        let standing = self.rows.standing(&reader).await?;
        let part = standing.part(self.berth.shard.index());
        let Some(part) = part.filter(|part| part.shard() == self.berth.shard) else {
            let _ = lease.give_up().await;
            return Err(Ended::Again);
        };
        let parked = self.rows.parked(&reader, None).await?;
        let parked: Vec<ParkedEvent> =
            parked.into_iter().filter(|event| part.has_key(&event.key)).collect();
        let skips = CheckpointId::of_skips(&definition.projection, definition.version);
        let skipped = self.rows.parked(&skips, None).await?;
        let most = self.projector.batch().unwrap_or(self.settings.batch);
        Ok(Owned {
            lease,
            place,
            generation: self.generation,
            reader,
            part,
            position: kept.unwrap_or_default(),
            kept,
            kept_at: Instant::now(),
            measured_at: None,
            looked_at: Instant::now(),
            is_at_end: false,
            end: None,
            tells_end_at: Some(Instant::now()),
            waiting: waiting(&parked),
            parked,
            skipped: skipped.iter().map(|event| event.position).collect(),
            size: Size::new(most),
            next_page: None,
            told_vain: Vec::new(),
            has_beside: self.entry.building.is_some(),
            still: None,
        })
    }
}
