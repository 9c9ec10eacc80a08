//! Rebuilds beside the rows that answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use annals::projection::ParkedEvent;
use annals::read_model::Select;
use annals::{ReadModelStore, RowChange, StreamId, Timestamp};

use crate::tables::{ACCOUNTS, ACCOUNTS_IN_SMALL, account};
use crate::{Error, begin, definition, drop_built, fresh, lease, run, switch, upsert, write};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_see_one_generation_or_the_next() -> Result<(), Error> {
    let (store, _database) = fresh().await?;
    let definition = definition(ACCOUNTS, 1);
    store.prepare(&definition).await?;
    let fence = lease(&store, &definition, 1).await?;
    let rows = |generation: u32| -> Vec<RowChange> {
        let row = |name| upsert(&definition, generation, account(name, generation.into()));
        ["ada", "bob", "eve"].map(row).into()
    };
    write(&store, &fence, 1, rows(1)).await?;

    let (is_done, reads) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let readers: Vec<_> = (0..3)
        .map(|number| {
            let (store, is_done, reads) = (store.clone(), is_done.clone(), reads.clone());
            tokio::spawn(async move {
                while !is_done.load(Ordering::Relaxed) {
                    let sums: (i64, i64) = if number == 0 {
                        let sql = "SELECT count(*), count(DISTINCT balance) FROM accounts";
                        sqlx::query_as(sql).fetch_one(store.pool()).await?
                    } else {
                        let rows = store.select(ACCOUNTS, 1, &Select::all(ACCOUNTS)).await?;
                        let rows = rows.expect("there is a table");
                        let mut balances: Vec<_> = rows.iter().map(|row| &row.0[1]).collect();
                        balances.dedup();
                        (i64::try_from(rows.len())?, i64::try_from(balances.len())?)
                    };
                    assert_eq!(sums, (3, 1), "rows of two generations, or of none");
                    reads.fetch_add(1, Ordering::Relaxed);
                }
                Ok::<(), Error>(())
            })
        })
        .collect();
    for _ in 0..20 {
        let generation = begin(&store, &definition).await?;
        let next = lease(&store, &definition, generation).await?;
        write(&store, &next, 1, rows(generation)).await?;
        let before = reads.load(Ordering::Relaxed);
        switch(&store, &definition, &next).await?;
        while reads.load(Ordering::Relaxed) < before + 5 {
            tokio::task::yield_now().await;
        }
    }
    is_done.store(true, Ordering::Relaxed);
    for reader in readers {
        reader.await??;
    }
    let tables =
        "SELECT count(*) FROM pg_class WHERE relname LIKE 'accounts\\_v1\\__%' AND relkind = 'r'";
    let tables: i64 = sqlx::query_scalar(tables).fetch_one(store.pool()).await?;
    assert_eq!(tables, 1, "tables of old generations stay");
    Ok(())
}

#[tokio::test]
async fn a_rebuild_that_is_dropped_leaves_nothing() -> Result<(), Error> {
    let (store, _database) = fresh().await?;
    let definition = definition(ACCOUNTS, 1);
    store.prepare(&definition).await?;
    let generation = begin(&store, &definition).await?;
    let fence = lease(&store, &definition, generation).await?;
    let parked = ParkedEvent {
        reader: fence.id.clone(),
        key: "ada".to_owned(),
        position: 1.into(),
        stream_id: StreamId::new("account", "ada"),
        event_type: "Happened".to_owned(),
        error: "it failed".to_owned(),
        attempts: 1,
        parked_at: Timestamp::now(),
        retry_at: None,
    };
    let changes =
        vec![upsert(&definition, generation, account("ada", 1)), RowChange::Park(parked.clone())];
    write(&store, &fence, 1, changes).await?;
    assert_eq!(store.parked(&fence.id, None).await?, [parked]);
    // One that answers stays.
    drop_built(&store, &definition, 1).await?;
    assert_eq!(store.catalog().await?[0].building, Some(generation));
    drop_built(&store, &definition, generation).await?;
    let entry = store.catalog().await?.remove(0);
    assert_eq!((entry.generation, entry.building), (1, None));
    assert!(store.parked(&fence.id, None).await?.is_empty());
    assert_eq!(store.checkpoint(&fence.id).await?, None);
    let fence = lease(&store, &definition, generation).await?;
    let refused = switch(&store, &definition, &fence).await.unwrap_err();
    assert!(refused.to_string().contains("is not being built"), "{refused}");
    assert_eq!(store.count(ACCOUNTS, 1, &[]).await?, Some(0));
    Ok(())
}

#[tokio::test]
async fn the_public_name_goes_to_a_newer_version_and_not_back() -> Result<(), Error> {
    let (store, _database) = fresh().await?;
    let (old, new) = (definition(ACCOUNTS, 1), definition(ACCOUNTS_IN_SMALL, 2));
    let shown = async || -> Result<String, Error> {
        let sql = "SELECT pg_typeof(max(balance))::text FROM accounts";
        Ok(sqlx::query_scalar(sql).fetch_one(store.pool()).await?)
    };
    store.prepare(&old).await?;
    store.prepare(&new).await?;
    assert_eq!(shown().await?, "bigint");
    for (definition, expected) in [(&old, "bigint"), (&new, "smallint"), (&old, "smallint")] {
        store.caught_up(definition).await?;
        assert_eq!(shown().await?, expected);
    }
    Ok(())
}

#[tokio::test]
async fn a_rebuild_takes_the_public_name_and_does_not_give_it_back() -> Result<(), Error> {
    let (store, _database) = fresh().await?;
    let (old, new) = (definition(ACCOUNTS, 1), definition(ACCOUNTS_IN_SMALL, 2));
    let shown = async || -> Result<String, Error> {
        let sql = "SELECT pg_typeof(max(balance))::text FROM accounts";
        Ok(sqlx::query_scalar(sql).fetch_one(store.pool()).await?)
    };
    store.prepare(&old).await?;
    store.prepare(&new).await?;
    assert_eq!(shown().await?, "bigint");
    for (definition, expected) in [(&old, "bigint"), (&new, "smallint"), (&old, "smallint")] {
        let entry = store.prepare(definition).await?;
        let generation = begin(&store, definition).await?;
        assert_ne!(generation, entry.generation);
        switch(&store, definition, &lease(&store, definition, generation).await?).await?;
        assert_eq!(shown().await?, expected);
    }
    Ok(())
}

/// A writer has the lock of its table before that of its checkpoint. Had a switch them the other way round, each would wait for
/// the other.
#[tokio::test]
async fn a_switch_locks_in_the_order_of_writers() -> Result<(), Error> {
    let (store, _database) = fresh().await?;
    let definition = definition(ACCOUNTS, 1);
    store.prepare(&definition).await?;
    write(&store, &lease(&store, &definition, 1).await?, 1, Vec::new()).await?;
    let generation = begin(&store, &definition).await?;
    let fence = lease(&store, &definition, generation).await?;
    write(&store, &fence, 1, Vec::new()).await?;
    let mut writer = store.pool().begin().await?;
    sqlx::query("SELECT FROM accounts").fetch_all(&mut *writer).await?;
    let switching = tokio::spawn({
        let (store, definition) = (store.clone(), definition.clone());
        async move { switch(&store, &definition, &fence).await }
    });
    let waiting = "SELECT count(*) FROM pg_locks AS l JOIN pg_database AS d ON d.oid = l.database \
                    WHERE NOT l.granted AND l.locktype = 'relation' AND d.datname = current_database()";
    while sqlx::query_scalar::<_, i64>(waiting).fetch_one(store.pool()).await? == 0 {
        tokio::task::yield_now().await;
    }
    let checkpoint =
        sqlx::query("SELECT FROM annals.checkpoints WHERE name = $1 FOR UPDATE NOWAIT");
    checkpoint.bind(definition.reader(1).name).fetch_all(&mut *writer).await?;
    writer.commit().await?;
    switching.await??;
    Ok(())
}

/// A view that a person has open in a long transaction does not make all others wait for it.
#[tokio::test]
async fn who_reads_for_long_holds_up_the_switch_but_no_reader() -> Result<(), Error> {
    let (store, database) = fresh().await?;
    let hasty = annals_postgres::PostgresStore::builder()
        .patience(std::time::Duration::from_millis(10))
        .connect(database.url())
        .await?;
    let definition = definition(ACCOUNTS, 1);
    store.prepare(&definition).await?;
    let generation = begin(&store, &definition).await?;
    let fence = lease(&store, &definition, generation).await?;
    let mut long = store.pool().begin().await?;
    sqlx::query("SELECT FROM accounts").fetch_all(&mut *long).await?;
    let refused = switch(&hasty, &definition, &fence).await.unwrap_err();
    assert!(
        matches!(&refused, annals::WriteError::Store(error) if error.is_unavailable()),
        "{refused:?}"
    );
    run(store.pool(), "SELECT FROM accounts").await?;
    long.commit().await?;
    switch(&hasty, &definition, &fence).await?;
    Ok(())
}
