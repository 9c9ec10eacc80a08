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
    /// Has a generation answer that has come at least as far, and goes on with it and its lease.
    Switch {
        built: Box<Owned>,
        answer: oneshot::Sender<Result<Switched, EngineError>>,
    },
}

/// What came of the wish to switch.
pub(super) enum Switched {
    Done,
    /// The new generation has to come further first.
    Behind(Box<Owned>),
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
            // Whoever built it is gone, and it is given up.
            Asked::Switch { answer, .. } if answer.is_closed() => {}
            Asked::Switch { built, answer } => match self.switch(owned, &built).await {
                Ok(true) => {
                    let before = std::mem::replace(owned, *built);
                    self.generation = owned.generation;
                    self.owns_built(owned);
                    let _ = answer.send(Ok(Switched::Done));
                    let _ = before.lease.give_up().await;
                }
                Ok(false) => drop(answer.send(Ok(Switched::Behind(built)))),
                Err(error) => {
                    let is_over = matches!(error, EngineError::NotOwner { .. });
                    let _ = answer.send(Err(error));
                    if is_over {
                        return Err(Ended::Again);
                    }
                }
            },
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
            Err(Ended::Stopped(error)) => {
                Some(EngineError::Stopped { projection: projection(), reason: chain(error) })
            }
        };
        // Whoever asked may be gone.
        let _ = answer.send(error.map_or(Ok(count), Err));
        done
    }

    /// Has a generation answer that is as far as this one; `false` if it is not.
    async fn switch(&self, owned: &Owned, built: &Owned) -> Result<bool, EngineError> {
        if built.position < owned.position {
            return Ok(false);
        }
        let fence = owned.lease.fence().await;
        let definition = self.projector.definition();
        match self.rows.switch_generation(definition, built.generation, &fence).await {
            Ok(()) => Ok(true),
            Err(WriteError::Fenced { .. }) => {
                Err(EngineError::NotOwner { projection: self.name().to_owned() })
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Shows that a generation that was built beside is this worker's: whoever asks next finds the new rows kept.
    pub(super) fn owns_built(&self, built: &Owned) {
        self.show(|shown| {
            shown.position = Some(built.position);
            shown.generation = built.generation;
        });
        self.reached.send_modify(|reached| {
            reached.position = Some(built.position);
            reached.generation = built.generation;
        });
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
