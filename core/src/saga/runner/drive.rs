//! One saga on its way: its log is read out, what comes next is done, and what came of it is logged.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;

use futures::FutureExt;
use tokio::sync::SemaphorePermit;

use super::SagaError;
use super::core::Core;
use super::error::{panicked, unless_it_panics};
use super::journal::{Change, Entry, Kept, Written};
use super::seat::Seat;
use crate::causes::chain;
use crate::metrics;
use crate::saga::instance::LONGEST_PAUSE;
use crate::saga::{AnySaga, CallError, CallOf, Next, Owner, SagaData, SagaOutcome, SagaRecord};
use crate::store::StoreError;
use crate::subscription::retry::Backoff;
use crate::timestamp::Timestamp;

/// Why a saga goes no further here.
#[derive(Debug, Clone)]
pub(super) enum Ended {
    /// It has ended, or is parked.
    Over(SagaOutcome),
    /// The runner is shut down.
    Stopped,
    /// Another runner has it, or will.
    Lost,
    /// It cannot go on in this program.
    Stuck(String),
}

/// A saga on its way.
pub(super) struct Drive {
    pub(super) core: Arc<Core>,
    pub(super) saga: Arc<dyn AnySaga>,
    pub(super) seat: Arc<Seat>,
    pub(super) kept: Kept,
}

impl Drive {
    /// Goes on until there is nothing left to do here.
    pub(super) async fn run(mut self) -> Ended {
        // A codec, a clock or a recorder that panics would have the call made again and again.
        let gone = AssertUnwindSafe(self.go_on()).catch_unwind().await;
        let ended = match gone.unwrap_or_else(|panic| Err(Ended::Stuck(panicked(&*panic)))) {
            Ok(outcome) => return Ended::Over(outcome),
            Err(ended) => ended,
        };
        if matches!(ended, Ended::Stuck(_)) {
            let given_up = unless_it_panics(self.give_up()).await;
            // It stays this runner's, which tries it again.
            if let Err(error) = given_up {
                let (saga, id) = (self.saga.name(), self.kept.instance.stream_id().id());
                let error = chain(&error);
                tracing::warn!(saga, id, error, "a saga that is stuck is not given up");
            }
        }
        ended
    }

    async fn go_on(&mut self) -> Result<SagaOutcome, Ended> {
        loop {
            if self.core.stop.is_cancelled() {
                return Err(Ended::Stopped);
            }
            let entry = match self.next(&self.kept)? {
                Next::Nothing(outcome) => return Ok(outcome),
                // What was known is logged; the rest is another's.
                _ if self.seat.is_lost() => return Err(Ended::Lost),
                Next::Log(record) => Entry::Record(record),
                Next::LogAt(at, record) => {
                    self.wait(at).await?;
                    Entry::Record(record)
                }
                Next::End(ended) => Entry::Ended(ended),
                Next::Call(call) => Entry::Record(self.answer(&call).await?),
            };
            self.log(entry).await?;
        }
    }

    fn next(&self, kept: &Kept) -> Result<Next, Ended> {
        let next = kept.instance.next(&*self.saga, self.core.now());
        next.map_err(|error| Ended::Stuck(error.to_string()))
    }

    /// Waits until an instant by the clock of the runner, which may be a test's.
    async fn wait(&self, at: Timestamp) -> Result<(), Ended> {
        // Another runner wrote it, maybe, by a clock that is ahead.
        let at = at.min(self.core.now() + LONGEST_PAUSE);
        loop {
            let left = at.since(self.core.now());
            if left.is_zero() {
                return Ok(());
            }
            tokio::select! {
                biased;
                () = self.core.stop.cancelled() => return Err(Ended::Stopped),
                () = self.seat.lost() => return Err(Ended::Lost),
                () = tokio::time::sleep(left.min(self.core.settings.polling)) => {}
            }
        }
    }

    /// Makes a call, and says what is to be logged of it.
    async fn answer(&self, call: &CallOf) -> Result<SagaRecord, Ended> {
        let _turn = self.turn_to_call().await?;
        let answer = tokio::select! {
            biased;
            // First: an answer that is there is not thrown away, though the seat is lost in the same moment.
            answer = self.call(call) => answer?,
            () = self.seat.lost() => return Err(Ended::Lost),
        };
        if let Err(error) = &answer {
            let (saga, id) = (self.saga.name(), self.kept.instance.stream_id().id());
            let CallOf { step, direction, attempt } = call;
            let direction = direction.word();
            tracing::warn!(saga, id, step, direction, attempt, error, "a step of a saga failed");
        }
        let (now, backoff) = (self.core.now(), self.core.settings.backoff);
        let again = |attempt| now + backoff.after(attempt);
        Ok(self.kept.instance.answered(&*self.saga, call, answer, again))
    }

    /// Waits until a call may begin: a worker is free, and the seat is surely held. Told to stop, nothing more begins.
    async fn turn_to_call(&self) -> Result<SemaphorePermit<'_>, Ended> {
        let turn = async {
            let turn = self.core.turns.acquire().await.map_err(|_| Ended::Stopped)?;
            if self.seat.is_held().await { Ok(turn) } else { Err(Ended::Lost) }
        };
        let turn = tokio::select! {
            biased;
            () = self.core.stop.cancelled() => return Err(Ended::Stopped),
            () = self.seat.lost() => return Err(Ended::Lost),
            turn = turn => turn?,
        };
        // It may have been told while the seat was looked at.
        if self.core.stop.is_cancelled() { Err(Ended::Stopped) } else { Ok(turn) }
    }

    async fn call(&self, call: &CallOf) -> Result<Result<SagaData, String>, Ended> {
        let rules = self.saga.rules(&call.step);
        let limit = rules.and_then(|rules| rules.timeout).unwrap_or(self.core.settings.time_limit);
        let instance = &self.kept.instance;
        let begun = Instant::now();
        let cx = instance.context(&*self.saga, call).with_cause(self.kept.cause());
        let called = self.saga.call(&cx, instance.data());
        let answer = match tokio::time::timeout(limit, called).await {
            Ok(Ok(data)) => Ok(data),
            Ok(Err(CallError::Failed(reason))) => Err(reason),
            Ok(Err(CallError::Unreadable(error))) => return Err(Ended::Stuck(chain(&error))),
            Err(_) => Err(format!("it took longer than {limit:?}")),
        };
        let outcome = if answer.is_ok() { "done" } else { "failed" };
        let (name, direction) = (self.saga.name(), call.direction.word());
        metrics::saga_step(name, &call.step, direction, outcome, begun.elapsed());
        Ok(answer)
    }

    /// Logs what comes next, and with it what follows at once: that the next step begins is logged with the end of the last.
    async fn log(&mut self, first: Entry) -> Result<(), Ended> {
        let mut after = self.kept.clone();
        first.apply(&mut after.instance);
        let mut entries = vec![first];
        loop {
            let entry = match self.next(&after)? {
                // Told to stop, or without its seat, nothing more begins.
                Next::Log(SagaRecord::Called(_))
                    if self.core.stop.is_cancelled() || self.seat.is_lost() =>
                {
                    break;
                }
                Next::Log(record) => Entry::Record(record),
                Next::End(ended) => Entry::Ended(ended),
                Next::LogAt(..) | Next::Call(_) | Next::Nothing(_) => break,
            };
            entry.apply(&mut after.instance);
            entries.push(entry);
        }
        let stuck = |error: StoreError| Ended::Stuck(chain(&error));
        let now = self.core.now();
        let change = self.core.journal.change(Some(&self.kept), after, &entries, None, now);
        let change = change.map_err(stuck)?;
        self.write(&change).await?;
        self.kept = change.after;
        let stream_id = self.kept.instance.stream_id();
        for entry in &entries {
            entry.tell(self.saga.name(), stream_id.id());
        }
        Ok(())
    }

    /// Writes until it is known what came of it: a step that is done is not forgotten in an outage, though the seat is lost in it.
    /// If another has taken the saga over meanwhile, the log is not where it was, and the write says so.
    async fn write(&self, change: &Change) -> Result<(), Ended> {
        let mut backoff = Backoff::new();
        loop {
            let error = match self.core.journal.write(change).await {
                Ok(Written::Done) => return Ok(()),
                Ok(Written::Overtaken | Written::Fenced) => return Err(Ended::Lost),
                Err(error) if error.is_unavailable() => error,
                Err(error) => return Err(Ended::Stuck(chain(&error))),
            };
            let (saga, pause) = (self.saga.name(), backoff.next_pause());
            tracing::warn!(saga, error = chain(&error), ?pause, "the log is written again");
            tokio::select! {
                biased;
                () = self.core.stop.cancelled() => return Err(Ended::Stopped),
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Leaves a saga that cannot go on here to whoever can, as the runner lives on and keeps its seat.
    async fn give_up(&self) -> Result<(), SagaError> {
        let entry = Entry::Record(SagaRecord::Taken { owner: Owner::NOBODY });
        let mut after = self.kept.clone();
        entry.apply(&mut after.instance);
        let now = self.core.now();
        let change = self.core.journal.change(Some(&self.kept), after, &[entry], None, now);
        self.core.journal.write(&change?).await?;
        Ok(())
    }
}

impl Entry {
    /// Counts what a log was given.
    pub(super) fn tell(&self, saga: &'static str, id: &str) {
        match self {
            Self::Record(SagaRecord::Begun { .. }) => metrics::saga(metrics::SAGA_BEGUN, saga),
            Self::Record(SagaRecord::Parked { .. }) => {
                tracing::error!(saga, id, "an undo keeps failing, and the saga waits for a person");
                metrics::saga(metrics::SAGA_PARKS, saga);
            }
            Self::Ended(ended) => match ended.outcome {
                SagaOutcome::Completed => metrics::saga(metrics::SAGA_COMPLETED, saga),
                SagaOutcome::Compensated { .. } => metrics::saga(metrics::SAGA_UNDONE, saga),
                _ => {}
            },
            Self::Record(_) => {}
        }
    }
}
