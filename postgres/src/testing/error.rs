//! What can go wrong while a test gets its database.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

/// A test database that could not be had.
///
/// No password is in it: of an address, only the server's own message tells.
#[derive(Debug, Clone)]
pub struct TestDatabaseError {
    message: String,
    // Shared: all tests of a process that wait for its server are told why it did not start.
    source: Option<Arc<dyn Error + Send + Sync>>,
}

impl TestDatabaseError {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), source: None }
    }

    pub(super) fn caused(
        message: impl Into<String>,
        source: impl Error + Send + Sync + 'static,
    ) -> Self {
        Self { message: message.into(), source: Some(Arc::new(source)) }
    }
}

impl fmt::Display for TestDatabaseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for TestDatabaseError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
