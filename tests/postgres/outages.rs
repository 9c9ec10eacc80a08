//! What is told when a connection is lost at the worst moment, or a server says nothing.

use std::time::Duration;

use annals::prelude::*;
use annals::projection::ModelDefinition;
use annals::read_model::{ColumnKind, ModelTable, Row, Table, TableColumn, Value};
use annals::{
    Append, CheckpointChange, CheckpointId, Expected, Fence, NewEvent, Payload, ReadModelStore,
    Receipt, RowChange, UnitOfWork, UnitOfWorkStore, WriteError,
};
use annals_postgres::testing::TestDatabase;
use annals_postgres::{PostgresStore, PostgresStoreBuilder};
use tokio::time::timeout;

use super::Error;
use super::proxy::{Cuts, Proxy, Way};

const SOON: Duration = Duration::from_secs(20);

/// Longer than anything takes, unless something is wrong.
const PATIENCE: Duration = Duration::from_mins(1);

/// The table of the rows that units write.
const ROWS: ModelTable = ModelTable {
    table: &Table::new("lost", &[TableColumn::new("key", ColumnKind::Text, false)], &[0]),
    version: 1,
    generation: 1,
};

/// A store behind a proxy, and the same database without it.
struct Behind {
    store: PostgresStore,
    direct: PostgresStore,
    proxy: Proxy,
    database: TestDatabase,
}

impl Behind {
    async fn new(builder: PostgresStoreBuilder) -> Result<Self, Error> {
        let database = TestDatabase::on_own_server().await?;
        let direct = PostgresStore::connect(database.url()).await?;
        direct.migrate().await?;
        direct.prepare(&ModelDefinition::new("lost", 1, Some(ROWS.table), Vec::new())).await?;
        let proxy = Proxy::start(database.url()).await?;
        let store = builder.connect(&proxy.url(database.url())).await?;
        Ok(Self { store, direct, proxy, database })
    }

    /// A lease that has run out already, and is its owner's until another claims it.
    async fn claim(&self, owner: &str) -> Result<Fence, Error> {
        let id = CheckpointId { name: "mailer".to_owned(), version: 1, shard: 0 };
        timeout(SOON, async {
            loop {
                // Whose connection was lost may be at work for a moment.
                if let Some(fence) = self.direct.claim_lease(&id, owner, Duration::ZERO).await? {
                    return Ok(fence);
                }
            }
        })
        .await?
    }

    /// Commits a unit whose connection is lost at what is said; meanwhile something else is done.
    async fn commit(
        &self,
        unit: UnitOfWork,
        cut: (Way, &'static str),
        meanwhile: impl AsyncFnOnce() -> Result<(), Error>,
    ) -> Result<Result<Vec<Receipt>, WriteError>, Error> {
        self.proxy.set(Cuts::At(cut.0, cut.1));
        let committing = tokio::spawn({
            let store = self.store.clone();
            async move { store.commit(unit).await }
        });
        timeout(SOON, self.proxy.shut()).await?;
        meanwhile().await?;
        self.proxy.set(Cuts::None);
        Ok(timeout(SOON, committing).await??)
    }
}

fn moved(fence: &Fence, position: u64) -> UnitOfWork {
    let position = Position::from(position);
    UnitOfWork::new().checkpoint(CheckpointChange { fence: fence.clone(), position })
}

fn row() -> RowChange {
    RowChange::Upsert { table: ROWS, row: Row(vec![Value::Text("a".to_owned())]) }
}

fn append(stream: &str) -> Append {
    let event = NewEvent::new(uuid::Uuid::now_v7(), "Happened", 1, Payload::new("{}"));
    Append::new(StreamId::new("outage", stream), Expected::Any, vec![event])
}

/// Where a private server keeps its log.
fn log_of(database: &TestDatabase) -> std::path::PathBuf {
    let (_, path) = database.url().split_once("host=").expect("a private server is on a socket");
    let folder = path.split('&').next().expect("a path").replace("%2F", "/");
    std::path::Path::new(&folder).join("log")
}

/// Each acknowledgement of a subscription is one round trip; with rows, it is a transaction of several.
#[tokio::test]
async fn a_checkpoint_alone_is_one_statement() -> Result<(), Error> {
    let behind = Behind::new(PostgresStore::builder()).await?;
    let fence = behind.claim("one").await?;
    for set in ["ALTER SYSTEM SET log_statement = 'all'", "SELECT pg_reload_conf()"] {
        sqlx::query(set).execute(behind.direct.pool()).await?;
    }
    let log = log_of(&behind.database);
    let statements = async |mark: &str, unit: UnitOfWork| -> Result<usize, Error> {
        timeout(SOON, async {
            while !std::fs::read_to_string(&log)?.contains(&format!("begin {mark}'")) {
                let sql = format!("SELECT 'begin {mark}'");
                sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(behind.direct.pool()).await?;
            }
            Ok::<_, Error>(())
        })
        .await??;
        behind.direct.commit(unit).await?;
        let text = std::fs::read_to_string(&log)?;
        let (_, after) = text.rsplit_once(&format!("begin {mark}'")).expect("it was found");
        let is_sent =
            |line: &&str| line.contains("LOG:  statement: ") || line.contains("LOG:  execute ");
        Ok(after.lines().filter(is_sent).count())
    };
    assert_eq!(statements("alone", moved(&fence, 2)).await?, 1);
    assert_eq!(statements("with a row", moved(&fence, 3).row(row())).await?, 4);
    Ok(())
}

/// What was stored is found by the ids of its events, whatever became of the answer.
#[tokio::test]
async fn an_answer_that_cannot_be_read_is_looked_up() -> Result<(), Error> {
    let (store, _database) = super::fresh().await?;
    sqlx::raw_sql(
        "ALTER FUNCTION annals.append RENAME TO appended;
         DO $do$
         BEGIN
             EXECUTE format(
                 'CREATE FUNCTION annals.append(%s, OUT positions text, OUT head_versions text, OUT head_positions text,
                      OUT head_instants text, OUT instants text) RETURNS SETOF record LANGUAGE sql
                  AS $$ SELECT positions::text, head_versions::text, head_positions::text, head_instants::text, instants::text
                          FROM annals.appended(%s) $$',
                 (SELECT string_agg(format_type(t, NULL), ', ' ORDER BY n)
                    FROM pg_proc, unnest(proargtypes) WITH ORDINALITY AS a (t, n) WHERE proname = 'appended'),
                 (SELECT string_agg('$' || n, ', ' ORDER BY n)
                    FROM pg_proc, unnest(proargtypes) WITH ORDINALITY AS a (t, n) WHERE proname = 'appended'));
         END $do$",
    )
    .execute(store.pool())
    .await?;
    let receipts = timeout(SOON, store.append(vec![append("a")])).await??;
    assert_eq!((receipts.len(), receipts[0].stream_version), (1, 1));
    Ok(())
}

/// Waits until the stream is there.
async fn stored(store: &PostgresStore, stream: &str) -> Result<(), Error> {
    timeout(SOON, async {
        while store.stream_head(&StreamId::new("outage", stream)).await?.version == 0 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        Ok(())
    })
    .await?
}

/// A server that says nothing for so long counts as lost; what it heard is found once it speaks again.
#[tokio::test]
async fn what_a_silent_server_heard_is_found_out() -> Result<(), Error> {
    let builder = PostgresStore::builder().silence(Duration::from_millis(200));
    let behind = Behind::new(builder.patience(SOON)).await?;
    let fence = behind.claim("one").await?;
    behind.store.append(vec![append("before")]).await?;
    behind.store.commit(moved(&fence, 1)).await?;
    behind.proxy.set(Cuts::Silent);
    let appending = tokio::spawn({
        let store = behind.store.clone();
        async move { store.append(vec![append("a")]).await }
    });
    let committing = tokio::spawn({
        let (store, unit) = (behind.store.clone(), moved(&fence, 2));
        async move { store.commit(unit).await }
    });
    stored(&behind.direct, "a").await?;
    // Longer than the silence, so that it is sent again.
    tokio::time::sleep(Duration::from_millis(300)).await;
    behind.proxy.set(Cuts::None);
    let receipts = timeout(SOON, appending).await???;
    assert_eq!(receipts[0].stream_version, 1);
    timeout(SOON, committing).await???;
    assert_eq!(behind.direct.checkpoint(&fence.id).await?, Some(Position::from(2)));
    Ok(())
}

#[tokio::test]
async fn a_server_that_stays_silent_is_told_of_in_time() -> Result<(), Error> {
    let builder = PostgresStore::builder()
        // What wakes others up would take the connection that the unit of work needs.
        .wake_up(false)
        .silence(Duration::from_millis(200))
        .patience(Duration::from_millis(300))
        .acquire_timeout(Duration::from_millis(500));
    let behind = Behind::new(builder).await?;
    let fence = behind.claim("one").await?;
    // On a busy machine, a server that is well may take longer than it may say nothing: its connections are made once it does not.
    answers(async || behind.store.append(vec![append("before")]).await.is_ok()).await?;
    let pool = behind.store.pool();
    answers(async || pool.num_idle() > 0 && pool.num_idle() == pool.size() as usize).await?;
    behind.proxy.set(Cuts::Silent);
    let unknown = timeout(SOON, behind.store.append(vec![append("a")])).await?.unwrap_err();
    assert!(matches!(unknown, WriteError::UnknownOutcome { .. }), "{unknown:?}");
    let cause = std::error::Error::source(&unknown).map(ToString::to_string);
    assert_eq!(cause.as_deref(), Some("append: the server said nothing for 200ms"));
    let unknown = timeout(SOON, behind.store.commit(moved(&fence, 2))).await?.unwrap_err();
    assert!(matches!(unknown, WriteError::UnknownCommit { .. }), "{unknown:?}");
    for _ in 0..3 {
        let away = timeout(SOON, behind.store.head()).await?.unwrap_err();
        assert!(away.is_unavailable(), "{away:?}");
    }
    behind.proxy.set(Cuts::None);
    answers(async || behind.store.head().await.is_ok_and(|head| head.get() > 0)).await
}

/// A connection that the next read was to have takes nothing from the pool once its server says nothing.
#[tokio::test]
async fn a_connection_that_was_kept_for_a_read_is_given_up() -> Result<(), Error> {
    let builder = PostgresStore::builder().wake_up(false).silence(Duration::from_millis(200));
    let behind = Behind::new(builder.max_connections(2)).await?;
    let pool = behind.store.pool();
    answers(async || {
        behind.proxy.set(Cuts::None);
        if behind.store.head().await.is_err() {
            return false;
        }
        behind.proxy.set(Cuts::Silent);
        // If it went back before that, it is tried again.
        let given_up = async {
            while pool.size() > 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(Duration::from_secs(1), given_up).await.is_ok()
    })
    .await?;
    behind.proxy.set(Cuts::None);
    answers(async || behind.store.head().await.is_ok()).await
}

/// Asks until there is an answer.
async fn answers(mut is_there: impl AsyncFnMut() -> bool) -> Result<(), Error> {
    let asking = async {
        while !is_there().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    Ok(timeout(PATIENCE, asking).await?)
}

/// Who waits is woken up, though the listener lost its connection meanwhile, and nobody looks by himself for an hour.
#[tokio::test]
async fn a_listener_that_lost_its_connection_still_wakes() -> Result<(), Error> {
    let (writer, database) = super::fresh().await?;
    let builder = PostgresStore::builder().poll_interval(Duration::from_hours(1));
    let reader = builder.connect(database.url()).await?;
    for round in 1..=3_u64 {
        let after = Position::from(round - 1);
        let waiting = tokio::spawn({
            let reader = reader.clone();
            async move { reader.wait_for_events(after).await }
        });
        timeout(SOON, async {
            // Until there is one that listens.
            let kill = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
                         WHERE datname = current_database() AND query LIKE 'LISTEN %'";
            while sqlx::query_scalar::<_, i64>(kill).fetch_one(writer.pool()).await? == 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            Ok::<_, Error>(())
        })
        .await??;
        assert!(!waiting.is_finished());
        writer.append(vec![append("a")]).await?;
        timeout(SOON, waiting).await???;
    }
    Ok(())
}

/// The checkpoint tells that it was done, though the lease has passed on since.
#[tokio::test]
async fn a_unit_whose_answer_was_lost_is_not_told_fenced() -> Result<(), Error> {
    let behind = Behind::new(PostgresStore::builder()).await?;
    for (position, with_row, answer) in [(3, true, "COMMIT"), (4, false, "UPDATE 1")] {
        let fence = behind.claim("one").await?;
        let mut unit = moved(&fence, position);
        unit.rows.extend(with_row.then(row));
        let answer = behind
            .commit(unit, (Way::ToClient, answer), async || behind.claim("two").await.map(drop));
        assert_eq!(answer.await?.map_err(|error| error.to_string()), Ok(Vec::new()));
        let kept = behind.direct.checkpoint(&fence.id).await?;
        assert_eq!(kept, Some(Position::from(position)));
    }
    Ok(())
}

#[tokio::test]
async fn a_unit_that_was_lost_before_its_commit_is_told_fenced() -> Result<(), Error> {
    let behind = Behind::new(PostgresStore::builder()).await?;
    let fence = behind.claim("one").await?;
    let unit = moved(&fence, 3).row(row());
    let answer = behind
        .commit(unit, (Way::ToServer, "COMMIT"), async || behind.claim("two").await.map(drop));
    assert!(matches!(answer.await?, Err(WriteError::Fenced { held: 1, current: 2, .. })));
    assert_eq!(behind.direct.checkpoint(&fence.id).await?, None);
    Ok(())
}

/// Where another has moved the checkpoint on since, nothing tells any more.
#[tokio::test]
async fn a_unit_that_nothing_tells_of_is_told_so() -> Result<(), Error> {
    let behind = Behind::new(PostgresStore::builder()).await?;
    let fence = behind.claim("one").await?;
    let unit = moved(&fence, 3).row(row());
    let answer = behind.commit(unit, (Way::ToClient, "COMMIT"), async || {
        let next = behind.claim("two").await?;
        behind.direct.commit(moved(&next, 5)).await?;
        Ok(())
    });
    let unknown = answer.await?.unwrap_err();
    assert!(matches!(unknown, WriteError::UnknownCommit { .. }), "{unknown:?}");
    assert_eq!(unknown.to_string(), "commit a unit of work: the outcome is unknown");
    Ok(())
}

/// A unit without events whose COMMIT was lost for good may have been done.
#[tokio::test]
async fn a_unit_without_events_may_have_an_unknown_outcome() -> Result<(), Error> {
    let behind = Behind::new(PostgresStore::builder().patience(Duration::ZERO)).await?;
    let fence = behind.claim("one").await?;
    let unit = moved(&fence, 3).row(row());
    let answer = behind.commit(unit, (Way::ToClient, "COMMIT"), async || Ok(())).await?;
    assert!(matches!(answer, Err(WriteError::UnknownCommit { .. })), "{answer:?}");
    assert_eq!(behind.direct.checkpoint(&fence.id).await?, Some(Position::from(3)));
    Ok(())
}

/// A write whose writer has given it up comes to the server at last, after what was written since at the same position.
#[tokio::test]
async fn a_write_that_comes_late_undoes_nothing() -> Result<(), Error> {
    const COLUMNS: &[TableColumn] = &[
        TableColumn::new("key", ColumnKind::Text, false),
        TableColumn::new("says", ColumnKind::Text, false),
    ];
    const TABLE: &Table = &Table::new("late", COLUMNS, &[0]);
    let builder = PostgresStore::builder()
        .wake_up(false)
        .max_connections(1)
        .silence(Duration::from_secs(1))
        .patience(Duration::ZERO);
    let behind = Behind::new(builder).await?;
    let direct = &behind.direct;
    let definition = ModelDefinition::new("late", 1, Some(TABLE), Vec::new());
    direct.prepare(&definition).await?;
    let id = definition.reader(1);
    let fence = direct.claim_lease(&id, "owner", Duration::from_hours(1)).await?;
    let fence = fence.expect("nobody has it");
    let write = async |store: &PostgresStore, says: &str| {
        let row = Row(vec![Value::Text("a".to_owned()), Value::Text(says.to_owned())]);
        let table = definition.table_of(1).expect("it has one");
        let change = CheckpointChange { fence: fence.clone(), position: Position::from(6) };
        store.write_rows(vec![RowChange::Upsert { table, row }], change).await
    };
    let says = async || {
        let says = sqlx::query_scalar::<_, String>("SELECT says FROM late");
        says.fetch_one(direct.pool()).await
    };
    write(&behind.store, "first").await?;
    let pid = sqlx::query_scalar::<_, i32>("SELECT pg_backend_pid()");
    let pid = pid.fetch_one(behind.store.pool()).await?;
    behind.proxy.set(Cuts::StillAt(Way::ToServer, "comes late"));
    let unknown = timeout(SOON, write(&behind.store, "comes late")).await?.unwrap_err();
    assert!(matches!(unknown, WriteError::UnknownCommit { .. }), "{unknown:?}");
    write(direct, "next").await?;
    behind.proxy.set(Cuts::None);
    // The server does what it was told, and then sees that nobody is there.
    timeout(SOON, async {
        let there = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $1)";
        while sqlx::query_scalar::<_, bool>(there).bind(pid).fetch_one(direct.pool()).await? {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok::<_, Error>(())
    })
    .await??;
    assert_eq!(says().await?, "next");
    // Whoever is there to be answered has not come late, whatever number the one before had.
    let later = "UPDATE annals.checkpoints SET moved_by = 'ffffffff-ffff-ffff-ffff-ffffffffffff'";
    sqlx::query(later).execute(direct.pool()).await?;
    write(direct, "last").await?;
    assert_eq!(says().await?, "last");
    Ok(())
}
