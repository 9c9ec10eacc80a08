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
use crate::projection::{CatalogEntry, ModelDefinition, Preparation};
use crate::shards::Seats;
use crate::store::{
    Append, CheckpointChange, CheckpointId, EventFilter, EventStore, Fence, ReadAll, StoreError,
    UnitOfWork, UnitOfWorkStore, WriteError,
};
use crate::stream::{Expected, StreamId};
use crate::subscription::SubscriptionError;
use crate::subscription::claim::{Checkpoints, Claim, RunOut};
use crate::subscription::lease::Lease;
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
            Preparation::Nothing | Preparation::Behind { .. } => store.prepare(definition).await,
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
        let ModelDefinition { projection, version, .. } = self.inline.definition();
        let id = CheckpointId::of_seats(projection, *version);
        let stores = (self.events.clone(), Checkpoints::Beside(self.events.clone()));
        let mut seats = Seats::new(id, stores, &self.settings.name, self.settings.lease);
        tokio::select! {
            () = stop.cancelled() => {}
            () = self.keep_up() => {}
            () = self.stay_seated(&mut seats) => {}
        }
        seats.leave().await;
    }

    /// Holds a lease for as long as the engine runs: by it, others know that somebody needs the rows.
    async fn stay_seated(&self, seats: &mut Seats) {
        loop {
            if let Err(error) = seats.sit().await {
                tracing::debug!(projection = self.name(), %error, "no seat was taken: tries again");
            }
            tokio::time::sleep(self.settings.polling.min(self.settings.lease / 4)).await;
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
                // Whoever has the lease writes them, unless that one dies.
                Err(EngineError::NotOwner { .. } | EngineError::LeaseLost { .. }) => {
                    // What is written already is no less so while another looks for more.
                    if self.shown.borrow().state != ProjectionState::Live {
                        self.tell(ProjectionState::Waiting, None);
                    }
                    tokio::time::sleep(self.settings.lease).await;
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

    /// Writes the rows of all streams that had come to the log before, one after the other, for as long as the lease is held.
    pub(super) async fn write(&self, rows: Rows) -> Result<(), EngineError> {
        let _turn = self.turn.lock().await;
        let store = self.store()?;
        let definition = self.inline.definition();
        let projection = || self.name().to_owned();
        let generation = store.prepare(definition).await?.generation;
        let taken = Lease::try_take(self.claim(definition.reader(generation))).await;
        let taken = taken.map_err(|error| self.lost(error))?;
        let mut lease = taken.ok_or_else(|| EngineError::NotOwner { projection: projection() })?;
        let fence = lease.fence().await;
        let written = tokio::select! {
            lost = lease.lost() => Err(self.lost(lost)),
            written = self.write_as_owner(store, generation, fence, rows) => written,
        };
        // Whether it could be given up, its task tells the log.
        let _ = lease.give_up().await;
        let written = written.map_err(|error| match error {
            EngineError::Write(WriteError::Fenced { .. }) => {
                EngineError::LeaseLost { projection: projection() }
            }
            error => error,
        });
        if let Err(error @ EngineError::LeaseLost { .. }) = &written {
            tracing::warn!(projection = self.name(), %error, "no more rows are written");
        }
        written
    }

    fn claim(&self, id: CheckpointId) -> Claim {
        Claim {
            events: self.events.clone(),
            checkpoints: Checkpoints::Beside(self.events.clone()),
            name: self.name().to_owned(),
            engine: self.settings.name.clone(),
            id,
            lifetime: self.settings.lease,
            run_out: RunOut::Lost,
        }
    }

    fn lost(&self, error: SubscriptionError) -> EngineError {
        match error {
            SubscriptionError::Store(error) => error.into(),
            _ => EngineError::LeaseLost { projection: self.name().to_owned() },
        }
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
        fence: Fence,
        rows: Rows,
    ) -> Result<(), EngineError> {
        let kept = store.checkpoint(&fence.id).await?.unwrap_or_default();
        let after = match rows {
            Rows::Behind => kept,
            Rows::Anew => Position::START,
        };
        let head = store.head().await?;
        // One above the log's end tells of a log that is gone.
        let stays = CheckpointChange { fence, position: kept.min(head) };
        let owning = Owning { store, generation, rows, stays };
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
                match self.write_row(&owning, &stream).await {
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
            }
        }
        let CheckpointChange { fence, position } = owning.stays;
        // What was written before is so still, whatever fails now.
        let change = CheckpointChange { fence, position: reached.max(position) };
        if change.position != kept {
            store.write_rows(Vec::new(), change).await?;
        }
        failed.map_or(Ok(()), Err)
    }

    /// Writes the row of a stream as it is now.
    async fn write_row(
        &self,
        owning: &Owning<'_>,
        stream_id: &StreamId,
    ) -> Result<(), EngineError> {
        let Owning { store, generation, rows, stays } = owning;
        loop {
            let version = store.stream_head(stream_id).await?.version;
            let anew = *rows == Rows::Anew;
            let ahead = Ahead { stream_id, version, events: &[], anew };
            let change = match self.inline.change(*store, *generation, &ahead).await {
                Ok(change) => change,
                Err(InlineError::Store(error)) => return Err(error.into()),
                Err(InlineError::Failed(reason)) => {
                    let projection = self.name().to_owned();
                    let reason = format!("stream `{stream_id}`: {reason}");
                    return Err(EngineError::Stopped { projection, reason });
                }
            };
            // Stores nothing but the row, and only if the stream is where it was, and the lease is held.
            let nothing = Append::new(stream_id.clone(), Expected::at(version), Vec::new());
            let work = UnitOfWork::new().append(nothing).row(change).checkpoint(stays.clone());
            match store.commit(work).await {
                Ok(_) => return Ok(()),
                Err(WriteError::Conflict(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// What whoever writes rows has while the lease is held.
struct Owning<'a> {
    store: &'a dyn UnitOfWorkStore,
    generation: u32,
    rows: Rows,
    /// The checkpoint as it is, which each row is written with: it checks the lease.
    stays: CheckpointChange,
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
