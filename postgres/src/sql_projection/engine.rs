//! The engine's share: SQL projections are registered, and asked about.

use std::sync::Arc;

use annals::projection::{Named, Projector};
use annals::{EngineError, ProjectionEngine, ProjectionEngineBuilder};

use super::SqlProjection;
use super::projector::SqlProjector;

mod sealed {
    pub trait Sealed {}

    impl Sealed for annals::ProjectionEngine {}
    impl Sealed for annals::ProjectionEngineBuilder {}
}

/// Registers projections that are SQL of one's own.
///
/// An engine whose rows are not kept by a [`PostgresStore`](crate::PostgresStore) refuses them at its start.
pub trait RegisterSql: sealed::Sealed {
    /// Runs a SQL projection. `register_all` does not: it knows no database.
    #[must_use]
    fn register_sql<P: SqlProjection>(self) -> Self;
}

impl RegisterSql for ProjectionEngineBuilder {
    fn register_sql<P: SqlProjection>(self) -> Self {
        self.register_projector(sql_projector::<P>())
    }
}

/// What runs `P`: for tests, and for engines of one's own.
pub fn sql_projector<P: SqlProjection>() -> Arc<dyn Projector> {
    Arc::new(SqlProjector::<P>::new())
}

/// Asks an engine about projections that are SQL of one's own.
pub trait EngineSql: sealed::Sealed {
    /// The SQL projection `P`: to be waited for, paused, and asked what is parked of it.
    ///
    /// # Errors
    ///
    /// When the engine does not run it.
    fn sql<P: SqlProjection>(&self) -> Result<Named<'_>, EngineError>;
}

impl EngineSql for ProjectionEngine {
    fn sql<P: SqlProjection>(&self) -> Result<Named<'_>, EngineError> {
        self.named(P::NAME, P::VERSION)
    }
}
