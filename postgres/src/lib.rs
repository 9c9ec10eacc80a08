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

mod address;
mod append;
mod builder;
mod checkpoint;
mod database;
mod error;
mod inspected;
mod instant;
mod lease;
mod lent;
mod migrate;
mod models;
mod operated;
mod ports;
mod read;
mod readers;
mod scratch;
mod sharded;
mod snapshots;
mod sql_projection;
mod statements;
mod store;
#[cfg(feature = "testing")]
pub mod testing;
mod unit;
mod wake;
mod writers;

pub use annals_macros::setup;
/// Has SQL of one's own follow the log.
///
/// ```no_run
/// use annals::prelude::*;
/// use annals_postgres::{RegisterSql, SqlContext, sql_projection};
/// use serde::{Deserialize, Serialize};
/// use sqlx::PgConnection;
///
/// #[derive(Debug, Clone, Serialize, Deserialize, Event)]
/// struct Opened {
///     owner: String,
/// }
///
/// struct Audit;
///
/// #[sql_projection(name = "audit", version = 1)]
/// impl Audit {
///     #[setup]
///     async fn tables(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
///         let create = "CREATE TABLE audit (stream text NOT NULL, owner text NOT NULL)";
///         sqlx::query(create).execute(connection).await.map(drop)
///     }
///
///     #[on]
///     async fn opened(event: &Opened, cx: &mut SqlContext<'_>) -> Result<(), sqlx::Error> {
///         let stream = cx.stream_id().to_string();
///         let insert = sqlx::query("INSERT INTO audit VALUES ($1, $2)").bind(stream).bind(&event.owner);
///         insert.execute(cx.connection()).await.map(drop)
///     }
/// }
///
/// # async fn run(store: annals_postgres::PostgresStore) -> Result<(), EngineError> {
/// let engine = ProjectionEngine::builder(store).register_all().register_sql::<Audit>().start().await?;
/// # engine.shutdown().await
/// # }
/// ```
///
pub use annals_macros::sql_projection;
pub use builder::PostgresStoreBuilder;
pub use models::{BatchTransaction, SqlError, read_models, read_models_in};
pub use sql_projection::{
    EngineSql, RegisterSql, SqlContext, SqlHandler, SqlOn, SqlProjection, sql_projector,
};
pub use store::PostgresStore;

/// What `#[sql_projection]` names; nothing for anyone else.
#[doc(hidden)]
pub mod __private {
    pub use annals::{Event, OnError};
    pub use sqlx::postgres::PgConnection;

    pub use crate::models::SqlError;
    pub use crate::sql_projection::{
        SetupConnection, SqlContext, SqlHandler, SqlHandlerContext, SqlOn, SqlOutcome,
        SqlProjection,
    };
}
