//! The connections over which a store reads: they go from read to read, and nobody else goes short of them.

use std::time::Duration;

use annals::prelude::*;
use annals::{
    Append, CheckpointChange, CheckpointId, Expected, NewEvent, Payload, ReadModelStore, ReadStream,
};
use annals_postgres::PostgresStore;
use annals_postgres::testing::TestDatabase;
use sqlx::PgPool;
use tokio::time::timeout;

use super::Error;

/// Far more than it takes.
const SOON: Duration = Duration::from_secs(20);

const EVENTS: u64 = 40;

fn stream() -> StreamId {
    StreamId::new("connections", "one")
}

/// A store with so many connections in its pool, and a stream to read.
async fn store_of(connections: u32) -> Result<(PostgresStore, TestDatabase), Error> {
    let database = TestDatabase::create().await?;
    let builder = PostgresStore::builder().max_connections(connections);
    let store = builder.connect(database.url()).await?;
    store.migrate().await?;
    append(&store, EVENTS).await?;
    Ok((store, database))
}

async fn append(store: &PostgresStore, events: u64) -> Result<(), Error> {
    append_to(store, stream(), events).await
}

async fn append_to(store: &PostgresStore, stream: StreamId, events: u64) -> Result<(), Error> {
    let event = |_| NewEvent::new(uuid::Uuid::now_v7(), "Happened", 1, Payload::new("{}"));
    let append = Append::new(stream, Expected::Any, (0..events).map(event).collect());
    store.append(vec![append]).await?;
    Ok(())
}

/// How many events of the stream can be read, if they come in their order.
async fn read(store: &PostgresStore) -> Result<u64, Error> {
    let page = store.stream_page(&ReadStream::new(stream()).limit(10_000)).await?;
    let versions: Vec<u64> = page.events.iter().map(|event| event.stream_version).collect();
    let count = versions.len() as u64;
    assert!(versions.into_iter().eq(1..=count));
    Ok(count)
}

/// A read that does not go over the connection that appends.
async fn read_log(store: &PostgresStore) -> Result<usize, Error> {
    Ok(store.log_page(&ReadAll::after(Position::START)).await?.events.len())
}

/// Reads until it is told to end.
fn reading(store: &PostgresStore) -> tokio::task::JoinHandle<Result<u64, Error>> {
    let store = store.clone();
    tokio::spawn(async move {
        let mut reads = 0;
        loop {
            assert_eq!(read_log(&store).await? as u64, EVENTS);
            reads += 1;
            if store.pool().is_closed() || reads == 20_000 {
                return Ok(reads);
            }
        }
    })
}

async fn pid(pool: &PgPool) -> Result<i32, Error> {
    Ok(sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(pool).await?)
}

/// How many sessions the database has, beside the one that asks.
async fn sessions(url: &str) -> Result<i64, Error> {
    let pool = PgPool::connect(url).await?;
    let count = "SELECT count(*) FROM pg_stat_activity
         WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()";
    let count = sqlx::query_scalar(count).fetch_one(&pool).await?;
    pool.close().await;
    Ok(count)
}

/// Waits until the database has no more sessions than these: what is closed ends a moment later.
async fn sessions_fall_to(url: &str, most: i64) -> Result<(), Error> {
    let mut found = 0;
    let falling = async {
        loop {
            found = sessions(url).await?;
            if found <= most {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(SOON, falling).await.unwrap_or_else(|_| Err(format!("{found} sessions").into()))
}

/// Keeps a table from everybody until the transaction ends.
async fn locking(
    owner: &PgPool,
    table: &'static str,
) -> Result<sqlx::Transaction<'static, sqlx::Postgres>, Error> {
    let mut locking = owner.begin().await?;
    let lock = format!("LOCK TABLE annals.{table} IN ACCESS EXCLUSIVE MODE");
    sqlx::query(sqlx::AssertSqlSafe(lock)).execute(&mut *locking).await?;
    Ok(locking)
}

/// Waits until somebody waits for a table.
async fn somebody_waits_for(owner: &PgPool, table: &str) -> Result<(), Error> {
    let waits = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = $1::regclass";
    let table = format!("annals.{table}");
    timeout(SOON, async {
        while sqlx::query_scalar::<_, i64>(waits).bind(&table).fetch_one(owner).await? == 0 {}
        Ok(())
    })
    .await?
}

#[tokio::test]
async fn a_connection_is_left_to_the_next_read_and_goes_back_at_last() -> Result<(), Error> {
    const READS: usize = 100;
    let (store, _database) = store_of(4).await?;
    let pool = store.pool();
    let mut left = 0;
    for _ in 0..READS {
        read_log(&store).await?;
        // Time enough to go back.
        tokio::time::sleep(Duration::from_millis(5)).await;
        left += usize::from(pool.num_idle() < pool.size() as usize);
    }
    assert!(left > READS / 2, "{left}");
    timeout(SOON, async {
        while pool.num_idle() < pool.size() as usize {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await?;
    assert_eq!(read_log(&store).await? as u64, EVENTS);
    Ok(())
}

#[tokio::test]
async fn who_waits_for_the_pool_has_a_turn_while_reads_go_on() -> Result<(), Error> {
    for connections in [1, 2] {
        let (store, _database) = store_of(connections).await?;
        let readers: Vec<_> = (0..8).map(|_| reading(&store)).collect();
        for _ in 0..20 {
            timeout(SOON, pid(store.pool())).await??;
            let transaction = timeout(SOON, store.pool().begin()).await??;
            timeout(SOON, transaction.rollback()).await??;
        }
        readers.iter().for_each(tokio::task::JoinHandle::abort);
    }
    Ok(())
}

/// With one connection it goes back at once: nobody waits for the end of a turn.
#[tokio::test]
async fn the_last_connection_of_the_pool_is_not_kept() -> Result<(), Error> {
    let (store, _database) = store_of(1).await?;
    let mut shortest = SOON;
    for _ in 0..20 {
        read_log(&store).await?;
        // Asked whether it is alive, it takes a moment.
        let begun = std::time::Instant::now();
        while store.pool().num_idle() == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
            assert!(begun.elapsed() < SOON);
        }
        shortest = shortest.min(begun.elapsed());
    }
    assert!(shortest < Duration::from_millis(40), "{shortest:?}");
    Ok(())
}

#[tokio::test]
async fn a_pool_that_is_closed_gets_its_connections_back() -> Result<(), Error> {
    for connections in [1, 3] {
        let (store, _database) = store_of(connections).await?;
        let readers: Vec<_> = (0..6).map(|_| reading(&store)).collect();
        tokio::time::sleep(Duration::from_millis(100)).await;
        timeout(SOON, store.pool().close()).await?;
        assert_eq!(store.pool().size(), 0);
        for reader in readers {
            match timeout(SOON, reader).await?? {
                Ok(reads) => assert!(reads > 0),
                Err(error) => assert!(error.to_string().contains("read the log"), "{error}"),
            }
        }
        assert!(read_log(&store).await.is_err());
        assert!(read(&store).await.is_err());
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reads_that_are_given_up_leave_nothing_behind_in_a_connection() -> Result<(), Error> {
    let (store, database) = store_of(3).await?;
    let readers = (0..6_u64).map(|seed| {
        let store = store.clone();
        tokio::spawn(async move {
            let mut random = fastrand::Rng::with_seed(seed);
            let (mut whole, mut given_up) = (0, 0);
            while whole < 100 || given_up < 100 {
                let patience = Duration::from_micros(random.u64(0..1_500));
                let read = async {
                    if random.bool() {
                        assert_eq!(read(&store).await?, EVENTS);
                    } else {
                        assert!(read_log(&store).await? as u64 >= EVENTS);
                    }
                    Ok::<_, Error>(())
                };
                // Tokio's timer is too coarse for what is to be met here.
                let begun = std::time::Instant::now();
                tokio::select! {
                    biased;
                    done = read => { done?; whole += 1; }
                    () = async { while begun.elapsed() < patience { tokio::task::yield_now().await } } => {
                        given_up += 1;
                        // It finds no connection to append over while the one that was given up is asked whether it is of use.
                        append_to(&store, StreamId::new("connections", format!("beside-{seed}")), 1).await?;
                    }
                }
            }
            Ok::<_, Error>(())
        })
    });
    for reader in timeout(SOON * 3, futures::future::join_all(readers)).await? {
        reader??;
    }
    append(&store, 1).await?;
    assert_eq!(read(&store).await?, EVENTS + 1);
    // Who listens is not there.
    sessions_fall_to(database.url(), 3 + 2).await
}

/// An append finds a connection although reads have had it, and no more are made than one for each.
#[tokio::test]
async fn reads_and_appends_make_few_connections() -> Result<(), Error> {
    const POOL: i64 = 3;
    let (store, database) = store_of(3).await?;
    let clients = (0..8).map(|_| {
        let store = store.clone();
        tokio::spawn(async move {
            for _ in 0..100 {
                read(&store).await?;
                append(&store, 1).await?;
            }
            Ok::<_, Error>(())
        })
    });
    for client in timeout(SOON * 3, futures::future::join_all(clients)).await? {
        client??;
    }
    assert_eq!(read(&store).await?, EVENTS + 800);
    // One that appends, and one that may read beside it.
    sessions_fall_to(database.url(), POOL + 2).await
}

/// The store's own transactions do not wait until reads have had their turn.
#[tokio::test]
async fn units_of_work_have_their_turn_while_reads_go_on() -> Result<(), Error> {
    const UNITS: u64 = 100;
    let (store, _database) = store_of(2).await?;
    let id = CheckpointId { name: "unit".to_owned(), version: 1, shard: 0 };
    let fence = store.claim_lease(&id, "owner", Duration::from_hours(1)).await?;
    let fence = fence.expect("nobody has it");
    let readers: Vec<_> = (0..8).map(|_| reading(&store)).collect();
    tokio::time::sleep(Duration::from_millis(200)).await;
    let mut quick = 0;
    for number in 1..=UNITS {
        let begun = std::time::Instant::now();
        let change = CheckpointChange { fence: fence.clone(), position: Position::from(number) };
        store.write_rows(Vec::new(), change).await?;
        quick += u64::from(begun.elapsed() < Duration::from_millis(20));
    }
    readers.iter().for_each(tokio::task::JoinHandle::abort);
    assert!(quick > UNITS / 2, "{quick}");
    Ok(())
}

/// A server that takes no more connections: an append waits for the one that a read has, and makes none in vain.
#[tokio::test]
async fn an_append_takes_the_connection_that_a_read_gives_back() -> Result<(), Error> {
    let database = TestDatabase::on_own_server().await?;
    let owner = PostgresStore::connect(database.url()).await?;
    owner.migrate().await?;
    let role = "CREATE ROLE app LOGIN CONNECTION LIMIT 2";
    sqlx::raw_sql(role).execute(owner.pool()).await?;
    sqlx::raw_sql(sqlx::AssertSqlSafe(owner.grants("app"))).execute(owner.pool()).await?;
    let options = (*owner.pool().connect_options()).clone().username("app");
    let pool = sqlx::postgres::PgPoolOptions::new().max_connections(1).connect_lazy_with(options);
    let builder = PostgresStore::builder().wake_up(false).patience(Duration::from_secs(5));
    let store = builder.from_pool(pool).await?;
    append(&store, EVENTS).await?;

    let locking = locking(owner.pool(), "events").await?;
    let reading = tokio::spawn({
        let store = store.clone();
        async move { read(&store).await }
    });
    somebody_waits_for(owner.pool(), "events").await?;
    let appending = tokio::spawn({
        let store = store.clone();
        async move { append(&store, 1).await }
    });
    tokio::time::sleep(Duration::from_millis(500)).await;
    locking.rollback().await?;
    timeout(SOON, reading).await???;
    timeout(SOON, appending).await???;
    assert_eq!(read(&store).await?, EVENTS + 1);
    Ok(())
}

/// Appends give up waiting for a lock soon; a read over their connection does not fail for that.
#[tokio::test]
async fn a_read_waits_for_a_lock_as_long_as_any_other() -> Result<(), Error> {
    let (store, _database) = store_of(3).await?;
    let locking = locking(store.pool(), "events").await?;
    let blocked = tokio::spawn({
        let store = store.clone();
        async move { read(&store).await }
    });
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(!blocked.is_finished());
    locking.rollback().await?;
    assert_eq!(timeout(SOON, blocked).await???, EVENTS);
    Ok(())
}

/// What is asked over it is not over when its caller has gone: nobody else waits for that.
#[tokio::test]
async fn nobody_gets_the_connection_of_a_read_that_was_dropped_before_it_is_free()
-> Result<(), Error> {
    let (store, database) = store_of(3).await?;
    read_log(&store).await?;
    let owner = PgPool::connect(database.url()).await?;
    let locking = locking(&owner, "events").await?;
    for number in 0..2 {
        timeout(Duration::from_millis(200), read_log(&store)).await.expect_err("locked");
        let id = CheckpointId { name: format!("beside {number}"), version: 1, shard: 0 };
        timeout(SOON, store.claim_lease(&id, "owner", SOON)).await??.expect("nobody has it");
    }
    locking.rollback().await?;
    assert_eq!(read_log(&store).await? as u64, EVENTS);
    Ok(())
}

/// The same of the connection that appends.
#[tokio::test]
async fn no_append_waits_for_a_read_that_was_dropped() -> Result<(), Error> {
    let (store, database) = store_of(3).await?;
    let owner = PgPool::connect(database.url()).await?;
    let mut shortest = SOON;
    for appended in 1..=10 {
        let locking = locking(&owner, "snapshots").await?;
        let asked = ReadStream::new(stream());
        tokio::select! {
            _ = store.snapshot_page(&asked, 1) => panic!("the table is locked"),
            waited = somebody_waits_for(&owner, "snapshots") => waited?,
        }
        // Time enough to come back too early.
        tokio::time::sleep(Duration::from_millis(5)).await;
        let begun = std::time::Instant::now();
        append(&store, 1).await?;
        shortest = shortest.min(begun.elapsed());
        assert_eq!(timeout(SOON, read(&store)).await??, EVENTS + appended);
        locking.rollback().await?;
    }
    // Over a connection that appends, a lock is waited for no shorter.
    assert!(shortest < Duration::from_millis(60), "{shortest:?}");
    Ok(())
}

/// What a program's own SQL leaves behind in the pool's connection does not stop reads for good.
#[tokio::test]
async fn a_connection_with_a_failed_transaction_is_closed() -> Result<(), Error> {
    let (store, _database) = store_of(1).await?;
    read_log(&store).await?;
    sqlx::raw_sql("BEGIN; SELECT 1 / 0").execute(store.pool()).await.expect_err("divided by zero");
    assert_eq!(timeout(SOON, read_log(&store)).await?? as u64, EVENTS);
    Ok(())
}

/// Callers who go away at once, after all connections were lost: those who wait are not held up by them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn impatient_callers_keep_nobody_from_a_connection() -> Result<(), Error> {
    let (store, database) = store_of(4).await?;
    let owner = PgPool::connect(database.url()).await?;
    let impatient: Vec<_> = (0..60_u64)
        .map(|seed| {
            let store = store.clone();
            tokio::spawn(async move {
                let mut random = fastrand::Rng::with_seed(seed);
                loop {
                    let patience = Duration::from_millis(random.u64(0..5));
                    let _ = timeout(patience, read_log(&store)).await;
                }
            })
        })
        .collect();
    let mut longest = Duration::ZERO;
    for _ in 0..5 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let ended = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
             WHERE datname = current_database() AND pid <> pg_backend_pid()";
        sqlx::query(ended).execute(&owner).await?;
        let begun = std::time::Instant::now();
        for _ in 0..20 {
            assert_eq!(timeout(SOON, read_log(&store)).await?? as u64, EVENTS);
        }
        longest = longest.max(begun.elapsed());
    }
    impatient.iter().for_each(tokio::task::JoinHandle::abort);
    println!("longest {longest:?}");
    Ok(())
}

/// A client that loads and appends in turn needs no connection of the pool.
#[tokio::test]
async fn streams_are_read_over_the_connection_that_appends() -> Result<(), Error> {
    let (store, _database) = store_of(1).await?;
    let held = store.pool().acquire().await?;
    for appended in 1..=3 {
        append(&store, 1).await?;
        assert_eq!(timeout(SOON, read(&store)).await??, EVENTS + appended);
    }
    drop(held);
    Ok(())
}

/// A read that nobody waits for any more may be dropped where no runtime is.
#[test]
fn a_read_goes_where_no_runtime_is() -> Result<(), Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (store, database, owner, locking) = runtime.block_on(async {
        let (store, database) = store_of(2).await?;
        read_log(&store).await?;
        let owner = PgPool::connect(database.url()).await?;
        let locking = locking(&owner, "events").await?;
        Ok::<_, Error>((store, database, owner, locking))
    })?;
    let mut log = Box::pin(read_log(&store));
    let mut one = Box::pin(read(&store));
    runtime.block_on(async {
        timeout(Duration::from_millis(200), &mut log).await.expect_err("locked");
        timeout(Duration::from_millis(200), &mut one).await.expect_err("locked");
    });
    drop((log, one));
    runtime.block_on(async {
        locking.rollback().await?;
        assert_eq!(timeout(SOON, read_log(&store)).await?? as u64, EVENTS);
        assert_eq!(timeout(SOON, read(&store)).await??, EVENTS);
        owner.close().await;
        Ok::<_, Error>(())
    })?;
    drop((store, database));
    Ok(())
}

/// A pool that keeps some connections looks after them with each that goes, for which it needs a runtime.
#[test]
fn a_store_goes_where_no_runtime_is() -> Result<(), Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (store, database) = runtime.block_on(async {
        let database = TestDatabase::create().await?;
        let pool = sqlx::postgres::PgPoolOptions::new().min_connections(2).max_connections(4);
        let store = PostgresStore::from_pool(pool.connect(database.url()).await?).await?;
        store.migrate().await?;
        tokio::try_join!(read_log(&store), read_log(&store), read_log(&store))?;
        Ok::<_, Error>((store, database))
    })?;
    drop(store);
    drop(runtime);
    drop(database);
    Ok(())
}

/// There may be no runtime any more when a store goes, and there may be one again.
#[test]
fn a_store_outlives_its_runtime() -> Result<(), Error> {
    let runtime = || tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let first = runtime()?;
    let (store, database) = first.block_on(async {
        let (store, database) = store_of(3).await?;
        read_log(&store).await?;
        read(&store).await?;
        Ok::<_, Error>((store, database))
    })?;
    drop(first);
    let second = runtime()?;
    second.block_on(async {
        assert_eq!(timeout(SOON, read_log(&store)).await?? as u64, EVENTS);
        append(&store, 1).await?;
        assert_eq!(timeout(SOON, read(&store)).await??, EVENTS + 1);
        Ok::<_, Error>(())
    })?;
    // While a runtime is there, but not entered.
    drop(store);
    drop(second);
    drop(database);
    Ok(())
}
