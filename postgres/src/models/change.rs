//! The steps of a change of tables and of the catalog, within its transaction.

use annals::projection::{CatalogEntry, Change, ModelDefinition};
use annals::read_model::ModelTable;
use annals::shards::Layout;
use annals::{CheckpointId, Fence, Position, StoreError, WriteError};
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{AssertSqlSafe, Row as _};

use super::attempt::{Attempts, Trouble};
use super::layout;
use super::names::{self, in_schema};
use super::own_sql::{Setup, guard, settle};
use super::public_view::{Occasion, Place, Shown};
use super::sharded;
use crate::append::{bounded, unsigned};
use crate::database::Database;
use crate::error::{in_database, is_outage};

/// What is kept of one projection.
pub(super) struct Kept {
    pub(super) entry: CatalogEntry,
    pub(super) definition: String,
}

/// A change under way.
pub(super) struct Work<'a, 'd> {
    pub(super) attempts: &'a Attempts<'d>,
    pub(super) database: &'a Database,
    pub(super) connection: &'a mut PgConnection,
    pub(super) definition: &'a ModelDefinition,
}

impl Work<'_, '_> {
    pub(super) async fn run(&mut self, sql: String) -> Result<(), Trouble> {
        // All names in it are quoted, and there are no values.
        let run = sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *self.connection).await;
        run.map(drop).map_err(|error| self.attempts.failed(error))
    }

    pub(super) async fn find(&mut self) -> Result<Option<Kept>, Trouble> {
        let found = self
            .database
            .statements
            .models_entry()
            .bind(&self.definition.projection)
            .bind(i64::from(self.definition.version))
            .fetch_optional(&mut *self.connection)
            .await;
        let kept = found
            .and_then(|row| row.map(|row| read_kept(self.definition, &row)).transpose())
            .map_err(|error| self.attempts.failed(error))?;
        Ok(kept)
    }

    pub(super) async fn found(&mut self) -> Result<Kept, Trouble> {
        let found = self.find().await?;
        found.ok_or_else(|| self.definition.not_prepared().into())
    }

    /// Refuses whoever lacks columns that are kept: rows of theirs would lose them.
    pub(super) fn check_columns(&self, kept: &Kept) -> Result<(), Trouble> {
        match self.definition.change_from(&kept.definition) {
            Change::Behind(columns) => Err(self.definition.behind(&columns).into()),
            _ => Ok(()),
        }
    }

    /// Makes the tables of the first generation.
    pub(super) async fn make(&mut self) -> Result<CatalogEntry, Trouble> {
        let Self { database, definition, .. } = *self;
        let entry = CatalogEntry::new(&definition.projection, definition.version);
        self.add_entry().await?;
        if let Some(table) = definition.table_of(entry.generation) {
            self.run(layout::create(&database.schema, &table)?).await?;
            let public = self.public(&table).await?;
            self.renew_views(&table, public, Occasion::Prepared).await?;
        }
        Ok(entry)
    }

    /// Runs a setup of the projection's own. What it says of the server and of its rights is told as of any other change.
    pub(super) async fn set_up(&mut self, setup: Setup<'_>) -> Result<(), Trouble> {
        let attempts = self.attempts;
        let failed = |error| attempts.failed(error);
        guard(self.connection).await.map_err(failed)?;
        let Err(error) = setup(self.connection).await else {
            return settle(self.connection).await.map_err(failed);
        };
        let is_known = |error: &sqlx::Error| {
            is_outage(error) || in_database(error).is_some_and(|found| found.code() == "42501")
        };
        let error = match error.downcast::<sqlx::Error>() {
            Ok(error) if is_known(&error) => return Err(failed(*error)),
            Ok(error) => error.into(),
            Err(error) => error,
        };
        let projection = &self.definition.projection;
        let message = format!("projection `{projection}`: its setup failed");
        Err(StoreError::invalid(message).with_source(error).into())
    }

    async fn add_entry(&mut self) -> Result<(), Trouble> {
        let Self { database, definition, .. } = *self;
        let added = database
            .statements
            .models_add()
            .bind(&definition.projection)
            .bind(i64::from(definition.version))
            .bind(definition.table.map(|table| table.name))
            .bind(definition.kept())
            .execute(&mut *self.connection)
            .await;
        let Err(error) = added else { return Ok(()) };
        let constraint = in_database(&error).and_then(|found| found.constraint());
        if let (Some("projections_model"), Some(table)) = (constraint, definition.table) {
            return Err(definition.taken(table).into());
        }
        Err(self.attempts.failed(error))
    }

    /// Makes the table anew that answers, if it was dropped; its reader begins anew, too.
    pub(super) async fn make_missing(&mut self, entry: &CatalogEntry) -> Result<(), Trouble> {
        let Self { database, definition, .. } = *self;
        let Some(table) = definition.table_of(entry.generation) else { return Ok(()) };
        let schema = &database.schema;
        if !self.columns(schema.as_str(), &names::physical(&table)).await?.is_empty() {
            return Ok(());
        }
        tracing::warn!(%table, "the table was dropped: it is made anew, and filled from the beginning of the log");
        let reader = entry.reader();
        let (_, is_said) =
            sharded::standing_in(self.attempts, database, self.connection, &reader).await?;
        self.forget(entry.generation).await?;
        if is_said {
            let layout = Layout::of(entry.shards);
            sharded::keep(self.attempts, database, self.connection, (&reader, &layout)).await?;
        }
        self.run(layout::create(schema, &table)?).await?;
        let public = self.public(&table).await?;
        self.renew_views(&table, public, Occasion::Prepared).await
    }

    /// Adds columns to all tables that there are.
    pub(super) async fn add_columns(
        &mut self,
        entry: &CatalogEntry,
        added: &[String],
    ) -> Result<(), Trouble> {
        let Self { database, definition, .. } = *self;
        let table = definition.table_of(entry.generation);
        let public = match &table {
            Some(table) => self.lock_views(table, Occasion::Prepared).await?,
            None => None,
        };
        if let Some(table) = table {
            self.run(layout::add_columns(&database.schema, &table, added)?).await?;
            self.renew_views(&table, public, Occasion::Prepared).await?;
        }
        let define = database
            .statements
            .models_define()
            .bind(&definition.projection)
            .bind(i64::from(definition.version))
            .bind(definition.kept())
            .execute(&mut *self.connection)
            .await;
        define.map(drop).map_err(|error| self.attempts.failed(error))
    }

    async fn public(&mut self, table: &ModelTable) -> Result<Option<Place>, Trouble> {
        Place::find(self.attempts, self.database, self.connection, table.table.name).await
    }

    /// Whether the public view is to show a table's version from now on.
    pub(super) async fn is_shown_next(&mut self, table: &ModelTable) -> Result<bool, Trouble> {
        let public = self.public(table).await?;
        Ok(public.is_some_and(|place| place.changes(table.version, Occasion::Switched)))
    }

    /// Locks the views that have to change, and what they show, in the order in which readers do: first the public view, then
    /// that of the version, then its table.
    pub(super) async fn lock_views(
        &mut self,
        table: &ModelTable,
        occasion: Occasion,
    ) -> Result<Option<Place>, Trouble> {
        let public = self.public(table).await?;
        if let Some(place) = public.as_ref().filter(|place| place.changes(table.version, occasion))
        {
            self.run(format!("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE", place.name)).await?;
        }
        let schema = &self.database.schema;
        let view = names::version_view(table.table.name, table.version);
        // One that was dropped with its table is made anew.
        if !self.columns(schema.as_str(), &view).await?.is_empty() {
            let view = in_schema(schema, &view);
            self.run(format!("LOCK TABLE {view} IN ACCESS EXCLUSIVE MODE")).await?;
        }
        Ok(public)
    }

    /// Has the views show a table.
    pub(super) async fn renew_views(
        &mut self,
        table: &ModelTable,
        public: Option<Place>,
        occasion: Occasion,
    ) -> Result<(), Trouble> {
        let schema = &self.database.schema;
        let version_view = names::version_view(table.table.name, table.version);
        let columns = self.columns(schema.as_str(), &version_view).await?;
        let view = in_schema(schema, &version_view);
        let of = in_schema(schema, &names::physical(table));
        let shown = Shown::of(table);
        self.run(layout::view(&view, &of, &shown.columns, &columns)).await?;
        let Self { attempts, database, connection, .. } = self;
        match public {
            Some(place) => place.renew(attempts, database, connection, &shown, occasion).await,
            None => Ok(()),
        }
    }

    async fn columns(&mut self, schema: &str, relation: &str) -> Result<Vec<String>, Trouble> {
        let Self { attempts, database, connection, .. } = self;
        let columns = names_of_columns(database, connection, schema, relation).await;
        columns.map_err(|error| attempts.failed(error))
    }

    pub(super) async fn check_fence(&mut self, fence: &Fence) -> Result<(), Trouble> {
        check_fence(self.attempts, self.database, self.connection, fence).await
    }

    /// Whether what was built has not come as far as what answers, whose owners move no checkpoint until this change is done.
    pub(super) async fn is_behind(
        &mut self,
        built: &CheckpointId,
        (answers, layout): (&CheckpointId, &Layout),
        head: Position,
    ) -> Result<bool, Trouble> {
        let floors = layout.floors.iter().map(|floor| floor.position);
        let floor = floors.filter(|floor| *floor <= head).max().unwrap_or_default();
        let row = self
            .database
            .statements
            .models_behind()
            .bind(&built.name)
            .bind(i64::from(built.version))
            .bind(&answers.name)
            .bind(bounded(head.get()))
            .bind(bounded(floor.get()))
            .fetch_one(&mut *self.connection)
            .await;
        row.and_then(|row| row.try_get(0)).map_err(|error| self.attempts.failed(error))
    }

    pub(super) async fn set_building(&mut self, generation: Option<u32>) -> Result<(), Trouble> {
        let set = self
            .database
            .statements
            .models_build()
            .bind(&self.definition.projection)
            .bind(i64::from(self.definition.version))
            .bind(generation.map(i64::from))
            .execute(&mut *self.connection)
            .await;
        set.map(drop).map_err(|error| self.attempts.failed(error))
    }

    pub(super) async fn set_generation(&mut self, generation: u32) -> Result<(), Trouble> {
        let set = self
            .database
            .statements
            .models_switch()
            .bind(&self.definition.projection)
            .bind(i64::from(self.definition.version))
            .bind(i64::from(generation))
            .execute(&mut *self.connection)
            .await;
        set.map(drop).map_err(|error| self.attempts.failed(error))
    }

    /// Drops a generation's table, and what is kept of its reader.
    pub(super) async fn forget(&mut self, generation: u32) -> Result<(), Trouble> {
        let Self { database, definition, .. } = *self;
        if let Some(table) = definition.table_of(generation) {
            self.run(layout::drop_table(&database.schema, &table)).await?;
        }
        let reader = definition.reader(generation);
        let statements = &database.statements;
        for statement in [
            statements.models_forget_parked(),
            statements.models_forget_reader(),
            statements.models_forget_shards(),
        ] {
            let forget = statement
                .bind(&reader.name)
                .bind(i64::from(reader.version))
                .execute(&mut *self.connection)
                .await;
            forget.map_err(|error| self.attempts.failed(error))?;
        }
        Ok(())
    }
}

/// The names of a relation's columns, in their order.
pub(super) async fn names_of_columns(
    database: &Database,
    connection: &mut PgConnection,
    schema: &str,
    relation: &str,
) -> Result<Vec<String>, sqlx::Error> {
    let rows = database.statements.models_columns().bind(schema).bind(relation);
    let rows = rows.fetch_all(connection).await?;
    rows.iter().map(|row| row.try_get(0)).collect()
}

pub(super) fn read_kept(definition: &ModelDefinition, row: &PgRow) -> Result<Kept, sqlx::Error> {
    let mut entry = CatalogEntry::new(&definition.projection, definition.version);
    fill(&mut entry, row)?;
    Ok(Kept { entry, definition: row.try_get("definition")? })
}

pub(super) fn fill(entry: &mut CatalogEntry, row: &PgRow) -> Result<(), sqlx::Error> {
    entry.generation = narrow(row.try_get("generation")?);
    entry.building = row.try_get::<Option<i64>, _>("building")?.map(narrow);
    entry.paused = row.try_get("paused")?;
    entry.shards = narrow(row.try_get("shards")?);
    Ok(())
}

/// A number that was written as one of 32 bits.
pub(super) fn narrow(number: i64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// Refuses what is done under a lease that has passed on; one that is held passes on to nobody until the transaction ends.
pub(super) async fn check_fence(
    attempts: &Attempts<'_>,
    database: &Database,
    connection: &mut PgConnection,
    fence: &Fence,
) -> Result<(), Trouble> {
    let Fence { id, epoch } = fence;
    let row = database
        .statements
        .models_fence()
        .bind(&id.name)
        .bind(i64::from(id.version))
        .bind(i64::from(id.shard))
        .fetch_optional(connection)
        .await;
    let read = row.and_then(|row| {
        let Some(row) = row else { return Ok((0, false)) };
        Ok((unsigned(row.try_get("epoch")?), row.try_get("is_held")?))
    });
    let (current, is_held) = read.map_err(|error| attempts.failed(error))?;
    if current == *epoch && is_held {
        return Ok(());
    }
    Err(WriteError::Fenced { name: id.name.clone(), held: *epoch, current }.into())
}
