//! Rows of inline projections that nobody has written yet: those of streams that were there before their projection.
//!
//! Whoever appends to such a stream brings its row forward, so that nothing is wrong without this. It is for the streams to
//! which nobody appends any more.

use std::collections::HashSet;
use std::sync::Arc;

use futures::TryStreamExt;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use super::{EngineError, Settings};
use crate::causes::chain;
use crate::position::Position;
use crate::projection::inline::{Ahead, Inline, InlineError};
use crate::store::{
    Append, CheckpointChange, EventFilter, EventStore, EventStoreExt, Fence, ReadAll, UnitOfWork,
    UnitOfWorkStore, WriteError,
};
use crate::stream::{Expected, StreamId};
use crate::subscription::retry::Backoff;

/// Which rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rows {
    /// Those that are behind their streams.
    Behind,
    /// All, from the first event of their streams on.
    Anew,
}

/// An inline projection of an engine.
#[derive(Clone)]
pub(super) struct InlineRows {
    pub(super) inline: Arc<dyn Inline>,
    pub(super) events: Arc<dyn EventStore>,
    pub(super) settings: Arc<Settings>,
    /// Held by whoever writes: two tasks of one engine would hold one lease.
    pub(super) turn: Arc<Mutex<()>>,
}

impl InlineRows {
    pub(super) fn name(&self) -> &str {
        &self.inline.definition().projection
    }

    /// Makes the table.
    pub(super) async fn prepare(&self) -> Result<(), EngineError> {
        let prepared = self.store()?.prepare(self.inline.definition()).await;
        prepared.map(drop).map_err(|source| {
            let projection = self.name().to_owned();
            EngineError::Prepare { projection, source }
        })
    }

    /// Writes the rows that are behind, in a task of the engine's.
    pub(super) async fn run(self, stop: CancellationToken) {
        let mut backoff = Backoff::new();
        loop {
            let written = tokio::select! {
                () = stop.cancelled() => return,
                written = self.write(Rows::Behind) => written,
            };
            match written {
                Ok(()) => return,
                Err(EngineError::Store(error)) if error.is_unavailable() => {
                    backoff.wait(self.name(), "write the rows of streams of before", &error).await;
                }
                Err(error) => {
                    let error = chain(&error);
                    tracing::error!(
                        projection = self.name(),
                        error,
                        "rows of streams that were there before are not written"
                    );
                    return;
                }
            }
        }
    }

    /// Writes the rows of all streams that had come to the log before, one after the other.
    pub(super) async fn write(&self, rows: Rows) -> Result<(), EngineError> {
        let _turn = self.turn.lock().await;
        let store = self.store()?;
        let definition = self.inline.definition();
        let generation = store.prepare(definition).await?.generation;
        let reader = definition.reader(generation);
        let (owner, lifetime) = (&self.settings.name, self.settings.lease);
        let Some(fence) = store.claim_lease(&reader, owner, lifetime).await? else {
            return match rows {
                // Whoever has the lease writes them.
                Rows::Behind => Ok(()),
                Rows::Anew => Err(EngineError::NotOwner { projection: self.name().to_owned() }),
            };
        };
        let written = self.write_as_owner(store, generation, &fence, rows).await;
        store.release_lease(&fence).await?;
        written
    }

    fn store(&self) -> Result<&dyn UnitOfWorkStore, EngineError> {
        self.events
            .unit_of_work()
            .ok_or_else(|| crate::bus::SetupError::inline_store(self.name()).into())
    }

    async fn write_as_owner(
        &self,
        store: &dyn UnitOfWorkStore,
        generation: u32,
        fence: &Fence,
        rows: Rows,
    ) -> Result<(), EngineError> {
        let after = match rows {
            Rows::Behind => store.checkpoint(&fence.id).await?.unwrap_or_default(),
            Rows::Anew => Position::START,
        };
        let head = store.head().await?;
        let categories = self.inline.categories();
        let read = ReadAll::after(after).filter(EventFilter::all().categories(categories));
        let mut seen: HashSet<StreamId> = HashSet::new();
        let mut events = store.read_all(read);
        while let Some(event) = events.try_next().await? {
            if event.position > head {
                break;
            }
            if seen.insert(event.stream_id.clone()) {
                self.write_row(store, generation, &event.stream_id, rows).await?;
                store.claim_lease(&fence.id, &self.settings.name, self.settings.lease).await?;
            }
        }
        if head > after {
            let change = CheckpointChange { fence: fence.clone(), position: head };
            store.write_rows(Vec::new(), change).await?;
        }
        Ok(())
    }

    /// Writes the row of a stream as it is now.
    async fn write_row(
        &self,
        store: &dyn UnitOfWorkStore,
        generation: u32,
        stream_id: &StreamId,
        rows: Rows,
    ) -> Result<(), EngineError> {
        loop {
            let version = store.stream_head(stream_id).await?.version;
            let anew = rows == Rows::Anew;
            let ahead = Ahead { stream_id, version, events: &[], anew };
            let change = match self.inline.change(store, generation, &ahead).await {
                Ok(change) => change,
                Err(InlineError::Store(error)) => return Err(error.into()),
                Err(InlineError::Failed(reason)) => {
                    let projection = self.name().to_owned();
                    let reason = format!("stream `{stream_id}`: {reason}");
                    return Err(EngineError::Stopped { projection, reason });
                }
            };
            // Stores nothing but the row, and only if the stream is where it was.
            let nothing = Append::new(stream_id.clone(), Expected::at(version), Vec::new());
            match store.commit(UnitOfWork::new().append(nothing).row(change)).await {
                Ok(_) => return Ok(()),
                Err(WriteError::Conflict(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}
