//! Which snapshots are kept, and for how long.

use std::time::Duration;

use annals::prelude::*;
use annals::{Payload, SnapshotStore, StoredSnapshot};
use annals_postgres::testing::TestDatabase;
use annals_postgres::{PostgresStore, PostgresStoreBuilder};
use sqlx::Executor;
use tokio::time::timeout;

use super::Error;

fn snapshot(stream: &str, shape: u32) -> StoredSnapshot {
    let id = uuid::Uuid::now_v7();
    StoredSnapshot::new(StreamId::new("kept", stream), 1, id, Payload::new("1"))
        .with_shape(shape, None)
}

async fn store(builder: PostgresStoreBuilder) -> Result<(PostgresStore, TestDatabase), Error> {
    let database = TestDatabase::create().await?;
    let store = builder.connect(database.url()).await?;
    store.migrate().await?;
    for (stream, shapes) in [("a", &[1, 2, 5][..]), ("b", &[1]), ("c", &[1, 2])] {
        for &shape in shapes {
            store.save_snapshot(snapshot(stream, shape)).await?;
        }
    }
    Ok((store, database))
}

async fn kept(store: &PostgresStore) -> Result<Vec<String>, Error> {
    let kept = "SELECT stream_id || ' ' || snapshot_version FROM annals.snapshots ORDER BY 1";
    Ok(sqlx::query_scalar(kept).fetch_all(store.pool()).await?)
}

#[tokio::test]
async fn snapshots_of_the_last_shapes_are_kept() -> Result<(), Error> {
    let (two, _database) = store(PostgresStore::builder()).await?;
    assert_eq!(two.purge_snapshots().await?, 1);
    assert_eq!(kept(&two).await?, ["kept-a 2", "kept-a 5", "kept-b 1", "kept-c 1", "kept-c 2"]);
    let (one, _database) = store(PostgresStore::builder().snapshot_versions(1)).await?;
    assert_eq!(one.purge_snapshots().await?, 3);
    assert_eq!(kept(&one).await?, ["kept-a 5", "kept-b 1", "kept-c 2"]);
    assert_eq!(one.purge_snapshots().await?, 0);
    Ok(())
}

#[tokio::test]
async fn old_snapshots_go_however_many_there_are() -> Result<(), Error> {
    let builder = PostgresStore::builder().snapshot_lifetime(Duration::from_hours(1));
    let (store, _database) = store(builder).await?;
    store
        .pool()
        .execute(
            "UPDATE annals.snapshots SET saved_at = now() - interval '59 minutes' WHERE stream_id <> 'kept-b';
             UPDATE annals.snapshots SET saved_at = now() - interval '61 minutes' WHERE stream_id = 'kept-b';
             INSERT INTO annals.snapshots (snapshot_version, stream_version, saved_at, event_id, stream_id, data)
             SELECT 1, 1, now() - interval '1 day', gen_random_uuid(), 'many-' || n, '1' FROM generate_series(1, 2500) AS n",
        )
        .await?;
    assert_eq!(store.purge_snapshots().await?, 2502);
    assert_eq!(kept(&store).await?, ["kept-a 2", "kept-a 5", "kept-c 1", "kept-c 2"]);
    Ok(())
}

/// The purge does not wait for a snapshot that is being written.
#[tokio::test]
async fn a_purge_passes_over_what_is_being_written() -> Result<(), Error> {
    let builder = PostgresStore::builder().snapshot_lifetime(Duration::ZERO);
    let (store, _database) = store(builder).await?;
    let mut writer = store.pool().begin().await?;
    writer.execute("UPDATE annals.snapshots SET data = '2' WHERE stream_id = 'kept-a'").await?;
    assert_eq!(timeout(Duration::from_secs(10), store.purge_snapshots()).await??, 3);
    writer.commit().await?;
    assert_eq!(kept(&store).await?, ["kept-a 1", "kept-a 2", "kept-a 5"]);
    Ok(())
}
