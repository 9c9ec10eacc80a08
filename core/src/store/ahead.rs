//! Pages that are read while the one before is worked on.

use tokio::runtime::Handle;
use tokio_util::task::AbortOnDropHandle;

use super::StoreError;

/// A page on its way. Dropped, it is not read to its end.
pub(crate) struct Ahead<P>(AbortOnDropHandle<Result<P, StoreError>>);

impl<P: Send + 'static> Ahead<P> {
    /// Begins to read, in a Tokio runtime; elsewhere nothing is read ahead. The read is on its way when this returns.
    pub(crate) async fn begin(
        read: impl Future<Output = Result<P, StoreError>> + Send + 'static,
    ) -> Option<Self> {
        let runtime = Handle::try_current().ok()?;
        let reading = Self(AbortOnDropHandle::new(runtime.spawn(read)));
        // The task is this thread's next, and no other thread's: it would begin only when the work on the page before it is done.
        tokio::task::yield_now().await;
        Some(reading)
    }

    /// Waits for the page.
    pub(crate) async fn page(self) -> Result<P, StoreError> {
        self.0.await.unwrap_or_else(|error| {
            Err(StoreError::other("the task that reads ahead has ended").with_source(error))
        })
    }
}
