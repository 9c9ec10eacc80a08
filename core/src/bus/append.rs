//! The append of what was decided, with the rows of inline projections, until its outcome is known.

use std::time::Instant;

use super::attempt::Rejected;
use super::inline::InlineFailure;
use super::{CommandBus, DispatchError, RetryPolicy, SetupError};
use crate::causes::chain;
use crate::metrics;
use crate::read_model::RowKey;
use crate::receipt::Receipt;
use crate::store::{Append, RowChange, StoreError, UnitOfWork, WriteError};

/// How often an append whose outcome is unknown is sent again, with the ids of its events, which tell whether it was done.
const ASKED_AGAIN: u32 = 3;

impl CommandBus {
    /// Appends, with the rows of inline projections, and sends the same again while nobody can say whether it was stored.
    async fn append_until_known(
        &self,
        appends: Vec<Append>,
        rows: Option<Vec<RowChange>>,
    ) -> Result<Vec<Receipt>, WriteError> {
        let events = &self.inner.stores.events;
        let policy = RetryPolicy::times(ASKED_AGAIN);
        let mut doubt = None;
        for retry in 1.. {
            let appended = match (&rows, events.unit_of_work()) {
                (Some(rows), Some(store)) => {
                    let mut work = UnitOfWork::new();
                    work.appends.clone_from(&appends);
                    work.rows.clone_from(rows);
                    store.commit(work).await
                }
                _ => events.append(appends.clone()).await,
            };
            let unknown = match (appended, doubt.take()) {
                (Err(error @ WriteError::UnknownOutcome { .. }), _)
                // What hinders this try tells nothing of the one before, which may be stored.
                | (Err(WriteError::Store(_)), Some(error)) => error,
                (answer, _) => return answer,
            };
            let Some(pause) = policy.pause_before(retry) else { return Err(unknown) };
            tracing::warn!(retry, error = %unknown, "sends the same events again");
            tokio::time::sleep(pause).await;
            doubt = Some(unknown);
        }
        unreachable!("bug in annals: retries without an end")
    }

    /// What becomes of the rows of inline projections that follow the append's stream; `None` if none does.
    async fn inline_rows(
        &self,
        category: &str,
        append: &Append,
    ) -> Result<Option<Vec<RowChange>>, DispatchError<Rejected>> {
        let inline = self.inline()?;
        let Some(projection) = inline.follower(category) else { return Ok(None) };
        if append.events.is_empty() {
            return Ok(None);
        }
        let Some(store) = self.inner.stores.events.unit_of_work() else {
            return Err(SetupError::inline_store(projection).into());
        };
        let now = self.inner.settings.clock.now();
        let changes = inline.changes(store, append, now).await;
        changes.map(Some).map_err(|failure| match failure {
            InlineFailure::Store(error) => DispatchError::Store(error),
            InlineFailure::Failed { projection, reason } => {
                let stream_id = append.stream_id.clone();
                DispatchError::InlineProjection { stream_id, projection, reason }
            }
        })
    }

    /// Appends what several commands decided, all or none, where no inline projection follows.
    pub(super) async fn append_together(
        &self,
        aggregate: &'static str,
        appends: Vec<Append>,
    ) -> Result<Vec<Receipt>, WriteError> {
        let (count, begun) = (appends.len(), Instant::now());
        let receipts = self.append_until_known(appends, None).await;
        metrics::append(aggregate, begun.elapsed());
        let receipts = receipts?;
        if receipts.len() == count {
            return Ok(receipts);
        }
        let message =
            format!("the store answered {count} appends with {} receipts", receipts.len());
        Err(StoreError::other(message).into())
    }

    /// Whether an inline projection follows the streams of a category.
    pub(super) fn is_followed(&self, category: &str) -> Result<bool, DispatchError<Rejected>> {
        Ok(self.inline()?.follower(category).is_some())
    }

    /// Appends, and tells a used key apart from a conflict.
    pub(super) async fn append(
        &self,
        aggregate: &'static str,
        append: Append,
    ) -> Result<Appended, DispatchError<Rejected>> {
        let key = append.key.clone();
        let begun = Instant::now();
        let rows = self.inline_rows(aggregate, &append).await?;
        let (stream_id, written) = (append.stream_id.clone(), written(rows.as_deref()));
        let appended = self.append_until_known(vec![append], rows).await;
        metrics::append(aggregate, begun.elapsed());
        match appended {
            Ok(mut receipts) => receipts.pop().map(Appended::Stored).ok_or_else(|| {
                let message = "the store answered an append without its receipt";
                DispatchError::Store(StoreError::other(message))
            }),
            Err(WriteError::KeyUsed { stream_id, key: used, entry }) => {
                if let Some(claim) = key {
                    super::execute::first_answer(&stream_id, &claim, *entry).map(Appended::Before)
                } else {
                    let message = format!("the store found key `{used}` where none was given");
                    Err(DispatchError::Store(StoreError::other(message)))
                }
            }
            Err(WriteError::Conflict(conflict)) => Err(DispatchError::Conflict(conflict)),
            Err(WriteError::UnknownOutcome { stream_id, source }) => {
                Err(DispatchError::UnknownOutcome { stream_id, source })
            }
            Err(WriteError::Store(error)) => Err(DispatchError::Store(error)),
            Err(WriteError::RowRefused { model, source }) => {
                let row = written.into_iter().find(|(table, _)| *table == model);
                let row = row.map(|(_, key)| format!("row `{key}`: ")).unwrap_or_default();
                let projection = self.inline()?.keeper(&model).map(str::to_owned);
                let projection = projection.unwrap_or(model);
                let reason = format!("{row}{}", chain(&source));
                Err(DispatchError::InlineProjection { stream_id, projection, reason })
            }
            // An append alone moves no checkpoint.
            Err(
                other @ (WriteError::Fenced { .. }
                | WriteError::MovedBack { .. }
                | WriteError::UnknownCommit { .. }),
            ) => Err(DispatchError::Store(StoreError::other(other.to_string()))),
        }
    }
}

/// The rows that are written, each by its table and its key.
fn written(rows: Option<&[RowChange]>) -> Vec<(&'static str, RowKey)> {
    let written = rows.into_iter().flatten().filter_map(|change| match change {
        RowChange::Upsert { table, row } => Some((table.table.name, table.table.key_of(row))),
        _ => None,
    });
    written.collect()
}

/// What came of an append.
pub(super) enum Appended {
    /// The events are stored, by this try or by one whose answer was lost.
    Stored(Receipt),
    /// The key was used before: this is the first receipt under it.
    Before(Receipt),
}
