//! How tables are made, and when they are not.

use annals::read_model::Select;
use annals::{ReadModelStore, WriteError};
use annals_postgres::PostgresStore;
use futures::future::join_all;

use crate::tables::{ACCOUNTS, ACCOUNTS_IN_SMALL, ACCOUNTS_WITH_OWNER, account, text};
use crate::{Error, begin, definition, fresh, lease, run, switch, told, upsert, write};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn engines_that_start_at_once_prepare_one_table() -> Result<(), Error> {
    let (store, database) = fresh().await?;
    let other = PostgresStore::connect(database.url()).await?;
    let definition = definition(ACCOUNTS, 1);
    let stores = [&store, &other];
    let all = join_all((0..16).map(|number| stores[number % 2].prepare(&definition))).await;
    for entry in all {
        assert_eq!(entry?.generation, 1);
    }
    assert_eq!(store.catalog().await?.len(), 1);
    Ok(())
}

#[tokio::test]
async fn an_added_column_is_empty_in_the_rows_that_are_there() -> Result<(), Error> {
    let (store, _database) = fresh().await?;
    let before = definition(ACCOUNTS, 1);
    store.prepare(&before).await?;
    begin(&store, &before).await?;
    let fence = lease(&store, &before, 1).await?;
    write(&store, &fence, 1, vec![upsert(&before, 1, account("ada", 30))]).await?;
    // What people have built on the view stays.
    run(store.pool(), "CREATE VIEW rich AS SELECT account FROM accounts WHERE balance > 10")
        .await?;

    let now = definition(ACCOUNTS_WITH_OWNER, 1);
    let entry = store.prepare(&now).await?;
    // What was built lacks it.
    assert_eq!((entry.generation, entry.building), (1, None));
    let rows = store.select(ACCOUNTS_WITH_OWNER, 1, &Select::all(ACCOUNTS_WITH_OWNER)).await?;
    let row = rows.expect("there is a table").remove(0);
    assert!(row.0[1].is_null(), "{row:?}");

    let mut bob = row;
    (bob.0[0], bob.0[1]) = (text("bob"), text("Bob"));
    write(&store, &fence, 2, vec![upsert(&now, 1, bob.clone())]).await?;
    let owner: Option<String> =
        sqlx::query_scalar("SELECT max(owner) FROM accounts").fetch_one(store.pool()).await?;
    assert_eq!(owner.as_deref(), Some("Bob"));
    // The generation that is built anew takes over though its columns stand in another order.
    let building = begin(&store, &now).await?;
    let builder = lease(&store, &now, building).await?;
    write(&store, &builder, 2, vec![upsert(&now, building, bob)]).await?;
    switch(&store, &now, &builder).await?;
    let next = begin(&store, &now).await?;
    let builder = lease(&store, &now, next).await?;
    write(&store, &builder, 2, Vec::new()).await?;
    switch(&store, &now, &builder).await?;
    let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM rich").fetch_one(store.pool()).await?;
    assert_eq!(rows, 0);
    Ok(())
}

#[tokio::test]
async fn another_definition_under_the_same_version_is_refused() -> Result<(), Error> {
    let (store, _database) = fresh().await?;
    store.prepare(&definition(ACCOUNTS, 1)).await?;
    let refused = store.prepare(&definition(ACCOUNTS_IN_SMALL, 1)).await.unwrap_err();
    assert!(refused.is_invalid());
    assert!(refused.to_string().contains("column `balance` differs"), "{refused}");
    assert!(refused.to_string().contains("`version = 2`"), "{refused}");

    // As another version it stands beside, and people go on reading the first.
    store.prepare(&definition(ACCOUNTS_IN_SMALL, 2)).await?;
    let shown: i64 = sqlx::query_scalar("SELECT coalesce(max(balance), 0) FROM accounts")
        .fetch_one(store.pool())
        .await?;
    assert_eq!(shown, 0);
    Ok(())
}

#[tokio::test]
async fn a_table_of_the_same_name_is_not_touched() -> Result<(), Error> {
    let (store, _database) = fresh().await?;
    for (make, drop) in [
        ("CREATE TABLE accounts (mine int)", "DROP TABLE accounts"),
        ("CREATE VIEW accounts AS SELECT 1 AS mine", "DROP VIEW accounts"),
    ] {
        run(store.pool(), make).await?;
        let refused = store.prepare(&definition(ACCOUNTS, 1)).await.unwrap_err();
        assert_eq!(
            refused.to_string(),
            "read model `accounts`: \"public\".\"accounts\" is there, and is not a view of schema `annals` of annals: \
             rename one of the two, or give the store's connections a `search_path` of their own"
        );
        assert!(store.catalog().await?.is_empty(), "half of it was made");
        run(store.pool(), "SELECT mine FROM accounts").await?;
        run(store.pool(), drop).await?;
    }
    store.prepare(&definition(ACCOUNTS, 1)).await?;
    Ok(())
}

#[tokio::test]
async fn a_table_of_another_projection_is_refused() -> Result<(), Error> {
    let (store, _database) = fresh().await?;
    store.prepare(&definition(ACCOUNTS, 1)).await?;
    let mut other = definition(ACCOUNTS, 1);
    other.projection = "another".to_owned();
    let refused = store.prepare(&other).await.unwrap_err();
    assert_eq!(
        refused.to_string(),
        "projection `another`: another one keeps table `accounts` at version 1: name another table, or give it another version"
    );
    Ok(())
}

#[tokio::test]
async fn what_nobody_prepared_has_no_rows() -> Result<(), Error> {
    let (store, _database) = fresh().await?;
    let definition = definition(ACCOUNTS, 1);
    assert_eq!(store.select(ACCOUNTS, 1, &Select::all(ACCOUNTS)).await?, None);
    assert_eq!(store.count(ACCOUNTS, 1, &[]).await?, None);
    let fence = lease(&store, &definition, 1).await?;
    let row = upsert(&definition, 1, account("ada", 1));
    let refused = write(&store, &fence, 1, vec![row]).await.unwrap_err();
    assert!(told(&refused).contains("there is no table `accounts_v1_1`: prepare"), "{refused:?}");
    let refused = begin(&store, &definition).await.unwrap_err();
    assert!(matches!(&refused, WriteError::Store(error) if error.is_invalid()), "{refused:?}");
    Ok(())
}

#[tokio::test]
async fn schemas_of_one_database_do_not_share_a_name() -> Result<(), Error> {
    let (store, database) = fresh().await?;
    let other = PostgresStore::builder().schema("other").connect(database.url()).await?;
    other.migrate().await?;
    store.prepare(&definition(ACCOUNTS, 1)).await?;
    let refused = other.prepare(&definition(ACCOUNTS, 1)).await.unwrap_err();
    assert!(refused.to_string().contains("not a view of schema `other`"), "{refused}");
    // With a search path of its own, it has views of its own.
    run(store.pool(), "CREATE SCHEMA models").await?;
    let options: sqlx::postgres::PgConnectOptions = database.url().parse()?;
    let pool = sqlx::PgPool::connect_lazy_with(options.options([("search_path", "models")]));
    let other = PostgresStore::builder().schema("other").from_pool(pool).await?;
    other.prepare(&definition(ACCOUNTS, 1)).await?;
    run(store.pool(), "SELECT balance FROM models.accounts").await?;
    Ok(())
}
