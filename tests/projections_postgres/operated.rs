//! Plans as SQL, versions under one public name, and what goes with them.

use annals::projection::{ProjectionState, Pruned, Showing, Tables};
use annals::read_model::Select;
use annals::{OperatedStore, Position, ProjectionEngine, ReadModelStore};
use annals_postgres::PostgresStore;
use sqlx::PgPool;
use sqlx::postgres::PgConnectOptions;

use crate::counting::{Total, open};
use crate::tables::{ACCOUNTS, ACCOUNTS_IN_SMALL, account};
use crate::{Error, begin, definition, fresh, lease, run, turn, upsert, write};

/// What stands in the schemas, as people see it: relations with their columns, and what is kept of projections.
async fn made(store: &PostgresStore) -> Result<Vec<String>, Error> {
    let relations = "SELECT format('%s %s.%s (%s) %s', c.relkind, n.nspname, c.relname,
                (SELECT string_agg(format('%s %s %s', a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull), ', '
                        ORDER BY a.attnum)
                   FROM pg_attribute AS a WHERE a.attrelid = c.oid AND a.attnum > 0),
                obj_description(c.oid, 'pg_class'))
           FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
          WHERE c.relname LIKE 'totals%'
          UNION ALL
         SELECT format('%s %s %s %s %s', p.projection, p.version, p.model, p.generation, p.definition)
           FROM annals.projections AS p
          ORDER BY 1";
    Ok(sqlx::query_scalar(relations).fetch_all(store.pool()).await?)
}

#[tokio::test]
async fn the_sql_of_a_plan_makes_what_an_engine_makes() -> Result<(), Error> {
    let ((by_sql, database), (by_engine, _other)) = (fresh().await?, fresh().await?);
    let last = open(&by_sql, 3).await?;
    let operator = ProjectionEngine::builder(by_sql.clone()).register::<Total>().operator()?;
    let plan = operator.plan().await?;
    assert!(plan.is_awaited());
    // An engine whose role may make no tables waits for it.
    let role = format!("annals_engine_{}", uuid::Uuid::now_v7().simple());
    run(by_sql.pool(), &format!("CREATE ROLE {role}; {}", by_sql.grants(&role))).await?;
    run(by_sql.pool(), &format!("ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO {role}")).await?;
    let done = async {
        let options: PgConnectOptions = database.url().parse()?;
        let pool = PgPool::connect_lazy_with(options.options([("role", &*role)]));
        let of_role = PostgresStore::from_pool(pool).await?;
        let engine = ProjectionEngine::builder(of_role).register::<Total>();
        let engine = engine.tables(Tables::Awaited).start().await?;
        while engine.status().await?.projections[0].state != ProjectionState::Unprepared {
            tokio::task::yield_now().await;
        }
        run(by_sql.pool(), &plan.sql()).await?;
        engine.wait_for::<Total>(&last, std::time::Duration::from_secs(20)).await?;
        engine.shutdown().await?;
        Ok::<(), Error>(())
    };
    let done = done.await;
    run(by_sql.pool(), &format!("DROP OWNED BY {role} CASCADE; DROP ROLE {role}")).await?;
    done?;
    let accounts: i64 = sqlx::query_scalar("SELECT sum(accounts)::bigint FROM totals")
        .fetch_one(by_sql.pool())
        .await?;
    assert_eq!(accounts, 3);
    by_engine.prepare(annals::projection::projector::<Total>().definition()).await?;
    assert_eq!(made(&by_sql).await?, made(&by_engine).await?);
    assert!(!operator.plan().await?.is_awaited());
    Ok(())
}

/// What was granted before the tables were made is not granted of them: the engine says what is missing, and waits for it.
#[tokio::test]
async fn an_engine_waits_for_the_rights_to_its_tables() -> Result<(), Error> {
    let (store, database) = fresh().await?;
    let last = open(&store, 3).await?;
    let role = format!("annals_engine_{}", uuid::Uuid::now_v7().simple());
    run(store.pool(), &format!("CREATE ROLE {role}; {}", store.grants(&role))).await?;
    let done = async {
        let of_role = crate::roles::store_of(&database, &role).await?;
        let engine = ProjectionEngine::builder(of_role).register::<Total>();
        let engine = engine.tables(Tables::Awaited).start().await?;
        let operator = ProjectionEngine::builder(store.clone()).register::<Total>().operator()?;
        operator.plan().await?.apply().await?;
        let soon = std::time::Duration::from_mins(1);
        let grant = tokio::time::timeout(soon, async {
            loop {
                let status = engine.status().await?.projections.remove(0);
                let error = status.last_error.unwrap_or_default();
                if let Some((_, grant)) = error.split_once("`GRANT ") {
                    assert_eq!(status.state, ProjectionState::Unprepared);
                    let (grant, _) = grant.split_once('`').expect("it ends");
                    return Ok::<_, Error>(format!("GRANT {grant}"));
                }
                assert_ne!(status.state, ProjectionState::Stopped, "{error}");
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
        });
        run(store.pool(), &grant.await??).await?;
        engine.wait_for::<Total>(&last, soon).await?;
        engine.shutdown().await?;
        Ok::<(), Error>(())
    };
    let done = done.await;
    run(store.pool(), &format!("DROP OWNED BY {role} CASCADE; DROP ROLE {role}")).await?;
    done
}

#[tokio::test]
async fn the_public_name_is_shown_a_version_and_goes_with_the_last() -> Result<(), Error> {
    let (store, _database) = fresh().await?;
    let (old, new) = (definition(ACCOUNTS, 1), definition(ACCOUNTS_IN_SMALL, 2));
    let shown = async || -> Result<String, Error> {
        let sql = "SELECT pg_typeof(max(balance))::text FROM accounts";
        Ok(sqlx::query_scalar(sql).fetch_one(store.pool()).await?)
    };
    store.prepare(&old).await?;
    store.prepare(&new).await?;
    store.caught_up(&new).await?;
    assert_eq!(shown().await?, "smallint");
    // Back, and forth again.
    store.show_version("accounts", 1, Showing::Whole).await?;
    assert_eq!(shown().await?, "bigint");
    store.show_version("accounts", 2, Showing::Whole).await?;
    assert_eq!(shown().await?, "smallint");
    let missing = store.show_version("accounts", 3, Showing::Whole).await.unwrap_err();
    assert!(missing.to_string().contains("version 3 is not prepared"), "{missing}");
    // With the version that it shows, it goes to the one that is left.
    assert_eq!(store.prune("accounts", 2).await?, Pruned::Done);
    assert_eq!(shown().await?, "bigint");
    assert_eq!(store.prune("accounts", 2).await?, Pruned::Missing);
    let fence = lease(&store, &old, 1).await?;
    write(&store, &fence, 5, vec![upsert(&old, 1, account("ada", 1))]).await?;
    begin(&store, &old).await?;
    assert_eq!(store.prune("accounts", 1).await?, Pruned::InUse);
    store.release_lease(&fence).await?;
    assert_eq!(store.prune("accounts", 1).await?, Pruned::InUse, "somebody rebuilds it");
    store.release_lease(&turn(&store, &old).await?).await?;
    assert_eq!(store.prune("accounts", 1).await?, Pruned::Done);
    let left = "SELECT count(*) FROM pg_class WHERE relname LIKE 'accounts%'";
    let left: i64 = sqlx::query_scalar(left).fetch_one(store.pool()).await?;
    assert_eq!(left, 0, "tables and views stay");
    assert_eq!(store.checkpoint(&fence.id).await?, None);
    assert!(store.catalog().await?.is_empty());
    // Who owned it long ago writes no more, though it is there again.
    store.prepare(&old).await?;
    let late = write(&store, &fence, 6, vec![upsert(&old, 1, account("ada", 2))]).await;
    assert!(matches!(late, Err(annals::WriteError::Fenced { .. })), "{late:?}");
    assert_eq!(store.select(ACCOUNTS, 1, &Select::all(ACCOUNTS)).await?, Some(Vec::new()));
    Ok(())
}

#[tokio::test]
async fn a_version_that_a_person_chose_stays_until_a_newer_one_comes() -> Result<(), Error> {
    let (store, _database) = fresh().await?;
    let (old, new) = (definition(ACCOUNTS, 1), definition(ACCOUNTS_IN_SMALL, 2));
    let newest = definition(ACCOUNTS_IN_SMALL, 3);
    let shown = async || -> Result<String, Error> {
        let sql = "SELECT pg_typeof(max(balance))::text FROM accounts";
        Ok(sqlx::query_scalar(sql).fetch_one(store.pool()).await?)
    };
    let rebuilt = async |generation: u32| -> Result<(), Error> {
        assert_eq!(begin(&store, &new).await?, generation);
        let fence = lease(&store, &new, generation).await?;
        assert!(store.switch_generation(&new, generation, &fence, Position::START).await?);
        Ok(store.release_lease(&fence).await?)
    };
    store.prepare(&old).await?;
    store.prepare(&new).await?;
    // What is shown already is to stay, though a newer one is on its way.
    store.show_version("accounts", 1, Showing::AsItIs).await?;
    store.caught_up(&new).await?;
    assert_eq!(shown().await?, "bigint");
    rebuilt(2).await?;
    assert_eq!(shown().await?, "bigint");
    store.show_version("accounts", 2, Showing::AsItIs).await?;
    assert_eq!(shown().await?, "smallint");
    store.show_version("accounts", 1, Showing::AsItIs).await?;
    // The engines of both start again, and the newer one is at the log's end and rebuilt.
    store.prepare(&old).await?;
    store.prepare(&new).await?;
    store.caught_up(&old).await?;
    store.caught_up(&new).await?;
    rebuilt(3).await?;
    assert_eq!(shown().await?, "bigint");
    store.prepare(&newest).await?;
    store.caught_up(&new).await?;
    assert_eq!(shown().await?, "bigint");
    store.caught_up(&newest).await?;
    assert_eq!(shown().await?, "smallint");
    // With the version that was chosen goes the choice.
    store.show_version("accounts", 1, Showing::AsItIs).await?;
    assert_eq!(store.prune("accounts", 1).await?, Pruned::Done);
    assert_eq!(shown().await?, "smallint");
    Ok(())
}

#[tokio::test]
async fn a_name_that_begins_as_another_is_not_pruned_with_it() -> Result<(), Error> {
    let (store, _database) = fresh().await?;
    let one = definition(ACCOUNTS, 1);
    let mut other = definition(crate::tables::ALL, 1);
    other.projection = "accounts/1".to_owned();
    for definition in [&one, &other] {
        store.prepare(definition).await?;
        let fence = lease(&store, definition, 1).await?;
        write(&store, &fence, 5, Vec::new()).await?;
        store.release_lease(&fence).await?;
    }
    assert_eq!(store.prune("accounts", 1).await?, Pruned::Done);
    assert_eq!(store.checkpoint(&other.reader(1)).await?, Some(5.into()));
    assert_eq!(store.checkpoint(&one.reader(1)).await?, None);
    Ok(())
}
