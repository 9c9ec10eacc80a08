//! One attempt at a command for an aggregate that stays in memory.

use std::sync::Arc;

use tokio::sync::MutexGuard;

use super::append::Appended;
use super::attempt::{Answer, Job, Rejected, Terms};
use super::cache::Cache;
use super::line::{Base, Joined, Place, RestsOn, Told};
use super::{CommandBus, DispatchError};
use crate::aggregate::Aggregate;
use crate::repository::Last;
use crate::store::StoreError;

/// Whether other commands are decided before an append has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Going {
    Together,
    Alone,
    /// Alone, and on what was just read.
    Afresh,
}

/// What came of a turn.
enum Turn {
    Over(Answer),
    /// What it was decided on did not come to be.
    Again(Going),
}

impl<A: Aggregate> Job<A> {
    /// Decides on the aggregate as the command before leaves it. Commands for one aggregate take turns in deciding; what they
    /// decide is appended [together](super::line), and answered once it is stored, with all that it rests on.
    pub(super) async fn attempt_warm(
        &self,
        bus: &CommandBus,
        terms: &Terms,
        cache: &Cache,
    ) -> Answer {
        let place = cache.place::<A>(&self.stream_id);
        // Rows of inline projections are made of rows that are stored: nothing can be decided ahead of them.
        let mut going = if bus.is_followed(A::CATEGORY)? { Going::Alone } else { Going::Together };
        loop {
            match self.take_turn(bus, terms, &place, going).await {
                Turn::Over(answer) => return answer,
                Turn::Again(next) => going = going.max(next),
            }
        }
    }

    async fn take_turn(
        &self,
        bus: &CommandBus,
        terms: &Terms,
        place: &Arc<Place<A>>,
        going: Going,
    ) -> Turn {
        let turn = place.turn.lock().await;
        if going != Going::Together {
            place.idle().await;
        }
        let base = if let Some(base) = place.take().filter(|_| going != Going::Afresh) {
            base
        } else {
            place.idle().await;
            match self.load(bus).await {
                Ok(replayed) => place.loaded(replayed),
                Err(error) => return Turn::Over(Err(error)),
            }
        };
        let (version, chain, rests_on) = (base.replayed.version(), base.chain, base.rests_on);
        let decided = self.decide(bus, terms, &base.replayed).await;
        let Ok(Some(events)) = decided else {
            return self.store_nothing(bus, place, (turn, base), decided.map(drop)).await;
        };
        let (append, next) = match self.prepare(bus, terms, &events, base.replayed) {
            Ok(prepared) => prepared,
            Err(unfit) => {
                // Decided on what is not known to be there, it may fit what is: read for it, or others may for ever be faster.
                return match rests_on {
                    RestsOn::Loaded => Turn::Over(Err(unfit)),
                    RestsOn::Stored | RestsOn::UnderWay => Turn::Again(Going::Afresh),
                };
            }
        };
        let joined = place.join(bus, append, next, chain);
        let turn = (going != Going::Together).then_some(turn);
        let appended = match joined {
            Joined::First(append, leading) => {
                let appended = bus.append(A::CATEGORY, append).await;
                if let Ok(Appended::Stored(receipt)) = &appended {
                    leading.stored(receipt.head()).await;
                }
                appended
            }
            Joined::InLine(told) => match told.await {
                Ok(Told::Ended(appended)) => appended,
                Ok(Told::Alone) => return Turn::Again(Going::Alone),
                Ok(Told::Again | Told::Confirmed(_)) => return Turn::Again(going),
                Err(_) => Err(self.unknown()),
            },
            Joined::Confirmed(_) | Joined::Broken => return Turn::Again(going),
        };
        drop(turn);
        Turn::Over(appended.map(|appended| match appended {
            Appended::Stored(receipt) => {
                self.snapshot_if_due(bus, version, &receipt, &events);
                receipt
            }
            // The key tells of events that others stored: what was decided here is not there.
            Appended::Before(receipt) => receipt,
        }))
    }

    /// Answers a command that stores nothing, once it is known that what it was decided on is there.
    async fn store_nothing(
        &self,
        bus: &CommandBus,
        place: &Place<A>,
        (turn, base): (MutexGuard<'_, ()>, Base<A>),
        decided: Result<(), DispatchError<Rejected>>,
    ) -> Turn {
        let Base { replayed, rests_on, chain } = base;
        let mut head = replayed.last.map(Last::head);
        match rests_on {
            RestsOn::Loaded => place.keep(replayed, chain),
            // No append tells whether another program has changed the stream meanwhile.
            RestsOn::Stored => match self.is_at(bus, replayed.version()).await {
                Ok(true) => place.keep(replayed, chain),
                Ok(false) => return Turn::Again(Going::Together),
                Err(error) => return Turn::Over(Err(error)),
            },
            RestsOn::UnderWay => {
                let joined = place.join_with_nothing(replayed, chain);
                drop(turn);
                head = match joined {
                    Joined::Confirmed(head) => Some(head),
                    Joined::InLine(told) => match told.await {
                        Ok(Told::Confirmed(head)) => Some(head),
                        _ => return Turn::Again(Going::Together),
                    },
                    Joined::First(..) | Joined::Broken => return Turn::Again(Going::Together),
                };
            }
        }
        match decided {
            Ok(()) => Turn::Over(self.receipt_of_nothing(bus, head).await),
            Err(refusal) => Turn::Over(Err(refusal)),
        }
    }

    /// The task that had its append on the way has ended, as with its runtime.
    fn unknown(&self) -> DispatchError<Rejected> {
        let message = "the task that sends the appends of an aggregate has ended";
        let (stream_id, source) = (self.stream_id.clone(), StoreError::unavailable(message));
        DispatchError::UnknownOutcome { stream_id, source }
    }
}
