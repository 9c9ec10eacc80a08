//! A connection that is lent to a read, from the pool or from those that append, and what it means when it turns out to be dead.

use annals::StoreError;
use sqlx::postgres::PgConnection;

use crate::error::{is_left_failed, is_lost, is_of_writers, store_error};
use crate::readers::LentReader;
use crate::writers::LentWriter;

/// A connection while something reads over it.
pub(crate) enum Lent<'r> {
    Reader(LentReader<'r>),
    Writer(LentWriter),
}

impl Lent<'_> {
    pub(crate) fn connection(&mut self) -> &mut PgConnection {
        match self {
            Self::Reader(reader) => reader.connection(),
            Self::Writer(writer) => writer.connection(),
        }
    }

    /// Leaves it to the next; all that was asked over it has to have been answered.
    pub(crate) fn leave(self) {
        match self {
            Self::Reader(reader) => reader.leave(),
            Self::Writer(writer) => writer.leave(),
        }
    }

    /// Closes it, as it is.
    pub(crate) fn close(self) {
        match self {
            Self::Reader(reader) => reader.close(),
            Self::Writer(writer) => writer.close(),
        }
    }
}

/// How many more connections may turn out to be dead.
pub(crate) struct Tries(pub(crate) u32);

impl Tries {
    /// Lets another connection be tried if this one is dead.
    pub(crate) fn go_on(
        &mut self,
        doing: &str,
        lent: Lent<'_>,
        error: sqlx::Error,
    ) -> Result<(), StoreError> {
        if let Lent::Writer(writer) = lent {
            if is_lost(&error) {
                writer.close();
            } else if !is_of_writers(&error) {
                return Err(store_error(doing, error));
            }
            tracing::debug!(%error, doing, "read again over another connection");
            return Ok(());
        }
        let is_dead = is_lost(&error) || is_left_failed(&error);
        if !is_dead || self.0 == 0 {
            return Err(store_error(doing, error));
        }
        self.0 -= 1;
        tracing::debug!(%error, doing, "a connection was dead");
        // What is broken does not go back.
        lent.close();
        Ok(())
    }
}
