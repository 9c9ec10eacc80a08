//! Projections that are SQL of one's own: what the user's type is, what its methods are given, and the engine's share.
//!
//! How a batch's transaction begins and ends is in [`own_sql`](crate::models); when a batch is run, the engine of annals says.

mod context;
mod engine;
mod handler;
mod projector;

use std::future::Future;

use annals::OnError;
use sqlx::postgres::PgConnection;

pub use self::context::{SetupConnection, SqlContext, SqlHandlerContext};
pub use self::engine::{EngineSql, RegisterSql, sql_projector};
pub use self::handler::{SqlHandler, SqlOn, SqlOutcome};
use crate::models::SqlError;

/// A projection whose rows are written by SQL of its own. `#[sql_projection]` writes it from the marked methods of an impl.
///
/// Each batch of events is one transaction, which moves the checkpoint under the lease as well: an event has its effect once,
/// whatever crashes when. The tables are its own; annals reads none of them and drops none.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a SQL projection",
    label = "not a SQL projection",
    note = "say what it writes: `#[annals_postgres::sql_projection(name = \"…\")] impl {Self} {{ #[setup] … #[on] … }}`"
)]
pub trait SqlProjection: Sized + 'static {
    /// The name under which its checkpoint is kept.
    const NAME: &'static str;
    /// The version of its definition. Another one is set up anew and reads the log from the beginning.
    const VERSION: u32 = 1;
    /// What becomes of an event that fails.
    const ON_ERROR: OnError = OnError::Park;
    /// How many events a batch has at most; by default as many as do the engine good.
    const BATCH: Option<usize> = None;

    /// Makes the tables: once for each version, in the transaction that keeps the definition.
    fn setup(connection: &mut PgConnection) -> impl Future<Output = Result<(), SqlError>> + Send;

    /// The events that it takes.
    fn handlers() -> Vec<SqlHandler>;
}
