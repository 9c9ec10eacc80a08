//! What a worker is asked, and how its owner answers.

use tokio::sync::oneshot;

use super::EngineError;
use super::parked::Tries;
use super::worker::{Ended, Owned, Worker};
use crate::causes::chain;
use crate::position::Position;
use crate::store::{StoreError, WriteError};

/// What a worker is asked.
pub(super) enum Asked {
    Paused {
        paused: bool,
        answer: oneshot::Sender<()>,
    },
    RetryParked {
        key: String,
        answer: oneshot::Sender<Result<u64, EngineError>>,
    },
    DropParked {
        key: String,
        answer: oneshot::Sender<Result<u64, EngineError>>,
    },
    Skip {
        position: Position,
        answer: oneshot::Sender<Result<(), EngineError>>,
    },
    /// Has a generation answer that has come at least as far, and goes on with it.
    Switch {
        generation: u32,
        answer: oneshot::Sender<Result<Switched, EngineError>>,
    },
}

/// What came of the wish to switch.
pub(super) enum Switched {
    Done,
    /// The new generation has to come further first.
    Behind,
}

impl Worker {
    pub(super) async fn answer(&mut self, owned: &mut Owned, ask: Asked) -> Result<(), Ended> {
        match ask {
            Asked::Paused { answer, .. } => drop(answer.send(())),
            Asked::RetryParked { key, answer } => {
                let tried = self.retry(owned, &key, Tries::Anew).await;
                let left = owned.parked.iter().filter(|event| event.key == key).count() as u64;
                return self.told(answer, tried, left);
            }
            Asked::DropParked { key, answer } => {
                let dropped = self.drop_parked(owned, &key).await;
                let (dropped, count) = match dropped {
                    Ok(count) => (Ok(()), count),
                    Err(ended) => (Err(ended), 0),
                };
                return self.told(answer, dropped, count);
            }
            Asked::Skip { position, answer } => {
                let _ = answer.send(Err(EngineError::Store(StoreError::invalid(format!(
                    "projection `{}` has not stopped at position {position}: there is nothing to skip",
                    self.name()
                )))));
            }
            Asked::Switch { generation, answer } => {
                let switched = self.switch(owned, generation).await;
                let is_over =
                    matches!(switched, Ok(Switched::Done) | Err(EngineError::NotOwner { .. }));
                let _ = answer.send(switched);
                if is_over {
                    return Err(Ended::Again);
                }
            }
        }
        Ok(())
    }

    /// Answers with a count, or with why there is none.
    pub(super) fn told(
        &self,
        answer: oneshot::Sender<Result<u64, EngineError>>,
        done: Result<(), Ended>,
        count: u64,
    ) -> Result<(), Ended> {
        let projection = || self.name().to_owned();
        let error = match &done {
            Ok(()) => None,
            Err(Ended::Shutdown) => Some(EngineError::Ended { projection: projection() }),
            Err(Ended::Again) => Some(EngineError::NotOwner { projection: projection() }),
            Err(Ended::Failed(error)) => Some(EngineError::Store(StoreError::other(chain(error)))),
            Err(Ended::Stopped(error, _)) => {
                Some(EngineError::Stopped { projection: projection(), reason: chain(error) })
            }
        };
        // Whoever asked may be gone.
        let _ = answer.send(error.map_or(Ok(count), Err));
        done
    }

    /// Has a generation answer that is as far as this one.
    pub(super) async fn switch(
        &self,
        owned: &mut Owned,
        generation: u32,
    ) -> Result<Switched, EngineError> {
        let definition = self.projector.definition();
        let reached = self.rows.checkpoint(&definition.reader(generation)).await?;
        if reached.unwrap_or_default() < owned.position {
            return Ok(Switched::Behind);
        }
        let fence = owned.lease.fence().await;
        match self.rows.switch_generation(definition, generation, &fence).await {
            Ok(()) => Ok(Switched::Done),
            Err(WriteError::Fenced { .. }) => {
                Err(EngineError::NotOwner { projection: self.name().to_owned() })
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Answers what only the owner can do.
    pub(super) fn refuse(&self, ask: Option<Asked>) {
        let not_owner = || EngineError::NotOwner { projection: self.name().to_owned() };
        match ask {
            // What is kept says so to whoever is the owner.
            Some(Asked::Paused { answer, .. }) => drop(answer.send(())),
            Some(Asked::RetryParked { answer, .. } | Asked::DropParked { answer, .. }) => {
                let _ = answer.send(Err(not_owner()));
            }
            Some(Asked::Skip { answer, .. }) => drop(answer.send(Err(not_owner()))),
            Some(Asked::Switch { answer, .. }) => drop(answer.send(Err(not_owner()))),
            None => {}
        }
    }
}
