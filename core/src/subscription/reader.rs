//! The pages of the log, one after the other: read when they are asked for, and waited for at the log's end.

use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::runtime::Handle;
use tokio_util::task::AbortOnDropHandle;

use super::retry::retried;
use crate::recorded_event::RecordedEvent;
use crate::store::{EventStore, LogPage, ReadAll, StoreError};

/// Reads the log on and on. It holds one page at most, which it has given away before it reads the next.
pub(super) struct Reader {
    store: Arc<dyn EventStore>,
    /// For messages.
    name: Arc<str>,
    read: ReadAll,
    /// Whether the last page ended where the log did.
    is_at_end: bool,
    underway: Option<BoxFuture<'static, Result<LogPage, StoreError>>>,
}

impl Reader {
    pub(super) fn new(store: Arc<dyn EventStore>, name: Arc<str>, read: ReadAll) -> Self {
        Self { store, name, read, is_at_end: false, underway: None }
    }

    /// Whether all that the log held was given away, so that the next page has to be waited for.
    pub(super) fn is_at_end(&self) -> bool {
        self.is_at_end
    }

    /// The events of the next page, if the filter takes any of it. What a dropped call has begun, the next goes on with.
    pub(super) fn poll_page(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Vec<RecordedEvent>, StoreError>> {
        let underway = self.underway.get_or_insert_with(|| {
            let (store, name, read) = (self.store.clone(), self.name.clone(), self.read.clone());
            kept_going(next_page(store, name, read, self.is_at_end))
        });
        let page = ready!(underway.poll_unpin(cx));
        self.underway = None;
        let page = page?;
        // Only to be told of a store that would never bring its reader on.
        self.read.clone().following(&page)?;
        self.is_at_end = !page.more;
        self.read.after = page.reached.max(self.read.after);
        Poll::Ready(Ok(page.events))
    }
}

/// Goes on without being asked, where there is a Tokio runtime: a consumer that turns to something else in between would
/// otherwise keep a connection that it may itself be waiting for.
fn kept_going(
    page: impl Future<Output = Result<LogPage, StoreError>> + Send + 'static,
) -> BoxFuture<'static, Result<LogPage, StoreError>> {
    let Ok(runtime) = Handle::try_current() else { return page.boxed() };
    let task = AbortOnDropHandle::new(runtime.spawn(page));
    let ended = |error| {
        let message = "read the log: the task that reads ended before it had an answer";
        Err(StoreError::other(message).with_source(error))
    };
    task.map(move |joined| joined.unwrap_or_else(ended)).boxed()
}

/// A wait that ends early finds an empty page, and the next wait begins: nothing falls between the page and the wait, since
/// the wait is for what comes after the page.
async fn next_page(
    store: Arc<dyn EventStore>,
    name: Arc<str>,
    read: ReadAll,
    is_at_end: bool,
) -> Result<LogPage, StoreError> {
    if is_at_end {
        retried(&name, "wait for events", || store.wait_for_events(read.after)).await?;
    }
    retried(&name, "read the log", || store.log_page(&read)).await
}
