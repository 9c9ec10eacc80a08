//! What stands in for a private server where there are no Unix sockets.

use super::error::TestDatabaseError;

/// No server can be made of this.
pub(super) enum Server {}

pub(super) fn shared() -> Result<&'static Server, TestDatabaseError> {
    Err(TestDatabaseError::new(
        "a private server needs a system with Unix sockets: set DATABASE_URL to a server that is there",
    ))
}

impl Server {
    pub(super) fn start() -> Result<Self, TestDatabaseError> {
        shared().map(|server| match *server {})
    }

    pub(super) fn url(&self, _: &str) -> String {
        match *self {}
    }

    pub(super) fn restart_immediately(&self) -> Result<(), TestDatabaseError> {
        match *self {}
    }
}
