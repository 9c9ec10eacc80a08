//! Pages that are read while the one before is worked on.

use tokio::runtime::Handle;
use tokio_util::task::AbortOnDropHandle;

use super::StoreError;

/// A page on its way. Dropped, it is not read to its end.
pub(crate) struct Ahead<P>(AbortOnDropHandle<Result<P, StoreError>>);

impl<P: Send + 'static> Ahead<P> {
    /// Begins to read, in a Tokio runtime; elsewhere nothing is read ahead.
    pub(crate) fn begin(
        read: impl Future<Output = Result<P, StoreError>> + Send + 'static,
    ) -> Option<Self> {
        let runtime = Handle::try_current().ok()?;
        Some(Self(AbortOnDropHandle::new(runtime.spawn(read))))
    }

    /// Waits for the page.
    pub(crate) async fn page(self) -> Result<P, StoreError> {
        self.0.await.unwrap_or_else(|error| {
            Err(StoreError::other("the task that reads ahead has ended").with_source(error))
        })
    }
}
