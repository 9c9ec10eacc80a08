//! How far projections are, and how to wait until one is far enough.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use futures::FutureExt;
use futures::future::select_all;
use tokio::sync::watch;
use tokio::time::Instant;

use super::{CatalogEntry, ParkedEvent, Projection};
use crate::position::Position;
use crate::read_model::{After, ReadModelError};
use crate::store::{CheckpointId, ReadModelStore, StoreError};

/// How often the store is asked for a checkpoint that another process moves.
const POLLING: Duration = Duration::from_millis(25);

/// How far the projections of this program's engine are.
#[derive(Clone, Default)]
pub(crate) struct Progress {
    workers: Arc<RwLock<ByName>>,
}

/// Workers by the names and versions of their projections.
type ByName = HashMap<(String, u32), Workers>;

/// The workers of a projection, one for each shard, of whatever number there are now.
#[derive(Clone, Default)]
pub(crate) struct Workers(Arc<RwLock<Vec<watch::Receiver<Reached>>>>);

impl Workers {
    /// Puts others in their place.
    pub(crate) fn replace(&self, workers: Vec<watch::Receiver<Reached>>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = workers;
    }

    fn now(&self) -> Vec<watch::Receiver<Reached>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// How far a worker is.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reached {
    /// The position that it has passed and written, if it is the owner.
    pub(crate) position: Option<Position>,
    /// The generation that answers.
    pub(crate) generation: u32,
    /// Why it has stopped, if it has.
    pub(crate) stopped: Option<String>,
}

impl Reached {
    /// Up to where two shards have come together.
    fn beside(self, other: Self) -> Self {
        let is_same = self.generation == other.generation;
        let both = self.position.zip(other.position).filter(|_| is_same);
        Self {
            position: both.map(|(one, two)| one.min(two)),
            generation: self.generation.max(other.generation),
            stopped: self.stopped.or(other.stopped),
        }
    }
}

impl Progress {
    pub(crate) fn insert(&self, name: &str, version: u32, of: Workers) {
        let mut workers = self.workers.write().unwrap_or_else(PoisonError::into_inner);
        workers.insert((name.to_owned(), version), of);
    }

    fn workers(&self, name: &str, version: u32) -> Vec<watch::Receiver<Reached>> {
        let workers = self.workers.read().unwrap_or_else(PoisonError::into_inner);
        workers.get(&(name.to_owned(), version)).map(Workers::now).unwrap_or_default()
    }

    /// Waits until `M` has passed a position.
    pub(crate) async fn wait_for<M: Projection>(
        &self,
        store: &dyn ReadModelStore,
        after: &After,
    ) -> Result<(), ReadModelError> {
        if M::INLINE {
            return Ok(());
        }
        let late = match self.wait(store, M::NAME, M::VERSION, after).await {
            Err(late @ ReadModelError::Late { .. }) => late,
            done => return done,
        };
        let of_model =
            |entry: &CatalogEntry| entry.projection == M::NAME && entry.version == M::VERSION;
        let is_there = store.catalog().await?.iter().any(of_model);
        let missing = ReadModelError::Missing { model: M::TABLE.name, version: M::VERSION };
        Err(if is_there { late } else { missing })
    }

    pub(crate) async fn wait(
        &self,
        store: &dyn ReadModelStore,
        name: &str,
        version: u32,
        after: &After,
    ) -> Result<(), ReadModelError> {
        // Whose patience has no end has no deadline.
        let deadline = Instant::now().checked_add(after.patience);
        loop {
            // Their number may have changed since.
            let mut workers = self.workers(name, version);
            let here = workers.iter_mut().map(|worker| worker.borrow_and_update().clone());
            let here = here.reduce(Reached::beside);
            let stopped = here.as_ref().and_then(|here| here.stopped.clone());
            let (reader, reached) = match here {
                Some(Reached { position: Some(position), generation, .. }) => {
                    (CheckpointId::of_projection(name, version, generation), position)
                }
                // By another engine, or before this one stopped.
                _ => kept(store, name, version).await?,
            };
            let is_pending = match held_back(store, &reader, after).await? {
                Some(event) if event.retry_at.is_none() => {
                    return Err(ReadModelError::Parked {
                        projection: name.to_owned(),
                        key: event.key,
                        event_type: event.event_type,
                        position: event.position,
                        error: event.error,
                    });
                }
                pending => pending.is_some(),
            };
            if reached >= after.position && !is_pending {
                return Ok(());
            }
            if let Some(reason) = stopped {
                return Err(ReadModelError::Stopped { projection: name.to_owned(), reason });
            }
            let now = Instant::now();
            if deadline.is_some_and(|deadline| now >= deadline) {
                if is_paused(store, name, version).await? {
                    return Err(ReadModelError::Paused {
                        projection: name.to_owned(),
                        wanted: after.position,
                        reached,
                    });
                }
                return Err(ReadModelError::Late {
                    projection: name.to_owned(),
                    wanted: after.position,
                    reached,
                    patience: after.patience,
                });
            }
            let moved = async {
                if workers.is_empty() {
                    std::future::pending::<()>().await;
                }
                let moved = workers.iter_mut().map(|worker| worker.changed().boxed());
                if select_all(moved).await.0.is_err() {
                    std::future::pending::<()>().await;
                }
            };
            let pause = deadline.map_or(POLLING, |deadline| POLLING.min(deadline - now));
            // Whichever comes first: the loop looks at both.
            let _ = tokio::time::timeout(pause, moved).await;
        }
    }
}

/// The reader that answers, and how far it is by its checkpoint.
async fn kept(
    store: &dyn ReadModelStore,
    name: &str,
    version: u32,
) -> Result<(CheckpointId, Position), StoreError> {
    let catalog = store.catalog().await?;
    let entry = catalog.iter().find(|entry| entry.projection == name && entry.version == version);
    let reader =
        CheckpointId::of_projection(name, version, entry.map_or(1, |entry| entry.generation));
    let reached = store.standing(&reader).await?.lowest();
    Ok((reader, reached))
}

async fn is_paused(
    store: &dyn ReadModelStore,
    name: &str,
    version: u32,
) -> Result<bool, StoreError> {
    let catalog = store.catalog().await?;
    let mut of_name = catalog.iter().filter(|entry| entry.projection == name);
    Ok(of_name.any(|entry| entry.version == version && entry.paused))
}

/// The event that holds back one that is waited for, if any does: it failed, and waits to be tried again or for a person.
///
/// A receipt tells the position of its last event only: of one that names several, any earlier one of the stream counts.
async fn held_back(
    store: &dyn ReadModelStore,
    reader: &CheckpointId,
    after: &After,
) -> Result<Option<ParkedEvent>, StoreError> {
    let parked = store.parked(reader, None).await?;
    let is_wanted = |event: &&ParkedEvent| {
        event.stream_id == after.stream_id
            && (event.position == after.position
                || after.events > 1 && event.position < after.position)
    };
    let wanted = parked.iter().find(is_wanted);
    let first = wanted.and_then(|event| parked.iter().find(|first| first.key == event.key));
    Ok(first.cloned())
}

impl fmt::Debug for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Progress").finish_non_exhaustive()
    }
}
