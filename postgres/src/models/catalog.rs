//! What is kept of projections: their definitions, and which of their tables answers.

use std::time::Duration;

use annals::projection::{CatalogEntry, Change, ModelDefinition};
use annals::shards::Layout;
use annals::{CheckpointId, Fence, LeaseHolder, Position, StoreError, WriteError};
use sqlx::Row as _;

use super::attempt::{Attempts, Trouble, of_store};
use super::change::{Work, fill, narrow, read_kept};
use super::own_sql::Setup;
use super::public_view::Occasion;
use super::{layout, names, sharded};
use crate::append::unsigned;
use crate::database::Database;
use crate::error::store_error;

/// Makes a projection's tables if they are missing, and adds columns that are new.
pub(crate) async fn prepare(
    database: &Database,
    definition: &ModelDefinition,
) -> Result<CatalogEntry, StoreError> {
    prepare_with(database, definition, None).await
}

/// The same, with a setup of the projection's own, which is run once.
pub(super) async fn prepare_with(
    database: &Database,
    definition: &ModelDefinition,
    setup: Option<Setup<'_>>,
) -> Result<CatalogEntry, StoreError> {
    if let Some(table) = definition.table {
        names::check(table)?;
    }
    // A role that makes no tables may start, too, as long as nothing is missing.
    let doing = format!("prepare projection `{}`", definition.projection);
    let query = || {
        database
            .statements
            .models_entry()
            .bind(&definition.projection)
            .bind(i64::from(definition.version))
    };
    if let Some(row) = database.fetch_optional(&doing, query).await? {
        let kept = read_kept(definition, &row).map_err(|error| store_error(&doing, error))?;
        let is_enough = match definition.change_from(&kept.definition) {
            Change::None => has_table(database, definition, &kept.entry).await?,
            Change::Behind(_) => true,
            _ => false,
        };
        if is_enough {
            return Ok(kept.entry);
        }
    }
    let mut attempts = Attempts::new(database, doing);
    loop {
        match prepare_once(&mut attempts, database, definition, setup).await {
            Ok(entry) => return Ok(entry),
            Err(trouble) => attempts.again(trouble).await.map_err(of_store)?,
        }
    }
}

/// Whether the table is there that answers: somebody may have dropped it.
pub(super) async fn has_table(
    database: &Database,
    definition: &ModelDefinition,
    entry: &CatalogEntry,
) -> Result<bool, StoreError> {
    let Some(table) = definition.table_of(entry.generation) else { return Ok(true) };
    let (schema, name) = (database.schema.as_str(), names::physical(&table));
    let columns = || database.statements.models_columns().bind(schema).bind(name.clone());
    Ok(!database.fetch_all("look for a table", columns).await?.is_empty())
}

async fn prepare_once(
    attempts: &mut Attempts<'_>,
    database: &Database,
    definition: &ModelDefinition,
    setup: Option<Setup<'_>>,
) -> Result<CatalogEntry, Trouble> {
    let mut transaction = attempts.begin().await?;
    let mut work = Work { attempts, database, connection: &mut transaction, definition };
    let entry = match work.find().await? {
        None => {
            let entry = work.make().await?;
            if let Some(setup) = setup {
                work.set_up(setup).await?;
            }
            entry
        }
        Some(mut kept) => {
            match definition.change_from(&kept.definition) {
                Change::None => work.make_missing(&kept.entry).await?,
                Change::Behind(_) => {}
                Change::Added(columns) => {
                    // What is built has its columns from a release that does not know the new ones.
                    if let Some(built) = kept.entry.building.take() {
                        work.set_building(None).await?;
                        work.forget(built).await?;
                    }
                    work.add_columns(&kept.entry, &columns).await?;
                }
                Change::Other(reason) => return Err(definition.refused(&reason).into()),
                _ => {
                    return Err(definition.refused("what has changed is not known").into());
                }
            }
            kept.entry
        }
    };
    attempts.commit(transaction).await?;
    Ok(entry)
}

/// Tells what is kept of all projections.
pub(crate) async fn catalog(database: &Database) -> Result<Vec<CatalogEntry>, StoreError> {
    let doing = "read the catalog of projections";
    let rows = database.fetch_all(doing, || database.statements.models_catalog()).await?;
    let entries: Result<Vec<CatalogEntry>, sqlx::Error> = rows
        .iter()
        .map(|row| {
            let mut entry = CatalogEntry::new(
                row.try_get::<String, _>("projection")?,
                narrow(row.try_get("version")?),
            );
            fill(&mut entry, row)?;
            Ok(entry)
        })
        .collect();
    entries.map_err(|error| store_error(doing, error))
}

/// Tells who has the leases of readers whose names begin with a prefix.
pub(crate) async fn leases(
    database: &Database,
    prefix: &str,
) -> Result<Vec<LeaseHolder>, StoreError> {
    let doing = "list leases";
    let rows = database.fetch_all(doing, || database.statements.leases().bind(prefix)).await?;
    let holders: Result<Vec<LeaseHolder>, sqlx::Error> = rows
        .iter()
        .map(|row| {
            let id = CheckpointId {
                name: row.try_get("name")?,
                version: narrow(row.try_get("version")?),
                shard: narrow(row.try_get("shard")?),
            };
            let owner: String = row.try_get("owner")?;
            let left = Duration::from_micros(unsigned(row.try_get("left_micros")?));
            Ok(LeaseHolder::new(id, owner, unsigned(row.try_get("epoch")?), left))
        })
        .collect();
    holders.map_err(|error| store_error(doing, error))
}

/// Makes the table of one more generation, empty.
pub(crate) async fn begin_generation(
    database: &Database,
    definition: &ModelDefinition,
    fence: &Fence,
) -> Result<u32, WriteError> {
    let doing = format!("begin a rebuild of projection `{}`", definition.projection);
    let mut attempts = Attempts::new(database, doing);
    loop {
        match begin_once(&mut attempts, database, definition, fence).await {
            Ok(generation) => return Ok(generation),
            Err(trouble) => attempts.again(trouble).await?,
        }
    }
}

async fn begin_once(
    attempts: &mut Attempts<'_>,
    database: &Database,
    definition: &ModelDefinition,
    fence: &Fence,
) -> Result<u32, Trouble> {
    let mut transaction = attempts.begin().await?;
    let mut work = Work { attempts, database, connection: &mut transaction, definition };
    let kept = work.found().await?;
    work.check_fence(fence).await?;
    work.check_columns(&kept)?;
    let generation = kept.entry.building.unwrap_or(kept.entry.generation + 1);
    work.forget(generation).await?;
    if let Some(table) = definition.table_of(generation) {
        let create = layout::create(&database.schema, &table)?;
        work.run(create).await?;
    }
    work.set_building(Some(generation)).await?;
    attempts.commit(transaction).await?;
    Ok(generation)
}

/// Has a generation answer from now on, and drops the one that answered.
pub(crate) async fn switch_generation(
    database: &Database,
    (definition, generation): (&ModelDefinition, u32),
    fence: &Fence,
    head: Position,
) -> Result<bool, WriteError> {
    let doing = format!("switch projection `{}`", definition.projection);
    let mut attempts = Attempts::new(database, doing);
    loop {
        match switch_once(&mut attempts, database, (definition, generation), fence, head).await {
            Ok(is_done) => return Ok(is_done),
            Err(trouble) => attempts.again(trouble).await?,
        }
    }
}

async fn switch_once(
    attempts: &mut Attempts<'_>,
    database: &Database,
    (definition, generation): (&ModelDefinition, u32),
    fence: &Fence,
    head: Position,
) -> Result<bool, Trouble> {
    let was_lost = attempts.is_lost;
    let mut transaction = attempts.begin().await?;
    let mut work = Work { attempts, database, connection: &mut transaction, definition };
    let kept = work.found().await?;
    if was_lost && kept.entry.generation == generation {
        return Ok(true);
    }
    work.check_fence(fence).await?;
    if kept.entry.building != Some(generation) {
        return Err(definition.not_building(generation).into());
    }
    work.check_columns(&kept)?;
    let answers = definition.reader(kept.entry.generation);
    let (standing, is_said) =
        sharded::standing_in(work.attempts, database, work.connection, &answers).await?;
    let layout = standing.layout;
    let table = definition.table_of(generation);
    // Before the checkpoints: whoever writes has the lock of its table first, too.
    let public = match &table {
        Some(table) => work.lock_views(table, Occasion::Switched).await?,
        None => None,
    };
    if work.is_behind(&fence.id, (&answers, &layout), head).await? {
        return Ok(false);
    }
    if let Some(table) = table {
        work.renew_views(&table, public, Occasion::Switched).await?;
    }
    work.set_generation(generation).await?;
    work.forget(kept.entry.generation).await?;
    let (reader, one) = (definition.reader(generation), Layout::of(1));
    // As many write the new rows as wrote the old ones. Whoever built them goes on if that is one.
    if layout.shards > 1 {
        let change = (&reader, &one, layout.shards);
        sharded::divide_in(work.attempts, database, work.connection, change).await?;
    } else if is_said {
        sharded::keep(work.attempts, database, work.connection, (&reader, &one)).await?;
    }
    attempts.commit(transaction).await?;
    Ok(true)
}

/// Has the public view show a version that has come to the log's end, if that is a newer one.
pub(crate) async fn caught_up(
    database: &Database,
    definition: &ModelDefinition,
) -> Result<(), StoreError> {
    let doing = format!("show version {} of `{}`", definition.version, definition.projection);
    let mut attempts = Attempts::new(database, doing);
    loop {
        match show_once(&mut attempts, database, definition).await {
            Ok(()) => return Ok(()),
            Err(trouble) => attempts.again(trouble).await.map_err(of_store)?,
        }
    }
}

async fn show_once(
    attempts: &mut Attempts<'_>,
    database: &Database,
    definition: &ModelDefinition,
) -> Result<(), Trouble> {
    let mut transaction = attempts.begin().await?;
    let mut work = Work { attempts, database, connection: &mut transaction, definition };
    let kept = work.found().await?;
    let Some(table) = definition.table_of(kept.entry.generation) else { return Ok(()) };
    if !work.is_shown_next(&table).await? {
        return Ok(());
    }
    let public = work.lock_views(&table, Occasion::Switched).await?;
    work.renew_views(&table, public, Occasion::Switched).await?;
    attempts.commit(transaction).await
}

/// Drops a generation that is built.
pub(crate) async fn drop_generation(
    database: &Database,
    (definition, generation): (&ModelDefinition, u32),
    fence: &Fence,
) -> Result<(), WriteError> {
    let doing = format!("drop a rebuild of projection `{}`", definition.projection);
    let mut attempts = Attempts::new(database, doing);
    loop {
        match drop_once(&mut attempts, database, (definition, generation), fence).await {
            Ok(()) => return Ok(()),
            Err(trouble) => attempts.again(trouble).await?,
        }
    }
}

async fn drop_once(
    attempts: &mut Attempts<'_>,
    database: &Database,
    (definition, generation): (&ModelDefinition, u32),
    fence: &Fence,
) -> Result<(), Trouble> {
    let mut transaction = attempts.begin().await?;
    let mut work = Work { attempts, database, connection: &mut transaction, definition };
    let kept = work.find().await?;
    work.check_fence(fence).await?;
    if kept.is_none_or(|kept| kept.entry.building != Some(generation)) {
        return Ok(());
    }
    work.set_building(None).await?;
    work.forget(generation).await?;
    attempts.commit(transaction).await
}

/// Says whether a projection is to pause.
pub(crate) async fn set_paused(
    database: &Database,
    projection: &str,
    version: u32,
    paused: bool,
) -> Result<(), StoreError> {
    let query = || {
        database.statements.models_pause().bind(projection).bind(i64::from(version)).bind(paused)
    };
    database.execute("pause a projection", query).await.map(drop)
}
