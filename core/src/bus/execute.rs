//! How a command is done: interceptors, key, attempts. It is compiled once, whatever the types of commands and aggregates.

use std::sync::Arc;

use serde_json::Value;
use tracing::Instrument;

use super::attempt::{Answer, AnyCommand, Attempt, Job, Rejected, Terms};
use super::dispatch::Options;
use super::interceptor::{CommandCall, Failure, Outcome};
use super::{CommandBus, DispatchError, Origin, Refusal};
use crate::aggregate::Aggregate;
use crate::command::HandledBy;
use crate::metrics;
use crate::store::{ContentHash, KeyClaim, KeyEntry, KeyOwner};
use crate::stream::StreamId;

impl CommandBus {
    /// Does one command, from its interceptors to its receipt.
    pub(super) async fn execute<C, A>(
        self,
        command: C,
        content: Option<Value>,
        options: Options,
    ) -> Answer
    where
        C: HandledBy<A>,
        A: Aggregate,
    {
        let id: A::Id = command.target().clone();
        self.execute_any::<A>(C::NAME, id, Box::new(command), content, options).await
    }

    async fn execute_any<A: Aggregate>(
        self,
        name: &'static str,
        id: A::Id,
        command: Box<dyn AnyCommand<A>>,
        content: Option<Value>,
        options: Options,
    ) -> Answer {
        let stream_id = StreamId::of::<A>(&id);
        let job = Job { id, stream_id: stream_id.clone(), command, content };
        self.execute_job(name, stream_id, &job, options).await
    }

    async fn execute_job(
        &self,
        name: &'static str,
        stream_id: StreamId,
        job: &dyn Attempt,
        options: Options,
    ) -> Answer {
        let answer = self.execute_in_span(name, stream_id, job, options).await;
        metrics::command(name, job.names().1, answer.as_ref().err().map(Failure::of));
        answer
    }

    async fn execute_in_span(
        &self,
        name: &'static str,
        stream_id: StreamId,
        job: &dyn Attempt,
        options: Options,
    ) -> Answer {
        self.routes()?;
        if let Some(reason) = stream_id.fault() {
            return Err(DispatchError::InvalidCommand { name: name.to_owned(), reason });
        }
        let span = tracing::info_span!("dispatch", command = name, %stream_id);
        async move {
            let answer = self.intercepted(name, stream_id, job, options).await;
            match &answer {
                Ok(receipt) => tracing::debug!(
                    stream_version = receipt.stream_version,
                    position = receipt.position.get(),
                    events = receipt.events,
                    "done"
                ),
                Err(error) if error.is_refusal() => tracing::debug!(%error, "refused"),
                Err(error) => tracing::warn!(%error, "failed"),
            }
            answer
        }
        .instrument(span)
        .await
    }

    /// Lets the interceptors see the command, then its outcome.
    async fn intercepted(
        &self,
        name: &'static str,
        stream_id: StreamId,
        job: &dyn Attempt,
        options: Options,
    ) -> Answer {
        let settings = &self.inner.settings;
        let command_id = options.command_id.unwrap_or_else(|| settings.ids.new_id());
        let issued_at = options.issued_at.unwrap_or_else(|| settings.clock.now());
        let mut metadata = options.metadata;
        let id = command_id.to_string();
        metadata.correlation_id.get_or_insert_with(|| id.clone());
        metadata.causation_id = Some(id);
        metadata.issued_at = Some(issued_at);

        let is_seen = !settings.interceptors.is_empty() || options.key.is_some();
        let content = if is_seen { job.content() } else { Ok(Value::Null) };
        let content = content.map_err(|error| {
            let (name, reason) = (name.to_owned(), error.to_string());
            DispatchError::InvalidCommand { name, reason }
        })?;
        let key = options.key.map(|(key, owner)| {
            let caller = KeyOwner::Caller { lifetime: settings.key_lifetime };
            KeyClaim::new(key, name, ContentHash::of(&content), owner.unwrap_or(caller))
        });
        if let Some(reason) = key.as_ref().and_then(KeyClaim::fault) {
            return Err(DispatchError::InvalidCommand { name: name.to_owned(), reason });
        }
        let origin = options.origin.unwrap_or(Origin::Caller);
        let mut call =
            CommandCall { name, stream_id, content, metadata, command_id, issued_at, origin };

        let (passed, refused) = self.before(&mut call).await;
        let answer = if let Some(refusal) = refused {
            Err(DispatchError::Refused(refusal))
        } else {
            let metadata = if settings.interceptors.is_empty() {
                std::mem::take(&mut call.metadata)
            } else {
                // What interceptors enrich, but for what says which command it was.
                let mut metadata = call.metadata.clone();
                metadata.causation_id = Some(command_id.to_string());
                metadata.issued_at = Some(issued_at);
                metadata
            };
            let metadata = Arc::new(metadata);
            let terms = Terms { metadata, expected_version: options.expected_version, key };
            self.do_once(&call.stream_id, job, &terms).await
        };
        self.after(&call, passed, &answer).await;
        answer
    }

    /// Tells how many interceptors let the command pass, and why the next did not.
    async fn before(&self, call: &mut CommandCall) -> (usize, Option<Refusal>) {
        for (passed, interceptor) in self.inner.settings.interceptors.iter().enumerate() {
            if let Err(refusal) = interceptor.before(call).await {
                return (passed, Some(refusal));
            }
        }
        (self.inner.settings.interceptors.len(), None)
    }

    /// Tells the outcome to those that let the command pass, the last first.
    async fn after(&self, call: &CommandCall, passed: usize, answer: &Answer) {
        for interceptor in self.inner.settings.interceptors[..passed].iter().rev() {
            let message;
            let outcome = match answer {
                Ok(receipt) => Outcome::Done(receipt),
                Err(error) => {
                    message = error.to_string();
                    Outcome::Failed { message: &message, failure: Failure::of(error) }
                }
            };
            interceptor.after(call, outcome).await;
        }
    }

    /// Answers from the idempotency key if it was used; else does the command.
    async fn do_once(&self, stream_id: &StreamId, job: &dyn Attempt, terms: &Terms) -> Answer {
        let Some(claim) = &terms.key else { return self.retried(job, terms).await };
        if let Some(entry) = self.find_key(stream_id, claim).await? {
            return first_answer(stream_id, claim, entry);
        }
        let answer = self.retried(job, terms).await;
        let is_doubtful = match &answer {
            Ok(_) => false,
            Err(DispatchError::Conflict(_)) => true,
            Err(error) => error.is_refusal(),
        };
        // The same command may have been done since the key was looked up. Decided on what it left, this one is refused;
        // but the key tells.
        if is_doubtful && let Some(entry) = self.find_key(stream_id, claim).await? {
            return first_answer(stream_id, claim, entry);
        }
        answer
    }

    async fn find_key(
        &self,
        stream_id: &StreamId,
        claim: &KeyClaim,
    ) -> Result<Option<KeyEntry>, DispatchError<Rejected>> {
        let entry = self.inner.stores.events.find_key(stream_id, &claim.key).await;
        entry.map_err(DispatchError::Store)
    }

    /// Does the command, again after each conflict.
    async fn retried(&self, job: &dyn Attempt, terms: &Terms) -> Answer {
        let (command, aggregate) = job.names();
        let mut retry = 0;
        loop {
            let conflict = match job.attempt(self, terms).await {
                Err(DispatchError::Conflict(conflict)) => conflict,
                answer => return answer,
            };
            metrics::conflict(command, aggregate);
            retry += 1;
            let pause = match self.inner.settings.retry.pause_before(retry) {
                Some(pause) if terms.expected_version.is_none() => pause,
                _ => return Err(DispatchError::Conflict(conflict)),
            };
            tracing::debug!(retry, %conflict, "decides again");
            metrics::retry(command, aggregate);
            tokio::time::sleep(pause).await;
        }
    }
}

/// The receipt of the command that used the key, if this is the same command.
pub(super) fn first_answer(
    stream_id: &StreamId,
    claim: &KeyClaim,
    entry: KeyEntry,
) -> Result<crate::Receipt, DispatchError<Rejected>> {
    if entry.is_withdrawn() {
        return Err(super::withdraw::withdrawn(stream_id, &claim.key));
    }
    let is_same = match claim.owner {
        KeyOwner::Caller { .. } => entry.command == claim.command && entry.content == claim.content,
        KeyOwner::Process => entry.command == claim.command,
    };
    if is_same {
        return Ok(entry.receipt);
    }
    Err(DispatchError::KeyReused {
        stream_id: stream_id.clone(),
        key: claim.key.clone(),
        used_by: entry.command.into_owned(),
    })
}
