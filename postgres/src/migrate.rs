//! Migrations: the schema as this release needs it, made step by step, each once.

use annals::StoreError;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection};

use crate::database::Database;
use crate::error::store_error;
use crate::statements::Schema;

/// The steps, in their order. What was released is never changed: a later step mends it.
const STEPS: [&str; 1] = [include_str!("../migrations/0001_store.sql")];

/// The key of the lock by which processes that start at once migrate one after the other: "annals" in ASCII.
const LOCK: i64 = 0x616e_6e61_6c73;

const DOING: &str = "migrate";

/// Brings the schema to this release's state; does nothing if it is.
pub(crate) async fn migrate(database: &Database) -> Result<(), StoreError> {
    let mut connection = database.connect(DOING).await?;
    let migrated = migrate_on(&mut connection, database).await;
    // It is closed for good either way.
    let _ = connection.close().await;
    migrated
}

async fn migrate_on(connection: &mut PgConnection, database: &Database) -> Result<(), StoreError> {
    let (schema, failed) = (&database.schema, |error| store_error(DOING, error));
    let mut transaction = connection.begin_with(database.beginning()).await.map_err(failed)?;
    let lock = sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(LOCK);
    lock.execute(&mut *transaction).await.map_err(failed)?;
    let exists: bool = sqlx::query_scalar("SELECT to_regnamespace($1) IS NOT NULL")
        .bind(schema.as_str())
        .fetch_one(&mut *transaction)
        .await
        .map_err(failed)?;
    if !exists {
        let create = AssertSqlSafe(schema.fill("CREATE SCHEMA {schema}"));
        sqlx::raw_sql(create).execute(&mut *transaction).await.map_err(failed)?;
    }
    let table = format!("{}.migrations", schema.as_str());
    let is_tracked: bool = sqlx::query_scalar("SELECT to_regclass($1) IS NOT NULL")
        .bind(&table)
        .fetch_one(&mut *transaction)
        .await
        .map_err(failed)?;
    if !is_tracked {
        let create = AssertSqlSafe(schema.fill(TRACKING));
        sqlx::raw_sql(create).execute(&mut *transaction).await.map_err(failed)?;
    }
    let read = AssertSqlSafe(schema.fill("SELECT coalesce(max(step), 0) FROM {schema}.migrations"));
    let done: i64 = sqlx::query_scalar(read).fetch_one(&mut *transaction).await.map_err(failed)?;
    let done = usize::try_from(done).unwrap_or(usize::MAX);
    if done > STEPS.len() {
        return Err(StoreError::invalid(format!(
            "migrate: schema `{}` is at step {done}, and this release knows {}: a newer release has migrated it; run that one",
            schema.as_str(),
            STEPS.len()
        )));
    }
    for (number, step) in (1_i64..).zip(STEPS).skip(done) {
        tracing::info!(schema = schema.as_str(), step = number, "migrates");
        sqlx::raw_sql(AssertSqlSafe(schema.fill(step)))
            .execute(&mut *transaction)
            .await
            .map_err(failed)?;
        let note = schema.fill("INSERT INTO {schema}.migrations (step) VALUES ($1)");
        sqlx::query(AssertSqlSafe(note))
            .bind(number)
            .execute(&mut *transaction)
            .await
            .map_err(failed)?;
    }
    transaction.commit().await.map_err(failed)
}

/// Keeps which steps were done.
const TRACKING: &str = include_str!("../sql/tracking.sql");

/// The SQL of all steps, for those who run migrations themselves: each that was done is passed over.
pub(crate) fn sql(schema: &Schema) -> String {
    let newest = STEPS.len();
    let begin = include_str!("../sql/script_begin.sql")
        .replace("{tracking}", &TRACKING.trim_end().replace('\n', "\n    "))
        .replace("{lock}", &LOCK.to_string())
        .replace("{newest}", &newest.to_string());
    let steps = (1..).zip(STEPS).map(|(number, step)| {
        include_str!("../sql/script_step.sql")
            .replace("{number}", &number.to_string())
            .replace("{step}", step.trim_end())
    });
    let steps: String = steps.collect();
    schema.fill(&format!("{begin}{steps}\nCOMMIT;\n"))
}

/// The grants of a role that appends and reads, and changes no history.
pub(crate) fn grants(schema: &Schema, role: &str) -> String {
    let role = format!("\"{}\"", role.replace('"', "\"\""));
    schema.fill(include_str!("../sql/grants.sql")).replace("{role}", &role)
}

/// The grants that a role needs beside those, to make tables of read models.
pub(crate) fn engine_grants(schema: &Schema, role: &str) -> String {
    let name = format!("\"{}\"", role.replace('"', "\"\""));
    let text = format!("E'{}'", role.replace('\\', "\\\\").replace('\'', "\\'"));
    let sql = schema.fill(include_str!("../sql/engine_grants.sql"));
    sql.replace("{role}", &name).replace("{role_text}", &text)
}
