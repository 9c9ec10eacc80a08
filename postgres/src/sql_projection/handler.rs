//! The events of a SQL projection, and what is done for each.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;

use annals::{DecodeError, Event, EventName, RecordedEvent, Stored};
use futures::future::BoxFuture;

use super::{SqlContext, SqlProjection};
use crate::models::SqlError;

/// A SQL projection that takes the event `E`. `#[on]` writes it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not take `{E}`",
    label = "not taken by the SQL projection"
)]
pub trait SqlOn<E: Event>: SqlProjection {
    /// Writes what the event says.
    fn on(event: &E, cx: &mut SqlContext<'_>) -> impl Future<Output = Result<(), SqlError>> + Send;

    /// Its entry in the projection's list.
    #[doc(hidden)]
    fn handler() -> SqlHandler {
        SqlHandler::of::<Self, E>()
    }
}

/// One event of a SQL projection.
pub struct SqlHandler {
    pub(super) event: EventName,
    pub(super) read: fn(Stored<'_>) -> Result<Box<dyn ReadEvent>, DecodeError>,
}

impl SqlHandler {
    /// Takes the event `E`.
    pub fn of<P: SqlOn<E>, E: Event>() -> Self {
        Self {
            event: EventName::of::<E>(),
            read: |stored| {
                let event = E::decode(stored)?;
                Ok(Box::new(Pending { event, of: PhantomData::<fn() -> P> }))
            },
        }
    }

    /// The stored name of the event, and its earlier ones.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        std::iter::once(self.event.name).chain(self.event.aliases.iter().copied())
    }

    /// Whether it takes an event.
    pub(super) fn takes(&self, recorded: &RecordedEvent) -> bool {
        self.names().any(|name| name == recorded.event_type)
    }
}

impl fmt::Debug for SqlHandler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqlHandler").field("event", &self.event.name).finish_non_exhaustive()
    }
}

/// An event of a SQL projection, read.
pub(super) trait ReadEvent: Send + Sync {
    fn write<'a>(&'a self, cx: &'a mut SqlContext<'_>) -> BoxFuture<'a, Result<(), SqlError>>;
}

struct Pending<P, E> {
    event: E,
    of: PhantomData<fn() -> P>,
}

impl<P: SqlOn<E>, E: Event> ReadEvent for Pending<P, E> {
    fn write<'a>(&'a self, cx: &'a mut SqlContext<'_>) -> BoxFuture<'a, Result<(), SqlError>> {
        // Inside, so that a method that panics before it is async panics where it is caught.
        Box::pin(async move { P::on(&self.event, cx).await })
    }
}

/// What a method of a SQL projection gives back.
#[diagnostic::on_unimplemented(
    message = "a method of a SQL projection gives back a `Result<(), _>`, not `{Self}`",
    label = "not a `Result<(), _>`",
    note = "write `-> Result<(), sqlx::Error>`, or any other error that goes into a `Box<dyn Error + Send + Sync>`"
)]
pub trait SqlOutcome {
    /// The outcome with its error boxed.
    ///
    /// # Errors
    ///
    /// What the method failed with.
    fn into_outcome(self) -> Result<(), SqlError>;
}

impl<E: Into<SqlError>> SqlOutcome for Result<(), E> {
    fn into_outcome(self) -> Result<(), SqlError> {
        self.map_err(Into::into)
    }
}
