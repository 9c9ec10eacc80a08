//! One projection of an engine, by its name: waited for, paused, and what is parked of it.
//!
//! Those that have a read model are asked by its type; the rest, such as projections of own SQL, by this.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::asked::Asked;
use super::crew::Crew;
use super::{EngineError, Inner};
use crate::position::Position;
use crate::projection::{ModelDefinition, ParkedEvent, RebuildLoad, SkippedEvent};
use crate::read_model::{After, ReadModelError};
use crate::receipt::Receipt;
use crate::store::CheckpointId;

/// One projection of an engine.
pub struct Named<'a> {
    pub(super) inner: &'a Inner,
    pub(super) handle: &'a Arc<Crew>,
}

impl Named<'_> {
    /// Waits until it has passed what a receipt names.
    ///
    /// # Errors
    ///
    /// As [`ProjectionEngine::wait_for`](super::ProjectionEngine::wait_for).
    pub async fn wait_for(
        &self,
        receipt: &Receipt,
        patience: Duration,
    ) -> Result<(), ReadModelError> {
        let after = After::new(receipt, patience);
        let definition = self.handle.projector.definition();
        let (name, version) = (&definition.projection, definition.version);
        self.inner.progress.wait(&*self.inner.rows, name, version, &after).await
    }

    /// Has it pause after its present batch, for all engines and until it is resumed.
    ///
    /// # Errors
    ///
    /// When the store cannot be written.
    pub async fn pause(&self) -> Result<(), EngineError> {
        self.set_paused(true).await
    }

    /// Has it go on, after a pause or a stop whose cause is mended.
    ///
    /// # Errors
    ///
    /// When the store cannot be written.
    pub async fn resume(&self) -> Result<(), EngineError> {
        self.set_paused(false).await
    }

    async fn set_paused(&self, paused: bool) -> Result<(), EngineError> {
        let definition = self.handle.projector.definition();
        let (name, version) = (&definition.projection, definition.version);
        if self.handle.has_ended() {
            return Err(EngineError::Ended { projection: name.clone() });
        }
        self.inner.rows.set_paused(name, version, paused).await?;
        self.handle.ask_all(|answer| Asked::Paused { paused, answer }).await.map(drop)
    }

    /// Builds what it writes anew, as [`ProjectionEngine::rebuild`](super::ProjectionEngine::rebuild).
    ///
    /// # Errors
    ///
    /// When it writes by SQL of its own, and as `ProjectionEngine::rebuild`.
    ///
    /// # Cancel safety
    ///
    /// As `ProjectionEngine::rebuild`.
    pub async fn rebuild(&self) -> Result<(), EngineError> {
        let ModelDefinition { projection, version, .. } = self.handle.projector.definition();
        self.inner.operator.rebuild(projection, *version, RebuildLoad::unlimited()).await
    }

    /// Has it run in so many shards from now on, as [`Operator::set_shards`](super::Operator::set_shards).
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// # Cancel safety
    ///
    /// As there.
    pub async fn set_shards(&self, shards: u32) -> Result<(), EngineError> {
        let ModelDefinition { projection, version, .. } = self.handle.projector.definition();
        self.inner.operator.set_shards(projection, *version, shards).await
    }

    /// Lists its events that are parked, in the order of the log.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub async fn parked(&self) -> Result<Vec<ParkedEvent>, EngineError> {
        let generation = self.inner.entry(self.handle).await?.generation;
        let reader = self.handle.projector.definition().reader(generation);
        Ok(self.inner.rows.parked(&reader, None).await?)
    }

    /// Tries the parked events of one key again, as [`ParkedEvent::key`] names it, in their order; tells how many are parked
    /// still.
    ///
    /// # Errors
    ///
    /// When another engine runs the projection, or the store does not answer.
    pub async fn retry_parked(&self, key: impl Into<String>) -> Result<u64, EngineError> {
        let key = key.into();
        self.handle.ask_of(&key.clone(), |answer| Asked::RetryParked { key, answer }).await?
    }

    /// Gives up the parked events of one key. Tells how many there were.
    ///
    /// # Errors
    ///
    /// When another engine runs the projection, or the store does not answer.
    pub async fn drop_parked(&self, key: impl Into<String>) -> Result<u64, EngineError> {
        let key = key.into();
        self.handle.ask_of(&key.clone(), |answer| Asked::DropParked { key, answer }).await?
    }

    /// Has it pass over an event at which it has stopped, and go on, as
    /// [`ProjectionEngine::skip`](super::ProjectionEngine::skip).
    ///
    /// # Errors
    ///
    /// When it has not stopped at that position.
    pub async fn skip(&self, position: Position) -> Result<(), EngineError> {
        self.handle.skip(position).await
    }

    /// Lists the events that it passes over, in the order of the log.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub async fn skipped(&self) -> Result<Vec<SkippedEvent>, EngineError> {
        let definition = self.handle.projector.definition();
        let skips = CheckpointId::of_skips(&definition.projection, definition.version);
        let skipped = self.inner.rows.parked(&skips, None).await?;
        Ok(skipped.into_iter().map(SkippedEvent::from).collect())
    }
}

impl fmt::Debug for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let definition = self.handle.projector.definition();
        f.debug_struct("Named").field("projection", &definition.projection).finish_non_exhaustive()
    }
}
