//! Read models on PostgreSQL: what only a server can show, and that its rows are those of the store in memory.

mod batches;
mod counting;
mod dropped;
mod fences;
mod generations;
mod missing;
mod names;
mod operated;
mod own_sql;
mod prepare;
mod random;
mod refused;
mod roles;
mod round_trips;
mod scratch;
mod shards;
mod tables;

use std::time::Duration;

use annals::projection::ModelDefinition;
use annals::read_model::{Row, Table};
use annals::{
    CheckpointChange, CheckpointId, Fence, Position, ReadModelStore, RowChange, StoreError,
    WriteError,
};
use annals_postgres::PostgresStore;
use annals_postgres::testing::TestDatabase;
use sqlx::{AssertSqlSafe, PgPool};

type Error = Box<dyn std::error::Error + Send + Sync>;

/// A store in a database of its own, which is removed at the end.
async fn fresh() -> Result<(PostgresStore, TestDatabase), Error> {
    let database = TestDatabase::create().await?;
    let store = PostgresStore::connect(database.url()).await?;
    store.migrate().await?;
    Ok((store, database))
}

async fn run(pool: &PgPool, sql: &str) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(pool).await.map(drop)
}

fn definition(table: &'static Table, version: u32) -> ModelDefinition {
    ModelDefinition::new(table.name, version, Some(table), vec!["Happened".to_owned()])
}

/// The lease of a generation's reader.
async fn lease(
    store: &impl ReadModelStore,
    definition: &ModelDefinition,
    generation: u32,
) -> Result<Fence, StoreError> {
    let reader = definition.reader(generation);
    let fence = store.claim_lease(&reader, "owner", Duration::from_hours(1)).await?;
    Ok(fence.expect("nobody else holds the lease"))
}

/// The lease of those who rebuild a projection.
async fn turn(
    store: &impl ReadModelStore,
    definition: &ModelDefinition,
) -> Result<Fence, StoreError> {
    let reader = CheckpointId::of_rebuild(&definition.projection, definition.version);
    let fence = store.claim_lease(&reader, "owner", Duration::from_hours(1)).await?;
    Ok(fence.expect("nobody else holds the lease"))
}

/// Begins a generation, as who rebuilds.
async fn begin(
    store: &impl ReadModelStore,
    definition: &ModelDefinition,
) -> Result<u32, WriteError> {
    store.begin_generation(definition, &turn(store, definition).await?).await
}

/// Drops a generation, as who rebuilds.
async fn drop_built(
    store: &impl ReadModelStore,
    definition: &ModelDefinition,
    generation: u32,
) -> Result<(), WriteError> {
    store.drop_generation(definition, generation, &turn(store, definition).await?).await
}

/// Has a generation answer that its builder has the lease of.
async fn switch(
    store: &impl ReadModelStore,
    definition: &ModelDefinition,
    builder: &Fence,
) -> Result<(), WriteError> {
    let generation = builder.id.name.rsplit('/').next().and_then(|number| number.parse().ok());
    let generation = generation.expect("a reader of a generation");
    let far = Position::from(1_000);
    let switched = store.switch_generation(definition, generation, builder, far).await?;
    assert!(switched, "the rows that answer have come further");
    Ok(())
}

async fn write(
    store: &impl ReadModelStore,
    fence: &Fence,
    position: u64,
    changes: Vec<RowChange>,
) -> Result<(), WriteError> {
    let change = CheckpointChange { fence: fence.clone(), position: Position::from(position) };
    store.write_rows(changes, change).await
}

fn upsert(definition: &ModelDefinition, generation: u32, row: Row) -> RowChange {
    let table = definition.table_of(generation).expect("it has a table");
    RowChange::Upsert { table, row }
}

/// All that an error says, its causes included.
fn told(error: &dyn std::error::Error) -> String {
    let mut told = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        told.push_str(": ");
        told.push_str(&error.to_string());
        cause = error.source();
    }
    told
}
