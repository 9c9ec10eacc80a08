//! What a worker is asked, and how its owner answers.

use std::panic::AssertUnwindSafe;

use futures::FutureExt;
use tokio::sync::oneshot;

use super::EngineError;
use super::parked::Tries;
use super::rebuild_key::{Aside, Written};
use super::worker::{Ended, Owned, Worker};
use crate::causes::chain;
use crate::position::Position;
use crate::projection::message_of;
use crate::store::StoreError;
use crate::subscription::lease::Lease;

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
    /// Writes a row that was folded aside.
    WriteRow {
        aside: Aside,
        answer: oneshot::Sender<Result<Written, EngineError>>,
    },
    /// Goes on with rows that were built here, under the lease of who built them.
    TakeOver {
        given: Given,
    },
    /// Looks what is kept: another generation may answer now.
    Look {
        answer: oneshot::Sender<()>,
    },
}

/// The lease under which rows were built that answer now; dropped, it is given up.
pub(super) struct Given {
    pub(super) lease: Lease,
    pub(super) generation: u32,
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
            Asked::WriteRow { aside, answer } => {
                let writing = AssertUnwindSafe(self.write_row(owned, aside)).catch_unwind();
                let written = match writing.await {
                    Ok(Ok(written)) => Ok(written),
                    Ok(Err(Ended::Stopped(error))) => Err(error),
                    Ok(Err(Ended::Failed(error))) if !error.is_unavailable() => Err(error.into()),
                    Ok(Err(ended)) => return self.told(answer, Err(ended), Written::Done(0)),
                    Err(panic) => {
                        let (projection, text) = (self.name().to_owned(), message_of(&*panic));
                        let _ = answer.send(Err(EngineError::Panicked { projection, text }));
                        // What is kept tells how far it came.
                        return Err(Ended::Again);
                    }
                };
                // Whoever asked may be gone; and what is wrong with the row is not with the projection.
                let _ = answer.send(written);
            }
            Asked::TakeOver { given } => {
                self.given = Some(given);
                return Err(Ended::Again);
            }
            Asked::Look { answer } => {
                let looked = self.look(owned).await;
                let _ = answer.send(());
                return looked;
            }
        }
        Ok(())
    }

    /// Looks whether another generation answers now, or there is another number of shards: those have other leases.
    async fn look(&self, owned: &Owned) -> Result<(), Ended> {
        let entry = self.find_entry().await?;
        if !self.is_of_before(owned, &entry) {
            return Ok(());
        }
        self.shows_none_of(entry.generation);
        Err(Ended::Again)
    }

    /// Answers with what has become of it, or with why nothing has.
    pub(super) fn told<T>(
        &self,
        answer: oneshot::Sender<Result<T, EngineError>>,
        done: Result<(), Ended>,
        became: T,
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
        let _ = answer.send(error.map_or(Ok(became), Err));
        done
    }

    /// Shows that another generation answers now, and that nobody here is its owner yet: whoever asks next looks at what is kept.
    pub(super) fn shows_none_of(&self, generation: u32) {
        self.show(|shown| {
            shown.position = None;
            shown.generation = generation;
        });
        self.reached.send_modify(|reached| {
            reached.position = None;
            reached.generation = generation;
        });
    }

    /// Answers what only the owner can do.
    pub(super) fn refuse(&self, ask: Option<Asked>) {
        let not_owner = || EngineError::NotOwner { projection: self.name().to_owned() };
        match ask {
            // What is kept says so to whoever is the owner.
            Some(Asked::Paused { answer, .. } | Asked::Look { answer }) => drop(answer.send(())),
            Some(Asked::RetryParked { answer, .. } | Asked::DropParked { answer, .. }) => {
                let _ = answer.send(Err(not_owner()));
            }
            Some(Asked::WriteRow { answer, .. }) => drop(answer.send(Err(not_owner()))),
            Some(Asked::Skip { answer, .. }) => drop(answer.send(Err(not_owner()))),
            // A lease that nobody goes on with is given up.
            Some(Asked::TakeOver { .. }) | None => {}
        }
    }
}
