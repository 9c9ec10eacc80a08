//! What a step of a projection gives back, and why one fails.

use std::error::Error;

use crate::aggregate::Misfit;
use crate::read_model::{ColumnError, ReadModel};

/// Why an event did not change its row.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RowError {
    /// The step makes a row, but it is there.
    #[error("the row exists already; take `#[on(upsert)]` and `Option<Self>` if it may")]
    Exists,
    /// The step needs a row, but there is none.
    #[error("there is no row; take `#[on(upsert)]` and `Option<Self>` if there may be none")]
    Missing,
    /// The row has another key than the event was routed by.
    #[error(
        "the row has the key `{found}` after the step, but the event goes to the row `{routed}`"
    )]
    Key {
        /// The key by which the event was routed.
        routed: String,
        /// The key of the row.
        found: String,
    },
    /// A column cannot hold what the step wrote, or the key what the event says.
    #[error(transparent)]
    Column(#[from] ColumnError),
    /// What the step wrote would not be the row when it is read next.
    #[error("what the step wrote does not read back from the row")]
    NotReadBack(#[source] ColumnError),
    /// The row, as it is kept, does not read as its type.
    #[error("the row that is kept does not read as its type; mend it, or rebuild the projection")]
    Unreadable(#[source] ColumnError),
    /// The step of an inline projection asked for the event's instant or position, which only the store knows.
    #[error(
        "the step asks for the event's instant or position, which is not known before the append; an inline projection takes instants from what its events say"
    )]
    AskedStore,
    /// The step refused.
    #[error("{0}")]
    Failed(Box<dyn Error + Send + Sync>),
    /// The step panicked.
    #[error("panicked: {0}")]
    Panicked(String),
}

impl From<Misfit> for RowError {
    fn from(misfit: Misfit) -> Self {
        match misfit {
            Misfit::Exists => Self::Exists,
            Misfit::Missing => Self::Missing,
        }
    }
}

/// What a step that gives back the row returns: `Self`, `Option<Self>` where the row may end, or a `Result` of them.
#[diagnostic::on_unimplemented(
    message = "an `#[on]` gives back `Self`, or `Option<Self>` where the row may end, or a `Result` of them, not `{Self}`",
    label = "not the row after the event",
    note = "to change a row that exists, take `&mut self` and give back nothing"
)]
pub trait IntoRow<M> {
    /// The row after the event.
    ///
    /// # Errors
    ///
    /// What the step refused with.
    fn into_row(self) -> Result<Option<M>, RowError>;
}

/// A row that a step gives back without a `Result`.
#[diagnostic::on_unimplemented(
    message = "an `#[on]` gives back `Self`, or `Option<Self>` where the row may end, or a `Result` of them, not `{Self}`",
    label = "not the row after the event",
    note = "to change a row that exists, take `&mut self` and give back nothing"
)]
pub trait BareRow<M> {
    /// The row after the event.
    fn into_bare(self) -> Option<M>;
}

impl<M: ReadModel> BareRow<M> for M {
    fn into_bare(self) -> Option<M> {
        Some(self)
    }
}

impl<M: ReadModel> BareRow<M> for Option<M> {
    fn into_bare(self) -> Option<M> {
        self
    }
}

impl<M: ReadModel> IntoRow<M> for M {
    fn into_row(self) -> Result<Option<M>, RowError> {
        Ok(Some(self))
    }
}

impl<M: ReadModel> IntoRow<M> for Option<M> {
    fn into_row(self) -> Result<Option<M>, RowError> {
        Ok(self)
    }
}

impl<M: ReadModel, R: BareRow<M>, E: Into<Box<dyn Error + Send + Sync>>> IntoRow<M>
    for Result<R, E>
{
    fn into_row(self) -> Result<Option<M>, RowError> {
        match self {
            Ok(row) => Ok(row.into_bare()),
            Err(error) => Err(RowError::Failed(error.into())),
        }
    }
}

/// What a step with `&mut self` returns: nothing, or a `Result` of it.
#[diagnostic::on_unimplemented(
    message = "an `#[on]` with `&mut self` returns nothing or a `Result<(), _>`, not `{Self}`",
    label = "must be left out",
    note = "to give back the row, or `None` where it ends, take `self`"
)]
pub trait ChangedInPlace {
    /// Takes it.
    ///
    /// # Errors
    ///
    /// What the step refused with.
    fn done(self) -> Result<(), RowError>;
}

impl ChangedInPlace for () {
    fn done(self) -> Result<(), RowError> {
        Ok(())
    }
}

impl<E: Into<Box<dyn Error + Send + Sync>>> ChangedInPlace for Result<(), E> {
    fn done(self) -> Result<(), RowError> {
        self.map_err(|error| RowError::Failed(error.into()))
    }
}
