//! Which rights an engine needs.

use annals::ReadModelStore;
use annals::read_model::Select;
use annals_postgres::PostgresStore;
use annals_postgres::testing::TestDatabase;
use sqlx::PgPool;
use sqlx::postgres::PgConnectOptions;

use crate::tables::{ACCOUNTS, account};
use crate::{Error, begin, definition, fresh, lease, run, switch, upsert, write};

pub(crate) async fn store_of(database: &TestDatabase, role: &str) -> Result<PostgresStore, Error> {
    let options: PgConnectOptions = database.url().parse()?;
    let pool = PgPool::connect_lazy_with(options.options([("role", role)]));
    Ok(PostgresStore::from_pool(pool).await?)
}

#[tokio::test]
async fn a_role_with_the_printed_grants_runs_an_engine() -> Result<(), Error> {
    let (store, database) = fresh().await?;
    let role = format!("annals_engine_{}", uuid::Uuid::now_v7().simple());
    run(store.pool(), &format!("CREATE ROLE {role}")).await?;
    run(store.pool(), &store.grants(&role)).await?;
    let done = as_role(&store, &database, &role).await;
    run(store.pool(), &format!("DROP OWNED BY {role} CASCADE; DROP ROLE {role}")).await?;
    done
}

async fn as_role(store: &PostgresStore, database: &TestDatabase, role: &str) -> Result<(), Error> {
    let of_role = store_of(database, role).await?;
    let definition = definition(ACCOUNTS, 1);
    let refused = of_role.prepare(&definition).await.unwrap_err();
    assert_eq!(
        refused.to_string(),
        "prepare projection `accounts`: the role may not make tables here: grant it what `PostgresStore::engine_grants` \
         prints, or start an engine once as a role that may"
    );
    run(store.pool(), &store.engine_grants(role)).await?;
    // Prepared by another role, it is written by this one.
    store.prepare(&definition).await?;
    of_role.prepare(&definition).await?;
    let fence = lease(&of_role, &definition, 1).await?;
    write(&of_role, &fence, 1, vec![upsert(&definition, 1, account("ada", 30))]).await?;
    let rows = of_role.select(ACCOUNTS, 1, &Select::all(ACCOUNTS)).await?;
    assert_eq!(rows, Some(vec![account("ada", 30)]));

    // And what it makes itself, it rebuilds.
    let own = crate::definition(crate::tables::ALL, 1);
    of_role.prepare(&own).await?;
    let generation = begin(&of_role, &own).await?;
    switch(&of_role, &own, &lease(&of_role, &own, generation).await?).await?;
    // History stays out of its reach.
    for refused in ["UPDATE annals.events SET data = '{}'", "DELETE FROM annals.events"] {
        assert!(run(of_role.pool(), refused).await.is_err(), "{refused}");
    }
    Ok(())
}
