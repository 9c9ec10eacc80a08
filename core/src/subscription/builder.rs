//! A subscription, as it is asked for.

use std::borrow::Cow;
use std::fmt;
use std::future::IntoFuture;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;

use super::claim::{Checkpoints, Claim, RunOut};
use super::lease::{Lease, SHORTEST_LEASE};
use super::reader::Reader;
use super::retry::retried;
use super::{Subscription, SubscriptionError};
use crate::position::Position;
use crate::store::{CheckpointId, EventFilter, EventStore, ReadAll, ReadModelStore, StoreError};
use crate::stream::StreamId;

/// The longest durable name, in bytes: that of all stored names.
const MAX_NAME: usize = 255;

/// A subscription that begins when it is awaited.
///
/// | Where it begins | |
/// |---|---|
/// | at the log's beginning | by default |
/// | [`after`](Self::after) | after a position |
/// | [`from_head`](Self::from_head) | with what is stored from now on |
/// | [`durable`](Self::durable) | where it was acknowledged last; the first time, as the others say |
///
/// # Cancel safety
///
/// A dropped call has subscribed to nothing. The lease of a durable one may then have to run out.
#[must_use = "a subscription does not begin until it is awaited"]
pub struct Subscribe {
    store: Arc<dyn EventStore>,
    start: Start,
    filter: EventFilter,
    page_size: usize,
    name: Option<String>,
    checkpoints: Option<Arc<dyn ReadModelStore>>,
    lease: Duration,
}

#[derive(Debug, Clone, Copy)]
enum Start {
    After(Position),
    Head,
}

impl Subscribe {
    pub(crate) fn new(store: Arc<dyn EventStore>) -> Self {
        Self {
            store,
            start: Start::After(Position::START),
            filter: EventFilter::all(),
            page_size: 1024,
            name: None,
            checkpoints: None,
            lease: Duration::from_secs(10),
        }
    }

    /// Begins after a position.
    pub fn after(mut self, position: Position) -> Self {
        self.start = Start::After(position);
        self
    }

    /// Begins with what is stored from now on.
    pub fn from_head(mut self) -> Self {
        self.start = Start::Head;
        self
    }

    /// Goes on where the subscription of this name was [acknowledged](Subscription::ack) last, also after a restart.
    ///
    /// A name has one owner at a time. While there is one, others wait: a second instance of a program stands by, and takes
    /// over when the first one closes, or when its [lease](Self::lease) has run out. To wait for a while only, put a
    /// time-out around it.
    pub fn durable(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Keeps the checkpoint of a [`durable`](Self::durable) subscription in another store than the events; by default in
    /// the same.
    pub fn checkpoints_in(mut self, store: impl ReadModelStore) -> Self {
        self.checkpoints = Some(Arc::new(store));
        self
    }

    /// Sets after which time without a sign of life another owner takes a [`durable`](Self::durable) subscription over; by
    /// default 10 seconds. While the subscription lives, it gives signs three times as often.
    pub fn lease(mut self, lifetime: Duration) -> Self {
        self.lease = lifetime.max(SHORTEST_LEASE);
        self
    }

    /// Takes only the events that the filter takes, in place of what was said before.
    pub fn filter(mut self, filter: EventFilter) -> Self {
        self.filter = filter;
        self
    }

    /// Takes only events that are stored under these names.
    pub fn event_types<N: Into<Cow<'static, str>>>(
        mut self,
        names: impl IntoIterator<Item = N>,
    ) -> Self {
        self.filter = self.filter.event_types(names);
        self
    }

    /// Takes only events in streams of these categories.
    pub fn categories<N: Into<Cow<'static, str>>>(
        mut self,
        names: impl IntoIterator<Item = N>,
    ) -> Self {
        self.filter = self.filter.categories(names);
        self
    }

    /// Takes only events in these streams.
    pub fn streams(mut self, streams: impl IntoIterator<Item = StreamId>) -> Self {
        self.filter = self.filter.streams(streams);
        self
    }

    /// Sets how many events are read at once at most, which is also what it holds in memory; by default 1,024.
    pub fn page_size(mut self, events: usize) -> Self {
        self.page_size = events.max(1);
        self
    }

    async fn begin(self) -> Result<Subscription, SubscriptionError> {
        let (lease, kept) = match &self.name {
            Some(name) => {
                let (lease, kept) = Lease::take(self.claim(name)?).await?;
                (Some(lease), kept)
            }
            None => (None, None),
        };
        let name: Arc<str> = self.name.as_deref().unwrap_or_default().into();
        let after = match (kept, self.start) {
            (Some(kept), _) => kept,
            (None, Start::After(position)) => position,
            (None, Start::Head) => {
                let head = retried(&name, "read the log's end", || self.store.head()).await?;
                // Kept at once: what is stored before the first acknowledgement is not passed by a restart.
                if let Some(lease) = &lease {
                    lease.ack(head).await?;
                }
                head
            }
        };
        let read = ReadAll::after(after).filter(self.filter).limit(self.page_size);
        let reader = Reader::new(self.store, name.clone(), read);
        Ok(Subscription::new(name, reader, after, lease))
    }

    fn claim(&self, name: &str) -> Result<Claim, StoreError> {
        let fault = if name.is_empty() {
            Some("it is empty".to_owned())
        } else if name.len() > MAX_NAME {
            Some(format!("it is {} bytes long, of at most {MAX_NAME}", name.len()))
        } else if name.contains('\0') {
            Some("it contains a null character".to_owned())
        } else if CheckpointId::is_reserved(name) {
            Some("names that begin with `annals/` are those of annals' own readers".to_owned())
        } else {
            None
        };
        if let Some(fault) = fault {
            let name = name.escape_debug();
            return Err(StoreError::invalid(format!("the durable name `{name}`: {fault}")));
        }
        let checkpoints = match &self.checkpoints {
            Some(store) => Checkpoints::Apart(store.clone()),
            None => Checkpoints::Beside(self.store.clone()),
        };
        let (events, lifetime) = (self.store.clone(), self.lease);
        let id = CheckpointId { name: name.to_owned(), version: 1, shard: 0 };
        let (name, run_out) = (name.to_owned(), RunOut::HeldAgain);
        let engine = String::new();
        Ok(Claim { events, checkpoints, name, engine, id, lifetime, run_out })
    }
}

impl IntoFuture for Subscribe {
    type Output = Result<Subscription, SubscriptionError>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        self.begin().boxed()
    }
}

impl fmt::Debug for Subscribe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscribe")
            .field("start", &self.start)
            .field("filter", &self.filter)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
