//! What is done on a server to make and remove databases, each within a limit of time.

use std::error::Error;
use std::str::FromStr;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, SystemTime};

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, Connection, Executor};
use tokio::runtime::Builder;
use url::Url;
use uuid::Uuid;

use super::error::TestDatabaseError;

/// How long one step on a server may take. A busy machine makes a database in a second.
const LIMIT: Duration = Duration::from_mins(1);

/// How long a test waits at its end for its database to be removed.
const REMOVE_LIMIT: Duration = Duration::from_secs(20);

/// The oldest server that annals knows, as `server_version_num` tells it.
const OLDEST: i32 = 140_000;

/// Makes an empty database, and tells the server's version. Blocks its thread.
pub(super) fn create(url: &str, name: &str) -> Result<u32, TestDatabaseError> {
    block_on(LIMIT, async {
        let mut connection = connect(url).await?;
        let version = version(&mut connection).await?;
        // From the template that nobody is connected to, so that many tests can start at once.
        let statement = format!(
            "CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'"
        );
        connection.execute(AssertSqlSafe(statement)).await.map_err(|error| {
            TestDatabaseError::caused(format!("failed to make the database `{name}`"), error)
        })?;
        // The database is there, whether the server hears the farewell or not.
        _ = connection.close().await;
        Ok(version)
    })
}

/// The beginning of the names of all test databases.
pub(super) const PREFIX: &str = "annals_test_";

/// How old a database is that no test uses any more.
const STALE: Duration = Duration::from_hours(24);

/// Removes what processes left behind that were killed: databases that are old and that nobody is connected to. Blocks its
/// thread. What cannot be removed stays.
pub(super) fn remove_stale(url: &str) {
    // What is wrong with the server, the next step on it tells.
    _ = block_on(REMOVE_LIMIT, async {
        let mut connection = connect(url).await?;
        let listed = sqlx::query_scalar(
            "SELECT d.datname::text FROM pg_database AS d
              WHERE starts_with(d.datname, $1)
                AND NOT EXISTS (SELECT FROM pg_stat_activity AS a WHERE a.datid = d.oid)",
        );
        let names: Vec<String> =
            listed.bind(PREFIX).fetch_all(&mut connection).await.map_err(|error| {
                TestDatabaseError::caused("failed to list the test databases", error)
            })?;
        for name in names.iter().filter(|name| is_stale(name)) {
            // Not by force: whoever connects at this moment uses it. Another process may have removed it as well.
            let statement = format!("DROP DATABASE IF EXISTS {name}");
            _ = connection.execute(AssertSqlSafe(statement)).await;
        }
        _ = connection.close().await;
        Ok(())
    });
}

/// Whether a name is of a test database, and says that it was made long ago.
fn is_stale(name: &str) -> bool {
    let made = name
        .strip_prefix(PREFIX)
        .and_then(|id| Uuid::try_parse(id).ok())
        .filter(|id| format!("{PREFIX}{}", id.simple()) == name)
        .and_then(|id| id.get_timestamp());
    let Some(made) = made else { return false };
    let (seconds, nanoseconds) = made.to_unix();
    let made = SystemTime::UNIX_EPOCH + Duration::new(seconds, nanoseconds);
    made.elapsed().is_ok_and(|age| age > STALE)
}

async fn connect(url: &str) -> Result<PgConnection, TestDatabaseError> {
    let options = PgConnectOptions::from_str(url)
        .map_err(|error| TestDatabaseError::caused("the server's address cannot be read", error))?;
    PgConnection::connect_with(&options).await.map_err(|error| {
        TestDatabaseError::caused("failed to connect to the server of the test databases", error)
    })
}

/// Asks for the server's version, and refuses one that is too old.
async fn version(connection: &mut PgConnection) -> Result<u32, TestDatabaseError> {
    let asked = sqlx::query_scalar("SELECT current_setting('server_version_num')::int");
    let version: i32 = asked.fetch_one(connection).await.map_err(|error| {
        TestDatabaseError::caused("failed to ask for the server's version", error)
    })?;
    if version < OLDEST {
        return Err(TestDatabaseError::new(format!(
            "the server is PostgreSQL {}, of which annals needs 14 or newer",
            version / 10_000
        )));
    }
    Ok(version.unsigned_abs())
}

/// Removes a database with all that is connected to it, and tells on standard error if that fails.
///
/// On a thread of its own: whoever drops a test database may be inside a runtime or outside, in order or panicking.
pub(super) fn remove(url: String, name: &str) {
    let (done, removed) = mpsc::channel();
    let removal = name.to_owned();
    let thread = thread::Builder::new().name("test database".to_owned()).spawn(move || {
        // Nobody listens any more after the limit.
        _ = done.send(remove_here(&url, &removal));
    });
    let problem: Box<dyn Error> = match thread {
        // The other thread keeps to its limit by itself; some more is for a machine that has no time for it.
        Ok(_) => match removed.recv_timeout(2 * REMOVE_LIMIT) {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error.into(),
            Err(late) => late.into(),
        },
        Err(error) => error.into(),
    };
    eprintln!("the test database `{name}` stays on its server: {problem}");
}

fn remove_here(url: &str, name: &str) -> Result<(), TestDatabaseError> {
    block_on(REMOVE_LIMIT, async {
        let mut connection = connect(url).await?;
        let statement = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
        connection.execute(AssertSqlSafe(statement)).await.map_err(|error| {
            TestDatabaseError::caused(format!("failed to drop the database `{name}`"), error)
        })?;
        _ = connection.close().await;
        Ok(())
    })
}

/// Runs one step on a runtime of its own, within a limit of time.
fn block_on<T>(
    limit: Duration,
    step: impl Future<Output = Result<T, TestDatabaseError>>,
) -> Result<T, TestDatabaseError> {
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| TestDatabaseError::caused("failed to start a Tokio runtime", error))?;
    // Inside the runtime: a limit in time is told by its clock.
    runtime.block_on(async { tokio::time::timeout(limit, step).await }).map_err(|_| {
        TestDatabaseError::new(format!(
            "the server of the test databases did not answer in {limit:?}"
        ))
    })?
}

/// The address of another database on the same server, with all else that the address says.
pub(super) fn with_database(url: &str, name: &str) -> Result<String, TestDatabaseError> {
    let mut url = Url::parse(url)
        .map_err(|error| TestDatabaseError::caused("DATABASE_URL cannot be read", error))?;
    url.set_path(name);
    // A name among the parameters would win over the path.
    let others: Vec<(String, String)> =
        url.query_pairs().into_owned().filter(|(key, _)| key != "dbname").collect();
    url.set_query(None);
    if !others.is_empty() {
        url.query_pairs_mut().extend_pairs(others);
    }
    Ok(url.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_database_is_another() {
        let check = |url, expected| assert_eq!(with_database(url, "new").unwrap(), expected);
        check(
            "postgres://ada:p%40ss@db.example:5433/old",
            "postgres://ada:p%40ss@db.example:5433/new",
        );
        check("postgres://localhost", "postgres://localhost/new");
        check(
            "postgres:///old?host=%2Frun%2Fpg&dbname=old&sslmode=disable",
            "postgres:///new?host=%2Frun%2Fpg&sslmode=disable",
        );
    }
}
