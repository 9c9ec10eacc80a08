//! The checkpoint of a unit of work: it moves under its lease, never back, and tells whether the unit was done.

use annals::{CheckpointChange, Fence, Position, StoreError, WriteError};
use sqlx::Row;
use sqlx::postgres::PgConnection;
use uuid::Uuid;

use crate::append::{DOING, bounded, unsigned};
use crate::database::{Database, Query};
use crate::error::Failure;

/// What came of a move.
pub(crate) enum Moved {
    Done,
    /// The unit of work was done by a try before, whose answer was lost.
    Before,
    Refused(WriteError),
}

/// A move of a checkpoint by one unit of work.
pub(crate) struct Move<'a> {
    pub(crate) change: &'a CheckpointChange,
    /// The same in each try.
    pub(crate) unit: Uuid,
    /// Whether a connection was lost with a try before, and only the checkpoint can tell what became of it.
    pub(crate) is_in_doubt: bool,
    /// Whether it is refused if a later unit has moved the checkpoint to the same position, as one may that comes late.
    pub(crate) is_after_others: bool,
}

/// Where a checkpoint stands, and who moved it there.
#[derive(Debug, Default)]
struct Stands {
    epoch: u64,
    is_held: bool,
    moved_in: u64,
    position: Position,
    moved_by: Option<Uuid>,
}

impl Move<'_> {
    /// Moves it, and locks its row, in one statement; only one that is refused is looked into.
    pub(crate) async fn run(
        &self,
        database: &Database,
        connection: &mut PgConnection,
    ) -> Result<Moved, Failure> {
        let CheckpointChange { fence, position } = self.change;
        let moving = self
            .bind_id(database.statements.checkpoint_move())
            .bind(bounded(fence.epoch))
            .bind(bounded(position.get()))
            .bind(self.unit);
        let failed = |error| Failure::of(DOING, error);
        let moved = moving.execute(&mut *connection).await.map_err(failed)?;
        if moved.rows_affected() > 0 {
            return Ok(Moved::Done);
        }
        self.look(database, connection).await.map_err(failed)
    }

    /// Looks why it was not moved.
    pub(crate) async fn look(
        &self,
        database: &Database,
        connection: &mut PgConnection,
    ) -> Result<Moved, sqlx::Error> {
        let looking = self.bind_id(database.statements.checkpoint_stands());
        let row = looking.fetch_optional(connection).await?;
        let stands = row.map(|row| Stands::read(&row)).transpose()?;
        Ok(self.refusal(&stands.unwrap_or_default()))
    }

    fn bind_id<'q>(&'q self, query: Query<'q>) -> Query<'q> {
        let id = &self.change.fence.id;
        query.bind(&id.name).bind(i64::from(id.version)).bind(i64::from(id.shard))
    }

    /// Why it was not moved. No later epoch began while a try before was under way: its owner waited for the row.
    fn refusal(&self, stands: &Stands) -> Moved {
        let CheckpointChange { fence: Fence { id, epoch }, position: to } = self.change;
        if stands.moved_by == Some(self.unit) {
            return Moved::Before;
        }
        if self.is_in_doubt && (stands.moved_in, stands.position) > (*epoch, *to) {
            let message =
                format!("`{}` has been moved on by another since the connection was lost", id.name);
            let source = StoreError::other(message);
            return Moved::Refused(WriteError::UnknownCommit { source });
        }
        let name = id.name.clone();
        Moved::Refused(if stands.epoch == *epoch && stands.is_held {
            WriteError::MovedBack { name, position: stands.position, to: *to }
        } else {
            WriteError::Fenced { name, held: *epoch, current: stands.epoch }
        })
    }
}

impl Stands {
    fn read(row: &sqlx::postgres::PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            epoch: unsigned(row.try_get(0)?),
            is_held: row.try_get(1)?,
            moved_in: unsigned(row.try_get(2)?),
            position: Position::from(unsigned(row.try_get(3)?)),
            moved_by: row.try_get(4)?,
        })
    }
}
