//! Scratch tables as the server has them: unlogged, known by their names, and not trusted after a crash.

use annals::read_model::{ModelTable, Select};
use annals::{ReadModelStore, ScratchStore};
use sqlx::AssertSqlSafe;

use crate::tables::{ACCOUNTS, account};
use crate::{Error, definition, fresh, lease, run, upsert, write};

const GENERATION: u32 = ModelTable::FIRST_SCRATCH + 0x2a;

#[tokio::test]
async fn scratch_tables_are_unlogged_and_known_by_their_names() -> Result<(), Error> {
    let (store, _database) = fresh().await?;
    let definition = definition(ACCOUNTS, 1);
    let fence = lease(&store, &definition, GENERATION).await?;
    store.begin_scratch(&definition, GENERATION).await?;
    write(&store, &fence, 1, vec![upsert(&definition, GENERATION, account("ada", 30))]).await?;
    let tables = "SELECT c.relname::text, c.relpersistence::text, obj_description(c.oid, 'pg_class')
                    FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
                   WHERE n.nspname = 'annals' AND c.relkind = 'r' AND c.relname LIKE 'scratch%' ORDER BY c.relname";
    let found = async || {
        sqlx::query_as::<_, (String, String, Option<String>)>(tables).fetch_all(store.pool()).await
    };
    let all = found().await?;
    let names: Vec<_> = all.iter().map(|(name, kind, _)| (&**name, &**kind)).collect();
    assert_eq!(names, [("scratch_8000002a", "u"), ("scratch_8000002a_whole", "u")]);
    let says = all[0].2.as_deref();
    assert_eq!(says, Some("rows of projection accounts that annals tries out"));
    store.drop_scratch(&definition, GENERATION).await?;
    assert_eq!(found().await?, []);
    let readers = "SELECT count(*) FROM annals.checkpoints";
    let readers: i64 = sqlx::query_scalar(readers).fetch_one(store.pool()).await?;
    assert_eq!(readers, 0);
    Ok(())
}

#[tokio::test]
async fn rows_that_a_crash_has_emptied_are_told_as_gone() -> Result<(), Error> {
    let (store, _database) = fresh().await?;
    let definition = definition(ACCOUNTS, 1);
    let table = definition.table_of(GENERATION).expect("it has rows");
    let fence = lease(&store, &definition, GENERATION).await?;
    store.begin_scratch(&definition, GENERATION).await?;
    write(&store, &fence, 1, vec![upsert(&definition, GENERATION, account("ada", 30))]).await?;
    assert_eq!(store.count_scratch(&table, &[]).await?, Some(1));
    // What the server does to all unlogged tables when it comes back.
    let names = "SELECT c.oid::regclass::text FROM pg_class AS c WHERE c.relpersistence = 'u' AND c.relkind = 'r'";
    let names: Vec<String> = sqlx::query_scalar(names).fetch_all(store.pool()).await?;
    let truncate = format!("TRUNCATE {}", names.join(", "));
    sqlx::raw_sql(AssertSqlSafe(truncate)).execute(store.pool()).await?;
    // The checkpoint is where it was: what is written on is not all that there was.
    write(&store, &fence, 2, vec![upsert(&definition, GENERATION, account("bob", 5))]).await?;
    assert_eq!(store.select_scratch(&table, &Select::all(ACCOUNTS)).await?, None);
    assert_eq!(store.count_scratch(&table, &[]).await?, None);
    Ok(())
}

#[tokio::test]
async fn a_role_that_may_make_no_tables_is_told_so() -> Result<(), Error> {
    let (store, database) = fresh().await?;
    let role = format!("annals_reader_{}", uuid::Uuid::now_v7().simple());
    run(store.pool(), &format!("CREATE ROLE {role}")).await?;
    run(store.pool(), &store.grants(&role)).await?;
    let of_role = crate::roles::store_of(&database, &role).await?;
    let definition = definition(ACCOUNTS, 1);
    let refused = of_role.begin_scratch(&definition, GENERATION).await;
    // What another role has left stays, and holds nobody up.
    let left = lease(&store, &definition, GENERATION).await?;
    store.begin_scratch(&definition, GENERATION).await?;
    store.release_lease(&left).await?;
    let swept = of_role.drop_left_scratch().await;
    run(store.pool(), &format!("DROP OWNED BY {role} CASCADE; DROP ROLE {role}")).await?;
    let refused = refused.expect_err("it may not").to_string();
    assert!(refused.contains("the role may not make tables here"), "{refused}");
    assert_eq!(swept?, 0);
    assert_eq!(store.drop_left_scratch().await?, 1);
    Ok(())
}
