//! Read models: typed tables that programs and people read by SQL, and what is kept of their projections.
//!
//! Statements whose text depends on a table are written here; those that do not are `.sql` files. Every name that goes into
//! one is quoted, every value is bound.

mod at_once;
mod attempt;
mod bind;
mod catalog;
mod change;
mod changes;
mod day;
mod layout;
mod names;
mod operated;
mod own_sql;
mod parked;
mod preparation;
mod prune;
mod public_view;
mod read;
mod row;
mod scratch;
mod select;
mod sharded;
mod write;

use annals::StoreError;
use annals::read_model::ReadModels;

pub(crate) use self::at_once::rows_at_once;
pub(crate) use self::catalog::{
    begin_generation, catalog, caught_up, drop_generation, leases, prepare, set_paused,
    switch_generation,
};
pub(crate) use self::operated::{keep_rebuild, rebuilds};
pub(crate) use self::own_sql::tells_of_end;
pub use self::own_sql::{BatchTransaction, SqlError};
pub(crate) use self::parked::{parked, read as read_parked_event};
pub(crate) use self::preparation::preparation;
pub(crate) use self::prune::{prune, show_version};
pub(crate) use self::read::{count, rows, select};
pub(crate) use self::scratch::{
    begin_scratch, count_scratch, drop_left_scratch, drop_scratch, select_scratch,
};
pub(crate) use self::sharded::{divide, standing};
pub(crate) use self::write::{Refusal, change_rows, write_rows};
use crate::store::PostgresStore;

/// Connects to the rows of read models, for a service that only reads: it runs no engine.
///
/// Rows that an engine keeps in another database than the events are read where they are.
///
/// ```no_run
/// # async fn run() -> Result<(), annals::StoreError> {
/// let models = annals_postgres::read_models("postgres://localhost/shop").await?;
/// # let _ = models;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// As [`PostgresStore::connect`].
pub async fn read_models(url: &str) -> Result<ReadModels, StoreError> {
    Ok(read_models_in(PostgresStore::connect(url).await?))
}

/// Reads the rows in a store, whose options and pool are as it was made.
pub fn read_models_in(store: PostgresStore) -> ReadModels {
    ReadModels::new(store)
}
