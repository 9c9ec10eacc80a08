//! Appends that meet the lock of a transaction which goes on: their callers wait, and nobody else does.

use std::time::Duration;

use annals::prelude::*;
use annals::{
    Append, CheckpointId, Expected, NewEvent, Payload, ReadModelStore, Receipt, UnitOfWork,
    UnitOfWorkStore, WriteError,
};
use annals_postgres::PostgresStore;
use futures::future::join_all;
use sqlx::Executor;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::{Error, fresh};

/// Far more than it takes.
const SOON: Duration = Duration::from_secs(20);

/// What an append may take while others wait for locks: a wait or two, but not one for each of them.
const HARDLY_LATER: Duration = Duration::from_secs(2);

const CALLERS: usize = 30;

fn append(stream: &str) -> Append {
    let event = NewEvent::new(uuid::Uuid::now_v7(), "Happened", 1, Payload::new("{}"));
    Append::new(StreamId::new("locks", stream), Expected::Any, vec![event])
}

type Appending = JoinHandle<Result<Vec<Receipt>, WriteError>>;

fn appending(store: &PostgresStore, stream: &str) -> Appending {
    let (store, append) = (store.clone(), append(stream));
    tokio::spawn(async move { store.append(vec![append]).await })
}

/// Appends to all streams in a transaction that goes on, has callers wait for it, and appends to another stream meanwhile.
async fn nobody_waits_with(streams: &[String], callers: &[String]) -> Result<(), Error> {
    let (store, _database) = fresh().await?;
    let mut long = store.pool().begin().await?;
    for stream in streams {
        store.append_in(&mut long, vec![append(stream)]).await?;
    }
    let blocked: Vec<Appending> = callers.iter().map(|stream| appending(&store, stream)).collect();
    for number in 0..3 {
        // So that all of them are before it.
        tokio::task::yield_now().await;
        timeout(HARDLY_LATER, store.append(vec![append(&format!("free-{number}"))])).await??;
    }
    assert!(!blocked.iter().any(JoinHandle::is_finished));
    long.commit().await?;
    for receipts in timeout(SOON, join_all(blocked)).await? {
        assert!(receipts??[0].stream_version > 1);
    }
    Ok(())
}

#[tokio::test]
async fn many_callers_of_a_locked_stream_hold_up_no_other() -> Result<(), Error> {
    let callers = vec!["locked".to_owned(); CALLERS];
    nobody_waits_with(&callers[..1], &callers).await
}

#[tokio::test]
async fn callers_of_many_locked_streams_hold_up_no_other() -> Result<(), Error> {
    let streams: Vec<String> = (0..CALLERS).map(|number| format!("locked-{number}")).collect();
    nobody_waits_with(&streams, &streams).await
}

/// More streams than may wait at once stay locked, and one of those that came after them is free again.
#[tokio::test]
async fn a_stream_that_is_free_again_does_not_wait_for_others() -> Result<(), Error> {
    let (store, _database) = fresh().await?;
    let (mut long, mut short) = (store.pool().begin().await?, store.pool().begin().await?);
    let streams: Vec<String> = (0..8).map(|number| format!("locked-{number}")).collect();
    for stream in &streams {
        store.append_in(&mut long, vec![append(stream)]).await?;
    }
    store.append_in(&mut short, vec![append("short")]).await?;
    let blocked: Vec<Appending> = streams.iter().map(|stream| appending(&store, stream)).collect();
    tokio::task::yield_now().await;
    timeout(HARDLY_LATER, store.append(vec![append("free")])).await??;
    let soon_free = appending(&store, "short");
    tokio::task::yield_now().await;
    timeout(HARDLY_LATER, store.append(vec![append("free")])).await??;
    short.commit().await?;
    assert_eq!(timeout(SOON, soon_free).await???[0].stream_version, 2);
    assert!(!blocked.iter().any(JoinHandle::is_finished));
    long.rollback().await?;
    for receipts in timeout(SOON, join_all(blocked)).await? {
        assert_eq!(receipts??[0].stream_version, 1);
    }
    Ok(())
}

/// Who waits for events is woken by an append that waited for a lock as by any other.
#[tokio::test]
async fn an_append_that_waited_for_a_lock_wakes_readers() -> Result<(), Error> {
    let (_, database) = fresh().await?;
    let hour = Duration::from_secs(3_600);
    let patient = || PostgresStore::builder().poll_interval(hour).connect(database.url());
    let (store, other) = (patient().await?, patient().await?);
    // An append would hold readers back, who then look again by themselves.
    let mut long = store.pool().begin().await?;
    sqlx::raw_sql(
        "INSERT INTO annals.events (position, stream_version, schema_version, readable_from, recorded_at, event_id,
                                    stream_id, category, event_type, data, metadata)
         VALUES (1000, 1, 1, 1, now(), gen_random_uuid(), 'locks-locked', 'locks', 'Happened', '{}', '{}')",
    )
    .execute(&mut *long)
    .await?;
    let blocked = appending(&store, "locked");
    tokio::task::yield_now().await;
    // Once this is answered, the other has been set aside, and readers have been told of this one.
    let head = store.append(vec![append("free")]).await?[0].position;
    let waiting = [store.clone(), other]
        .map(|store| tokio::spawn(async move { store.wait_for_events(head).await }));
    let listeners = "SELECT count(*) FROM pg_stat_activity
                      WHERE datname = current_database() AND query LIKE 'LISTEN %' AND state = 'idle'";
    timeout(SOON, async {
        while sqlx::query_scalar::<_, i64>(listeners).fetch_one(store.pool()).await? < 2 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok::<_, Error>(())
    })
    .await??;
    assert!(!waiting.iter().any(JoinHandle::is_finished));
    long.rollback().await?;
    timeout(SOON, blocked).await???;
    for woken in timeout(SOON, join_all(waiting)).await? {
        woken??;
    }
    Ok(())
}

/// What waited for a lock in vain was surely not done.
#[tokio::test]
async fn a_lock_that_lasts_is_told_as_a_lock() -> Result<(), Error> {
    let (_, database) = fresh().await?;
    let store = PostgresStore::builder().silence(Duration::from_secs(2)).patience(Duration::ZERO);
    let store = store.connect(database.url()).await?;
    let mut long = store.pool().begin().await?;
    store.append_in(&mut long, vec![append("locked")]).await?;
    let blocked: Vec<Appending> = (0..3).map(|_| appending(&store, "locked")).collect();
    let unit = UnitOfWork::new().append(append("locked"));
    let unit = timeout(SOON, store.commit(unit)).await?.unwrap_err();
    let mut errors = vec![unit];
    for blocked in timeout(SOON, join_all(blocked)).await? {
        errors.push(blocked?.unwrap_err());
    }
    for error in errors {
        assert!(matches!(&error, WriteError::Store(error) if error.is_unavailable()), "{error:?}");
        let message = "append: another transaction holds a lock on what is written";
        assert_eq!(error.to_string(), message);
    }
    long.rollback().await?;
    assert_eq!(store.append(vec![append("locked")]).await?[0].stream_version, 1);
    Ok(())
}

/// One caller's content that is none costs the others a few round trips, not one each.
#[tokio::test]
async fn bad_content_is_found_by_halving() -> Result<(), Error> {
    let (store, _database) = fresh().await?;
    // A sequence counts what is rolled back, too.
    sqlx::raw_sql(
        "CREATE SEQUENCE tries;
         CREATE FUNCTION count_tries() RETURNS trigger LANGUAGE plpgsql AS
             $$ BEGIN PERFORM nextval('public.tries'); RETURN NULL; END $$;
         CREATE TRIGGER tries BEFORE INSERT ON annals.events FOR EACH STATEMENT EXECUTE FUNCTION count_tries()",
    )
    .execute(store.pool())
    .await?;
    let appends = (0..256).map(|number| {
        let mut append = append(&format!("{number}"));
        if number == 100 {
            append.events[0].data = Payload::new("{");
        }
        store.append(vec![append])
    });
    for (number, answer) in timeout(SOON, join_all(appends)).await?.into_iter().enumerate() {
        match answer {
            Ok(receipts) => assert_eq!((receipts[0].stream_version, number == 100), (1, false)),
            Err(error) => {
                assert!(matches!(&error, WriteError::Store(error) if error.is_invalid()));
                assert_eq!(number, 100, "{error}");
            }
        }
    }
    let tries: i64 =
        sqlx::query_scalar("SELECT last_value FROM tries").fetch_one(store.pool()).await?;
    assert!(tries <= 20, "{tries} statements");
    Ok(())
}

/// Behind a pooler, a session's patience is the role's. Who waits for longer says so.
#[tokio::test]
async fn a_unit_and_who_is_set_aside_wait_longer_than_a_role_does() -> Result<(), Error> {
    let (_, database) = fresh().await?;
    let store = PostgresStore::builder().after_connect(|connection| {
        Box::pin(async move { connection.execute("SET lock_timeout = '50ms'").await.map(drop) })
    });
    let store = store.connect(database.url()).await?;
    let mut long = store.pool().begin().await?;
    store.append_in(&mut long, vec![append("locked")]).await?;
    let aside = appending(&store, "locked");
    let unit = tokio::spawn({
        let store = store.clone();
        async move { store.commit(UnitOfWork::new().append(append("locked"))).await }
    });
    let both = join_all([aside, unit]);
    tokio::pin!(both);
    timeout(Duration::from_millis(500), &mut both).await.unwrap_err();
    long.commit().await?;
    for receipts in timeout(SOON, both).await? {
        assert!(receipts??[0].stream_version > 1);
    }
    Ok(())
}

/// Whoever writes under a lease, and may stand still with it, is not waited for by who claims it.
#[tokio::test]
async fn a_lease_that_is_locked_is_asked_for_again() -> Result<(), Error> {
    let (store, _database) = fresh().await?;
    let id = CheckpointId { name: "mailer".to_owned(), version: 1, shard: 0 };
    let claim =
        async |owner: &str| timeout(SOON, store.claim_lease(&id, owner, Duration::ZERO)).await;
    assert_eq!(claim("one").await??.map(|fence| fence.epoch), Some(1));
    let mut long = store.pool().begin().await?;
    sqlx::raw_sql("UPDATE annals.checkpoints SET position = 1").execute(&mut *long).await?;
    assert_eq!(claim("two").await??, None);
    // Who has it has not lost it.
    let error = claim("one").await?.unwrap_err();
    assert!(error.is_unavailable(), "{error:?}");
    assert_eq!(
        error.to_string(),
        "claim a lease: another transaction holds a lock on what is written"
    );
    long.rollback().await?;
    assert_eq!(claim("two").await??.map(|fence| fence.epoch), Some(2));
    Ok(())
}
