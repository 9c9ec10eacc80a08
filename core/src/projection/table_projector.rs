//! The projector of annotated read models: one read of the rows that a batch touches, a fold in memory, one write.

use std::collections::HashSet;

use async_trait::async_trait;

use super::fold::{self, Changed, Fold, Routed};
use super::gate::{Fate, Gate};
use super::refold::RowFold;
use super::{Batch, BatchDone, BatchError, EventHandler, ModelDefinition, OnError, ParkedEvent};
use super::{Projection, Projector, Refold};
use crate::causes::chain;
use crate::codec::DecodeError;
use crate::position::Position;
use crate::read_model::{ColumnError, ModelTable, RowKey, Test, seal_row};
use crate::recorded_event::RecordedEvent;
use crate::store::{EventFilter, RowChange, WriteError};

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

    fn divides(&self) -> bool {
        true
    }

    fn refold(&self, key: &str) -> Option<Box<dyn Refold>> {
        Some(Box::new(RowFold::<P>::new(key.to_owned())))
    }

    async fn apply(&self, batch: &Batch<'_>) -> Result<BatchDone, BatchError> {
        let mut events = Vec::with_capacity(batch.events.len());
        for (index, recorded) in batch.events.iter().enumerate() {
            match fold::route(&self.handlers, recorded, batch.codec) {
                Ok(routed) => events.extend(routed.map(|routed| (index, Ok(routed)))),
                // It was read when it was parked: whose key it has is known, and only that waits.
                Err(error) if batch.only.is_some() => events.push((index, Err(error))),
                Err(source) => return Err(BatchError::Unreadable { index, source }),
            }
        }
        let table =
            ModelTable { table: P::TABLE, version: P::VERSION, generation: batch.generation };
        let mut fold = Fold::new();
        if P::INLINE {
            // A test folds it, of events that were recorded: in an append, they are not yet.
            fold.refuse_guesses();
        }
        let mut work = Work { batch, table, fold, gate: Gate::new(batch), parked: Vec::new() };
        work.load(events.iter().filter_map(|(_, event)| event.as_ref().ok())).await?;
        for (index, event) in &events {
            match batch.only {
                Some(only) => work.retry(*index, only, event)?,
                None => {
                    if let Ok(event) = event {
                        work.apply(*index, event)?;
                    }
                }
            }
        }
        match work.write().await? {
            Written::Done(done) => Ok(done),
            Written::Refused(refused) => self.refuse(batch, refused).await,
        }
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

/// What has become of a batch.
enum Written {
    Done(BatchDone),
    Refused(Refused),
}

/// A batch of which some row was refused. Nothing of it was written.
struct Refused {
    reason: String,
    /// The keys of the rows that were to be written, sorted.
    keys: Vec<String>,
    /// What was to be parked beside.
    parked: Vec<ParkedEvent>,
}

impl<P: Projection> Work<'_, P> {
    /// Reads the rows that the events touch, in one read.
    async fn load<'e>(
        &mut self,
        events: impl Iterator<Item = &'e Routed<P>>,
    ) -> Result<(), BatchError> {
        let mut keys: HashSet<&RowKey> = HashSet::new();
        let mut tests: HashSet<Test> = HashSet::new();
        for event in events {
            let position = event.recorded().position;
            let is_read =
                |key: &&RowKey| self.gate.fate(self.batch, key, position) == Fate::Applied;
            keys.extend(event.keys().filter(is_read));
            tests.extend(event.test().cloned());
        }
        if keys.is_empty() && tests.is_empty() {
            return Ok(());
        }
        let keys: Vec<RowKey> = keys.into_iter().cloned().collect();
        let tests: Vec<Test> = tests.into_iter().collect();
        for row in self.batch.store.rows(&self.table, &keys, &tests).await? {
            // Rows of other shards pass the tests, too.
            if !tests.is_empty() && !self.batch.part.has_key(&P::TABLE.key_of(&row).to_string()) {
                continue;
            }
            self.fold.read(row, self.batch.store.row_codec());
        }
        Ok(())
    }

    /// Applies an event to all rows for which nothing waits.
    fn apply(&mut self, index: usize, event: &Routed<P>) -> Result<(), BatchError> {
        let recorded = event.recorded();
        let left_out = self.fold(index, event)?;
        // Which rows pass the test is not known of those whose events wait: it is asked when they are done.
        let waiting = if event.test().is_some() { self.closed_to(recorded) } else { left_out };
        let waits = waiting.into_iter().map(|key| self.batch.waits(recorded, key));
        self.parked.extend(waits.map(Parking::Park));
        Ok(())
    }

    /// Keys for which an event waits whose rows are not known: those that are past it had it parked before.
    fn closed_to(&self, recorded: &RecordedEvent) -> Vec<String> {
        let mut closed = self.gate.closed();
        closed.retain(|key| self.batch.takes(key, recorded.position));
        closed
    }

    /// Applies a parked event to the row of the key under which it waits. Only then it does not wait any more.
    fn retry(
        &mut self,
        index: usize,
        only: &str,
        event: &Result<Routed<P>, DecodeError>,
    ) -> Result<(), BatchError> {
        let recorded = &self.batch.events[index];
        if self.gate.failed.contains(only) {
            return Ok(());
        }
        match event {
            Err(error) => self.fail(index, only.to_owned(), chain(error))?,
            Ok(event)
                if event.test().is_none() && event.keys().all(|key| key.to_string() != only) =>
            {
                let keys: Vec<String> = event.keys().map(|key| format!("row `{key}`")).collect();
                let keys = if keys.is_empty() { "no row".to_owned() } else { keys.join(", ") };
                let error = format!(
                    "the event goes to {keys} now, and not to the one for which it waits; drop it here, or rebuild the projection"
                );
                self.fail(index, only.to_owned(), error)?;
            }
            Ok(event) => drop(self.fold(index, event)?),
        }
        if !self.gate.failed.contains(only) {
            self.parked.push(Parking::Done { key: only.to_owned(), position: recorded.position });
        }
        Ok(())
    }

    /// Folds an event into its rows, and tells which were left out, since something waits for them.
    fn fold(&mut self, index: usize, event: &Routed<P>) -> Result<Vec<String>, BatchError> {
        let mut left_out = Vec::new();
        let (batch, gate, position) = (self.batch, &self.gate, event.recorded().position);
        let (_, failed) =
            self.fold.apply(event, &mut |key| match gate.fate(batch, key, position) {
                Fate::Applied => false,
                Fate::Waits => {
                    left_out.push(key.to_string());
                    true
                }
                Fate::OfOthers => true,
            });
        for failed in failed {
            self.fail(index, failed.key.to_string(), chain(&failed.error))?;
        }
        Ok(left_out)
    }

    fn fail(&mut self, index: usize, key: String, error: String) -> Result<(), BatchError> {
        let recorded = &self.batch.events[index];
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

    async fn write(self) -> Result<Written, BatchError> {
        let Self { batch, table, fold, parked, .. } = self;
        let (mut changes, mut keys, mut reason) = (Vec::new(), Vec::new(), None);
        for (key, change) in fold.into_written() {
            keys.push(key.to_string());
            let row = match change {
                Changed::There(row) => row,
                Changed::Gone => {
                    changes.push(RowChange::Delete { table, key });
                    continue;
                }
            };
            match seal_row(P::TABLE, row, batch.store.row_codec()) {
                Ok(row) => changes.push(RowChange::Upsert { table, row }),
                Err(error) => reason = reason.or(Some(unsealed(&key, &error))),
            }
        }
        let mut done = BatchDone { parked: Vec::new(), rows: changes.len() };
        for parking in parked {
            changes.push(match parking {
                Parking::Park(event) => {
                    done.parked.push(event.clone());
                    RowChange::Park(event)
                }
                Parking::Done { key, position } => {
                    RowChange::Unpark { reader: batch.reader(), key, position }
                }
            });
        }
        let reason = match reason {
            Some(reason) => reason,
            None => match batch.store.write_rows(changes, batch.checkpoint.clone()).await {
                Ok(()) => return Ok(Written::Done(done)),
                Err(WriteError::RowRefused { source, .. }) => chain(&source),
                Err(error) => return Err(error.into()),
            },
        };
        keys.sort_unstable();
        Ok(Written::Refused(Refused { reason, keys, parked: done.parked }))
    }
}

fn unsealed(key: &RowKey, error: &ColumnError) -> String {
    format!("row `{key}`: {error}")
}

impl<P: Projection> TableProjector<P> {
    /// Does what can be done of the one event of which some row was refused, and the rest as the projection says.
    async fn refuse(&self, batch: &Batch<'_>, refused: Refused) -> Result<BatchDone, BatchError> {
        let Refused { reason, mut keys, parked } = refused;
        let [event] = batch.events else { return Err(BatchError::OneOf(reason)) };
        let write = async |parked: &[ParkedEvent], gone: Option<RowChange>| {
            let changes = parked.iter().cloned().map(RowChange::Park).chain(gone).collect();
            batch.store.write_rows(changes, batch.checkpoint.clone()).await
        };
        let mut done = BatchDone { parked, rows: 0 };
        if P::ON_ERROR == OnError::Stop || keys.is_empty() {
            let key = keys.join("`, `");
            return Err(BatchError::Failed { index: 0, key, error: reason });
        }
        if keys.len() == 1 {
            let key = keys.remove(0);
            let mut gone = None;
            if P::ON_ERROR == OnError::Skip {
                tell_skipped::<P>(event, &key, &reason);
                let (reader, position) = (batch.reader(), event.position);
                gone = batch.only.map(|_| RowChange::Unpark { reader, key, position });
            } else {
                done.parked.push(batch.failed(event, key, reason));
            }
            write(&done.parked, gone).await?;
            return Ok(done);
        }
        // Which of the rows it is nobody says. So the event is parked for all of them, in one write with the checkpoint, and
        // then done for each by itself. Whoever takes over in between goes on with those that are left.
        let for_key = |key: &String| ParkedEvent {
            error: reason.clone(),
            retry_at: Some(batch.now),
            ..batch.waits(event, key.clone())
        };
        let all: Vec<ParkedEvent> = keys.iter().map(for_key).chain(done.parked.clone()).collect();
        write(&all, None).await?;
        for key in &keys {
            let alone = self.apply(&batch.only(key)).await?;
            done.parked.extend(alone.parked);
            done.rows += alone.rows;
        }
        Ok(done)
    }
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
