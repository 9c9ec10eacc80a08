//! One row folded anew, from all events that ever went to it.

use super::fold::{self, Changed, Fold};
use super::{Batch, BatchError, EventHandler, OnError, ParkedEvent, Projection};
use crate::causes::chain;
use crate::read_model::{ModelKey, ModelTable, RowKey, seal_row};
use crate::store::RowChange;
use crate::stream::StreamId;

/// A row that is folded anew: it takes all events of its projection, and goes by those that go to it.
pub trait Refold: Send {
    /// The streams whose events alone can go to the row; `None` if those of any stream can.
    fn streams(&self) -> Option<Vec<StreamId>> {
        None
    }

    /// Whether an event has named the row.
    fn is_named(&self) -> bool;

    /// Says which row it is, though no event does.
    fn name(&mut self, key: RowKey);

    /// Takes events in, in the order of the log.
    ///
    /// # Errors
    ///
    /// When an event cannot be read, or the projection stops at one.
    fn take(&mut self, batch: &Batch<'_>) -> Result<(), BatchError>;

    /// What is to be written: the row, or that there is none, and the events that wait for it. `None` if no event ever went to
    /// it, and nobody has [said](Self::name) which row it is.
    ///
    /// # Errors
    ///
    /// When the row does not go into its columns.
    fn changes(self: Box<Self>, batch: &Batch<'_>) -> Result<Option<Refolded>, BatchError>;
}

/// What has become of a row that was folded anew.
#[derive(Debug)]
#[non_exhaustive]
pub struct Refolded {
    /// The row, or that there is none.
    pub row: RowChange,
    /// The events that wait for it.
    pub parked: Vec<ParkedEvent>,
    /// How many events went to it.
    pub events: u64,
}

pub(super) struct RowFold<P: Projection> {
    handlers: Vec<EventHandler<P>>,
    key: String,
    /// Known from the first event that goes to it.
    row_key: Option<RowKey>,
    fold: Fold<P>,
    parked: Vec<ParkedEvent>,
    events: u64,
}

impl<P: Projection> RowFold<P> {
    pub(super) fn new(key: String) -> Self {
        Self {
            handlers: P::handlers(),
            key,
            row_key: None,
            fold: Fold::new(),
            parked: Vec::new(),
            events: 0,
        }
    }
}

impl<P: Projection> Refold for RowFold<P> {
    fn streams(&self) -> Option<Vec<StreamId>> {
        let streams = self.handlers.iter().map(|handler| own_stream(handler, &self.key));
        let mut streams: Vec<_> = streams.collect::<Option<_>>()?;
        streams.sort_unstable();
        streams.dedup();
        Some(streams)
    }

    fn is_named(&self) -> bool {
        self.row_key.is_some()
    }

    fn name(&mut self, key: RowKey) {
        self.row_key.get_or_insert(key);
    }

    fn take(&mut self, batch: &Batch<'_>) -> Result<(), BatchError> {
        for (index, recorded) in batch.events.iter().enumerate() {
            let routed = fold::route(&self.handlers, recorded, batch.codec)
                .map_err(|source| BatchError::Unreadable { index, source })?;
            let Some(routed) = routed else { continue };
            let Self { fold, key, row_key, .. } = self;
            let named = routed.keys().find(|named| named.to_string() == *key);
            *row_key = row_key.take().or_else(|| named.cloned());
            if named.is_none() && routed.test().is_none() {
                continue;
            }
            if !self.parked.is_empty() {
                // Whether a test passes is not known of a row whose events wait: it is asked when they are done.
                self.parked.push(batch.waits(recorded, self.key.clone()));
                continue;
            }
            let (applied, failed) = fold.apply(&routed, &mut |other| other.to_string() != *key);
            self.events += applied;
            for failed in failed {
                let (key, error) = (self.key.clone(), chain(&failed.error));
                match P::ON_ERROR {
                    OnError::Stop => return Err(BatchError::Failed { index, key, error }),
                    OnError::Skip => {}
                    OnError::Park => self.parked.push(batch.failed(recorded, key, error)),
                }
            }
        }
        Ok(())
    }

    fn changes(self: Box<Self>, batch: &Batch<'_>) -> Result<Option<Refolded>, BatchError> {
        let Self { row_key, fold, parked, events, .. } = *self;
        let Some(key) = row_key else { return Ok(None) };
        let table =
            ModelTable { table: P::TABLE, version: P::VERSION, generation: batch.generation };
        let found = fold.into_written().find(|(found, _)| *found == key);
        let row = match found {
            Some((_, Changed::There(row))) => {
                let sealed = seal_row(P::TABLE, row, batch.store.row_codec());
                let row = sealed.map_err(|error| {
                    let (key, error) = (key.to_string(), chain(&error));
                    BatchError::Failed { index: 0, key, error }
                })?;
                RowChange::Upsert { table, row }
            }
            Some((_, Changed::Gone)) | None => RowChange::Delete { table, key },
        };
        Ok(Some(Refolded { row, parked, events }))
    }
}

/// The stream that the row of a key follows, if it follows its own, and the key's text says which that is.
fn own_stream<P: Projection>(handler: &EventHandler<P>, key: &str) -> Option<StreamId> {
    let source = &handler.source;
    let named = StreamId::new(source.category?, key);
    let row = (source.key?)(&named).ok()?;
    // An id may be read from several texts, and a key may be written otherwise than the id that it stands for.
    let is_it = row.to_row_key().is_ok_and(|row| row.to_string() == key);
    if is_it { Some((source.stream?)(&row)) } else { None }
}
