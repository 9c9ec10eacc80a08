//! Subscriptions: the log as a stream that catches up with what is stored, then goes on with what comes.
//!
//! They deliver events as they are stored, and decode nothing. What a consumer does with an event and the acknowledgement
//! of it are two steps: read models whose rows and checkpoint have to change in one are not this module's matter.

mod builder;
pub(crate) mod claim;
mod error;
pub(crate) mod lease;
mod reader;
pub(crate) mod retry;

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures::Stream;
use tokio::sync::watch;

pub use self::builder::Subscribe;
pub use self::error::SubscriptionError;
use self::lease::Lease;
use self::reader::Reader;
use crate::metrics;
use crate::position::Position;
use crate::recorded_event::RecordedEvent;
use crate::store::StoreError;

/// A stream of events: all that are stored after where it began, each once and in the order of the log, then each that comes.
///
/// It is made by [`EventStoreExt::subscribe`](crate::EventStoreExt::subscribe).
///
/// ```
/// use annals::prelude::*;
///
/// # async fn run(store: MemoryStore) -> Result<(), SubscriptionError> {
/// let mut subscription = store.subscribe().durable("mailer").categories(["account"]).await?;
/// while let Some(event) = subscription.next().await {
///     let event = event?;
///     // … what is to be done …
///     subscription.ack(event.position).await?;
/// }
/// # Ok(())
/// # }
/// ```
///
/// - **Backpressure.** A page of the log is read when an event is asked for and none is at hand; nothing is read ahead.
/// - **At least once.** What a [durable](Subscribe::durable) subscription has not acknowledged is delivered again after a
///   restart, in the same order: acknowledge when an event has been dealt with.
/// - **It ends with a reason.** The last item is an error that says why; after it comes `None`. A store that is unavailable
///   is no reason: it is asked again, with pauses that grow up to five seconds, and a line of the log tells.
/// - **It may be dropped at any time**, and its lease is given up then by a task; [`close`](Self::close) waits for that.
///
/// # Cancel safety
///
/// A dropped [`next`](Self::next) or [`next_batch`](Self::next_batch) loses no event: the next call goes on with what was
/// begun.
pub struct Subscription {
    /// The durable name, or nothing.
    name: Arc<str>,
    reader: Reader,
    /// What is at hand.
    page: std::vec::IntoIter<RecordedEvent>,
    /// The position of the last event that was delivered; at first, of where it began.
    delivered: Position,
    lease: Option<Lease>,
    /// `None` once the subscription has ended.
    tell_caught_up: Option<watch::Sender<bool>>,
    caught_up: watch::Receiver<bool>,
}

impl Subscription {
    fn new(name: Arc<str>, reader: Reader, after: Position, lease: Option<Lease>) -> Self {
        let (tell, caught_up) = watch::channel(false);
        Self {
            name,
            reader,
            page: Vec::new().into_iter(),
            delivered: after,
            lease,
            tell_caught_up: Some(tell),
            caught_up,
        }
    }

    /// Waits for the next event; `None` once the subscription has ended, which an error said before.
    ///
    /// # Errors
    ///
    /// When the store cannot be read and asking again would not help; or, of a durable subscription, when another owner has
    /// taken over.
    ///
    /// # Cancel safety
    ///
    /// A dropped call loses no event.
    pub async fn next(&mut self) -> Option<Result<RecordedEvent, SubscriptionError>> {
        poll_fn(|cx| self.poll_event(cx)).await
    }

    /// Waits for the next event, and gives it back with those that are at hand after it: as many as a page has left.
    ///
    /// # Errors
    ///
    /// As [`next`](Self::next).
    ///
    /// # Cancel safety
    ///
    /// A dropped call loses no event.
    pub async fn next_batch(&mut self) -> Option<Result<Vec<RecordedEvent>, SubscriptionError>> {
        let first = match self.next().await? {
            Ok(event) => event,
            Err(error) => return Some(Err(error)),
        };
        let batch: Vec<_> = std::iter::once(first).chain(self.page.by_ref()).collect();
        self.delivered = batch.last().map_or(self.delivered, |last| last.position);
        Some(Ok(batch))
    }

    /// Acknowledges all events up to this position, so that they are not delivered again after a restart. The durable
    /// checkpoint is then there, and never goes back.
    ///
    /// Each call is a write. Where events are many, acknowledge the last of a batch.
    ///
    /// # Errors
    ///
    /// [`SubscriptionError::Fenced`] if another owner has taken over: nothing was acknowledged.
    /// [`SubscriptionError::NotDelivered`] beyond what was delivered, [`SubscriptionError::NotDurable`] without a durable
    /// name. [`SubscriptionError::Store`] if the store cannot be written and trying again would not help.
    ///
    /// # Cancel safety
    ///
    /// A dropped call has acknowledged or not; the next one does it in any case.
    pub async fn ack(&mut self, position: Position) -> Result<(), SubscriptionError> {
        let Some(lease) = &self.lease else {
            return Err(SubscriptionError::NotDurable { position });
        };
        if position > self.delivered {
            let delivered = self.delivered;
            return Err(SubscriptionError::NotDelivered { position, delivered });
        }
        lease.ack(position).await
    }

    /// Acknowledges all that was delivered.
    ///
    /// # Errors
    ///
    /// As [`ack`](Self::ack).
    ///
    /// # Cancel safety
    ///
    /// As [`ack`](Self::ack).
    pub async fn ack_delivered(&mut self) -> Result<(), SubscriptionError> {
        self.ack(self.delivered).await
    }

    /// The position of the last event that was delivered; before the first, where the subscription began.
    pub fn position(&self) -> Position {
        self.delivered
    }

    /// Whether it has caught up once: the log had come to its end, and the consumer came back for more after all of it.
    pub fn is_caught_up(&self) -> bool {
        *self.caught_up.borrow()
    }

    /// Waits until [`is_caught_up`](Self::is_caught_up), beside whoever consumes the events; `false` if the subscription
    /// ends before.
    ///
    /// ```
    /// use annals::prelude::*;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), SubscriptionError> {
    /// let mut subscription = MemoryStore::new().subscribe().await?;
    /// let caught_up = subscription.caught_up();
    /// tokio::spawn(async move { while let Some(Ok(_)) = subscription.next().await {} });
    /// assert!(caught_up.await, "now the program can say that it is ready");
    /// # Ok(())
    /// # }
    /// ```
    pub fn caught_up(&self) -> impl Future<Output = bool> + Send + Sync + 'static + use<> {
        let mut told = self.caught_up.clone();
        async move { told.wait_for(|is_caught_up| *is_caught_up).await.is_ok() }
    }

    /// Ends the subscription and gives its lease up: another owner can then take over at once.
    ///
    /// # Errors
    ///
    /// When the store cannot be written. The lease then runs out by itself.
    ///
    /// # Cancel safety
    ///
    /// The lease is given up all the same.
    pub async fn close(mut self) -> Result<(), StoreError> {
        match self.lease.take() {
            Some(lease) => lease.give_up().await,
            None => Ok(()),
        }
    }

    fn poll_event(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<RecordedEvent, SubscriptionError>>> {
        if self.tell_caught_up.is_none() {
            return Poll::Ready(None);
        }
        if let Some(lease) = &mut self.lease
            && let Poll::Ready(error) = lease.poll_lost(cx)
        {
            return Poll::Ready(Some(Err(self.end(error))));
        }
        if let Some(event) = self.page.next() {
            self.delivered = event.position;
            return Poll::Ready(Some(Ok(event)));
        }
        loop {
            if self.reader.is_at_end() {
                self.tell_caught_up();
            }
            match ready!(self.reader.poll_page(cx)) {
                Err(error) => return Poll::Ready(Some(Err(self.end(error.into())))),
                Ok(page) => self.page = page.into_iter(),
            }
            if let Some(event) = self.page.next() {
                metrics::subscription_delay(&self.name, event.recorded_at);
                self.delivered = event.position;
                return Poll::Ready(Some(Ok(event)));
            }
            if !self.reader.is_at_end() {
                // Where the filter takes nothing for long, others get their turn.
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
        }
    }

    fn tell_caught_up(&mut self) {
        metrics::subscription_at_end(&self.name);
        if let Some(tell) = &self.tell_caught_up {
            tell.send_replace(true);
        }
    }

    fn end(&mut self, error: SubscriptionError) -> SubscriptionError {
        tracing::error!(subscription = &*self.name, %error, "a subscription ends");
        self.tell_caught_up = None;
        self.page = Vec::new().into_iter();
        error
    }
}

impl Stream for Subscription {
    type Item = Result<RecordedEvent, SubscriptionError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll_event(cx)
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription")
            .field("name", &self.name)
            .field("delivered", &self.delivered)
            .field("is_caught_up", &self.is_caught_up())
            .finish_non_exhaustive()
    }
}
