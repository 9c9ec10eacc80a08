//! Sends the appends of commands for one aggregate, one call after the other.

use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::append::Appended;
use super::attempt::Rejected;
use super::line::{Place, Told, Waiting};
use super::{CommandBus, DispatchError};
use crate::aggregate::Aggregate;
use crate::causes::chain;
use crate::receipt::Receipt;
use crate::store::{Append, StoreError, WriteError};
use crate::stream::{StreamHead, StreamId};

/// Whoever has an append on its way. Dropped before it is known what came of it, it has all that rests on it decided anew.
pub(super) struct Leading<A: Aggregate> {
    bus: CommandBus,
    place: Arc<Place<A>>,
    is_over: bool,
}

impl<A: Aggregate> Leading<A> {
    pub(super) fn new(bus: CommandBus, place: Arc<Place<A>>) -> Self {
        Self { bus, place, is_over: false }
    }

    /// Goes on with the line after an append that was stored, in a task of its own: a caller that goes away takes nobody's
    /// append along.
    pub(super) async fn stored(mut self, head: StreamHead) {
        let together = self.next(head);
        if together.is_empty() {
            return;
        }
        match Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn(self.send(together, head))),
            Err(_) => self.send(together, head).await,
        }
    }

    fn next(&mut self, head: StreamHead) -> Vec<Waiting> {
        let together = self.place.confirm(head);
        self.is_over = together.is_empty();
        together
    }

    /// Sends what waits, call after call.
    async fn send(mut self, mut together: Vec<Waiting>, mut head: StreamHead) {
        while !together.is_empty() {
            let answered = together.len();
            let Some(ended) = self.send_together(together, head).await else { return };
            head = ended;
            if answered > 1 {
                // Whoever was answered may want something again at once: it goes with the next call.
                tokio::task::yield_now().await;
            }
            together = self.next(head);
        }
    }

    /// Sends one call and tells all who wait for it; gives back where the stream ends then, if it was stored.
    async fn send_together(&self, together: Vec<Waiting>, head: StreamHead) -> Option<StreamHead> {
        let (mut appends, mut waiting) = (Vec::new(), Vec::new());
        for Waiting { append, told } in together {
            waiting.push((told, append.is_some()));
            appends.extend(append);
        }
        match self.store(appends).await {
            Ok(receipts) => Some(tell_stored(waiting, receipts, head)),
            Err(mut failure) => {
                for (told, stores) in waiting {
                    // Whoever went away is told nothing.
                    let _ = told.send(if stores { failure.told() } else { Told::Again });
                }
                None
            }
        }
    }

    async fn store(&self, mut appends: Vec<Append>) -> Result<Vec<Receipt>, Failure> {
        match (appends.pop(), appends.is_empty()) {
            (None, _) => Ok(Vec::new()),
            (Some(only), true) => match self.bus.append(A::CATEGORY, only).await {
                Ok(Appended::Stored(receipt)) => Ok(vec![receipt]),
                ended => Err(Failure::OfOne(Some(ended))),
            },
            (Some(last), false) => {
                let stream_id = last.stream_id.clone();
                appends.push(last);
                let stored = self.bus.append_together(A::CATEGORY, appends).await;
                stored.map_err(|error| match error {
                    WriteError::UnknownOutcome { source, .. } => {
                        Failure::Unknown(stream_id, chain(&source))
                    }
                    WriteError::Store(error) if error.is_unavailable() => {
                        Failure::Outage(chain(&error))
                    }
                    _ => Failure::OfAny,
                })
            }
        }
    }
}

impl<A: Aggregate> Drop for Leading<A> {
    fn drop(&mut self) {
        if !self.is_over {
            self.place.break_chain();
        }
    }
}

/// How a call failed.
enum Failure {
    /// It was the append of one command.
    OfOne(Option<Result<Appended, DispatchError<Rejected>>>),
    /// Nobody knows whether it is stored.
    Unknown(StreamId, String),
    /// The store is away.
    Outage(String),
    /// Nothing is stored, for the sake of any of its appends.
    OfAny,
}

impl Failure {
    fn told(&mut self) -> Told {
        match self {
            Self::OfOne(ended) => ended.take().map_or(Told::Again, Told::Ended),
            Self::Unknown(stream_id, why) => {
                let (stream_id, source) = (stream_id.clone(), StoreError::unavailable(&**why));
                Told::Ended(Err(DispatchError::UnknownOutcome { stream_id, source }))
            }
            Self::Outage(why) => {
                let error = StoreError::unavailable(&**why);
                Told::Ended(Err(DispatchError::Store(error)))
            }
            Self::OfAny => Told::Alone,
        }
    }
}

/// Tells all of a call that was stored; gives back where the stream ends.
fn tell_stored(
    waiting: Vec<(oneshot::Sender<Told>, bool)>,
    receipts: Vec<Receipt>,
    mut head: StreamHead,
) -> StreamHead {
    let mut receipts = receipts.into_iter();
    for (told, stores) in waiting {
        let receipt = if stores { receipts.next() } else { None };
        let tells = match receipt {
            Some(receipt) => {
                head = receipt.head();
                Told::Ended(Ok(Appended::Stored(receipt)))
            }
            None => Told::Confirmed(head),
        };
        // Whoever went away is told nothing.
        let _ = told.send(tells);
    }
    head
}
