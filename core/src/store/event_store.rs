//! The port of stores that keep events.

use std::ops::{Bound, RangeBounds};
use std::sync::Arc;

use async_trait::async_trait;
use futures::stream::{BoxStream, StreamExt, TryStreamExt};

use super::{
    Append, EventFilter, KeyEntry, LogPage, Page, ReadAll, ReadStream, StoreError, UnitOfWorkStore,
    WriteError,
};
use crate::codec::{DecodeError, PayloadCodec, PayloadOf, PlainJson};
use crate::event::EventEnum;
use crate::position::Position;
use crate::receipt::Receipt;
use crate::recorded_event::RecordedEvent;
use crate::stream::{StreamHead, StreamId};
use crate::subscription::Subscribe;

/// Keeps events in streams, and all of them in one order.
///
/// The suite `annals_testing::conformance!` holds a store against what is promised here.
#[async_trait]
pub trait EventStore: Send + Sync + 'static {
    /// Appends to one or several streams, all or none; each append is applied after those before it.
    ///
    /// Events are told by their ids: a call whose events are all there already, after a first try whose answer was lost,
    /// is answered as the first try was and stores nothing, whatever its keys and expectations; one whose events are
    /// there in part, or elsewhere, is refused as invalid. Otherwise each append first claims its key, then checks what
    /// it expects of its stream. Positions and [`recorded_at`](RecordedEvent::recorded_at) are drawn after
    /// the stream's version is settled, so that neither ever contradicts the stream's order.
    ///
    /// The receipts are in the order of the appends.
    ///
    /// # Errors
    ///
    /// [`WriteError::Conflict`] or [`WriteError::KeyUsed`] with nothing stored; [`WriteError::UnknownOutcome`] if the
    /// store was lost around the commit; [`WriteError::Store`] for anything else, with nothing stored.
    ///
    /// # Cancel safety
    ///
    /// A dropped call has stored all or nothing. Sent again with the same event ids, it finds out.
    async fn append(&self, appends: Vec<Append>) -> Result<Vec<Receipt>, WriteError>;

    /// Reads a page of a stream. A stream without events is an empty page.
    ///
    /// A store may give fewer events than the limit to bound its memory, but not none while there are more.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    async fn stream_page(&self, read: &ReadStream) -> Result<Page, StoreError>;

    /// Reads a page of the log.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    async fn log_page(&self, read: &ReadAll) -> Result<LogPage, StoreError>;

    /// Tells where a stream ends: its own head, whatever this program can decode.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    async fn stream_head(&self, stream_id: &StreamId) -> Result<StreamHead, StoreError>;

    /// Tells where the log ends: the highest position that every earlier event is below or at.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    async fn head(&self) -> Result<Position, StoreError>;

    /// Counts the events that a filter takes, up to a position.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    async fn count_events(&self, filter: &EventFilter, to: Position) -> Result<u64, StoreError> {
        let mut count = 0;
        let mut next = Some(ReadAll::after(Position::START).filter(filter.clone()));
        while let Some(read) = next {
            let page = self.log_page(&read).await?;
            let counted = page.events.iter().filter(|event| event.position <= to).count();
            count += counted as u64;
            next = read.following(&page)?.filter(|read| read.after < to);
        }
        Ok(count)
    }

    /// Waits until all appends that had begun when it was called are readable or gone, and tells where the log then ends:
    /// every event that was recorded before the call is at or below that.
    ///
    /// A store whose appends are readable as soon as they have an instant need not wait.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    async fn barrier(&self) -> Result<Position, StoreError> {
        self.head().await
    }

    /// Looks an idempotency key up on a stream. A key that has expired is none.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    async fn find_key(
        &self,
        stream_id: &StreamId,
        key: &str,
    ) -> Result<Option<KeyEntry>, StoreError>;

    /// Removes the idempotency keys that have expired, and tells how many there were.
    ///
    /// # Errors
    ///
    /// When the store cannot be written.
    async fn purge_keys(&self) -> Result<u64, StoreError>;

    /// Waits until the log's head is above `after`. May return early: what matters is what is read then.
    ///
    /// # Errors
    ///
    /// When the store will wake nobody up any more.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when the call is dropped.
    async fn wait_for_events(&self, after: Position) -> Result<(), StoreError>;

    /// The store as one that commits rows and what processes have to do together with events; `None` if it keeps events
    /// only.
    fn unit_of_work(&self) -> Option<&dyn UnitOfWorkStore> {
        None
    }

    /// The codec that all payloads of this store go through.
    fn codec(&self) -> &dyn PayloadCodec {
        &PlainJson
    }
}

#[async_trait]
impl<S: EventStore + ?Sized> EventStore for Arc<S> {
    async fn append(&self, appends: Vec<Append>) -> Result<Vec<Receipt>, WriteError> {
        (**self).append(appends).await
    }

    async fn stream_page(&self, read: &ReadStream) -> Result<Page, StoreError> {
        (**self).stream_page(read).await
    }

    async fn log_page(&self, read: &ReadAll) -> Result<LogPage, StoreError> {
        (**self).log_page(read).await
    }

    async fn stream_head(&self, stream_id: &StreamId) -> Result<StreamHead, StoreError> {
        (**self).stream_head(stream_id).await
    }

    async fn head(&self) -> Result<Position, StoreError> {
        (**self).head().await
    }

    async fn barrier(&self) -> Result<Position, StoreError> {
        (**self).barrier().await
    }

    async fn count_events(&self, filter: &EventFilter, to: Position) -> Result<u64, StoreError> {
        (**self).count_events(filter, to).await
    }

    async fn find_key(
        &self,
        stream_id: &StreamId,
        key: &str,
    ) -> Result<Option<KeyEntry>, StoreError> {
        (**self).find_key(stream_id, key).await
    }

    async fn purge_keys(&self) -> Result<u64, StoreError> {
        (**self).purge_keys().await
    }

    async fn wait_for_events(&self, after: Position) -> Result<(), StoreError> {
        (**self).wait_for_events(after).await
    }

    fn unit_of_work(&self) -> Option<&dyn UnitOfWorkStore> {
        (**self).unit_of_work()
    }

    fn codec(&self) -> &dyn PayloadCodec {
        (**self).codec()
    }
}

/// Reads whole streams and the whole log as streams of events, page by page.
pub trait EventStoreExt: EventStore {
    /// Reads a range of versions of a stream, from the oldest to the newest.
    ///
    /// ```
    /// use annals::prelude::*;
    /// use futures::TryStreamExt;
    ///
    /// # async fn read() -> Result<(), StoreError> {
    /// let store = MemoryStore::new();
    /// let stream = StreamId::new("account", "ada");
    /// let events: Vec<RecordedEvent> = store.read_stream(&stream, 1..).try_collect().await?;
    /// assert!(events.is_empty());
    /// # Ok(())
    /// # }
    /// ```
    fn read_stream(
        &self,
        stream_id: &StreamId,
        versions: impl RangeBounds<u64>,
    ) -> BoxStream<'_, Result<RecordedEvent, StoreError>> {
        pages(self, versions_of(stream_id, versions))
    }

    /// Reads a range of versions of a stream, from the newest to the oldest.
    fn read_stream_backwards(
        &self,
        stream_id: &StreamId,
        versions: impl RangeBounds<u64>,
    ) -> BoxStream<'_, Result<RecordedEvent, StoreError>> {
        pages(self, versions_of(stream_id, versions).backwards())
    }

    /// Subscribes to the log: what is stored already, then what comes, once it is awaited.
    ///
    /// ```
    /// use annals::prelude::*;
    ///
    /// # async fn run(store: MemoryStore) -> Result<(), SubscriptionError> {
    /// let mut deposits = store.subscribe().event_types(["Deposited"]).await?;
    /// while let Some(event) = deposits.next().await {
    ///     println!("{}", event?.data.as_str());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    fn subscribe(&self) -> Subscribe
    where
        Self: Clone,
    {
        Subscribe::new(Arc::new(self.clone()))
    }

    /// Decodes an event of this store as one of an aggregate's event enum; `None` if it is of another aggregate.
    ///
    /// ```
    /// # use annals::prelude::*;
    /// # fn show<AccountEvent: EventEnum>(store: &MemoryStore, recorded: &RecordedEvent) -> Result<(), DecodeError> {
    /// if let Some(event) = store.decode::<AccountEvent>(recorded)? {
    ///     println!("{event:?}");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// When the codec cannot open the event, or its version or content cannot be read.
    fn decode<E: EventEnum>(&self, event: &RecordedEvent) -> Result<Option<E>, DecodeError> {
        let name = &*event.event_type;
        let of = PayloadOf::Event { stream: event.stream_id.as_str(), event_type: name };
        let json = self
            .codec()
            .open(of, &event.data)
            .map_err(|error| DecodeError::content(name, &error))?;
        E::decode(event.stored(&json)).transpose()
    }

    /// Reads the log up to its present head, in the order of positions.
    fn read_all(&self, read: ReadAll) -> BoxStream<'_, Result<RecordedEvent, StoreError>> {
        futures::stream::try_unfold(Some(read), async move |next| {
            let Some(read): Option<ReadAll> = next else { return Ok(None) };
            let page = self.log_page(&read).await?;
            let next = read.following(&page)?;
            Ok(Some((futures::stream::iter(page.events).map(Ok), next)))
        })
        .try_flatten()
        .boxed()
    }
}

impl<S: EventStore + ?Sized> EventStoreExt for S {}

fn versions_of(stream_id: &StreamId, versions: impl RangeBounds<u64>) -> ReadStream {
    let from = match versions.start_bound() {
        Bound::Included(&version) => version,
        Bound::Excluded(&version) => version.saturating_add(1),
        Bound::Unbounded => 1,
    };
    let to = match versions.end_bound() {
        Bound::Included(&version) => version,
        Bound::Excluded(&version) => version.saturating_sub(1),
        Bound::Unbounded => u64::MAX,
    };
    ReadStream::new(stream_id.clone()).from(from).to(to)
}

fn pages<S: EventStore + ?Sized>(
    store: &S,
    read: ReadStream,
) -> BoxStream<'_, Result<RecordedEvent, StoreError>> {
    futures::stream::try_unfold(Some(read), async move |next: Option<ReadStream>| {
        let Some(read) = next else { return Ok(None) };
        let page = store.stream_page(&read).await?;
        let next = read.following(&page)?;
        Ok(Some((futures::stream::iter(page.events).map(Ok), next)))
    })
    .try_flatten()
    .boxed()
}
