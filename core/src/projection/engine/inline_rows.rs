//! Rows of inline projections that nobody has written yet: those of streams that were there before their projection.
//!
//! Whoever appends to such a stream brings its row forward, so that nothing is wrong without this. It is for the streams to
//! which nobody appends any more.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, watch};
use tokio_util::sync::CancellationToken;

use super::pulse::Pulse;
use super::shown::Shown;
use super::{EngineError, ProjectionState, ProjectionStatus, Settings, Tables};
use crate::causes::chain;
use crate::position::Position;
use crate::projection::inline::{Ahead, Inline, InlineError};
use crate::projection::{CatalogEntry, Preparation};
use crate::store::{
    Append, CheckpointChange, EventFilter, EventStore, Fence, ReadAll, StoreError, UnitOfWork,
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
    pub(super) pulse: Arc<Pulse>,
    pub(super) shown: watch::Sender<Shown>,
    /// Held by whoever writes: two tasks of one engine would hold one lease.
    pub(super) turn: Arc<Mutex<()>>,
}

impl InlineRows {
    pub(super) fn name(&self) -> &str {
        &self.inline.definition().projection
    }

    /// Makes the table.
    pub(super) async fn prepare(&self) -> Result<(), EngineError> {
        let store = self.store()?;
        let prepared = match self.settings.tables {
            Tables::Made => store.prepare(self.inline.definition()).await,
            Tables::Awaited => self.is_made(store).await,
        };
        prepared.map(drop).map_err(|source| {
            let projection = self.name().to_owned();
            EngineError::Prepare { projection, source }
        })
    }

    /// Its rows change with the appends: an engine that started without its table would wait while commands fail.
    async fn is_made(&self, store: &dyn UnitOfWorkStore) -> Result<CatalogEntry, StoreError> {
        let definition = self.inline.definition();
        match store.preparation(definition).await? {
            Preparation::Nothing => store.prepare(definition).await,
            Preparation::Refused { reason } | Preparation::Forbidden { reason } => {
                Err(StoreError::invalid(reason))
            }
            _ => Err(StoreError::invalid(
                "its table is not made, and its rows change with the appends: run the plan before this program starts",
            )),
        }
    }

    /// Writes the rows that are behind, in a task of the engine's; now and then again, since a program of before may begin
    /// streams meanwhile.
    pub(super) async fn run(self, stop: CancellationToken) {
        tokio::select! {
            () = stop.cancelled() => {}
            () = self.keep_up() => {}
        }
    }

    async fn keep_up(&self) {
        let mut backoff = Backoff::new();
        loop {
            let head = self.pulse.head();
            match self.write(Rows::Behind).await {
                Ok(()) => {
                    self.tell(ProjectionState::Live, None);
                    backoff = Backoff::new();
                    tokio::time::sleep(self.settings.lease).await;
                    self.pulse.above(head).await;
                }
                Err(error) => {
                    self.tell(ProjectionState::Retrying, Some(chain(&error)));
                    let doing = "write the rows of streams of before";
                    if let Some(error) = unavailable(&error) {
                        backoff.wait(self.name(), doing, error).await;
                    } else {
                        let (projection, error) = (self.name(), chain(&error));
                        tracing::error!(projection, error, "failed to {doing}: tries again");
                        tokio::time::sleep(self.settings.lease).await;
                    }
                }
            }
        }
    }

    fn tell(&self, state: ProjectionState, error: Option<String>) {
        self.shown.send_modify(|shown| {
            shown.state = state;
            shown.last_error = error.or(shown.last_error.take());
        });
    }

    /// How it is.
    pub(super) async fn status(&self, head: Position) -> Result<ProjectionStatus, EngineError> {
        let (store, definition) = (self.store()?, self.inline.definition());
        let entry = store.catalog().await?.into_iter().find(|entry| entry.is_of(definition));
        let generation = entry.ok_or_else(|| definition.not_prepared())?.generation;
        let shown = self.shown.borrow().clone();
        // Once those of before are written, rows change with the appends.
        let position = match shown.state {
            ProjectionState::Live => head,
            _ => store.checkpoint(&definition.reader(generation)).await?.unwrap_or_default(),
        };
        Ok(ProjectionStatus {
            name: definition.projection.clone(),
            version: definition.version,
            generation,
            state: shown.state,
            position,
            head,
            events_behind: head.get().saturating_sub(position.get()),
            time_behind: Duration::ZERO,
            level: self.settings.thresholds.level(shown.state, Duration::ZERO),
            rate: 0.0,
            parked: 0,
            events: 0,
            owner: None,
            shards: Vec::new(),
            rebuild: None,
            runs_here: false,
            stopped_at: shown.stopped_at,
            last_error: shown.last_error,
        })
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
        let mut next =
            Some(ReadAll::after(after).filter(EventFilter::all().categories(categories)));
        let mut seen: HashSet<StreamId> = HashSet::new();
        let (mut reached, mut failed) = (head, None);
        while let Some(read) = next {
            let page = store.log_page(&read).await?;
            next = read.following(&page)?.filter(|read| read.after < head);
            let mut streams: BTreeMap<&StreamId, u64> = BTreeMap::new();
            for event in &page.events {
                streams.insert(&event.stream_id, event.stream_version);
            }
            let wanted = match rows {
                Rows::Behind => self.inline.behind(store, generation, &streams).await?,
                Rows::Anew => streams.keys().map(|stream| (*stream).clone()).collect(),
            };
            for stream in wanted {
                if rows == Rows::Anew && !seen.insert(stream.clone()) {
                    continue;
                }
                match self.write_row(store, generation, &stream, rows).await {
                    Ok(()) => {}
                    // The others go on, and this one is tried again the next time.
                    Err(error @ EngineError::Stopped { .. }) => {
                        let first = page.events.iter().find(|event| event.stream_id == stream);
                        let before = first.map_or(0, |first| first.position.get() - 1);
                        reached = reached.min(Position::from(before));
                        failed.get_or_insert(error);
                    }
                    Err(error) => return Err(error),
                }
                store.claim_lease(&fence.id, &self.settings.name, self.settings.lease).await?;
            }
        }
        if reached > after {
            let change = CheckpointChange { fence: fence.clone(), position: reached };
            store.write_rows(Vec::new(), change).await?;
        }
        failed.map_or(Ok(()), Err)
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

/// The outage that an error tells of, if it does.
fn unavailable(error: &EngineError) -> Option<&StoreError> {
    match error {
        EngineError::Store(error)
        | EngineError::Write(
            WriteError::Store(error)
            | WriteError::UnknownOutcome { source: error, .. }
            | WriteError::UnknownCommit { source: error },
        ) if error.is_unavailable() => Some(error),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_is_one_wherever_it_is_told() {
        let away = || StoreError::unavailable("away for a moment");
        let stays = || StoreError::invalid("it stays so");
        let check = |error: EngineError, expected| {
            assert_eq!(unavailable(&error).is_some(), expected, "{error:?}");
        };
        check(away().into(), true);
        check(WriteError::Store(away()).into(), true);
        check(WriteError::UnknownCommit { source: away() }.into(), true);
        check(stays().into(), false);
        check(WriteError::Store(stays()).into(), false);
    }
}
