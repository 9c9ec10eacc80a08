//! The store of annals on PostgreSQL, 14 or newer.
//!
//! [`PostgresStore`] keeps every promise of the ports in `annals::store`; the tables, the statements and the functions
//! that do it are in `.sql` files beside this source.
//!
//! # The order of the log
//!
//! A sequence hands out positions before commit, so that a reader could see position 12 before 11 exists, and never see
//! 11. Each append therefore takes a shared advisory lock, whose key is the last position that was drawn, before it draws
//! its own; a reader reads the sequence, then the lowest lock, and reads no further than the lower of the two. Writers
//! wait for nobody, and a transaction of anyone else in the server holds no reader up. An append in a transaction of the
//! program's own does, until it ends: keep such a transaction short.

mod append;
mod database;
mod error;
mod instant;
mod migrate;
mod ports;
mod read;
mod statements;
mod store;
#[cfg(feature = "testing")]
pub mod testing;
mod unit;
mod wake;

pub use store::{PostgresStore, PostgresStoreBuilder};
