//! How the tables of a SQL projection are made, and when it is refused.

use annals::prelude::*;
use annals::projection::ModelDefinition;
use annals_postgres::{PostgresStore, RegisterSql as _, SqlContext, sql_projector};
use futures::future::join_all;
use sqlx::PgConnection;

use super::{Ledger, Owned, count, own};
use crate::{Error, fresh, told};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn engines_that_start_at_once_set_up_once() -> Result<(), Error> {
    let (store, database) = fresh().await?;
    let other = PostgresStore::connect(database.url()).await?;
    let (store, other) = (&store, &other);
    let all = (0..8).map(|number| async move {
        sql_projector::<Ledger>().prepare([store, other][number % 2]).await
    });
    for entry in join_all(all).await {
        assert_eq!((entry?.projection.as_str(), store.catalog().await?.len()), ("ledger", 1));
    }
    assert_eq!(count(store, "totals").await?, 0);
    Ok(())
}

/// Annals by another path.
mod kept {
    pub use annals_postgres::{__private, sql_projection};
}

struct Broken;

#[kept::sql_projection(name = "broken", crate = crate::own_sql::setup::kept)]
impl Broken {
    #[setup]
    async fn tables(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        sqlx::query("CREATE TABLE half (done text)").execute(&mut *connection).await?;
        sqlx::query("CREATE TABLE half (done text)").execute(connection).await.map(drop)
    }

    #[on]
    async fn owned(event: &Owned, cx: &mut SqlContext<'_>) -> Result<(), sqlx::Error> {
        own(event, cx).await
    }
}

/// What fails and tells nobody.
struct Silent;

#[annals_postgres::sql_projection(name = "silent")]
impl Silent {
    #[setup]
    async fn tables(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        let _ = Broken::tables(connection).await;
        Ok(())
    }

    #[on]
    async fn owned(event: &Owned, cx: &mut SqlContext<'_>) -> Result<(), sqlx::Error> {
        own(event, cx).await
    }
}

#[tokio::test]
async fn a_setup_that_fails_leaves_nothing() -> Result<(), Error> {
    let (store, _database) = fresh().await?;
    let failed = sql_projector::<Broken>().prepare(&store).await.unwrap_err();
    assert!(failed.is_invalid());
    let expected = "projection `broken`: its setup failed";
    assert_eq!(failed.to_string(), expected);
    assert!(told(&failed).contains("\"half\" already exists"), "{}", told(&failed));
    sql_projector::<Silent>().prepare(&store).await.unwrap_err();
    assert!(store.catalog().await?.is_empty());
    assert!(count(&store, "half").await.is_err(), "half of it was made");
    Ok(())
}

#[tokio::test]
async fn other_events_under_the_same_version_are_refused() -> Result<(), Error> {
    let (store, _database) = fresh().await?;
    sql_projector::<Ledger>().prepare(&store).await?;
    let definition = ModelDefinition::new("ledger", 1, None, vec!["OwnSqlOwned".to_owned()]);
    let refused = store.prepare(&definition).await.unwrap_err();
    assert!(
        refused.to_string().ends_with(
            "its events differ: OwnSqlPaid is gone; give the new one `version = 2`, and a setup that makes tables of \
             other names, and it reads the log from the beginning"
        ),
        "{refused}"
    );
    Ok(())
}

#[tokio::test]
async fn an_engine_without_postgres_refuses_it() -> Result<(), Error> {
    let engine = ProjectionEngine::builder(MemoryStore::new()).register_sql::<Ledger>();
    let refused = engine.start().await.unwrap_err();
    assert!(
        told(&refused).contains("projection `ledger` writes by SQL of its own, and the engine keeps no rows in PostgreSQL"),
        "{}",
        told(&refused)
    );
    Ok(())
}
