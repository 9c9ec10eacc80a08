//! A projection that has stopped: it waits until its cause is mended, passed over or built anew, here or by another engine.

use std::collections::HashSet;

use tokio::sync::mpsc;

use super::EngineError;
use super::asked::Asked;
use super::requested::asked_anew;
use super::status::{Level, ProjectionState};
use super::worker::{Owned, Worker};
use crate::causes::chain;
use crate::metrics;
use crate::position::Position;
use crate::projection::{CatalogEntry, ParkedEvent};
use crate::request::{Request, Wish};
use crate::store::{CheckpointChange, CheckpointId, LeaseHolder, RowChange, StoreError};
use crate::stream::StreamId;

/// The engine ends.
pub(super) struct Over;

/// Up to where the rows that answer have come: their generation, how it is divided, and the checkpoint of this shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stands {
    generation: u32,
    shards: u32,
    checkpoint: Option<Position>,
}

/// How a worker that has stopped has left the lease that it had.
#[derive(Debug, Default)]
pub(super) struct Left {
    epoch: u64,
    /// As it was while nobody else could change it.
    stood: Option<Stands>,
}

impl Worker {
    /// Tells why it has stopped, and waits until it may go on.
    pub(super) async fn stopped(
        &mut self,
        error: EngineError,
        asked: &mut mpsc::Receiver<Asked>,
    ) -> Result<(), Over> {
        let reason = chain(&error);
        tracing::error!(projection = self.name(), reason, "the projection has stopped");
        metrics::projection_stopped(self.name());
        metrics::projection_level(self.name(), Level::Critical);
        self.show(|shown| {
            shown.state = ProjectionState::Stopped;
            shown.position = None;
            shown.last_error = Some(reason.clone());
            shown.stopped = Some(reason.clone());
            shown.stopped_at = position_of(&error);
        });
        self.reached.send_modify(|reached| {
            reached.position = None;
            reached.stopped = Some(reason.clone());
        });
        let mut stood = match self.left.stood.take() {
            Some(stood) => Some(stood),
            None => self.stands().await.ok(),
        };
        let mut heard = match stood {
            Some(stands) => self.asked_of(stands.generation).await.ok().map(HashSet::from_iter),
            None => None,
        };
        loop {
            let ask = tokio::select! {
                () = self.stop.cancelled() => return Err(Over),
                ask = asked.recv() => ask.ok_or(Over)?,
                () = tokio::time::sleep(self.settings.polling) => {
                    if self.others_go_on(&error, &mut stood, &mut heard).await {
                        return Ok(());
                    }
                    continue;
                }
            };
            let projection = self.name().to_owned();
            let refusal = || EngineError::Stopped { projection, reason: reason.clone() };
            match ask {
                Asked::Paused { paused: false, answer } => {
                    self.goes_on();
                    let _ = answer.send(());
                    return Ok(());
                }
                Asked::Paused { paused: true, answer } => drop(answer.send(())),
                Asked::Skip { position, answer } if Some(position) == position_of(&error) => {
                    let skipped = self.skip(&error).await;
                    let is_done = skipped.is_ok();
                    if is_done {
                        self.goes_on();
                    }
                    let _ = answer.send(skipped);
                    if is_done {
                        return Ok(());
                    }
                }
                Asked::Skip { answer, .. } => drop(answer.send(Err(refusal()))),
                Asked::RetryParked { answer, .. } | Asked::DropParked { answer, .. } => {
                    let _ = answer.send(Err(refusal()));
                }
                Asked::WriteRow { answer, .. } => drop(answer.send(Err(refusal()))),
                Asked::TakeOver { given } => {
                    self.given = Some(given);
                    self.goes_on();
                    return Ok(());
                }
                Asked::Look { answer } => {
                    let goes_on = self.others_go_on(&error, &mut stood, &mut heard).await;
                    let _ = answer.send(());
                    if goes_on {
                        return Ok(());
                    }
                }
            }
        }
    }

    /// Whether a person has asked from outside that it goes on; what is to be skipped is skipped then.
    async fn is_asked_to_go_on(
        &self,
        error: &EngineError,
        generation: u32,
        heard: &mut Option<HashSet<Request>>,
    ) -> bool {
        // What the store does not tell now, it tells the next time.
        let Ok(asked) = self.asked_of(generation).await else { return false };
        let before = heard.get_or_insert_with(|| asked.iter().cloned().collect());
        match asked_anew(before, &asked, position_of(error)) {
            None => false,
            Some(Wish::Skip { .. }) => self.skip(error).await.is_ok(),
            Some(_) => true,
        }
    }

    /// Takes back that it has stopped. Before whoever asked for it has an answer: what they ask next is of one that goes on.
    fn goes_on(&self) {
        self.show(|shown| {
            (shown.stopped, shown.stopped_at) = (None, None);
            shown.state = ProjectionState::Waiting;
        });
        // Whoever owns it measures it from here on.
        metrics::projection_level(self.name(), Level::Normal);
        self.reached.send_modify(|reached| reached.stopped = None);
    }

    /// Whether another engine has come past what stopped this one, another generation answers, or a person has asked for it: then
    /// it goes on.
    async fn others_go_on(
        &self,
        error: &EngineError,
        stood: &mut Option<Stands>,
        heard: &mut Option<HashSet<Request>>,
    ) -> bool {
        // What the store does not tell now, it tells the next time.
        let Ok(stands) = self.stands().await else { return false };
        let before = *stood.get_or_insert(stands);
        let goes_on =
            self.others_went_on(error, before, stands).await || self.is_passed_over(error).await;
        if goes_on {
            tracing::info!(
                projection = self.name(),
                "another engine has gone on, or the rows are new"
            );
            self.shows_none_of(stands.generation);
            self.goes_on();
            return true;
        }
        let is_asked = self.is_asked_to_go_on(error, stands.generation, heard).await;
        if is_asked {
            self.goes_on();
        }
        is_asked
    }

    /// Keeps how the rows stand for as long as nobody else has the lease.
    pub(super) async fn leave(&mut self, owned: &Owned) {
        let epoch = owned.lease.fence().await.epoch;
        self.left = Left { epoch, stood: self.stands().await.ok() };
    }

    /// Whether another engine has come past what stopped this one. A checkpoint that stood there when it stopped says nothing: a
    /// method may have committed what is the engine's to commit.
    async fn others_went_on(&self, error: &EngineError, before: Stands, now: Stands) -> bool {
        if (now.generation, now.shards) != (before.generation, before.shards) {
            return true;
        }
        let has_moved = now.checkpoint > before.checkpoint;
        match position_of(error) {
            Some(position) => {
                now.checkpoint >= Some(position)
                    && (has_moved || self.is_anothers(now.generation).await)
            }
            None => has_moved,
        }
    }

    /// Whether another owner has taken the lease that this one had.
    async fn is_anothers(&self, generation: u32) -> bool {
        let reader = self.reader_of(generation);
        // What the store does not tell now, it tells the next time.
        let listed = self.rows.leases(&reader.name).await.unwrap_or_default();
        let of_reader = listed.iter().find(|holder| holder.id == reader);
        of_reader.is_some_and(|holder| holder.epoch > self.left.epoch)
    }

    async fn stands(&self) -> Result<Stands, StoreError> {
        let CatalogEntry { generation, shards, .. } = self.find_entry().await?;
        let checkpoint = self.rows.checkpoint(&self.reader_of(generation)).await?;
        Ok(Stands { generation, shards, checkpoint })
    }

    /// Whether the event at which it has stopped is passed over, since a person said so to another shard.
    async fn is_passed_over(&self, error: &EngineError) -> bool {
        let Some(position) = position_of(error).filter(|_| self.berth.shard.of() > 1) else {
            return false;
        };
        let definition = self.projector.definition();
        let skips = CheckpointId::of_skips(&definition.projection, definition.version);
        let skipped = self.rows.parked(&skips, None).await.unwrap_or_default();
        skipped.iter().any(|event| event.position == position)
    }

    /// Whether the reader has this very shard.
    async fn is_shard_of(&self, reader: &CheckpointId) -> Result<bool, StoreError> {
        let standing = self.rows.standing(reader).await?;
        let part = standing.part(self.berth.shard.index());
        Ok(part.is_some_and(|part| part.shard() == self.berth.shard))
    }

    /// Moves the checkpoint past the event at which it stopped, unless another engine has done so, and keeps that it was
    /// skipped.
    async fn skip(&self, error: &EngineError) -> Result<(), EngineError> {
        let EngineError::Event { event_type, position, stream, reason } = error else {
            return Ok(());
        };
        let definition = self.projector.definition();
        let generation = self.find_entry().await?.generation;
        let reader = self.reader_of(generation);
        // Of this call alone: another engine of the same name, or a worker of this one, is another owner.
        let (owner, lifetime) = (LeaseHolder::owner_of(&self.settings.name), self.settings.lease);
        let Some(fence) = self.rows.claim_lease(&reader, &owner, lifetime).await? else {
            return Err(EngineError::NotOwner { projection: self.name().to_owned() });
        };
        let skipped = ParkedEvent {
            reader: CheckpointId::of_skips(&definition.projection, definition.version),
            key: stream.clone(),
            position: *position,
            stream_id: StreamId::from_name(stream.as_str()),
            event_type: event_type.clone(),
            error: reason.clone(),
            attempts: 0,
            parked_at: self.settings.clock.now(),
            retry_at: None,
        };
        let done = async {
            // As long as the lease is held, nothing of this changes; before, there may have come other shards, or other rows.
            let is_its_own = self.find_entry().await?.generation == generation
                && self.is_shard_of(&reader).await?;
            if !is_its_own {
                return Err(EngineError::NotOwner { projection: self.name().to_owned() });
            }
            // A new epoch may move a checkpoint anywhere: one that is further on stays.
            if self.rows.checkpoint(&reader).await? < Some(*position) {
                let change = CheckpointChange { fence: fence.clone(), position: *position };
                self.rows.write_rows(vec![RowChange::Park(skipped)], change).await?;
            }
            Ok(())
        };
        let done = done.await;
        self.rows.release_lease(&fence).await?;
        let position = position.get();
        if done.is_ok() {
            tracing::warn!(projection = self.name(), position, "an event was skipped by hand");
        }
        done
    }
}

/// The event at which a projection has stopped, if it was one.
fn position_of(error: &EngineError) -> Option<Position> {
    match error {
        EngineError::Event { position, .. } => Some(*position),
        _ => None,
    }
}
