//! The projector of annotated read models: one read of the rows that a batch touches, a fold in memory, one write.

use std::collections::HashSet;

use async_trait::async_trait;

use super::fold::{self, Fold, Routed};
use super::{Batch, BatchDone, BatchError, EventHandler, ModelDefinition, OnError, ParkedEvent};
use super::{Projection, Projector};
use crate::causes::chain;
use crate::position::Position;
use crate::read_model::{ModelTable, RowKey, Test, open_row, seal_row};
use crate::recorded_event::RecordedEvent;
use crate::store::{EventFilter, RowChange, StoreError, WriteError};

/// Writes the rows of `P`.
pub(crate) struct TableProjector<P: Projection> {
    definition: ModelDefinition,
    handlers: Vec<EventHandler<P>>,
}

impl<P: Projection> TableProjector<P> {
    pub(crate) fn new() -> Self {
        let handlers = P::handlers();
        Self { definition: definition_of(&handlers), handlers }
    }
}

/// What `P` writes, and from which events.
pub(crate) fn definition_of<P: Projection>(handlers: &[EventHandler<P>]) -> ModelDefinition {
    let events = handlers.iter().map(|handler| match handler.source.category {
        Some(category) => format!("{} of {category}", handler.event.name),
        None => handler.event.name.to_owned(),
    });
    ModelDefinition::new(P::NAME, P::VERSION, Some(P::TABLE), events.collect())
}

/// The events that `P` takes.
pub(crate) fn filter_of<P: Projection>(handlers: &[EventHandler<P>]) -> EventFilter {
    EventFilter::all().event_types(handlers.iter().flat_map(EventHandler::names))
}

#[async_trait]
impl<P: Projection> Projector for TableProjector<P> {
    fn definition(&self) -> &ModelDefinition {
        &self.definition
    }

    fn filter(&self) -> EventFilter {
        filter_of(&self.handlers)
    }

    fn on_error(&self) -> OnError {
        P::ON_ERROR
    }

    fn batch(&self) -> Option<usize> {
        P::BATCH
    }

    async fn apply(&self, batch: &Batch<'_>) -> Result<BatchDone, BatchError> {
        let mut events = Vec::with_capacity(batch.events.len());
        for (index, recorded) in batch.events.iter().enumerate() {
            let routed = fold::route(&self.handlers, recorded, batch.codec)
                .map_err(|source| BatchError::Unreadable { index, source })?;
            events.extend(routed.map(|routed| (index, routed)));
        }
        let table =
            ModelTable { table: P::TABLE, version: P::VERSION, generation: batch.generation };
        let mut work =
            Work { batch, table, fold: Fold::new(), gate: Gate::new(batch), parked: Vec::new() };
        work.load(&events).await?;
        for (index, event) in &events {
            work.apply(*index, event)?;
        }
        work.write().await
    }
}

/// A batch on its way.
struct Work<'a, P> {
    batch: &'a Batch<'a>,
    table: ModelTable,
    fold: Fold<P>,
    gate: Gate<'a>,
    /// What is parked, and what was and is not any more.
    parked: Vec<Parking>,
}

enum Parking {
    Park(ParkedEvent),
    Done { key: String, position: Position },
}

/// For which keys events are applied.
struct Gate<'a> {
    before: &'a HashSet<String>,
    only: Option<&'a str>,
    /// Keys for which an event of this batch failed.
    failed: HashSet<String>,
}

impl<'a> Gate<'a> {
    fn new(batch: &Batch<'a>) -> Self {
        Self { before: batch.waiting, only: batch.only, failed: HashSet::new() }
    }

    fn is_open(&self, key: &str) -> bool {
        match self.only {
            Some(only) => only == key && !self.failed.contains(key),
            None => !self.before.contains(key) && !self.failed.contains(key),
        }
    }

    /// Keys for which events wait, sorted.
    fn closed(&self) -> Vec<String> {
        let mut closed: Vec<String> = match self.only {
            Some(_) => Vec::new(),
            None => self.before.union(&self.failed).cloned().collect(),
        };
        closed.sort_unstable();
        closed
    }
}

impl<P: Projection> Work<'_, P> {
    /// Reads the rows that the events touch, in one read.
    async fn load(&mut self, events: &[(usize, Routed<P>)]) -> Result<(), BatchError> {
        let mut keys: HashSet<RowKey> = HashSet::new();
        let mut tests: HashSet<Test> = HashSet::new();
        for (_, event) in events {
            // One whose key does not go into its columns fails when it is applied.
            let Ok((wanted, test)) = event.wanted() else { continue };
            keys.extend(wanted.into_iter().filter(|key| self.gate.is_open(&key.to_string())));
            tests.extend(test.cloned());
        }
        if keys.is_empty() && tests.is_empty() {
            return Ok(());
        }
        let keys: Vec<RowKey> = keys.into_iter().collect();
        let tests: Vec<Test> = tests.into_iter().collect();
        let codec = self.batch.store.row_codec();
        for row in self.batch.store.rows(&self.table, &keys, &tests).await? {
            let key = P::TABLE.key_of(&row);
            let read = open_row(P::TABLE, row, codec).and_then(P::from_row);
            let inserted = read.and_then(|row| self.fold.insert(row));
            inserted.map_err(|error| {
                let table = P::TABLE.name;
                StoreError::other(format!("row `{key}` of `{table}` does not read as its type"))
                    .with_source(error)
            })?;
        }
        Ok(())
    }

    fn apply(&mut self, index: usize, event: &Routed<P>) -> Result<(), BatchError> {
        let recorded = event.recorded();
        let mut left_out = Vec::new();
        let gate = &self.gate;
        let outcomes = self.fold.apply(event, &mut |key| {
            let key = key.to_string();
            let is_open = gate.is_open(&key);
            if !is_open {
                left_out.push(key);
            }
            !is_open
        });
        if self.batch.only.is_none() {
            // Which rows pass the test is not known of those whose events wait: it is asked when they are done.
            let waiting =
                if matches!(event.wanted(), Ok((_, Some(_)))) { gate.closed() } else { left_out };
            let waits = waiting.into_iter().map(|key| self.batch.waits(recorded, key));
            self.parked.extend(waits.map(Parking::Park));
        }
        for outcome in outcomes {
            // What names no key waits under that of its stream.
            let key =
                outcome.key.map_or_else(|| recorded.stream_id.to_string(), |key| key.to_string());
            match outcome.result {
                Ok(()) => {}
                Err(error) => self.fail(index, recorded, key, &error)?,
            }
        }
        if let Some(only) = self.batch.only
            && !self.gate.failed.contains(only)
        {
            let position = recorded.position;
            self.parked.push(Parking::Done { key: only.to_owned(), position });
        }
        Ok(())
    }

    fn fail(
        &mut self,
        index: usize,
        recorded: &RecordedEvent,
        key: String,
        error: &(dyn std::error::Error + 'static),
    ) -> Result<(), BatchError> {
        let error = chain(error);
        match P::ON_ERROR {
            OnError::Stop => return Err(BatchError::Failed { index, key, error }),
            OnError::Skip => tell_skipped::<P>(recorded, &key, &error),
            OnError::Park => {
                self.gate.failed.insert(key.clone());
                self.parked.push(Parking::Park(self.batch.failed(recorded, key, error)));
            }
        }
        Ok(())
    }

    async fn write(self) -> Result<BatchDone, BatchError> {
        let Self { batch, table, fold, parked, .. } = self;
        let (mut changes, mut keys, mut refusal) = (Vec::new(), Vec::new(), None);
        for (key, row) in fold.into_changes() {
            keys.push(key.to_string());
            let Some(row) = row else {
                changes.push(RowChange::Delete { table, key });
                continue;
            };
            let sealed =
                row.to_row().and_then(|row| seal_row(P::TABLE, row, batch.store.row_codec()));
            match sealed {
                Ok(row) => changes.push(RowChange::Upsert { table, row }),
                Err(error) => {
                    refusal.get_or_insert_with(|| format!("row `{key}`: {error}"));
                }
            }
        }
        let rows = changes.len();
        let mut done = BatchDone { parked: Vec::new(), rows };
        for parking in parked {
            changes.push(match parking {
                Parking::Park(event) => {
                    done.parked.push(event.clone());
                    RowChange::Park(event)
                }
                Parking::Done { key, position } => {
                    RowChange::Unpark { reader: batch.reader().clone(), key, position }
                }
            });
        }
        let refusal = match refusal {
            Some(refusal) => refusal,
            None => match batch.store.write_rows(changes, batch.checkpoint.clone()).await {
                Ok(()) => return Ok(done),
                Err(WriteError::RowRefused { source, .. }) => chain(&source),
                Err(error) => return Err(error.into()),
            },
        };
        refuse::<P>(batch, keys, refusal).await
    }
}

/// Parks the one event whose rows the table does not take, under all their keys.
async fn refuse<P: Projection>(
    batch: &Batch<'_>,
    mut keys: Vec<String>,
    refusal: String,
) -> Result<BatchDone, BatchError> {
    let [event] = batch.events else { return Err(BatchError::OneOf(refusal)) };
    keys.sort_unstable();
    let Some(key) = keys.first().cloned() else { return Err(BatchError::OneOf(refusal)) };
    match P::ON_ERROR {
        OnError::Stop => return Err(BatchError::Failed { index: 0, key, error: refusal }),
        OnError::Skip => {
            tell_skipped::<P>(event, &key, &refusal);
            keys.clear();
        }
        OnError::Park => {}
    }
    let parked: Vec<ParkedEvent> =
        keys.into_iter().map(|key| batch.failed(event, key, refusal.clone())).collect();
    let changes = parked.iter().cloned().map(RowChange::Park).collect();
    batch.store.write_rows(changes, batch.checkpoint.clone()).await?;
    Ok(BatchDone { parked, rows: 0 })
}

fn tell_skipped<P: Projection>(event: &RecordedEvent, key: &str, error: &str) {
    tracing::error!(
        projection = P::NAME,
        event_type = &*event.event_type,
        position = event.position.get(),
        key,
        error,
        "an event failed, and is left out for its row"
    );
}
