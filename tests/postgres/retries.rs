//! What the server undoes for the sake of others is sent again, at a statement or at the COMMIT; and what others hold is
//! passed over by who can.

use std::time::Duration;

use annals::prelude::*;
use annals::{
    Append, CheckpointId, ContentHash, Expected, KeyClaim, KeyOwner, NewEvent, Payload,
    ReadModelStore, StoreError, UnitOfWork, UnitOfWorkStore, WriteError,
};
use annals_postgres::PostgresStore;
use sqlx::{AssertSqlSafe, Executor};
use tokio::time::timeout;

use super::interleaved::remake;
use super::{Error, fresh};

const SOON: Duration = Duration::from_secs(20);

fn append(stream: &str) -> Append {
    let event = NewEvent::new(uuid::Uuid::now_v7(), "Happened", 1, Payload::new("{}"));
    Append::new(StreamId::new("retries", stream), Expected::NoStream, vec![event])
}

/// Has the next insertion of events undone: each time for another reason that is no fault of theirs.
async fn undo_next(store: &PostgresStore, when: &str, code: &str) -> Result<(), Error> {
    // A sequence counts what is rolled back, too.
    let sql = format!(
        "CREATE SEQUENCE IF NOT EXISTS undone;
         ALTER SEQUENCE undone RESTART;
         CREATE OR REPLACE FUNCTION undo() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN
             IF nextval('public.undone') = 1 THEN RAISE EXCEPTION 'undone' USING ERRCODE = '{code}'; END IF;
             RETURN NULL;
         END $$;
         DROP TRIGGER IF EXISTS undo ON annals.events;
         CREATE {when} FOR EACH ROW EXECUTE FUNCTION undo()"
    );
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(store.pool()).await?;
    Ok(())
}

#[tokio::test]
async fn what_the_server_undoes_is_sent_again() -> Result<(), Error> {
    let (store, _database) = fresh().await?;
    let at_the_statement = "TRIGGER undo AFTER INSERT ON annals.events";
    let at_the_commit =
        "CONSTRAINT TRIGGER undo AFTER INSERT ON annals.events DEFERRABLE INITIALLY DEFERRED";
    for (number, code) in ["40001", "40P01"].into_iter().enumerate() {
        for (when, trigger) in [("statement", at_the_statement), ("commit", at_the_commit)] {
            undo_next(&store, trigger, code).await?;
            let append_alone = append(&format!("append-{number}-{when}"));
            let receipts = timeout(SOON, store.append(vec![append_alone])).await??;
            assert_eq!(receipts[0].stream_version, 1, "{code} at the {when}");
            undo_next(&store, trigger, code).await?;
            let unit = UnitOfWork::new().append(append(&format!("unit-{number}-{when}")));
            let receipts = timeout(SOON, store.commit(unit)).await??;
            assert_eq!(receipts[0].stream_version, 1, "{code} at the {when}");
            let tries: i64 =
                sqlx::query_scalar("SELECT last_value FROM undone").fetch_one(store.pool()).await?;
            assert_eq!(tries, 2, "{code} at the {when}");
        }
    }
    Ok(())
}

/// A unit that meets something each time, of which nothing is found, comes to an end.
#[tokio::test]
async fn a_unit_does_not_try_for_ever() -> Result<(), Error> {
    let (store, _database) = fresh().await?;
    remake(&store, "append", |definition| definition.replacen("BEGIN", "BEGIN\nRETURN;\n", 1))
        .await?;
    let unit = UnitOfWork::new().append(append("met"));
    let told = timeout(SOON, store.commit(unit)).await?.unwrap_err();
    assert_eq!(told.to_string(), "append: others were faster each time");
    Ok(())
}

/// What a unit has met is not looked at for ever, either.
#[tokio::test]
async fn a_unit_bears_no_silence_while_it_looks() -> Result<(), Error> {
    let (store, database) = fresh().await?;
    let content = ContentHash::of(&serde_json::json!({}));
    let claim = KeyClaim::new("key".to_owned(), "Happen", content, KeyOwner::Process);
    store.append(vec![append("there")]).await?;
    let mut holder = store.pool().begin().await?;
    holder.execute("LOCK TABLE annals.keys IN ACCESS EXCLUSIVE MODE").await?;
    let short = Duration::from_millis(300);
    let hasty = PostgresStore::builder().silence(short).patience(Duration::ZERO);
    let hasty = hasty.connect(database.url()).await?;
    let unit = UnitOfWork::new().append(append("there").with_key(claim));
    let told = timeout(SOON, hasty.commit(unit)).await?.unwrap_err();
    let silent = |error: &StoreError| {
        error.is_unavailable() && error.to_string().contains("the server said nothing for 300ms")
    };
    assert!(matches!(&told, WriteError::Store(error) if silent(error)), "{told:?}");
    holder.rollback().await?;
    Ok(())
}

/// The clock is read more than once, and steps back in between.
#[tokio::test]
async fn a_clock_that_steps_back_leaves_no_other_owner_the_epoch() -> Result<(), Error> {
    let (store, database) = fresh().await?;
    store
        .pool()
        .execute(
            "CREATE SCHEMA stepping;
             CREATE SEQUENCE stepping.looks;
             CREATE FUNCTION stepping.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS $$
                 SELECT pg_catalog.clock_timestamp()
                        + CASE nextval('stepping.looks') WHEN 2 THEN interval '1 hour' ELSE interval '0' END
             $$",
        )
        .await?;
    let id = CheckpointId { name: "mailer".to_owned(), version: 1, shard: 0 };
    let minute = Duration::from_secs(60);
    let first = store.claim_lease(&id, "one", minute).await?.expect("nobody has it");
    let stepping = PostgresStore::builder().after_connect(|connection| {
        Box::pin(async move {
            connection.execute("SET search_path = stepping, pg_catalog").await.map(drop)
        })
    });
    let stepping = stepping.connect(database.url()).await?;
    let second = stepping.claim_lease(&id, "two", minute).await?.expect("it seems to have run out");
    assert!(second.epoch > first.epoch, "{first:?}, {second:?}");
    let again = store.claim_lease(&id, "two", minute).await?.expect("it is hers");
    assert_eq!(again.epoch, second.epoch);
    Ok(())
}

/// Who purges passes over what is held, and removes the rest.
#[tokio::test]
async fn a_purge_of_keys_waits_for_nobody() -> Result<(), Error> {
    let (store, _database) = fresh().await?;
    for key in ["held", "free"] {
        let content = ContentHash::of(&serde_json::json!({}));
        let owner = KeyOwner::Caller { lifetime: Duration::ZERO };
        let claim = KeyClaim::new(key.to_owned(), "Happen", content, owner);
        store.append(vec![append(key).with_key(claim)]).await?;
    }
    let mut holder = store.pool().begin().await?;
    sqlx::query("SELECT FROM annals.keys WHERE key = 'held' FOR UPDATE")
        .execute(&mut *holder)
        .await?;
    assert_eq!(timeout(SOON, store.purge_keys()).await??, 1);
    holder.rollback().await?;
    assert_eq!(store.purge_keys().await?, 1);
    Ok(())
}
