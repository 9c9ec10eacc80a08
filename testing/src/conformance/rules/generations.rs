//! Generations of rows: one is built beside the one that answers, and takes its place in one step.

use std::time::Duration;

use annals::projection::{CatalogEntry, ModelDefinition, ParkedEvent};
use annals::read_model::{ModelTable, Select};
use annals::{
    CheckpointChange, CheckpointId, Fence, Position, ReadModelStore, RowChange, Timestamp,
    UnitOfWorkStore, WriteError,
};
use serde_json::json;

use crate::conformance::broken::{Found, Verdict, ensure, ensure_eq};
use crate::conformance::material::{COUNTED, stream};
use crate::conformance::unit::{ROWS, WIDE, ensure_fenced, key_of, prepare, row, selected};

/// Long enough that a lease does not run out while a rule runs.
const LONG: Duration = Duration::from_hours(1);

pub(super) async fn a_generation_is_built_beside_the_one_that_answers<S: UnitOfWorkStore>(
    store: S,
) -> Verdict {
    let (definition, owner) = first(&store).await?;
    write(&store, &owner, 1, "old").await?;
    let generation = begin(&store, &definition).await?;
    ensure!(generation > 1, "generation {generation} was begun beside the first");
    let builder = claimed(&store, &definition, generation).await?;
    write(&store, &builder, generation, "new").await?;
    write(&store, &owner, 1, "older").await?;
    ensure_eq!(answers(&store).await?, ["old", "older"], "the rows that answer meanwhile");
    let entry = entry(&store).await?;
    ensure_eq!((entry.generation, entry.building), (1, Some(generation)), "what the catalog says");

    ensure!(switch(&store, &builder, generation).await?, "it has come as far, and does not answer");
    ensure_eq!(answers(&store).await?, ["new"], "the rows that answer after it");
    let gone = store.checkpoint(&owner.id).await?;
    ensure_eq!(gone, None, "the checkpoint of the generation that is gone");
    ensure_fenced(write(&store, &owner, 1, "late").await, &owner)?;
    write(&store, &builder, generation, "next").await?;
    ensure_eq!(answers(&store).await?, ["new", "next"], "the rows that its builder writes on");
    Ok(())
}

pub(super) async fn a_generation_takes_over_under_its_builders_lease<S: UnitOfWorkStore>(
    store: S,
) -> Verdict {
    let (definition, owner) = first(&store).await?;
    write(&store, &owner, 1, "old").await?;
    let generation = begin(&store, &definition).await?;
    let late = claimed(&store, &definition, generation).await?;
    write(&store, &late, generation, "new").await?;
    store.release_lease(&late).await?;
    let builder = claimed(&store, &definition, generation).await?;
    ensure_fenced(switch(&store, &late, generation).await.map(drop), &late)?;
    ensure_eq!(answers(&store).await?, ["old"], "the rows that answer");
    let other = switch(&store, &builder, generation + 1).await;
    ensure!(other.is_err(), "a generation took over that nobody builds");
    ensure!(switch(&store, &builder, generation).await?, "its builder does not switch");
    Ok(())
}

pub(super) async fn a_generation_takes_over_when_it_has_come_as_far<S: UnitOfWorkStore>(
    store: S,
) -> Verdict {
    let (definition, owner) = first(&store).await?;
    write(&store, &owner, 1, "old").await?;
    let generation = begin(&store, &definition).await?;
    let builder = claimed(&store, &definition, generation).await?;
    ensure!(!switch(&store, &builder, generation).await?, "rows answer that are behind");
    ensure_eq!(answers(&store).await?, ["old"], "the rows that answer");
    write(&store, &owner, 1, "older").await?;
    // The log ends before what the owner's checkpoint tells of: that is of a log that is gone.
    let head = Position::START;
    let switched = store.switch_generation(&definition, generation, &builder, head).await?;
    ensure!(switched, "rows wait for a log that is gone");
    Ok(())
}

pub(super) async fn a_generation_that_is_dropped_leaves_nothing<S: UnitOfWorkStore>(
    store: S,
) -> Verdict {
    let (definition, owner) = first(&store).await?;
    write(&store, &owner, 1, "old").await?;
    let generation = begin(&store, &definition).await?;
    let builder = claimed(&store, &definition, generation).await?;
    write(&store, &builder, generation, "new").await?;
    park(&store, &builder).await?;
    let turn = turn(&store, &definition).await?;
    store.drop_generation(&definition, 1, &turn).await?;
    ensure_eq!(answers(&store).await?, ["old"], "the rows of a generation that answers");
    store.drop_generation(&definition, generation, &turn).await?;
    let entry = entry(&store).await?;
    ensure_eq!((entry.generation, entry.building), (1, None), "what the catalog says");
    ensure_eq!(store.checkpoint(&builder.id).await?, None, "the checkpoint");
    ensure!(store.parked(&builder.id, None).await?.is_empty(), "what it had parked is there");
    let next = begin(&store, &definition).await?;
    let table = ModelTable { generation: next, ..ROWS };
    let rows = store.rows(&table, &[ROWS.table.key_of(&row("new", &json!(1)))], &[]).await?;
    ensure!(rows.is_empty(), "the next generation begins with {rows:?}");
    Ok(())
}

pub(super) async fn a_generation_is_begun_and_dropped_under_a_lease<S: UnitOfWorkStore>(
    store: S,
) -> Verdict {
    let (definition, _) = first(&store).await?;
    let late = turn(&store, &definition).await?;
    let generation = store.begin_generation(&definition, &late).await?;
    store.release_lease(&late).await?;
    let given_up = store.drop_generation(&definition, generation, &late).await;
    ensure_fenced(given_up, &late)?;
    // Whoever has the lease now goes on with what is there.
    turn(&store, &definition).await?;
    let builder = claimed(&store, &definition, generation).await?;
    write(&store, &builder, generation, "new").await?;
    ensure_fenced(store.begin_generation(&definition, &late).await.map(drop), &late)?;
    ensure_fenced(store.drop_generation(&definition, generation, &late).await, &late)?;
    let entry = entry(&store).await?;
    ensure_eq!((entry.generation, entry.building), (1, Some(generation)), "what the catalog says");
    let kept = store.checkpoint(&builder.id).await?;
    ensure_eq!(kept, Some(Position::from(1)), "the checkpoint of what is built");
    write(&store, &builder, generation, "next").await?;
    Ok(())
}

pub(super) async fn a_generation_takes_over_with_all_columns<S: UnitOfWorkStore>(
    store: S,
) -> Verdict {
    let (narrow, owner) = first(&store).await?;
    write(&store, &owner, 1, "old").await?;
    let generation = begin(&store, &narrow).await?;
    let builder = claimed(&store, &narrow, generation).await?;
    write(&store, &builder, generation, "new").await?;
    let ModelTable { table, version, .. } = ROWS;
    let wide = ModelDefinition::new(table.name, version, Some(&WIDE), Vec::new());
    store.prepare(&wide).await?;
    let found = entry(&store).await?;
    ensure_eq!(
        (found.generation, found.building),
        (1, None),
        "what the catalog says of rows that were built without a column that is added"
    );
    ensure_fenced(write(&store, &builder, generation, "late").await, &builder)?;
    // Whoever knows the column builds them anew, and who does not, brings nothing of it to an end.
    ensure!(begin(&store, &narrow).await.is_err(), "rows are built anew without a column");
    let generation = begin(&store, &wide).await?;
    let builder = claimed(&store, &wide, generation).await?;
    write(&store, &builder, generation, "new").await?;
    let switched = switch(&store, &builder, generation).await;
    ensure!(switched.is_err(), "rows answer that were built without a column");
    ensure_eq!(answers(&store).await?, ["old"], "the rows that answer");
    let head = Position::from(1);
    let switched = store.switch_generation(&wide, generation, &builder, head).await?;
    ensure!(switched, "it has come as far, and does not answer");
    Ok(())
}

pub(super) async fn a_pause_is_kept_for_all<S: UnitOfWorkStore>(store: S) -> Verdict {
    let (definition, _) = first(&store).await?;
    ensure!(!entry(&store).await?.paused, "it is paused, though nobody said so");
    let (name, version) = (&*definition.projection, definition.version);
    store.set_paused(name, version + 1, true).await?;
    ensure!(!entry(&store).await?.paused, "it is paused with another version of it");
    store.set_paused(name, version, true).await?;
    ensure!(entry(&store).await?.paused, "it is not paused");
    ensure!(store.prepare(&definition).await?.paused, "it goes on once it is prepared again");
    let generation = begin(&store, &definition).await?;
    let builder = claimed(&store, &definition, generation).await?;
    switch(&store, &builder, generation).await?;
    ensure!(entry(&store).await?.paused, "it goes on once it is rebuilt");
    store.set_paused(name, version, false).await?;
    ensure!(!entry(&store).await?.paused, "it stays paused");
    Ok(())
}

/// The projection whose rows are written, and the lease of its first generation.
pub(super) async fn first(store: &impl ReadModelStore) -> Result<(ModelDefinition, Fence), Found> {
    prepare(store).await?;
    let ModelTable { table, version, .. } = ROWS;
    let definition = ModelDefinition::new(table.name, version, Some(table), Vec::new());
    let owner = claimed(store, &definition, 1).await?;
    Ok((definition, owner))
}

pub(super) async fn claimed(
    store: &impl ReadModelStore,
    definition: &ModelDefinition,
    generation: u32,
) -> Result<Fence, Found> {
    let fence = store.claim_lease(&definition.reader(generation), "owner", LONG).await?;
    fence.ok_or_else(|| Found("nobody holds the lease, and it cannot be claimed".to_owned()))
}

/// The lease of those who rebuild the projection.
async fn turn(store: &impl ReadModelStore, definition: &ModelDefinition) -> Result<Fence, Found> {
    let id = CheckpointId::of_rebuild(&definition.projection, definition.version);
    let fence = store.claim_lease(&id, "owner", LONG).await?;
    fence.ok_or_else(|| Found("nobody rebuilds, and the lease cannot be claimed".to_owned()))
}

/// Begins a generation, as who rebuilds.
pub(super) async fn begin(
    store: &impl ReadModelStore,
    definition: &ModelDefinition,
) -> Result<u32, Found> {
    Ok(store.begin_generation(definition, &turn(store, definition).await?).await?)
}

/// Has a generation answer, of a log that ends at the first position.
async fn switch(
    store: &impl ReadModelStore,
    fence: &Fence,
    generation: u32,
) -> Result<bool, WriteError> {
    let ModelTable { table, version, .. } = ROWS;
    let definition = ModelDefinition::new(table.name, version, Some(table), Vec::new());
    store.switch_generation(&definition, generation, fence, Position::from(1)).await
}

/// Writes a row of a generation.
pub(super) async fn write(
    store: &impl ReadModelStore,
    fence: &Fence,
    generation: u32,
    key: &str,
) -> Result<(), WriteError> {
    let table = ModelTable { generation, ..ROWS };
    let moved = CheckpointChange { fence: fence.clone(), position: Position::from(1) };
    store.write_rows(vec![RowChange::Upsert { table, row: row(key, &json!(1)) }], moved).await
}

pub(super) async fn park(store: &impl ReadModelStore, fence: &Fence) -> Result<(), WriteError> {
    let parked = ParkedEvent {
        reader: fence.id.clone(),
        key: "new".to_owned(),
        position: Position::from(1),
        stream_id: stream("a"),
        event_type: COUNTED.to_owned(),
        error: "it failed".to_owned(),
        attempts: 1,
        parked_at: Timestamp::now(),
        retry_at: None,
    };
    let moved = CheckpointChange { fence: fence.clone(), position: Position::from(1) };
    store.write_rows(vec![RowChange::Park(parked)], moved).await
}

pub(super) async fn answers(store: &impl ReadModelStore) -> Result<Vec<String>, Found> {
    let rows = selected(store, &Select::all(ROWS.table)).await?;
    Ok(rows.iter().map(key_of).collect())
}

async fn entry(store: &impl ReadModelStore) -> Result<CatalogEntry, Found> {
    let catalog = store.catalog().await?;
    let of_rows = catalog.into_iter().find(|entry| entry.projection == ROWS.table.name);
    of_rows.ok_or_else(|| Found("the catalog has no entry of what was prepared".to_owned()))
}
