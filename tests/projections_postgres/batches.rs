//! Rows in another database than the events, services that only read, and projections of own SQL.

use std::time::Duration;

use annals::prelude::*;
use annals::projection::{ModelDefinition, ParkedEvent};
use annals::{CheckpointChange, Position, ReadModelStore, StreamId, Timestamp, WriteError};
use annals_postgres::PostgresStore;

use crate::counting::{Opened, Total, open};
use crate::{Error, fresh, run};

/// What any client sees, and a service without an engine, while the events are elsewhere.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_may_live_in_another_database() -> Result<(), Error> {
    let (events, _database) = fresh().await?;
    let (rows, database) = fresh().await?;
    open(&events, 10).await?;
    let engine = ProjectionEngine::builder(events.clone())
        .rows_in(rows.clone())
        .register::<Total>()
        .start()
        .await?;
    let receipt = open(&events, 10).await?;
    engine.wait_for::<Total>(&receipt, Duration::from_secs(20)).await?;
    engine.shutdown().await?;

    let models = annals_postgres::read_models(database.url()).await?;
    let total = models.get::<Total>("ada").await?.expect("a row");
    assert_eq!(total.accounts, 20);
    let sum: i64 = sqlx::query_scalar("SELECT accounts FROM totals WHERE owner = 'ada'")
        .fetch_one(rows.pool())
        .await?;
    assert_eq!(sum, 20);
    assert!(events.catalog().await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn own_sql_is_written_with_the_checkpoint_or_not_at_all() -> Result<(), Error> {
    let (store, _database) = fresh().await?;
    let definition = ModelDefinition::new("audit", 1, None, vec![Opened::NAME.to_owned()]);
    for _ in 0..2 {
        let prepared = store.prepare_own_sql(&definition, |connection| {
            Box::pin(async move {
                sqlx::query("CREATE TABLE audit (line text NOT NULL)").execute(connection).await?;
                Ok(())
            })
        });
        prepared.await?;
    }
    let fence = crate::lease(&store, &definition, 1).await?;
    let change = |position: u64| CheckpointChange {
        fence: fence.clone(),
        position: Position::from(position),
    };
    let line = async |store: &PostgresStore, position, is_committed| -> Result<(), Error> {
        let mut transaction = store.begin_batch(&change(position)).await?;
        sqlx::query("INSERT INTO audit VALUES ('opened')")
            .execute(transaction.connection())
            .await?;
        let event = ParkedEvent {
            reader: fence.id.clone(),
            key: "ada".to_owned(),
            position: Position::from(position),
            stream_id: StreamId::new("account", "ada"),
            event_type: "Opened".to_owned(),
            error: "it failed".to_owned(),
            attempts: 1,
            parked_at: Timestamp::now(),
            retry_at: None,
        };
        transaction.park([event]).await?;
        if is_committed {
            transaction.commit().await?;
        }
        Ok(())
    };
    line(&store, 1, true).await?;
    line(&store, 2, false).await?;
    let lines: i64 =
        sqlx::query_scalar("SELECT count(*) FROM audit").fetch_one(store.pool()).await?;
    assert_eq!(lines, 1);
    assert_eq!(store.checkpoint(&fence.id).await?, Some(Position::from(1)));
    assert_eq!(store.parked(&fence.id, None).await?.len(), 1);

    store.release_lease(&fence).await?;
    let refused = store.begin_batch(&change(3)).await.unwrap_err();
    assert!(matches!(refused, WriteError::Fenced { .. }), "{refused}");
    run(store.pool(), "DROP TABLE audit").await?;
    Ok(())
}
