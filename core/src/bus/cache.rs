//! Aggregates that stay in memory between commands.
//!
//! What is kept is only where the next command begins: its append still says which version it was decided on. Commands of
//! this program for one aggregate take turns, and the next is decided while the events of the one before are on their way:
//! if those fail, so does what was decided on them, and it is decided again.

use std::any::{Any, TypeId};
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex as StdMutex, PoisonError};

use lru::LruCache;
use tokio::sync::{Mutex, watch};

use crate::aggregate::Aggregate;
use crate::receipt::Receipt;
use crate::repository::Replayed;
use crate::stream::StreamId;

/// The places of the aggregates that were used last.
pub(super) struct Cache {
    places: StdMutex<LruCache<(TypeId, StreamId), Arc<dyn Any + Send + Sync>>>,
}

/// The place of one aggregate; whoever decides holds it.
pub(super) type Place<A> = Mutex<Option<Warm<A>>>;

/// An aggregate as the last command left it.
pub(super) struct Warm<A> {
    pub(super) replayed: Replayed<A>,
    /// The events that led to it last, while they are on their way.
    pub(super) underway: Option<Underway>,
}

/// Events on their way to the store.
#[derive(Clone)]
pub(super) struct Underway(watch::Receiver<Option<Receipt>>);

/// Tells those who decided on events what became of them; dropped, it tells that they were not stored.
pub(super) struct Tell(watch::Sender<Option<Receipt>>);

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

impl Underway {
    pub(super) fn new() -> (Tell, Self) {
        let (tell, told) = watch::channel(None);
        (Tell(tell), Self(told))
    }

    /// Waits for the receipt of the events; `None` if they were not stored.
    pub(super) async fn ended(mut self) -> Option<Receipt> {
        let receipt = self.0.wait_for(Option::is_some).await.ok()?;
        receipt.clone()
    }

    /// Whether it is known already that they were not stored.
    pub(super) fn has_failed(&self) -> bool {
        self.0.has_changed().is_err() && self.0.borrow().is_none()
    }
}

impl Tell {
    pub(super) fn stored(self, receipt: Receipt) {
        // Nobody may have decided on them.
        let _ = self.0.send(Some(receipt));
    }
}
