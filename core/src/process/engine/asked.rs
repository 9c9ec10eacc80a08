//! What a worker is asked.

use tokio::sync::oneshot;

use super::ProcessError;
use super::kind::Kind;
use super::owner::Owned;
use super::plan::Planned;
use super::worker::{Ended, Worker, ended};
use crate::position::Position;
use crate::store::StoreError;

/// Where an answer goes.
type Answer<T> = oneshot::Sender<Result<T, ProcessError>>;

/// What a worker is asked.
pub(super) enum Asked {
    RetryParked {
        id: String,
        answer: Answer<u64>,
    },
    DropParked {
        id: String,
        answer: Answer<u64>,
    },
    Skip {
        position: Position,
        answer: Answer<()>,
    },
    Resume {
        answer: Answer<()>,
    },
    /// To look at the clock, which may have been set.
    Look {
        answer: Answer<()>,
    },
}

impl Asked {
    /// Answers that it cannot be done. Whoever asked may be gone.
    pub(super) fn refuse(self, error: impl FnOnce() -> ProcessError) {
        match self {
            Self::RetryParked { answer, .. } | Self::DropParked { answer, .. } => {
                let _ = answer.send(Err(error()));
            }
            Self::Skip { answer, .. } | Self::Resume { answer } | Self::Look { answer } => {
                let _ = answer.send(Err(error()));
            }
        }
    }
}

impl Worker {
    /// Does what is asked of the owner.
    pub(super) async fn answer(&mut self, owned: &mut Owned, ask: Asked) -> Result<(), Ended> {
        match ask {
            Asked::RetryParked { id, answer } => {
                let count = owned.parked.get_mut(&id).map_or(0, |parked| {
                    parked.is_retried = true;
                    parked.count as u64
                });
                owned.look(&id);
                self.show_owned(owned);
                let _ = answer.send(Ok(count));
                Ok(())
            }
            Asked::DropParked { id, answer } if self.is_too_early_to_drop(owned, &id) => {
                match self.never_comes_to(owned, &id) {
                    Some(error) => drop(answer.send(Err(error))),
                    None => owned.later.push(Asked::DropParked { id, answer }),
                }
                Ok(())
            }
            // What is tried again and on its way is no longer what a person gives up.
            Asked::DropParked { id, answer } if owned.is_under_way(&id) => {
                owned.later.push(Asked::DropParked { id, answer });
                Ok(())
            }
            Asked::DropParked { id, answer } => {
                let (told, ended) = match self.drop_parked(owned, &id).await {
                    Ok(dropped) => (dropped.map_err(ProcessError::from), Ok(())),
                    Err(Ended::Failed(error)) => {
                        let told = StoreError::other(crate::projection::chain(&error));
                        (Err(told.into()), Err(Ended::Failed(error)))
                    }
                    Err(ended) => {
                        (Err(ProcessError::NotOwner { process: self.name() }), Err(ended))
                    }
                };
                let _ = answer.send(told);
                ended
            }
            Asked::Look { answer } => {
                // The clock may have been set to where no deadline is known yet.
                self.know_deadlines(owned).await?;
                self.show_owned(owned);
                let _ = answer.send(Ok(()));
                Ok(())
            }
            Asked::Skip { position, answer } => {
                let process = self.name();
                let blocked = self.blocked.as_ref().filter(|blocked| blocked.position == position);
                let Some(blocked) = blocked else {
                    let _ = answer.send(Err(ProcessError::NothingToSkip { process, position }));
                    return Ok(());
                };
                let skip = self.skip(position, &blocked.why);
                let skip = Planned { parks: vec![skip], ..Planned::new("") };
                let kept = owned.kept;
                if let Err(error) = self.commit(owned, &[skip], kept).await {
                    let text = crate::projection::chain(&error);
                    let _ = answer.send(Err(StoreError::other(text).into()));
                    return Err(ended(error));
                }
                owned.skipped.insert(position);
                self.goes_on(owned, Some(position));
                let position = position.get();
                tracing::warn!(process, position, "an event was skipped by hand");
                let _ = answer.send(Ok(()));
                Ok(())
            }
            Asked::Resume { answer } => {
                if self.blocked.is_some() {
                    self.goes_on(owned, None);
                }
                let _ = answer.send(Ok(()));
                Ok(())
            }
        }
    }

    /// Whether it is parked above the checkpoint. A reactor keeps no steps: what is dropped there would be read again after a crash.
    fn is_too_early_to_drop(&self, owned: &Owned, id: &str) -> bool {
        matches!(self.kind, Kind::Reactor(_)) && owned.checkpoint() < owned.last_parked(id)
    }

    /// Why the checkpoint does not come to what is parked, if it reads no further: a wait for that would keep it from leaving its
    /// shard.
    pub(super) fn never_comes_to(&self, owned: &Owned, id: &str) -> Option<ProcessError> {
        let process = self.name();
        if !self.is_too_early_to_drop(owned, id) || owned.inbox.read() >= owned.last_parked(id) {
            return None;
        }
        if owned.rests() {
            return Some(ProcessError::NotOwner { process });
        }
        let blocked = self.blocked.as_ref()?;
        Some(ProcessError::Stopped { process, reason: blocked.why.clone() })
    }
}
