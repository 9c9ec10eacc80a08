//! The store of annals on PostgreSQL.

#[cfg(feature = "testing")]
pub mod testing;
