//! The database of one test.

use std::env::{self, VarError};
use std::fmt;
use std::sync::{Arc, Once};

use uuid::Uuid;

use super::admin;
use super::error::TestDatabaseError;
use super::server::{self, Server};

/// An empty database for one test, dropped at its end with all that is connected to it, also when the test panics.
///
/// The [module](super) says on which server it is made. Its encoding is UTF-8 and its locale `C`, wherever it is.
pub struct TestDatabase {
    url: String,
    name: String,
    admin_url: String,
    server_version: u32,
    own_server: Option<Arc<Server>>,
}

impl TestDatabase {
    /// Makes a database on the server at `DATABASE_URL`, or on the private server that the tests of this process share.
    ///
    /// # Errors
    ///
    /// When there is no server and none can be started, or when it refuses to make a database.
    ///
    /// # Cancel safety
    ///
    /// A dropped call leaves no database behind.
    pub async fn create() -> Result<Self, TestDatabaseError> {
        blocking(|| {
            let admin_url = match env::var("DATABASE_URL") {
                Ok(url) if !url.is_empty() => {
                    static TIDIED: Once = Once::new();
                    TIDIED.call_once(|| admin::remove_stale(&url));
                    url
                }
                Ok(_) | Err(VarError::NotPresent) => server::shared()?.url("postgres"),
                Err(VarError::NotUnicode(_)) => {
                    return Err(TestDatabaseError::new("DATABASE_URL is no valid Unicode"));
                }
            };
            Self::make(admin_url, None)
        })
        .await
    }

    /// Makes a database on a private server that no other test uses and that ends with it, whatever `DATABASE_URL` says.
    ///
    /// For tests that [restart](Self::restart_immediately) the server or change its settings. A start takes a second or two.
    ///
    /// # Errors
    ///
    /// When the server does not start.
    ///
    /// # Cancel safety
    ///
    /// A dropped call leaves no server behind.
    pub async fn on_own_server() -> Result<Self, TestDatabaseError> {
        blocking(|| {
            let server = Arc::new(Server::start()?);
            Self::make(server.url("postgres"), Some(server))
        })
        .await
    }

    fn make(admin_url: String, own_server: Option<Arc<Server>>) -> Result<Self, TestDatabaseError> {
        let name = format!("{}{}", admin::PREFIX, Uuid::now_v7().simple());
        let url = admin::with_database(&admin_url, &name)?;
        let server_version = admin::create(&admin_url, &name)?;
        Ok(Self { url, name, admin_url, server_version, own_server })
    }

    /// The address of the database, for `PostgresStore::connect` or any other client.
    ///
    /// It may hold the password of `DATABASE_URL`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The version of the server, as its `server_version_num` tells it: 150004 for 15.4.
    pub fn server_version(&self) -> u32 {
        self.server_version
    }

    /// Ends the test's own server as a crash would (`pg_ctl stop -m immediate`), and starts it again at the same address.
    ///
    /// What was committed is there afterwards; all connections are lost.
    ///
    /// # Errors
    ///
    /// When the database is not [on a server of its own](Self::on_own_server), or the server does not come back.
    ///
    /// # Cancel safety
    ///
    /// The restart goes on when the call is dropped.
    pub async fn restart_immediately(&self) -> Result<(), TestDatabaseError> {
        let Some(server) = &self.own_server else {
            return Err(TestDatabaseError::new(
                "other tests may use this server: make the database with `TestDatabase::on_own_server`",
            ));
        };
        let server = server.clone();
        blocking(move || server.restart_immediately()).await
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        // With a server of its own, the database goes with the server.
        if self.own_server.is_none() {
            admin::remove(std::mem::take(&mut self.admin_url), &self.name);
        }
    }
}

impl fmt::Debug for TestDatabase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the addresses: they may hold a password.
        let Self { name, server_version, own_server, .. } = self;
        f.debug_struct("TestDatabase")
            .field("name", name)
            .field("server_version", server_version)
            .field("on_own_server", &own_server.is_some())
            .finish_non_exhaustive()
    }
}

/// Runs what blocks on a thread where that harms nobody, and to its end: a database that nobody waits for any more is
/// dropped there as soon as it is made.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, TestDatabaseError> + Send + 'static,
) -> Result<T, TestDatabaseError> {
    tokio::task::spawn_blocking(work).await.map_err(|error| {
        TestDatabaseError::caused("the runtime ended before the test database was there", error)
    })?
}
