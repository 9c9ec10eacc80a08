//! One saga as its log tells, and what is to be done next. It knows no store and makes no call: runner and harness run it.

use std::time::Duration;

use super::record::{CallOf, Direction, Owner, SagaData, SagaRecord};
use super::step::StepRules;
use super::{AnySaga, NotUndone, SagaEnded, SagaOutcome, StepContext};
use crate::stream::StreamId;
use crate::timestamp::Timestamp;

/// One saga as its log tells.
#[derive(Debug, Clone)]
pub struct Instance {
    stream_id: StreamId,
    /// With what it was begun.
    begun: SagaData,
    /// The data as the last step left it.
    data: SagaData,
    owner: Owner,
    /// The steps that are done, in their order, whether they were undone since or not.
    done: Vec<String>,
    undone: Vec<String>,
    not_undone: Vec<NotUndone>,
    /// The step that failed, and why.
    failed: Option<(String, String)>,
    /// The try that is logged to begin, and has no answer.
    called: Option<CallOf>,
    /// The try that failed last and is to be made again, and when.
    again: Option<(CallOf, Timestamp)>,
    stands: Stands,
}

#[derive(Debug, Clone, PartialEq)]
enum Stands {
    Runs,
    Parked(Timestamp),
    Ended(SagaOutcome),
}

/// What is to be done next.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Next {
    /// This is to be logged.
    Log(SagaRecord),
    /// This is to be logged, but not before an instant.
    LogAt(Timestamp, SagaRecord),
    /// This call is to be made: that it begins is logged.
    Call(CallOf),
    /// It has ended: this is to be logged.
    End(SagaEnded),
    /// Nothing: it has ended, or waits for a person.
    Nothing(SagaOutcome),
}

/// The pauses between the tries of a call: each twice as long as the one before, up to a minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    first: Duration,
}

/// The longest pause between two tries.
pub(super) const LONGEST_PAUSE: Duration = Duration::from_mins(1);

impl Backoff {
    /// Sets the first pause.
    pub const fn new(first: Duration) -> Self {
        Self { first }
    }

    /// The pause after the `attempt`-th try, from 1.
    pub fn after(self, attempt: u32) -> Duration {
        let doubled = 1_u32.checked_shl(attempt.saturating_sub(1)).unwrap_or(u32::MAX);
        self.first.saturating_mul(doubled).min(LONGEST_PAUSE)
    }
}

impl Default for Backoff {
    /// Begins with 50 milliseconds.
    fn default() -> Self {
        Self::new(Duration::from_millis(50))
    }
}

impl Instance {
    /// A saga that is about to begin: its first record is to be logged.
    pub fn begin(stream_id: StreamId, data: SagaData, owner: Owner) -> (Self, SagaRecord) {
        let record = SagaRecord::Begun { data: data.clone(), owner };
        (Self::begun(stream_id, data, owner), record)
    }

    /// A saga whose log begins with this record; `None` if none does.
    pub fn of(stream_id: StreamId, first: SagaRecord) -> Option<Self> {
        match first {
            SagaRecord::Begun { data, owner } => Some(Self::begun(stream_id, data, owner)),
            _ => None,
        }
    }

    fn begun(stream_id: StreamId, data: SagaData, owner: Owner) -> Self {
        Self {
            stream_id,
            begun: data.clone(),
            data,
            owner,
            done: Vec::new(),
            undone: Vec::new(),
            not_undone: Vec::new(),
            failed: None,
            called: None,
            again: None,
            stands: Stands::Runs,
        }
    }

    /// Takes in the next record of its log.
    pub fn apply(&mut self, record: &SagaRecord) {
        match record {
            // A log begins once.
            SagaRecord::Begun { .. } => {}
            SagaRecord::Taken { owner } => self.owner = *owner,
            SagaRecord::Called(call) => self.called = Some(call.clone()),
            SagaRecord::Done { call, data } => {
                (self.called, self.again) = (None, None);
                self.data = data.clone();
                match call.direction {
                    Direction::Do => self.done.push(call.step.clone()),
                    Direction::Undo => self.undone.push(call.step.clone()),
                }
            }
            SagaRecord::Failed { call, error, retry_at } => {
                self.called = None;
                self.again = retry_at.map(|at| (call.clone(), at));
                if retry_at.is_some() {
                    return;
                }
                let (step, error) = (call.step.clone(), error.clone());
                match call.direction {
                    Direction::Do => self.failed = Some((step, error)),
                    Direction::Undo => self.not_undone.push(NotUndone { step, error }),
                }
            }
            SagaRecord::Parked { at, .. } => self.stands = Stands::Parked(*at),
            SagaRecord::Retried { .. } => {
                self.not_undone.clear();
                self.stands = Stands::Runs;
            }
        }
    }

    /// Takes in that it has ended.
    pub fn end(&mut self, ended: &SagaEnded) {
        self.stands = Stands::Ended(ended.outcome.clone());
    }

    /// What is to be done next by a program with these steps at an instant.
    ///
    /// # Errors
    ///
    /// When the log is under way with a step that the program does not have: whether it was done, nobody can say.
    pub fn next(&self, saga: &dyn AnySaga, now: Timestamp) -> Result<Next, UnknownStep> {
        match &self.stands {
            Stands::Ended(outcome) => return Ok(Next::Nothing(outcome.clone())),
            Stands::Parked(_) => return Ok(Next::Nothing(self.parked())),
            Stands::Runs => {}
        }
        if let Some(call) = &self.called {
            // An undo that is not there fails, and a person sees it.
            let is_known = saga.rules(&call.step).is_some() || call.direction == Direction::Undo;
            return if is_known {
                Ok(Next::Call(call.clone()))
            } else {
                Err(UnknownStep { step: call.step.clone() })
            };
        }
        let is_open = |step: &&StepRules| self.done.iter().all(|done| done != step.name);
        let next = match &self.failed {
            None => saga.steps().iter().find(is_open).map(|step| (step.name, Direction::Do)),
            Some(_) => self.next_undo(saga).map(|step| (step, Direction::Undo)),
        };
        let Some((step, direction)) = next else { return Ok(self.last(saga, now)) };
        // In a program that has another step in its place, the tries of that one count for nothing.
        let is_it = |call: &CallOf| call.step == step && call.direction == direction;
        let again = self.again.as_ref().filter(|(call, _)| is_it(call));
        let attempt = again.map_or(0, |(call, _)| call.attempt) + 1;
        let record = SagaRecord::Called(CallOf { step: step.to_owned(), direction, attempt });
        Ok(match again {
            Some((_, at)) if *at > now => Next::LogAt(*at, record),
            _ => Next::Log(record),
        })
    }

    /// The step that was done last of those that are still to be undone. One that the program does not have any more is one: its
    /// undo fails.
    fn next_undo(&self, saga: &dyn AnySaga) -> Option<&str> {
        self.done.iter().rev().find(|step| self.is_to_be_undone(saga, step)).map(String::as_str)
    }

    fn is_to_be_undone(&self, saga: &dyn AnySaga, done: &str) -> bool {
        self.undone.iter().all(|undone| undone != done)
            && self.not_undone.iter().all(|failed| failed.step != done)
            && saga.rules(done).is_none_or(|rules| rules.has_undo)
    }

    /// What is logged when all is done, or undone.
    fn last(&self, saga: &dyn AnySaga, now: Timestamp) -> Next {
        let outcome = match &self.failed {
            None => SagaOutcome::Completed,
            Some((failed_step, error)) if self.not_undone.is_empty() => {
                SagaOutcome::Compensated { failed_step: failed_step.clone(), error: error.clone() }
            }
            Some(_) => {
                let not_undone = self.not_undone.iter().map(|failed| failed.step.clone()).collect();
                return Next::Log(SagaRecord::Parked { not_undone, at: now });
            }
        };
        Next::End(self.ended(saga.name(), outcome))
    }

    fn ended(&self, saga: &str, outcome: SagaOutcome) -> SagaEnded {
        let (saga, id) = (saga.to_owned(), self.stream_id.id().to_owned());
        SagaEnded { saga, id, outcome, data: self.data.clone() }
    }

    /// What a call is told.
    pub fn context(&self, saga: &dyn AnySaga, call: &CallOf) -> StepContext {
        StepContext::new(saga.name(), self.stream_id.id(), call)
    }

    /// What is logged of an answered call.
    pub fn answered(
        &self,
        saga: &dyn AnySaga,
        call: &CallOf,
        answer: Result<SagaData, String>,
        again: impl FnOnce(u32) -> Timestamp,
    ) -> SagaRecord {
        let call = call.clone();
        match answer {
            Ok(data) => SagaRecord::Done { call, data },
            Err(error) => {
                let retries =
                    saga.rules(&call.step).map_or(0, |rules| rules.retries_of(call.direction));
                let retry_at = (call.attempt <= retries).then(|| again(call.attempt));
                SagaRecord::Failed { call, error, retry_at }
            }
        }
    }

    /// What is logged when a person decides that what is not undone stays so; `None` unless it is parked.
    pub fn dropped(&self, saga: &str) -> Option<SagaEnded> {
        let Stands::Parked(_) = self.stands else { return None };
        let SagaOutcome::Parked { failed_step, error, not_undone } = self.parked() else {
            return None;
        };
        Some(self.ended(saga, SagaOutcome::Dropped { failed_step, error, not_undone }))
    }

    /// What is logged when a person ends it though this program cannot go on with it, and why it cannot.
    pub fn given_up(&self, saga: &dyn AnySaga, reason: String) -> SagaEnded {
        // Between two tries, none is under way.
        let call = self.called.as_ref().or(self.again.as_ref().map(|(call, _)| call));
        let called = || call.map(|call| call.step.clone()).unwrap_or_default();
        let (failed_step, error) = self.failed.clone().unwrap_or_else(|| (called(), reason));
        let undos_failed = self.not_undone.iter().map(|failed| failed.step.clone());
        let undone_next = self.done.iter().rev().filter(|step| self.is_to_be_undone(saga, step));
        let not_undone = undos_failed.chain(undone_next.cloned()).collect();
        self.ended(saga.name(), SagaOutcome::Dropped { failed_step, error, not_undone })
    }

    fn parked(&self) -> SagaOutcome {
        let (failed_step, error) = self.failed.clone().unwrap_or_default();
        let not_undone = self.not_undone.iter().map(|failed| failed.step.clone()).collect();
        SagaOutcome::Parked { failed_step, error, not_undone }
    }

    /// How it ended, or that it is parked; `None` while it runs.
    pub fn outcome(&self) -> Option<SagaOutcome> {
        match &self.stands {
            Stands::Runs => None,
            Stands::Parked(_) => Some(self.parked()),
            Stands::Ended(outcome) => Some(outcome.clone()),
        }
    }

    /// Since when it waits for a person, if it does.
    pub fn parked_at(&self) -> Option<Timestamp> {
        match self.stands {
            Stands::Parked(at) => Some(at),
            _ => None,
        }
    }

    /// The step that failed, and why.
    pub fn failed(&self) -> Option<(&str, &str)> {
        self.failed.as_ref().map(|(step, error)| (&**step, &**error))
    }

    /// The steps whose undo failed.
    pub fn not_undone(&self) -> &[NotUndone] {
        &self.not_undone
    }

    /// The stream of its log.
    pub fn stream_id(&self) -> &StreamId {
        &self.stream_id
    }

    /// Who runs it.
    pub fn owner(&self) -> Owner {
        self.owner
    }

    /// With what it was begun.
    pub fn begun_with(&self) -> &SagaData {
        &self.begun
    }

    /// The data as the last step left it.
    pub fn data(&self) -> &SagaData {
        &self.data
    }
}

/// A log that is under way with a step that the program does not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "its log is under way with step `{step}`, which this program does not have; a step that was renamed keeps its name by `#[step(name = {step:?})]`"
)]
#[non_exhaustive]
pub struct UnknownStep {
    /// The step.
    pub step: String,
}
