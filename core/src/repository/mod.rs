//! Loading aggregates: now, as of a version, as of an instant; and snapshots on demand.
//!
//! It decides nothing and stores no event: that is the [`CommandBus`](crate::CommandBus)'s part.

mod error;
mod load;
mod replay;
mod snapshot;

use std::fmt;
use std::marker::PhantomData;

use futures::stream::{BoxStream, StreamExt, TryStreamExt};

pub use self::error::{EventError, LoadError};
use self::load::stream_of;
pub use self::load::{Load, Loaded};
use self::replay::decode;
pub(crate) use self::replay::{Last, Replayed, Until, replay};
pub(crate) use self::snapshot::take_snapshot;
use crate::aggregate::Aggregate;
use crate::aggregate_id::ToId;
use crate::recorded_event::RecordedEvent;
use crate::store::{EventStoreExt, Stores};
use crate::stream::StreamId;

/// Loads aggregates of one type.
///
/// The state is the snapshot, if there is a good one, and the events after it; without one, the fold of all events.
///
/// ```no_run
/// # use annals::prelude::*;
/// # async fn load<Account: Aggregate>(store: MemoryStore, id: Account::Id) -> Result<(), LoadError> {
/// let accounts = Repository::<Account>::new(store);
/// let now = accounts.load(&id).await?;
/// let then = accounts.load(&id).at_version(2).await?;
/// # Ok(())
/// # }
/// ```
pub struct Repository<A> {
    stores: Stores,
    aggregate: PhantomData<fn() -> A>,
}

impl<A: Aggregate> Repository<A> {
    /// Loads from a store, or from [`Stores`] that keep events and snapshots apart.
    pub fn new(stores: impl Into<Stores>) -> Self {
        Self { stores: stores.into(), aggregate: PhantomData }
    }

    /// Loads an aggregate by its id, by what the id wraps, or by the id's text.
    ///
    /// Awaited as it is, it gives the present state; [`Load::at_version`] and [`Load::as_of`] give an earlier one.
    /// `None` stands for an aggregate that does not exist.
    ///
    /// # Errors
    ///
    /// When the store cannot be read, or an event of the stream cannot: none is ever skipped.
    pub fn load(&self, id: &(impl ToId<A::Id> + ?Sized)) -> Load<A> {
        Load::new(self.stores.clone(), id.to_id())
    }

    /// Reads the events of an aggregate, decoded, from the oldest to the newest. Those that the aggregate ignores are left
    /// out; at one that cannot be read, the stream of them ends with an error.
    ///
    /// ```no_run
    /// # use annals::prelude::*;
    /// # use futures::TryStreamExt;
    /// # async fn list<Account: Aggregate>(
    /// #     accounts: Repository<Account>,
    /// #     id: Account::Id,
    /// # ) -> Result<(), LoadError> {
    /// let mut events = accounts.history(&id);
    /// while let Some((recorded, event)) = events.try_next().await? {
    ///     println!("{} {event:?}", recorded.recorded_at);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn history(
        &self,
        id: &(impl ToId<A::Id> + ?Sized),
    ) -> BoxStream<'_, Result<(RecordedEvent, A::Event), LoadError>> {
        let stream_id = match self.stream_id(id) {
            Ok(stream_id) => stream_id,
            Err(error) => return futures::stream::iter([Err(error)]).boxed(),
        };
        let events = self.stores.events.read_stream(&stream_id, ..).map_err(LoadError::from);
        let decoded = events.map(|recorded| {
            let recorded = recorded?;
            match decode::<A>(self.stores.events.codec(), &recorded)? {
                Some(event) => Ok(Some((recorded, event))),
                None => Ok(None),
            }
        });
        decoded.try_filter_map(async |event| Ok(event)).boxed()
    }

    /// Takes a snapshot of the present state, and tells the version of the stream that it contains; `None` if the
    /// aggregate does not exist or has no `snapshot(…)`.
    ///
    /// # Errors
    ///
    /// When the aggregate cannot be loaded or the snapshot cannot be kept.
    ///
    /// # Cancel safety
    ///
    /// A dropped call has kept the snapshot or not; nothing else changes.
    pub async fn snapshot(
        &self,
        id: &(impl ToId<A::Id> + ?Sized),
    ) -> Result<Option<u64>, LoadError> {
        let id = id.to_id();
        take_snapshot::<A>(&self.stores, id?).await
    }

    /// The stream of an aggregate.
    ///
    /// # Errors
    ///
    /// When a text is not an id.
    pub fn stream_id(&self, id: &(impl ToId<A::Id> + ?Sized)) -> Result<StreamId, LoadError> {
        Ok(stream_of::<A>(&id.to_id()?)?)
    }
}

impl<A> Clone for Repository<A> {
    fn clone(&self) -> Self {
        Self { stores: self.stores.clone(), aggregate: PhantomData }
    }
}

impl<A> fmt::Debug for Repository<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Repository").finish_non_exhaustive()
    }
}
