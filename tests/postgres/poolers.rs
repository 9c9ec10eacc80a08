//! What remains behind a pooler: no named statements, no settings at a session's start.

use annals::prelude::*;
use annals::{Append, Expected, NewEvent, Payload};
use annals_postgres::PostgresStore;
use sqlx::{AssertSqlSafe, PgPool};

use super::bank::{Account, Deposit, OpenAccount};
use super::{Error, fresh};

async fn is_of_use(store: PostgresStore) -> Result<(), Error> {
    let bus = CommandBus::new(store.clone());
    bus.dispatch(OpenAccount { account: "ada".into(), owner: "Ada".into() }).await?;
    bus.dispatch(Deposit { account: "ada".into(), amount: 5 }).idempotency_key("k").await?;
    let mut subscription = store.subscribe().durable("mailer").await?;
    for version in 1..=2 {
        let event = subscription.next().await.expect("it goes on")?;
        assert_eq!(event.stream_version, version);
    }
    subscription.ack_delivered().await?;
    let ada = Repository::<Account>::new(store).load("ada").await?;
    assert_eq!(ada.expect("she is there").state.balance, 5);
    Ok(())
}

fn with(url: &str, parameter: &str) -> String {
    let mark = if url.contains('?') { '&' } else { '?' };
    format!("{url}{mark}{parameter}")
}

#[tokio::test]
async fn statements_need_no_names() -> Result<(), Error> {
    let (_, database) = fresh().await?;
    let store = PostgresStore::builder().prepared_statements(false).max_connections(1);
    let store = store.connect(database.url()).await?;
    is_of_use(store.clone()).await?;
    let mut transaction = store.pool().begin().await?;
    let event = NewEvent::new(uuid::Uuid::now_v7(), "Happened", 1, Payload::new("1"));
    let append = Append::new(StreamId::new("pooled", "a"), Expected::Any, vec![event]);
    store.append_in(&mut transaction, vec![append]).await?;
    transaction.commit().await?;
    store.purge_keys().await?;
    let named: Vec<String> = sqlx::query_scalar("SELECT statement FROM pg_prepared_statements")
        .persistent(false)
        .fetch_all(store.pool())
        .await?;
    assert_eq!(named, Vec::<String>::new());
    Ok(())
}

/// What the driver does not know of an address is left out, and all else of it counts.
#[tokio::test]
async fn an_address_may_have_more_than_the_driver_knows() -> Result<(), Error> {
    let (_, database) = fresh().await?;
    let url = with(database.url(), "channel_binding=disable&application_name=shop");
    let store = PostgresStore::connect(&url).await?;
    let name: String = sqlx::query_scalar("SHOW application_name").fetch_one(store.pool()).await?;
    assert_eq!(name, "shop");
    is_of_use(store).await
}

/// A pool whose sessions are at another level is told so where the order of the log would suffer.
#[tokio::test]
async fn another_isolation_level_is_refused_rather_than_borne() -> Result<(), Error> {
    let (store, database) = fresh().await?;
    let name: String =
        sqlx::query_scalar("SELECT current_database()").fetch_one(store.pool()).await?;
    let alter =
        format!("ALTER DATABASE \"{name}\" SET default_transaction_isolation = 'serializable'");
    sqlx::query(AssertSqlSafe(alter)).execute(store.pool()).await?;
    let store = PostgresStore::from_pool(PgPool::connect(database.url()).await?).await?;
    let refused = store.head().await.unwrap_err().to_string();
    assert_eq!(
        refused,
        "read the log's end: the transaction is not at READ COMMITTED, which the order of the log needs"
    );
    Ok(())
}
