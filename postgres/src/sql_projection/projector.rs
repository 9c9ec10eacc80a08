//! What runs a SQL projection: one transaction for each batch, in which the checkpoint moves under its lease.
//!
//! A failure rolls the batch back, and the engine does its events one by one; the one that fails alone is parked under its
//! stream's name, with all that follows in that stream. What fails because the server does not answer is no failure of an event.

use std::error::Error;
use std::iter::successors;
use std::marker::PhantomData;
use std::panic::AssertUnwindSafe;

use annals::projection::{
    Batch, BatchDone, BatchError, CatalogEntry, ModelDefinition, ParkedEvent, Projector, chain,
    message_of,
};
use annals::{EventFilter, OnError, ReadModelStore, RecordedEvent, RowChange, StoreError};
use async_trait::async_trait;
use futures::FutureExt as _;
use tokio::time::timeout;

use super::handler::ReadEvent;
use super::{SqlContext, SqlHandler, SqlProjection};
use crate::error::{in_database, is_outage};
use crate::models::{BatchTransaction, SqlError, tells_of_end};
use crate::store::PostgresStore;

/// Runs `P`.
pub(super) struct SqlProjector<P> {
    definition: ModelDefinition,
    handlers: Vec<SqlHandler>,
    of: PhantomData<fn() -> P>,
}

/// An event of a batch that is written now.
struct Due<'a> {
    recorded: &'a RecordedEvent,
    event: Box<dyn ReadEvent>,
}

impl<P: SqlProjection> SqlProjector<P> {
    pub(super) fn new() -> Self {
        let handlers = P::handlers();
        let events = handlers.iter().map(|handler| handler.event.name.to_owned()).collect();
        let definition = ModelDefinition::new(P::NAME, P::VERSION, None, events);
        Self { definition, handlers, of: PhantomData }
    }

    /// The events to be written, and those that wait behind others of their streams.
    fn sort<'a>(&self, batch: &Batch<'a>) -> Result<(Vec<Due<'a>>, Vec<ParkedEvent>), BatchError> {
        let (mut due, mut waits) = (Vec::with_capacity(batch.events.len()), Vec::new());
        for (index, recorded) in batch.events.iter().enumerate() {
            let handler = self.handlers.iter().find(|handler| handler.takes(recorded));
            let Some(handler) = handler else { continue };
            let event = batch
                .read(recorded, handler.read)
                .map_err(|source| BatchError::Unreadable { index, source })?;
            let key = recorded.stream_id.as_str();
            match batch.only {
                Some(only) if only != key => {}
                None if batch.waiting.contains(key) => {
                    waits.push(batch.waits(recorded, key.to_owned()));
                }
                _ => due.push(Due { recorded, event }),
            }
        }
        Ok((due, waits))
    }
}

#[async_trait]
impl<P: SqlProjection> Projector for SqlProjector<P> {
    fn definition(&self) -> &ModelDefinition {
        &self.definition
    }

    fn filter(&self) -> EventFilter {
        EventFilter::all().event_types(self.handlers.iter().flat_map(SqlHandler::names))
    }

    fn on_error(&self) -> OnError {
        P::ON_ERROR
    }

    fn batch(&self) -> Option<usize> {
        P::BATCH
    }

    async fn prepare(&self, store: &dyn ReadModelStore) -> Result<CatalogEntry, StoreError> {
        let store = self.store_of(store)?;
        store.prepare_own_sql(&self.definition, |connection| Box::pin(P::setup(connection))).await
    }

    async fn apply(&self, batch: &Batch<'_>) -> Result<BatchDone, BatchError> {
        let store = self.store_of(batch.store)?;
        let (due, waits) = self.sort(batch)?;
        let mut transaction = store.begin_batch(&batch.checkpoint).await?;
        for Due { recorded, event } in &due {
            if let Err(error) = write(&**event, recorded, &mut transaction).await {
                if transaction.is_ended().await {
                    transaction.give_up().await;
                    return Err(ended(batch));
                }
                let is_alive = transaction.give_up().await;
                return failed::<P>(batch, &error, is_alive).await;
            }
        }
        if let Err(error) = transaction.settle().await {
            transaction.give_up().await;
            if tells_of_end(&error) {
                return Err(ended(batch));
            }
            let message = "the transaction is not what it was: a statement failed and its error was not passed on";
            let is_alive = !is_outage(&error);
            return failed::<P>(batch, &format!("{message} ({error})").into(), is_alive).await;
        }
        let done_with = batch.only.map(|_| due.iter().map(|due| unpark(batch, due.recorded)));
        let changes: Vec<RowChange> = waits
            .iter()
            .cloned()
            .map(RowChange::Park)
            .chain(done_with.into_iter().flatten())
            .collect();
        transaction.change(&changes).await?;
        if let Err(error) = transaction.finish().await {
            // What is checked at the commit only, such as a deferred constraint.
            let is_refused = in_database(&error).is_some() && !is_outage(&error);
            return failed::<P>(batch, &error.into(), is_refused).await;
        }
        let mut done = BatchDone::default();
        done.parked = waits;
        Ok(done)
    }
}

impl<P: SqlProjection> SqlProjector<P> {
    fn store_of<'a>(&self, store: &'a dyn ReadModelStore) -> Result<&'a PostgresStore, StoreError> {
        let store = store.backend().and_then(|store| store.downcast_ref::<PostgresStore>());
        store.ok_or_else(|| {
            StoreError::invalid(format!(
                "projection `{}` writes by SQL of its own, and the engine keeps no rows in PostgreSQL; \
                 give the engine a `PostgresStore`, or name one by `.rows_in(…)`",
                self.definition.projection
            ))
        })
    }
}

/// The error of a batch of which some method has ended the transaction. Whatever the projection says of failures, it stops:
/// what was written is there, and a second time it would be there twice.
fn ended(batch: &Batch<'_>) -> BatchError {
    let key = batch.events.first().map(|event| event.stream_id.to_string()).unwrap_or_default();
    let error = format!(
        "a method has ended the transaction of the batch of {} events that begins here, which is the engine's to end; what it \
         wrote is there, and may be written once more: leave `COMMIT` and `ROLLBACK` out, put the tables right, and resume",
        batch.events.len()
    );
    BatchError::Failed { index: 0, key, error }
}

/// Does what is to be done for one event; a panic is an error.
async fn write(
    event: &dyn ReadEvent,
    recorded: &RecordedEvent,
    transaction: &mut BatchTransaction,
) -> Result<(), SqlError> {
    let silence = transaction.silence();
    let mut cx = SqlContext::new(transaction.connection(), recorded);
    let written = AssertUnwindSafe(event.write(&mut cx)).catch_unwind();
    match timeout(silence, written).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(panic)) => Err(format!("panicked: {}", message_of(&*panic)).into()),
        Err(_) => Err(transaction.silent().into()),
    }
}

/// What becomes of a batch that was rolled back: of several events, which one failed is found one by one.
async fn failed<P: SqlProjection>(
    batch: &Batch<'_>,
    error: &SqlError,
    is_alive: bool,
) -> Result<BatchDone, BatchError> {
    let text = chain(&**error);
    if !is_alive || tells_of_outage(&**error) {
        let message = format!("write by own SQL of projection `{}`: {text}", P::NAME);
        return Err(StoreError::unavailable(message).into());
    }
    let [event] = batch.events else { return Err(BatchError::OneOf(text)) };
    let key = event.stream_id.to_string();
    let mut done = BatchDone::default();
    let change = match P::ON_ERROR {
        OnError::Stop => return Err(BatchError::Failed { index: 0, key, error: text }),
        OnError::Skip => {
            tracing::error!(
                projection = P::NAME,
                event_type = &*event.event_type,
                position = event.position.get(),
                key,
                error = text,
                "an event failed, and is left out"
            );
            batch.only.map(|_| unpark(batch, event))
        }
        _ => {
            let parked = batch.failed(event, key, text);
            done.parked.push(parked.clone());
            Some(RowChange::Park(parked))
        }
    };
    batch.store.write_rows(Vec::from_iter(change), batch.checkpoint.clone()).await?;
    Ok(done)
}

fn unpark(batch: &Batch<'_>, event: &RecordedEvent) -> RowChange {
    let (reader, key) = (batch.reader(), event.stream_id.to_string());
    RowChange::Unpark { reader, key, position: event.position }
}

/// Whether the server did not answer, or undid the transaction for the sake of others: the event has no part in it.
fn tells_of_outage(error: &(dyn Error + 'static)) -> bool {
    successors(Some(error), |error| (*error).source()).any(|error| {
        error.downcast_ref::<sqlx::Error>().is_some_and(is_outage)
            || error.downcast_ref::<StoreError>().is_some_and(StoreError::is_unavailable)
    })
}
