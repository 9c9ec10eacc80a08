//! A projection that has stopped: it waits until its cause is mended, passed over or built anew, here or by another engine.

use tokio::sync::mpsc;

use super::EngineError;
use super::asked::{Asked, Switched};
use super::status::ProjectionState;
use super::worker::{Owned, Worker};
use crate::causes::chain;
use crate::metrics;
use crate::position::Position;
use crate::projection::ParkedEvent;
use crate::store::{CheckpointChange, CheckpointId, RowChange, StoreError, WriteError};
use crate::stream::StreamId;

/// The engine ends.
pub(super) struct Over;

/// Up to where the rows that answer have come: their generation, and its checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stands(u32, Option<Position>);

impl Worker {
    /// Tells why it has stopped, and waits until it may go on; with the lease, if it is given one.
    pub(super) async fn stopped(
        &mut self,
        error: EngineError,
        asked: &mut mpsc::Receiver<Asked>,
    ) -> Result<Option<Owned>, Over> {
        let reason = chain(&error);
        tracing::error!(projection = self.name(), reason, "the projection has stopped");
        metrics::projection_stopped(self.name());
        self.show(|shown| {
            shown.state = ProjectionState::Stopped;
            shown.position = None;
            shown.last_error = Some(reason.clone());
            shown.stopped = Some(reason.clone());
        });
        self.reached.send_modify(|reached| {
            reached.position = None;
            reached.stopped = Some(reason.clone());
        });
        let mut stood = self.stands().await.ok();
        loop {
            let ask = tokio::select! {
                () = self.stop.cancelled() => return Err(Over),
                ask = asked.recv() => ask.ok_or(Over)?,
                () = tokio::time::sleep(self.settings.polling) => {
                    // What the store does not tell now, it tells the next time.
                    if let Ok(stands) = self.stands().await {
                        let before = *stood.get_or_insert(stands);
                        if others_went_on(&error, before, stands) {
                            tracing::info!(projection = self.name(), "another engine has gone on");
                            self.goes_on();
                            return Ok(None);
                        }
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
                    return Ok(None);
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
                        return Ok(None);
                    }
                }
                Asked::Skip { answer, .. } => drop(answer.send(Err(refusal()))),
                Asked::RetryParked { answer, .. } | Asked::DropParked { answer, .. } => {
                    let _ = answer.send(Err(refusal()));
                }
                Asked::Switch { answer, .. } if answer.is_closed() => {}
                Asked::Switch { built, answer } => match self.switch_stopped(&built).await {
                    Ok(true) => {
                        self.goes_on();
                        self.owns_built(&built);
                        let _ = answer.send(Ok(Switched::Done));
                        return Ok(Some(*built));
                    }
                    Ok(false) => drop(answer.send(Ok(Switched::Behind(built)))),
                    Err(error) => drop(answer.send(Err(error))),
                },
            }
        }
    }

    /// Takes back that it has stopped. Before whoever asked for it has an answer: what they ask next is of one that goes on.
    fn goes_on(&self) {
        self.show(|shown| {
            shown.stopped = None;
            shown.state = ProjectionState::Waiting;
        });
        self.reached.send_modify(|reached| reached.stopped = None);
    }

    async fn stands(&self) -> Result<Stands, StoreError> {
        let generation = self.find_entry().await?.generation;
        let reader = self.projector.definition().reader(generation);
        Ok(Stands(generation, self.rows.checkpoint(&reader).await?))
    }

    /// Moves the checkpoint past the event at which it stopped, unless another engine has done so, and keeps that it was
    /// skipped.
    async fn skip(&self, error: &EngineError) -> Result<(), EngineError> {
        let EngineError::Event { event_type, position, stream, reason } = error else {
            return Ok(());
        };
        let definition = self.projector.definition();
        let reader = definition.reader(self.find_entry().await?.generation);
        let (owner, lifetime) = (&self.settings.name, self.settings.lease);
        let Some(fence) = self.rows.claim_lease(&reader, owner, lifetime).await? else {
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

    /// Has a generation answer that was built anew; `false` if it has to come further first.
    async fn switch_stopped(&mut self, built: &Owned) -> Result<bool, EngineError> {
        let definition = self.projector.definition();
        let not_owner = || EngineError::NotOwner { projection: definition.projection.clone() };
        let reader = definition.reader(self.find_entry().await?.generation);
        let (owner, lifetime) = (&self.settings.name, self.settings.lease);
        let claimed = self.rows.claim_lease(&reader, owner, lifetime).await?;
        let fence = claimed.ok_or_else(not_owner)?;
        let switched = async {
            let kept = self.rows.checkpoint(&reader).await?.unwrap_or_default();
            // One ahead of the log says nothing of it: to build anew is the cure.
            if built.position < kept && kept <= self.events.head().await? {
                return Ok(false);
            }
            match self.rows.switch_generation(definition, built.generation, &fence).await {
                Ok(()) => Ok(true),
                Err(WriteError::Fenced { .. }) => Err(not_owner()),
                Err(error) => Err(error.into()),
            }
        };
        let switched = switched.await;
        self.rows.release_lease(&fence).await?;
        switched
    }
}

/// The event at which a projection has stopped, if it was one.
fn position_of(error: &EngineError) -> Option<Position> {
    match error {
        EngineError::Event { position, .. } => Some(*position),
        _ => None,
    }
}

/// Whether another engine has come past what stopped this one.
fn others_went_on(error: &EngineError, before: Stands, now: Stands) -> bool {
    let Stands(generation, checkpoint) = now;
    generation != before.0
        || match position_of(error) {
            Some(position) => checkpoint >= Some(position),
            None => checkpoint > before.1,
        }
}
