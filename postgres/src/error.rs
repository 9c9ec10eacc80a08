//! What PostgreSQL and the way to it answer, told apart by codes and constraints, never by the text of a message.

use annals::StoreError;
use sqlx::postgres::PgDatabaseError;

/// What is to be done about an error.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The constraints say that something is there already: look what it is.
    Taken,
    /// The server undid the transaction for the sake of others: send it again.
    Undone(StoreError),
    /// Nobody can say whether it was done.
    Lost(StoreError),
    /// It was not done, since another transaction holds a lock for longer.
    Blocked(StoreError),
    /// It was not done, and there is nothing more to find out.
    Failed(StoreError),
}

/// The constraints that tell that an append meets what is there already.
const TAKEN: [&str; 3] = ["events_stream_version", "events_event_id", "keys_stream_key"];

impl Failure {
    /// What it means for a write that only looked: there is no doubt about it.
    pub(crate) fn nothing_sent(self) -> Self {
        match self {
            Self::Lost(error) => Self::Undone(error),
            failure => failure,
        }
    }

    /// What an error means for a write.
    pub(crate) fn of(doing: &str, error: sqlx::Error) -> Self {
        if let Some(found) = in_database(&error) {
            match found.code() {
                "23505" if found.constraint().is_some_and(|name| TAKEN.contains(&name)) => {
                    return Self::Taken;
                }
                // Two rows of one statement meet at one key.
                "21000" => return Self::Taken,
                "55P03" => return Self::Blocked(store_error(doing, error)),
                "40001" | "40P01" => return Self::Undone(store_error(doing, error)),
                code if is_shutdown(code) => return Self::Lost(store_error(doing, error)),
                _ => return Self::Failed(store_error(doing, error)),
            }
        }
        match error {
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::Protocol(_)
            | sqlx::Error::WorkerCrashed => Self::Lost(store_error(doing, error)),
            _ => Self::Failed(store_error(doing, error)),
        }
    }
}

pub(crate) fn in_database(error: &sqlx::Error) -> Option<&PgDatabaseError> {
    error.as_database_error()?.try_downcast_ref()
}

/// Whether the server ends the session: what it had under way may have been done or not.
fn is_shutdown(code: &str) -> bool {
    matches!(code, "25P03" | "25P04") || code.starts_with("08") || code.starts_with("57P")
}

/// Whether an error tells that a connection is of no more use.
pub(crate) fn is_lost(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::WorkerCrashed => true,
        error => in_database(error).is_some_and(|found| is_shutdown(found.code())),
    }
}

/// Whether a read failed by what the connections that append have for themselves: they wait for a lock for a short while only, and what
/// a pool does with its own connections, such as `SET ROLE`, nobody may have told them.
pub(crate) fn is_of_writers(error: &sqlx::Error) -> bool {
    in_database(error).is_some_and(|found| matches!(found.code(), "55P03" | "42501"))
}

/// Whether a connection has a transaction that has failed, which somebody has left open in it.
pub(crate) fn is_left_failed(error: &sqlx::Error) -> bool {
    in_database(error).is_some_and(|found| found.code() == "25P02")
}

/// Whether an error tells of the server or the way to it, not of what was asked: the same again may be answered.
pub(crate) fn is_outage(error: &sqlx::Error) -> bool {
    is_lost(error)
        || matches!(error, sqlx::Error::PoolTimedOut)
        || in_database(error).is_some_and(|found| is_passing(found.code()))
}

/// Whether a code tells of a server that starts, stops or is full, of others' locks, or of a stand-by that may be promoted.
fn is_passing(code: &str) -> bool {
    matches!(code, "25006" | "55P03")
        || is_shutdown(code)
        || code.starts_with("53")
        || code.starts_with("40")
}

/// Whether a store's error comes from a table or a view that is not there.
pub(crate) fn is_missing(error: &StoreError) -> bool {
    let cause = std::error::Error::source(error).and_then(|cause| cause.downcast_ref());
    cause.and_then(in_database).is_some_and(|found| matches!(found.code(), "42P01" | "3F000"))
}

/// Whether a store's error tells that another transaction holds a lock.
pub(crate) fn is_blocked(error: &StoreError) -> bool {
    let cause = std::error::Error::source(error).and_then(|cause| cause.downcast_ref());
    cause.and_then(in_database).is_some_and(|found| found.code() == "55P03")
}

/// Says what is wrong with the table of a projection's rows: what is there and what the program knows are not the same, which a
/// migration of the store does not mend.
pub(crate) fn rows_error(doing: &str, error: sqlx::Error) -> StoreError {
    match in_database(&error).and_then(|found| rows_message(doing, found.code())) {
        Some(message) => StoreError::invalid(message).with_source(error),
        None => store_error(doing, error),
    }
}

/// The same of what has been told as an error of the store.
pub(crate) fn of_rows(doing: &str, error: StoreError) -> StoreError {
    let cause = std::error::Error::source(&error).and_then(|cause| cause.downcast_ref());
    let message = cause.and_then(in_database).and_then(|found| {
        let message = rows_message(doing, found.code())?;
        Some(StoreError::invalid(message).with_source(found.to_string()))
    });
    message.unwrap_or(error)
}

fn rows_message(doing: &str, code: &str) -> Option<String> {
    match code {
        "42P01" => Some(format!(
            "{doing}: the table of its rows is not there: `projections plan --apply` makes it again, and the rows with it"
        )),
        "42703" | "42804" | "42883" => Some(format!(
            "{doing}: the columns of its table are not those that this program has under this version: `projections plan` \
             tells what differs, and another version of the projection has a table of its own"
        )),
        _ => None,
    }
}

/// Says why there is no connection: nothing was asked yet, so that it tells of the server alone.
///
/// Who was never let in is told that trying again does not help, if it does not.
pub(crate) fn refused(doing: &str, error: sqlx::Error, was_let_in: bool) -> StoreError {
    let Some(code) = in_database(&error).map(|found| found.code().to_owned()) else {
        return store_error(doing, error);
    };
    let message = match &*code {
        "28000" | "28P01" => format!("{doing}: the server refuses the user or its password"),
        "3D000" => format!("{doing}: there is no such database"),
        "42501" | "55000" => {
            format!("{doing}: the server lets nobody into the database, or not this role")
        }
        code if is_passing(code) => return store_error(doing, error),
        code => format!("{doing}: the server refuses the connection ({code})"),
    };
    let made =
        if was_let_in { StoreError::unavailable(message) } else { StoreError::invalid(message) };
    made.with_source(error)
}

/// Says what failed, and what can be done about it.
pub(crate) fn store_error(doing: &str, error: sqlx::Error) -> StoreError {
    let Some(found) = in_database(&error) else {
        return match &error {
            sqlx::Error::PoolTimedOut => {
                StoreError::unavailable(format!("{doing}: no connection could be had in time"))
            }
            sqlx::Error::PoolClosed => StoreError::other(format!("{doing}: the pool is closed")),
            sqlx::Error::Configuration(_) => {
                StoreError::invalid(format!("{doing}: the connection's options are wrong"))
                    .with_source(error)
            }
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::Protocol(_)
            | sqlx::Error::WorkerCrashed => {
                StoreError::unavailable(format!("{doing}: the connection failed"))
                    .with_source(error)
            }
            _ => StoreError::other(doing.to_owned()).with_source(error),
        };
    };
    let code = found.code();
    let message = match code {
        "42P01" | "42883" | "3F000" => {
            format!(
                "{doing}: the schema of the store is not there: call `migrate()` first, or name another `schema`"
            )
        }
        "42703" | "42804" => {
            format!("{doing}: the schema is of another release: call `migrate()`")
        }
        "42501" => format!(
            "{doing}: the role may not do this: grant it what `PostgresStore::grants` prints"
        ),
        "2200H" => format!("{doing}: the log has reached its last position, 2^48 - 1"),
        "25004" => format!(
            "{doing}: the transaction is not at READ COMMITTED, which the order of the log needs"
        ),
        "55P03" => format!("{doing}: another transaction holds a lock on what is written"),
        "57014" => format!("{doing}: it took longer than the statement time-out"),
        "25P03" => format!(
            "{doing}: the transaction stood still for too long, and the server has ended it"
        ),
        "25006" => format!("{doing}: the server takes no writes: it is a stand-by"),
        "53300" => format!("{doing}: the server has no connection left"),
        "22P02" | "22P05" | "22021" => {
            format!("{doing}: the database cannot keep this text: {}", found.message())
        }
        _ => format!("{doing}: the database refuses it ({code})"),
    };
    let made = match code {
        // A time-out comes of what else the server has to do.
        code if code == "57014" || is_passing(code) => StoreError::unavailable(message),
        code if code.starts_with("22") || code.starts_with("54") => StoreError::invalid(message),
        "25004" | "42501" => StoreError::invalid(message),
        _ => StoreError::other(message),
    };
    made.with_source(error)
}
