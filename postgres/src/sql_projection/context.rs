//! What the methods of a SQL projection are given.

use std::fmt;

use annals::{Metadata, Position, RecordedEvent, StreamId, Timestamp};
use sqlx::postgres::PgConnection;
use uuid::Uuid;

/// What an `#[on]` of a SQL projection is given beside its event: the batch's transaction, and what is known of the event.
pub struct SqlContext<'a> {
    connection: &'a mut PgConnection,
    event: &'a RecordedEvent,
}

impl<'a> SqlContext<'a> {
    pub(super) fn new(connection: &'a mut PgConnection, event: &'a RecordedEvent) -> Self {
        Self { connection, event }
    }

    /// The connection, inside the batch's transaction, which is the engine's to end.
    pub fn connection(&mut self) -> &mut PgConnection {
        self.connection
    }

    /// The instant at which the event was stored, by the store's clock.
    pub fn recorded_at(&self) -> Timestamp {
        self.event.recorded_at
    }

    /// The event's own id.
    pub fn event_id(&self) -> Uuid {
        self.event.id
    }

    /// The stream that the event is in.
    pub fn stream_id(&self) -> &StreamId {
        &self.event.stream_id
    }

    /// The event's place in its stream, from 1.
    pub fn stream_version(&self) -> u64 {
        self.event.stream_version
    }

    /// The version of the shape in which the event was stored.
    pub fn schema_version(&self) -> u32 {
        self.event.schema_version
    }

    /// The event's place among all events.
    pub fn position(&self) -> Position {
        self.event.position
    }

    /// Who caused the event, and why.
    pub fn metadata(&self) -> &Metadata {
        &self.event.metadata
    }
}

impl fmt::Debug for SqlContext<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqlContext").field("event", &self.event).finish_non_exhaustive()
    }
}

/// The last parameter of an `#[on]` of a SQL projection.
#[diagnostic::on_unimplemented(
    message = "the last parameter of an `#[on]` of a SQL projection is `&mut SqlContext<'_>`, not `{Self}`",
    label = "expected `&mut SqlContext<'_>`",
    note = "it takes its event and, last, `cx: &mut SqlContext<'_>`, whose `connection()` is the batch's transaction"
)]
pub trait SqlHandlerContext<'a, 'b> {
    /// Passes the context on.
    fn from_context(cx: &'a mut SqlContext<'b>) -> Self;
}

impl<'a, 'b> SqlHandlerContext<'a, 'b> for &'a mut SqlContext<'b> {
    fn from_context(cx: &'a mut SqlContext<'b>) -> Self {
        cx
    }
}

/// The parameter of a `#[setup]`.
#[diagnostic::on_unimplemented(
    message = "the parameter of a `#[setup]` is `&mut PgConnection`, not `{Self}`",
    label = "expected `&mut PgConnection`",
    note = "it takes the connection, inside the transaction that keeps the definition: `connection: &mut PgConnection`"
)]
pub trait SetupConnection<'a> {
    /// Passes the connection on.
    fn from_connection(connection: &'a mut PgConnection) -> Self;
}

impl<'a> SetupConnection<'a> for &'a mut PgConnection {
    fn from_connection(connection: &'a mut PgConnection) -> Self {
        connection
    }
}
