//! Projections: how events become rows of a read model, and the engine that keeps them.
//!
//! A projection is a read model whose `#[projection]` impl says which events change which rows. It runs in one of three ways,
//! by one definition: by the [engine](ProjectionEngine), which reads the log and writes batches; inline, in the transaction of
//! the append; live, folded when asked.

mod catalog;
mod differences;
mod engine;
mod fold;
mod gate;
mod handler;
pub(crate) mod inline;
mod parked;
mod preparation;
mod progress;
mod projector;
mod rebuild;
mod refold;
mod route;
#[cfg(feature = "cli")]
pub(crate) mod sample;
mod step;
mod table_projector;

pub use self::catalog::{CatalogEntry, Change, ModelDefinition};
pub use self::differences::{ColumnDifference, Difference, DifferenceKind, Differences};
#[cfg(feature = "cli")]
pub(crate) use self::engine::age_of_next;
pub use self::engine::{
    DryRun, EngineError, Estimate, EstimateBasis, FoldProgress, Level, Live, Named, Operator, Plan,
    PlanAction, PlanStep, ProjectionEngine, ProjectionEngineBuilder, ProjectionState,
    ProjectionStatus, ShardStatus, Status, Tables, Thresholds, WhatIf, WhatIfRows,
};
pub(crate) use self::engine::{Failures, Next, ScratchTable, read_parked};
#[doc(hidden)]
pub use self::fold::message_of;
pub(crate) use self::fold::read;
pub use self::handler::{EventHandler, On, Source};
pub use self::parked::{ParkedEvent, SkippedEvent};
pub use self::preparation::{Preparation, Pruned, RowsAtOnce, Showing, Shown};
pub(crate) use self::progress::Progress;
pub use self::projector::{Batch, BatchDone, BatchError, Projector};
pub use self::rebuild::{Rebuild, RebuildLoad, RebuildState};
pub use self::refold::{Refold, Refolded};
pub use self::route::{IntoKeys, Route};
pub use self::step::{BareRow, ChangedInPlace, IntoRow, RowError};
pub(crate) use self::table_projector::TableProjector;
#[doc(hidden)]
pub use crate::causes::chain;

use std::sync::Arc;

use crate::read_model::ReadModel;

/// A read model and the events that change its rows.
///
/// `#[projection]` writes it from the marked methods of an impl; by hand it is an [`On`] for each event and their list:
///
/// ```
/// use annals::projection::{EventHandler, On, Route, Source, RowError};
/// # use annals::read_model::{ColumnError, ColumnKind, ColumnType, ReadModel, Row, Table, TableColumn};
/// # use annals::{Event, EventContext, Projection, RecordedEvent, Subject};
/// # use serde::{Deserialize, Serialize};
/// #
/// # #[derive(Debug, Clone, Serialize, Deserialize, Event)]
/// # struct Opened { owner: String }
/// # #[derive(Debug, Clone, PartialEq)]
/// # struct Total { owner: String, accounts: i64 }
/// # impl Subject for Total { type Key = String; }
/// # impl ReadModel for Total {
/// #     const TABLE: &'static Table = &Table::new("totals", &[
/// #         TableColumn::new("owner", ColumnKind::Text, false),
/// #         TableColumn::new("accounts", ColumnKind::BigInt, false),
/// #     ], &[0]);
/// #     fn key(&self) -> String { self.owner.clone() }
/// #     fn to_row(&self) -> Result<Row, ColumnError> {
/// #         Ok(Row(vec![self.owner.to_value()?, self.accounts.to_value()?]))
/// #     }
/// #     fn from_row(row: Row) -> Result<Self, ColumnError> {
/// #         let [owner, accounts] = Self::columns(row)?;
/// #         Ok(Self { owner: String::from_value(owner)?, accounts: i64::from_value(accounts)? })
/// #     }
/// # }
/// impl Projection for Total {
///     const NAME: &'static str = "totals";
///
///     fn handlers() -> Vec<EventHandler<Self>> {
///         vec![EventHandler::of::<Opened>()]
///     }
/// }
///
/// impl On<Opened> for Total {
///     fn source() -> Source<Self> {
///         Source::any()
///     }
///
///     fn route(event: &Opened, _: &RecordedEvent) -> Result<Route<String>, RowError> {
///         Ok(Route::One(event.owner.clone()))
///     }
///
///     fn step(
///         row: &mut Option<Self>,
///         event: &Opened,
///         _: &EventContext<Self>,
///     ) -> Result<(), RowError> {
///         let accounts = row.as_ref().map_or(0, |row| row.accounts) + 1;
///         *row = Some(Self { owner: event.owner.clone(), accounts });
///         Ok(())
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a projection",
    label = "not a projection",
    note = "say which events change its rows: `#[projection] impl {Self} {{ #[on] … }}`"
)]
pub trait Projection: ReadModel {
    /// The name under which its checkpoint is kept.
    const NAME: &'static str;
    /// The version of its definition. Another one gets tables of its own.
    const VERSION: u32 = 1;
    /// Whether its rows change in the transaction of the append.
    const INLINE: bool = false;
    /// What becomes of an event that fails.
    const ON_ERROR: OnError = OnError::Park;
    /// How many events a batch has at most; by default as many as do the engine good.
    const BATCH: Option<usize> = None;

    /// The events that change its rows.
    fn handlers() -> Vec<EventHandler<Self>>;
}

/// What becomes of an event that fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum OnError {
    /// It is tried again with pauses that grow, and then waits for a person, with everything later for its row's key. All
    /// other rows go on.
    #[default]
    Park,
    /// The projection stops.
    Stop,
    /// It is left out for its row, and told of in the log.
    Skip,
}

/// What writes the rows of `P`: for tests, and for engines of one's own.
pub fn projector<P: Projection>() -> Arc<dyn Projector> {
    Arc::new(TableProjector::<P>::new())
}
