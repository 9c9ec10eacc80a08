//! Databases for tests: each test has an empty one of its own, which is dropped at its end.
//!
//! ```no_run
//! use annals_postgres::testing::TestDatabase;
//!
//! # async fn test() -> Result<(), Box<dyn std::error::Error>> {
//! let database = TestDatabase::create().await?;
//! println!("{} on a server of version {}", database.url(), database.server_version());
//! # Ok(())
//! # }
//! ```
//!
//! | Environment variable | Meaning |
//! |---|---|
//! | `DATABASE_URL` | The databases are made on this server, as the user that it names, who must be allowed to make them. |
//! | `ANNALS_INSTALL_POSTGRES=1` | Where no server can be found, it is installed by the system's package manager, as root. |
//!
//! A process that is killed leaves its databases on the server at `DATABASE_URL`. The next to make one there removes those that
//! are more than a day old and that nobody is connected to.
//!
//! Without `DATABASE_URL` the tests of one process share a private server, made by the `initdb` and `postgres` of this
//! machine: those in `PATH`, else the newest in `/usr/lib/postgresql`, else where `pg_config` says. It listens on a Unix
//! socket in a temporary folder that only its own user can enter, never on a port. As root, which PostgreSQL refuses, it
//! runs as the user `postgres` or `nobody`. It ends with the process, however that ends, and its folder is removed.
//!
//! The private server runs without `fsync`: what it keeps survives a crash of the server, but not one of the machine.
//! Most of a test's time goes into the files of its database, so they are kept in memory, in `/dev/shm`, where 4 GiB are free
//! there and `TMPDIR` does not say where else they belong.
//!
//! This module makes no tables: that is what the store's `migrate` is for.

#[cfg(unix)]
mod account;
mod admin;
mod binaries;
mod database;
mod error;
#[cfg(unix)]
mod folder;
#[cfg(unix)]
mod install;
#[cfg(unix)]
mod server;
#[cfg(not(unix))]
#[path = "no_server.rs"]
mod server;

pub use self::database::TestDatabase;
pub use self::error::TestDatabaseError;
