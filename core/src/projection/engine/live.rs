//! A row folded at the moment of asking, from the events alone.

use std::future::{Future, IntoFuture};
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;

use futures::TryStreamExt;

use super::EngineError;
use crate::causes::chain;
use crate::position::Position;
use crate::projection::fold::{self, Fold};
use crate::projection::table_projector::filter_of;
use crate::projection::{EventHandler, OnError, Projection};
use crate::read_model::{ModelKey, RowKey};
use crate::store::{CheckpointId, EventFilter, EventStore, EventStoreExt, ReadAll, ReadModelStore};
use crate::timestamp::Timestamp;

/// A row that is folded when it is awaited.
///
/// If the row follows its own stream, only that is read; otherwise all events of the projection are.
///
/// # Cancel safety
///
/// A dropped call has read nothing that anyone misses.
#[must_use = "nothing is folded until it is awaited"]
pub struct Live<M: Projection> {
    store: Arc<dyn EventStore>,
    rows: Arc<dyn ReadModelStore>,
    key: M::Key,
    as_of: Option<Timestamp>,
    of: PhantomData<fn() -> M>,
}

impl<M: Projection> Live<M> {
    pub(super) fn new(
        (store, rows): (Arc<dyn EventStore>, Arc<dyn ReadModelStore>),
        key: M::Key,
    ) -> Self {
        Self { store, rows, key, as_of: None, of: PhantomData }
    }

    /// Folds only what was recorded at an instant or before.
    pub fn as_of(mut self, instant: Timestamp) -> Self {
        self.as_of = Some(instant);
        self
    }

    async fn fold(self) -> Result<Option<M>, EngineError> {
        let handlers = M::handlers();
        let key = self
            .key
            .to_row_key()
            .map_err(|source| EngineError::Key { model: M::TABLE.name, source })?;
        let filter = filter_of(&handlers);
        let filter = self.streams(&handlers).into_iter().fold(filter, EventFilter::streams);
        let skipped = self.rows.parked(&CheckpointId::of_skips(M::NAME, M::VERSION), None).await?;
        let mut folded = Fold::<M>::new();
        let mut events = self.store.read_all(ReadAll::after(Position::START).filter(filter));
        while let Some(event) = events.try_next().await? {
            let is_skipped = skipped.iter().any(|skipped| skipped.position == event.position);
            if is_skipped || self.as_of.is_some_and(|instant| event.recorded_at > instant) {
                continue;
            }
            let failed = |reason: String| EngineError::Event {
                event_type: event.event_type.clone().into_owned(),
                position: event.position,
                stream: event.stream_id.to_string(),
                reason,
            };
            let routed = fold::route(&handlers, &event, self.store.codec())
                .map_err(|error| failed(error.to_string()))?;
            let Some(routed) = routed else { continue };
            let others = |other: &RowKey| *other != key;
            let (_, not_applied) = folded.apply(&routed, &mut { others });
            if let Some(first) = not_applied.first()
                && M::ON_ERROR != OnError::Skip
            {
                return Err(failed(chain(&first.error)));
            }
        }
        Ok(folded.row(&key).cloned())
    }

    /// The streams of the row, if all its events are of its own.
    fn streams(&self, handlers: &[EventHandler<M>]) -> Option<Vec<crate::StreamId>> {
        let streams = handlers.iter().map(|handler| Some(handler.source.stream?(&self.key)));
        let mut streams: Vec<_> = streams.collect::<Option<_>>()?;
        streams.dedup();
        Some(streams)
    }
}

impl<M: Projection> IntoFuture for Live<M> {
    type Output = Result<Option<M>, EngineError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.fold())
    }
}

impl<M: Projection> std::fmt::Debug for Live<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Live").field("as_of", &self.as_of).finish_non_exhaustive()
    }
}
