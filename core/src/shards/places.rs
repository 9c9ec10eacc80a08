//! How many shards of a reader this engine may have.

use std::sync::Arc;

use tokio::sync::watch;

/// The places for those workers of a reader that have, or may try to have, their lease.
pub(crate) struct Places(watch::Sender<Count>);

#[derive(Debug, Clone, Copy)]
struct Count {
    most: u32,
    taken: u32,
}

/// A place; dropped, it is free.
pub(crate) struct Place {
    places: Arc<Places>,
    is_left: bool,
}

impl Places {
    /// Of several shards, none may be taken until it is known how many there are for this engine.
    pub(crate) fn of(shards: u32) -> Self {
        let most = u32::from(shards == 1);
        Self(watch::Sender::new(Count { most, taken: 0 }))
    }

    /// Says how many there are.
    pub(crate) fn set(&self, most: u32) {
        self.0.send_if_modified(|count| std::mem::replace(&mut count.most, most) != most);
    }

    /// Waits for a place.
    pub(crate) async fn take(self: &Arc<Self>) -> Place {
        let mut count = self.0.subscribe();
        loop {
            // The sender is here: it does not go.
            let _ = count.wait_for(|count| count.taken < count.most).await;
            let is_taken = self.0.send_if_modified(|count| {
                let is_free = count.taken < count.most;
                count.taken += u32::from(is_free);
                is_free
            });
            if is_taken {
                return Place { places: self.clone(), is_left: false };
            }
        }
    }
}

impl Place {
    /// Leaves the place if there are too many; tells whether it did.
    pub(crate) fn leaves(&mut self) -> bool {
        if !self.is_left {
            self.is_left = self.places.0.send_if_modified(|count| {
                let is_too_many = count.taken > count.most;
                count.taken -= u32::from(is_too_many);
                is_too_many
            });
        }
        self.is_left
    }

    /// Waits until there are too many.
    pub(crate) async fn is_one_too_many(&self) {
        let mut count = self.places.0.subscribe();
        let _ = count.wait_for(|count| count.taken > count.most).await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if !self.is_left {
            self.places.0.send_modify(|count| count.taken -= 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[tokio::test]
    async fn as_many_leave_as_are_too_many() {
        let places = Arc::new(Places::of(4));
        assert!(places.take().now_or_never().is_none(), "nobody has said how many there are");
        places.set(3);
        let mut taken = vec![places.take().await, places.take().await, places.take().await];
        assert!(places.take().now_or_never().is_none());
        assert!(taken.iter_mut().all(|place| !place.leaves()));
        places.set(1);
        let left = taken.iter_mut().filter_map(|place| place.leaves().then_some(())).count();
        assert_eq!(left, 2);
        drop(taken);
        let _first = places.take().await;
        assert!(places.take().now_or_never().is_none());
    }
}
