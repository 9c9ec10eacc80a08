//! Inline projections of a bus: which follow an aggregate, and what they write with its events.

use std::sync::Arc;

use tokio::sync::OnceCell;

use super::SetupError;
use crate::projection::inline::{Ahead, Inline, InlineError};
use crate::recorded_event::RecordedEvent;
use crate::registry::ProjectionRegistration;
use crate::store::{Append, RowChange, StoreError, UnitOfWorkStore};
use crate::stream::{Expected, StreamHead};
use crate::timestamp::Timestamp;

/// The inline projections of a bus.
#[derive(Default)]
pub(super) struct InlineProjections {
    all: Vec<Kept>,
}

struct Kept {
    rows: Arc<dyn Inline>,
    /// The generation that answers, once its table is there.
    generation: OnceCell<u32>,
}

/// Why the rows of an append could not be changed.
pub(super) enum InlineFailure {
    Failed { projection: String, reason: String },
    Store(StoreError),
}

impl InlineProjections {
    pub(super) fn of<'a>(
        registrations: impl Iterator<Item = &'a ProjectionRegistration>,
    ) -> Result<Self, SetupError> {
        let made = registrations.filter_map(|registration| registration.inline).map(|make| make());
        let all: Result<Vec<Kept>, SetupError> =
            made.map(|rows| rows.map(|rows| Kept { rows, generation: OnceCell::new() })).collect();
        Ok(Self { all: all? })
    }

    /// The name of a projection that follows the streams of a category, if there is any.
    pub(super) fn follower(&self, category: &str) -> Option<&str> {
        let follower = self.all.iter().find(|kept| kept.rows.follows(category))?;
        Some(&follower.rows.definition().projection)
    }

    /// The name of the projection that keeps a table, if there is any.
    pub(super) fn keeper(&self, table: &str) -> Option<&str> {
        let definitions = self.all.iter().map(|kept| kept.rows.definition());
        let mut keepers = definitions
            .filter(|definition| definition.table.is_some_and(|kept| kept.name == table));
        Some(&keepers.next()?.projection)
    }

    /// What becomes of the rows that follow an append's stream.
    pub(super) async fn changes(
        &self,
        store: &dyn UnitOfWorkStore,
        append: &Append,
        now: Timestamp,
    ) -> Result<Vec<RowChange>, InlineFailure> {
        let version = match append.expected {
            Expected::Exact(version) => version,
            Expected::NoStream => 0,
            Expected::Any => {
                let head = store.stream_head(&append.stream_id).await;
                head.map_err(InlineFailure::Store)?.version
            }
        };
        let events: Vec<RecordedEvent> = (version + 1..)
            .zip(&append.events)
            .map(|(version, event)| {
                let head = StreamHead::new(version, crate::Position::START, now);
                RecordedEvent::new(event.clone(), append.stream_id.clone(), head)
            })
            .collect();
        let stream_id = &append.stream_id;
        let ahead = Ahead { stream_id, version, events: &events, anew: false };
        let mut changes = Vec::new();
        for kept in self.all.iter().filter(|kept| kept.rows.follows(stream_id.category())) {
            let definition = kept.rows.definition();
            let prepare = async || store.prepare(definition).await.map(|entry| entry.generation);
            let generation = kept.generation.get_or_try_init(prepare).await;
            let generation = *generation.map_err(InlineFailure::Store)?;
            match kept.rows.change(store, generation, &ahead).await {
                Ok(change) => changes.push(change),
                Err(InlineError::Store(error)) => return Err(InlineFailure::Store(error)),
                Err(InlineError::Failed(reason)) => {
                    let projection = definition.projection.clone();
                    return Err(InlineFailure::Failed { projection, reason });
                }
            }
        }
        Ok(changes)
    }
}
