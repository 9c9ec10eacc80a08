//! The view under a read model's own name, where unqualified names are looked up first: what people's SQL reads.
//!
//! It shows one version: the first that was prepared, and a newer one from when that has come to the log's end, or was
//! rebuilt. An older program does not take the name back. What a person chose stays until a person says otherwise, or a version
//! comes that is newer than all that were there then. The view's comment keeps both, and changes with it.

use std::fmt;

use annals::StoreError;
use annals::read_model::ModelTable;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection, Row as _};

use super::attempt::{Attempts, Trouble};
use super::change::names_of_columns;
use super::layout;
use super::names::{self, in_schema, quoted};
use crate::database::Database;
use crate::error::in_database;

/// Why the view may have to change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Occasion {
    /// A version's table was made, or got columns.
    Prepared,
    /// A version has come to the log's end, or another generation of it answers from now on.
    Switched,
    /// A person says so, while this was the newest version that was there.
    Told { newest: u32 },
}

/// What stands where the view is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Nothing,
    /// The view.
    View(Showing),
    /// Something that is not annals'.
    Foreign,
}

/// What the view shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Showing {
    version: u32,
    /// The newest version that was there when a person chose an older one.
    chosen_of: Option<u32>,
}

/// What stands on the view between a version that a person chose and the newest one of then.
const CHOSEN_OF: &str = ", chosen of ";

impl Showing {
    const fn of(version: u32) -> Self {
        Self { version, chosen_of: None }
    }

    /// Whoever chooses the newest version has newer ones follow, as without a choice.
    fn chosen(version: u32, newest: u32) -> Self {
        Self { version, chosen_of: (version < newest).then_some(newest) }
    }

    /// Reads what follows the mark.
    fn parse(text: &str) -> Option<Self> {
        let Some((version, newest)) = text.split_once(CHOSEN_OF) else {
            return text.parse().ok().map(Self::of);
        };
        Some(Self { version: version.parse().ok()?, chosen_of: Some(newest.parse().ok()?) })
    }

    /// Whether a version is newer than all that may not follow.
    fn is_before(self, version: u32) -> bool {
        self.version.max(self.chosen_of.unwrap_or_default()) < version
    }
}

impl fmt::Display for Showing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.version)?;
        self.chosen_of.map_or(Ok(()), |newest| write!(f, "{CHOSEN_OF}{newest}"))
    }
}

/// A version that the view is to show.
pub(super) struct Shown<'a> {
    pub(super) model: &'a str,
    pub(super) version: u32,
    /// The names of its columns.
    pub(super) columns: Vec<String>,
}

impl<'a> Shown<'a> {
    pub(super) fn of(table: &'a ModelTable) -> Self {
        let columns = table.table.columns.iter().map(|column| column.name.to_owned());
        Self { model: table.table.name, version: table.version, columns: columns.collect() }
    }
}

/// The place of the view.
pub(super) struct Place {
    schema: String,
    /// The view's name with that of its schema, as it stands in a statement.
    pub(super) name: String,
    standing: Standing,
}

impl Place {
    /// Looks what is there; `None` if there is no schema for it.
    pub(super) async fn find(
        attempts: &Attempts<'_>,
        database: &Database,
        connection: &mut PgConnection,
        model: &str,
    ) -> Result<Option<Self>, Trouble> {
        let failed = |error| attempts.failed(error);
        let row = database
            .statements
            .models_public()
            .bind(model)
            .fetch_optional(connection)
            .await
            .map_err(failed)?;
        let Some(row) = row else {
            tracing::warn!(
                model,
                "no schema of the `search_path` is there: the read model has no view under its own name"
            );
            return Ok(None);
        };
        let schema: String = row.try_get("schema").map_err(failed)?;
        let is_view: Option<bool> = row.try_get("is_view").map_err(failed)?;
        let comment: Option<String> = row.try_get("comment").map_err(failed)?;
        let standing = match (is_view, comment) {
            (None, _) => Standing::Nothing,
            (Some(true), Some(comment)) => {
                let showing = comment.strip_prefix(&mark(database)).and_then(Showing::parse);
                showing.map_or(Standing::Foreign, Standing::View)
            }
            (Some(_), _) => Standing::Foreign,
        };
        let name = format!("{}.{}", quoted(&schema), quoted(model));
        Ok(Some(Self { schema, name, standing }))
    }

    /// Whether a view that is there has to change.
    pub(super) fn changes(&self, version: u32, occasion: Occasion) -> bool {
        match (self.standing, occasion) {
            (Standing::View(showing), Occasion::Prepared) => showing.version == version,
            // Of the same version, it shows what the version's own view shows.
            (Standing::View(showing), Occasion::Switched) => showing.is_before(version),
            (Standing::View(showing), Occasion::Told { newest }) => {
                showing != Showing::chosen(version, newest)
            }
            _ => false,
        }
    }

    /// What it shows, once it has changed to a version.
    fn next(&self, version: u32, occasion: Occasion) -> Showing {
        match (self.standing, occasion) {
            (_, Occasion::Told { newest }) => Showing::chosen(version, newest),
            // What was chosen stays so.
            (Standing::View(showing), Occasion::Prepared) if showing.version == version => showing,
            _ => Showing::of(version),
        }
    }

    /// Whether it shows a version.
    pub(super) fn shows(&self, version: u32) -> bool {
        matches!(self.standing, Standing::View(showing) if showing.version == version)
    }

    /// Has the view show a version, if it is its turn.
    pub(super) async fn renew(
        &self,
        attempts: &Attempts<'_>,
        database: &Database,
        connection: &mut PgConnection,
        shown: &Shown<'_>,
        occasion: Occasion,
    ) -> Result<(), Trouble> {
        let Self { schema, name, standing } = self;
        let next = self.next(shown.version, occasion);
        match standing {
            Standing::Nothing => {
                make(attempts, database, connection, (shown, next), (name, &[])).await
            }
            Standing::View(_) if !self.changes(shown.version, occasion) => Ok(()),
            Standing::View(_) => {
                let columns = names_of_columns(database, connection, schema, shown.model).await;
                let columns = columns.map_err(|error| attempts.failed(error))?;
                replace(attempts, database, connection, (shown, next), (name, &columns)).await
            }
            Standing::Foreign => Err(StoreError::invalid(format!(
                "read model `{}`: {name} is there, and is not a view of schema `{}` of annals: rename one of the two, \
                 or give the store's connections a `search_path` of their own",
                shown.model,
                database.schema.as_str()
            ))
            .into()),
        }
    }
}

/// Replaces the view, and whatever columns it had.
async fn replace(
    attempts: &Attempts<'_>,
    database: &Database,
    connection: &mut PgConnection,
    (shown, next): (&Shown<'_>, Showing),
    (view, columns): (&str, &[String]),
) -> Result<(), Trouble> {
    let failed = |error| attempts.failed(error);
    let of = of_version(database, shown);
    // Replaced where that is possible: what depends on it, and who may read it, stays.
    let has = |name: &String| shown.columns.contains(name);
    if columns.iter().all(has) {
        let sql = layout::view(view, &of, &shown.columns, columns);
        let mut savepoint = connection.begin().await.map_err(failed)?;
        match sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *savepoint).await {
            Ok(_) => {
                savepoint.commit().await.map_err(failed)?;
                return tell(attempts, database, connection, next, view).await;
            }
            // A column is of another type.
            Err(error) if in_database(&error).is_some_and(|found| found.code() == "42P16") => {
                savepoint.rollback().await.map_err(failed)?;
            }
            Err(error) => return Err(failed(error)),
        }
    }
    let drop = AssertSqlSafe(format!("DROP VIEW {view}"));
    sqlx::raw_sql(drop).execute(&mut *connection).await.map_err(failed)?;
    make(attempts, database, connection, (shown, next), (view, &[])).await
}

async fn make(
    attempts: &Attempts<'_>,
    database: &Database,
    connection: &mut PgConnection,
    (shown, next): (&Shown<'_>, Showing),
    (view, columns): (&str, &[String]),
) -> Result<(), Trouble> {
    let sql = layout::view(view, &of_version(database, shown), &shown.columns, columns);
    let made = sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *connection).await;
    made.map_err(|error| attempts.failed(error))?;
    tell(attempts, database, connection, next, view).await
}

/// Says on the view what it shows.
async fn tell(
    attempts: &Attempts<'_>,
    database: &Database,
    connection: &mut PgConnection,
    showing: Showing,
    view: &str,
) -> Result<(), Trouble> {
    let comment = format!("{}{showing}", mark(database));
    // A mark holds no quotes: the schema's name needs none.
    let sql = AssertSqlSafe(format!("COMMENT ON VIEW {view} IS '{comment}'"));
    let told = sqlx::raw_sql(sql).execute(connection).await;
    told.map(drop).map_err(|error| attempts.failed(error))
}

fn of_version(database: &Database, shown: &Shown<'_>) -> String {
    in_schema(&database.schema, &names::version_view(shown.model, shown.version))
}

/// What stands on a view that shows a version.
pub(super) fn marked(database: &Database, version: u32) -> String {
    format!("{}{version}", mark(database))
}

/// By which a view is known as one of annals', up to what it shows.
fn mark(database: &Database) -> String {
    format!("read model of annals in schema {}, version ", database.schema.as_str())
}
