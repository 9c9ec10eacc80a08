//! Aggregates that stay in memory between commands.
//!
//! What is kept is only where the next command begins: its append still says which version it was decided on, and what is not
//! appended is held against the stream's head. Commands of this program for one aggregate take turns in deciding.

use std::any::{Any, TypeId};
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex as StdMutex, PoisonError};

use super::line::Place;
use crate::aggregate::Aggregate;
use crate::stream::StreamId;
use lru::LruCache;

/// The places of the aggregates that were used last.
pub(super) struct Cache {
    places: StdMutex<LruCache<(TypeId, StreamId), Arc<dyn Any + Send + Sync>>>,
}

impl Cache {
    pub(super) fn new(aggregates: NonZeroUsize) -> Self {
        Self { places: StdMutex::new(LruCache::new(aggregates)) }
    }

    pub(super) fn place<A: Aggregate>(&self, stream_id: &StreamId) -> Arc<Place<A>> {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        let place = places.get_or_insert((TypeId::of::<A>(), stream_id.clone()), || {
            Arc::new(Place::<A>::default())
        });
        place.clone().downcast().expect("bug in annals: a place of another aggregate")
    }
}
