//! Versions that go, and what the public name shows then.

use annals::StoreError;
use std::fmt::Write;

use annals::projection::{self, CatalogEntry, Pruned, Showing};
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Row as _};

use super::attempt::{Attempts, Trouble, of_store};
use super::change::{names_of_columns, narrow};
use super::names::{self, in_schema};
use super::public_view::{Occasion, Place, Shown};
use super::sharded;
use crate::append::unsigned;
use crate::database::Database;

/// Has the public name show a version, if it stands as is asked for.
pub(crate) async fn show_version(
    database: &Database,
    projection: &str,
    version: u32,
    showing: Showing,
) -> Result<projection::Shown, StoreError> {
    let doing = format!("show version {version} of `{projection}`");
    let mut attempts = Attempts::new(database, doing);
    loop {
        match show_once(&mut attempts, database, (projection, version), showing).await {
            Ok(shown) => return Ok(shown),
            Err(trouble) => attempts.again(trouble).await.map_err(of_store)?,
        }
    }
}

async fn show_once(
    attempts: &mut Attempts<'_>,
    database: &Database,
    (projection, version): (&str, u32),
    showing: Showing,
) -> Result<projection::Shown, Trouble> {
    let mut transaction = attempts.begin().await?;
    let mut entry = CatalogEntry::new(projection, version);
    let Some(kept) = find(attempts, database, &mut transaction, (projection, version)).await?
    else {
        return Err(entry.not_kept().into());
    };
    entry.generation = kept.generation;
    // Nobody changes which generation answers, or prunes it, until this change is done.
    if showing == Showing::Whole
        && let Some(lacking) = lacks(attempts, database, &mut transaction, &entry).await?
    {
        return Ok(lacking);
    }
    if let Some(model) = &kept.model {
        let versions = versions_of(attempts, database, &mut transaction, model).await?;
        let newest = versions.first().copied().unwrap_or(version);
        let told = Occasion::Told { newest };
        show(attempts, database, &mut transaction, (model, version), told).await?;
    }
    attempts.commit(transaction).await?;
    Ok(projection::Shown::Done)
}

/// What a version lacks that is to be whole, if anything.
async fn lacks(
    attempts: &Attempts<'_>,
    database: &Database,
    connection: &mut PgConnection,
    entry: &CatalogEntry,
) -> Result<Option<projection::Shown>, Trouble> {
    let failed = |error| attempts.failed(error);
    let reader = entry.reader();
    let (standing, _) = sharded::standing_in(attempts, database, connection, &reader).await?;
    // The log's end after that: it only rises.
    let end = database.statements.ceiling().fetch_one(&mut *connection).await;
    let end = end.and_then(|row| row.try_get::<i64, _>("head")).map_err(failed)?;
    let parked = database.statements.show_parked().bind(&reader.name);
    let parked = parked.bind(i64::from(reader.version)).fetch_one(&mut *connection).await;
    let parked = parked.and_then(|row| row.try_get::<i64, _>(0)).map_err(failed)?;
    let (behind, parked) =
        (unsigned(end).saturating_sub(standing.lowest().get()), unsigned(parked));
    let is_whole = behind == 0 && parked == 0;
    Ok((!is_whole).then_some(projection::Shown::Lacking { behind, parked }))
}

/// Drops all that is kept of a version, unless someone runs it.
pub(crate) async fn prune(
    database: &Database,
    projection: &str,
    version: u32,
) -> Result<Pruned, StoreError> {
    let doing = format!("prune version {version} of projection `{projection}`");
    let mut attempts = Attempts::new(database, doing);
    loop {
        let was_lost = attempts.is_lost;
        match prune_once(&mut attempts, database, (projection, version)).await {
            // By the try whose answer was lost.
            Ok(Pruned::Missing) if was_lost => return Ok(Pruned::Done),
            Ok(pruned) => return Ok(pruned),
            Err(trouble) => attempts.again(trouble).await.map_err(of_store)?,
        }
    }
}

async fn prune_once(
    attempts: &mut Attempts<'_>,
    database: &Database,
    (projection, version): (&str, u32),
) -> Result<Pruned, Trouble> {
    let mut transaction = attempts.begin().await?;
    let connection = &mut *transaction;
    let failed = |error| attempts.failed(error);
    let Some(kept) = find(attempts, database, connection, (projection, version)).await? else {
        return Ok(Pruned::Missing);
    };
    let (statements, number) = (&database.statements, i64::from(version));
    let readers = format!("annals/projection/{projection}/");
    let in_use = statements.prune_readers().bind(&readers).bind(number);
    let in_use = in_use.fetch_one(&mut *connection).await.and_then(|row| row.try_get(0));
    if in_use.map_err(failed)? {
        return Ok(Pruned::InUse);
    }
    if let Some(model) = &kept.model {
        leave_name(attempts, database, connection, (model, version)).await?;
        let mut drop = format!(
            "DROP VIEW IF EXISTS {};\n",
            in_schema(&database.schema, &names::version_view(model, version))
        );
        for generation in [Some(kept.generation), kept.building].into_iter().flatten() {
            let table = names::physical_of(model, version, generation);
            let name = in_schema(&database.schema, &table);
            // Writing to a text does not fail.
            let _ = writeln!(drop, "DROP TABLE IF EXISTS {name};");
        }
        // All names in it are quoted, and there are no values.
        sqlx::raw_sql(AssertSqlSafe(drop)).execute(&mut *connection).await.map_err(failed)?;
    }
    for of_readers in [
        statements.prune_forget_readers(),
        statements.prune_forget_parked(),
        statements.prune_forget_shards(),
    ] {
        let of_readers = of_readers.bind(&readers).bind(number);
        of_readers.execute(&mut *connection).await.map_err(failed)?;
    }
    for of_name in [statements.prune_rebuilds(), statements.prune_entry()] {
        let of_name = of_name.bind(projection).bind(number);
        of_name.execute(&mut *connection).await.map_err(failed)?;
    }
    attempts.commit(transaction).await?;
    Ok(Pruned::Done)
}

/// What is kept of a version, as far as it is known to those who know its name only.
struct Kept {
    model: Option<String>,
    generation: u32,
    building: Option<u32>,
}

async fn find(
    attempts: &Attempts<'_>,
    database: &Database,
    connection: &mut PgConnection,
    (projection, version): (&str, u32),
) -> Result<Option<Kept>, Trouble> {
    let found = database.statements.prune_find().bind(projection).bind(i64::from(version));
    let found = found.fetch_optional(connection).await.and_then(|row| {
        let Some(row) = row else { return Ok(None) };
        Ok(Some(Kept {
            model: row.try_get(0)?,
            generation: narrow(row.try_get(1)?),
            building: row.try_get::<Option<i64>, _>(2)?.map(narrow),
        }))
    });
    found.map_err(|error| attempts.failed(error))
}

/// Has the public name show the newest other version, if it shows this one; without another, it goes.
async fn leave_name(
    attempts: &Attempts<'_>,
    database: &Database,
    connection: &mut PgConnection,
    (model, version): (&str, u32),
) -> Result<(), Trouble> {
    let Some(place) = Place::find(attempts, database, connection, model).await? else {
        return Ok(());
    };
    if !place.shows(version) {
        return Ok(());
    }
    let failed = |error| attempts.failed(error);
    let versions = versions_of(attempts, database, connection, model).await?;
    if let Some(other) = versions.into_iter().find(|other| *other != version) {
        let told = Occasion::Told { newest: other };
        return show(attempts, database, connection, (model, other), told).await;
    }
    let drop = AssertSqlSafe(format!("DROP VIEW {}", place.name));
    sqlx::raw_sql(drop).execute(connection).await.map_err(failed)?;
    Ok(())
}

/// All versions of a model that are there, the newest first.
async fn versions_of(
    attempts: &Attempts<'_>,
    database: &Database,
    connection: &mut PgConnection,
    model: &str,
) -> Result<Vec<u32>, Trouble> {
    let versions = database.statements.models_versions().bind(model).fetch_all(connection).await;
    let versions = versions.and_then(|rows| rows.iter().map(|row| row.try_get(0)).collect());
    let versions: Vec<i64> = versions.map_err(|error| attempts.failed(error))?;
    Ok(versions.into_iter().map(narrow).collect())
}

/// Has the public name show a version of a model.
async fn show(
    attempts: &Attempts<'_>,
    database: &Database,
    connection: &mut PgConnection,
    (model, version): (&str, u32),
    told: Occasion,
) -> Result<(), Trouble> {
    let Some(place) = Place::find(attempts, database, connection, model).await? else {
        return Ok(());
    };
    let failed = |error| attempts.failed(error);
    if place.changes(version, told) {
        let lock = AssertSqlSafe(format!("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE", place.name));
        sqlx::raw_sql(lock).execute(&mut *connection).await.map_err(failed)?;
    }
    let (schema, view) = (database.schema.as_str(), names::version_view(model, version));
    let columns = names_of_columns(database, connection, schema, &view).await.map_err(failed)?;
    let shown = Shown { model, version, columns };
    place.renew(attempts, database, connection, &shown, told).await
}
