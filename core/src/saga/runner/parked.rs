//! Sagas that wait for a person: which they are, and how they go on.

use std::fmt;
use std::future::IntoFuture;
use std::sync::Arc;

use futures::FutureExt;

use super::core::{Core, Takes};
use super::journal::{Entry, Kept, Written};
use super::seat::Found;
use super::{Answer, LOOK, ParkedSaga, SagaError, SagaRun, SagaRunner, stream_of};
use crate::metadata::Metadata;
use crate::request::Request;
use crate::saga::{AnySaga, NotUndone, Saga, SagaEnded, SagaOutcome, SagaRecord};
use crate::stream::StreamId;
use crate::timestamp::Timestamp;

impl SagaRunner {
    /// The sagas that wait for a person, of all that the runner knows, those that wait longest first. One
    /// whose log cannot be read is told with why in the place of its error.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub fn parked(&self) -> ParkedList {
        ParkedList { runner: self.clone(), limit: usize::MAX }
    }

    /// Has what is not undone of a saga that is parked tried again, as often as at first, and tells how that ended.
    ///
    /// What is said of it, as by `.user("ada")`, its log bears from there on: what is undone now is undone for that person. What is
    /// not said stays the saga's: its correlation, its user, and each header.
    ///
    /// # Errors
    ///
    /// [`SagaError::NotParked`] if it does not wait for a person; otherwise as [`run`](Self::run).
    ///
    /// # Cancel safety
    ///
    /// As [`run`](Self::run).
    pub fn retry_parked<S: Saga>(&self, id: impl fmt::Display) -> SagaRun<SagaOutcome> {
        let (runner, stream_id) = (self.clone(), stream_of::<S>(id));
        SagaRun::new(move |said| async move {
            let saga = runner.saga::<S>()?;
            runner.core().retry(&saga, &stream_id, said, None).await?;
            runner.ended(&saga, &stream_id).await
        })
    }

    /// Has what is not undone of a saga that is parked tried again, and returns as soon as the log holds that; it goes on in the
    /// background, and [`outcome`](Self::outcome) waits for its end.
    ///
    /// # Errors
    ///
    /// As [`retry_parked`](Self::retry_parked).
    ///
    /// # Cancel safety
    ///
    /// A dropped call has begun to try it again or not: [`parked`](Self::parked) tells.
    pub fn begin_retry<S: Saga>(&self, id: impl fmt::Display) -> SagaRun<()> {
        let (runner, stream_id) = (self.clone(), stream_of::<S>(id));
        SagaRun::new(move |said| async move {
            let saga = runner.saga::<S>()?;
            runner.core().retry(&saga, &stream_id, said, None).await
        })
    }

    /// Leaves what is not undone of a saga that is parked as it is: its log keeps that somebody decided so, and who if that is
    /// said as by `.user("ada")`, and it has ended; what is not said stays the saga's. The same of one that cannot go on in this
    /// program, as [`status`](Self::status) tells, and that no other program runs.
    ///
    /// # Errors
    ///
    /// [`SagaError::NotParked`] if it does not wait for a person; otherwise when its log cannot be read, or the store cannot be
    /// written.
    ///
    /// # Cancel safety
    ///
    /// A dropped call has dropped it or not.
    pub fn drop_parked<S: Saga>(&self, id: impl fmt::Display) -> SagaRun<()> {
        let (runner, stream_id) = (self.clone(), stream_of::<S>(id));
        SagaRun::new(move |said| async move {
            let saga = runner.saga::<S>()?;
            runner.core().drop_parked(&saga, &stream_id, said).await
        })
    }
}

/// The sagas that wait for a person, as they are asked for.
///
/// ```
/// # use annals::prelude::*;
/// # async fn run(sagas: SagaRunner) -> Result<(), SagaError> {
/// for parked in sagas.parked().limit(20).await? {
///     println!("{} `{}`: {}", parked.saga, parked.id, parked.error);
/// }
/// # Ok(())
/// # }
/// ```
#[must_use = "nothing is read until this is awaited"]
#[derive(Debug)]
pub struct ParkedList {
    runner: SagaRunner,
    limit: usize,
}

impl ParkedList {
    /// Tells of so many at most, those that wait longest: of no others, the log is read. Unless set, it tells of all.
    pub fn limit(mut self, sagas: usize) -> Self {
        self.limit = sagas;
        self
    }

    async fn read(self) -> Result<Vec<ParkedSaga>, SagaError> {
        let (core, mut listed) = (self.runner.core(), Vec::new());
        for known in core.known() {
            let unfinished = core.journal.unfinished(known.name).await?;
            let parked = unfinished.into_iter().filter(|listed| listed.owner.is_none());
            listed.extend(parked.map(|parked| (parked.since, known.name, parked.stream_id)));
        }
        listed.sort_by(|a, b| (a.0, a.1, a.2.id()).cmp(&(b.0, b.1, b.2.id())));
        let mut parked = Vec::new();
        for (since, saga, stream_id) in listed {
            if parked.len() >= self.limit {
                break;
            }
            parked.extend(core.read_parked(since, saga, stream_id).await?);
        }
        Ok(parked)
    }
}

impl IntoFuture for ParkedList {
    type Output = Result<Vec<ParkedSaga>, SagaError>;
    type IntoFuture = Answer<Vec<ParkedSaga>>;

    fn into_future(self) -> Self::IntoFuture {
        self.read().boxed()
    }
}

impl Core {
    /// What is told of a saga that is parked; `None` if it is no more. Of one whose log cannot be read, why.
    async fn read_parked(
        &self,
        parked_at: Timestamp,
        saga: &'static str,
        stream_id: StreamId,
    ) -> Result<Option<ParkedSaga>, SagaError> {
        let told = |(failed_step, error): (&str, &str), not_undone: &[NotUndone]| ParkedSaga {
            saga: saga.to_owned(),
            id: stream_id.id().to_owned(),
            failed_step: failed_step.to_owned(),
            error: error.to_owned(),
            not_undone: not_undone.to_vec(),
            parked_at,
        };
        Ok(match self.journal.load_of_many(saga, &stream_id).await? {
            Err(unreadable) => Some(told(("", &unreadable), &[])),
            Ok(kept) => kept.map(|kept| kept.instance).and_then(|instance| {
                instance.parked_at()?;
                Some(told(instance.failed()?, instance.not_undone()))
            }),
        })
    }

    /// Goes on with a saga that is parked, here, with what is not undone. What was asked for is taken back with it.
    pub(super) async fn retry(
        self: &Arc<Self>,
        saga: &Arc<dyn AnySaga>,
        stream_id: &StreamId,
        said: Metadata,
        asked: Option<&Request>,
    ) -> Result<(), SagaError> {
        let (mut kept, turn) = loop {
            let kept = self.parked_one(&**saga, stream_id).await?;
            // Whoever has parked it has it for a moment longer.
            match self.turn(stream_id) {
                Some(turn) => break (kept, turn),
                None => tokio::time::sleep(LOOK).await,
            }
        };
        kept.metadata = self.settings.metadata_again(&kept, said);
        let retried = SagaRecord::Retried { at: self.now() };
        let takes = Takes { kept, first: Some(retried), asked: asked.cloned() };
        let is_taken = turn.take(saga.clone(), takes).await?;
        if is_taken { Ok(()) } else { Err(not_parked(&**saga, stream_id)) }
    }

    /// Ends a saga as it is that is parked, or cannot go on in this program and is run by nobody.
    pub(super) async fn drop_parked(
        self: &Arc<Self>,
        saga: &Arc<dyn AnySaga>,
        stream_id: &StreamId,
        said: Metadata,
    ) -> Result<(), SagaError> {
        let name = saga.name();
        let not_parked = || not_parked(&**saga, stream_id);
        let kept = self.begun_one(&**saga, stream_id).await?;
        let (ended, _turn) = if let Some(ended) = kept.instance.dropped(name) {
            (ended, None)
        } else {
            // Nobody here goes on with it meanwhile.
            let turn = self.turn(stream_id).ok_or_else(not_parked)?;
            (self.given_up(&**saga, &kept).await?.ok_or_else(not_parked)?, Some(turn))
        };
        let mut after = kept.clone();
        after.instance.end(&ended);
        after.metadata = self.settings.metadata_again(&kept, said);
        let entries = [Entry::Ended(ended)];
        let change = self.journal.change(Some(&kept), after, &entries, None, self.now())?;
        match self.journal.write(&change).await? {
            Written::Done => {
                let id = stream_id.id();
                tracing::warn!(saga = name, id, "a saga was dropped by hand");
                self.is_held_up_no_more(stream_id);
                Ok(())
            }
            Written::Overtaken | Written::Fenced => Err(not_parked()),
        }
    }

    /// How a saga ends that nobody goes on with, whose turn is taken here; `None` if somebody does, or can.
    async fn given_up(
        &self,
        saga: &dyn AnySaga,
        kept: &Kept,
    ) -> Result<Option<SagaEnded>, SagaError> {
        let instance = &kept.instance;
        if instance.outcome().is_some() {
            return Ok(None);
        }
        let reason = match self.can_go_on(saga, kept, None) {
            Err(SagaError::Stuck { reason, .. }) => Some(reason),
            Err(error) => return Err(error),
            // It could not be known before: its codec, or its write, failed.
            Ok(()) => self.why_stuck(instance.stream_id()),
        };
        let Some(reason) = reason else { return Ok(None) };
        let is_free = self.is_free(saga.name(), instance.owner(), &mut Found::default()).await?;
        Ok(is_free.then(|| instance.given_up(saga, reason)))
    }

    async fn begun_one(&self, saga: &dyn AnySaga, stream_id: &StreamId) -> Result<Kept, SagaError> {
        let (name, id) = (saga.name(), stream_id.id().to_owned());
        let kept = self.journal.load(name, stream_id).await?;
        kept.ok_or(SagaError::NotBegun { saga: name, id })
    }

    async fn parked_one(
        &self,
        saga: &dyn AnySaga,
        stream_id: &StreamId,
    ) -> Result<Kept, SagaError> {
        let kept = self.begun_one(saga, stream_id).await?;
        let instance = &kept.instance;
        if instance.parked_at().is_some() {
            return Ok(kept);
        }
        if instance.outcome().is_none() {
            // Why it does not go on says more than that it is not parked.
            self.can_go_on(saga, &kept, None)?;
        }
        Err(not_parked(saga, stream_id))
    }
}

fn not_parked(saga: &dyn AnySaga, stream_id: &StreamId) -> SagaError {
    SagaError::NotParked { saga: saga.name(), id: stream_id.id().to_owned() }
}
