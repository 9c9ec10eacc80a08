//! What preparing a projection would do, and the statements that do the same.

use annals::StoreError;
use annals::projection::{Change, ModelDefinition, Preparation};
use sqlx::Row as _;

use super::change::read_kept;
use super::names::{self, in_schema};
use super::public_view::Shown;
use super::{catalog, layout};
use crate::database::Database;
use crate::error::store_error;

/// Tells what preparing would do, and does nothing.
pub(crate) async fn preparation(
    database: &Database,
    definition: &ModelDefinition,
) -> Result<Preparation, StoreError> {
    if let Some(table) = definition.table
        && let Err(error) = names::check(table)
    {
        return Ok(Preparation::Refused { reason: error.to_string() });
    }
    let doing = format!("look what projection `{}` needs", definition.projection);
    let query = || {
        database
            .statements
            .models_entry()
            .bind(&definition.projection)
            .bind(i64::from(definition.version))
    };
    let Some(row) = database.fetch_optional(&doing, query).await? else {
        return Ok(Preparation::Make { sql: sql(database, definition)? });
    };
    let kept = read_kept(definition, &row).map_err(|error| store_error(&doing, error))?;
    Ok(match definition.change_from(&kept.definition) {
        Change::None if catalog::has_table(database, definition, &kept.entry).await? => {
            granted(database, definition, kept.entry.generation).await?
        }
        Change::None => Preparation::MakeAgain,
        Change::Behind(columns) => Preparation::Behind { columns },
        Change::Added(columns) => Preparation::Add { columns },
        Change::Other(reason) => {
            Preparation::Refused { reason: definition.refused(&reason).to_string() }
        }
        _ => {
            let reason = definition.refused("what has changed is not known").to_string();
            Preparation::Refused { reason }
        }
    })
}

/// Whether the role may write the rows that are there, and if not, what has to be granted.
async fn granted(
    database: &Database,
    definition: &ModelDefinition,
    generation: u32,
) -> Result<Preparation, StoreError> {
    let Some(table) = definition.table_of(generation) else { return Ok(Preparation::Nothing) };
    let doing = format!("look whether projection `{}` may write", definition.projection);
    let rows = in_schema(&database.schema, &names::physical(&table));
    let view = names::version_view(table.table.name, table.version);
    let view = in_schema(&database.schema, &view);
    let query = || database.statements.models_granted().bind(&rows).bind(&view);
    let row = database.fetch_one(&doing, query).await?;
    let read = |error| store_error(&doing, error);
    if row.try_get(0).map_err(read)? {
        return Ok(Preparation::Nothing);
    }
    let role: String = row.try_get(1).map_err(read)?;
    let reason = format!(
        "the role may not write the rows of projection `{}` yet: run `GRANT SELECT, INSERT, UPDATE, DELETE ON {rows}, {view} TO {role}`",
        definition.projection
    );
    Ok(Preparation::Forbidden { reason })
}

/// The statements that make a projection's tables; `None` if its own setup makes them.
fn sql(database: &Database, definition: &ModelDefinition) -> Result<Option<String>, StoreError> {
    let Some(table) = definition.table_of(1) else { return Ok(None) };
    let schema = &database.schema;
    let shown = Shown::of(&table);
    let version_view = in_schema(schema, &names::version_view(shown.model, shown.version));
    let rows = in_schema(schema, &names::physical(&table));
    let literal = |text: &str| format!("'{}'", text.replace('\'', "''"));
    let add = include_str!("../../sql/models_add.sql")
        .replace("$1", &literal(&definition.projection))
        .replace("$2", &definition.version.to_string())
        .replace("$3", &literal(shown.model))
        .replace("$4", &literal(&definition.kept()));
    let create = layout::create(schema, &table)?;
    let view = layout::view(&version_view, &rows, &shown.columns, &[]);
    let public = include_str!("../../sql/plan_public.sql")
        .replace("{model_text}", &literal(shown.model))
        .replace("{version_view}", &literal(&version_view))
        .replace("{mark}", &literal(&super::public_view::marked(database, shown.version)));
    Ok(Some(schema.fill(&format!("BEGIN;\n{create}{view};\n{add};\n{public}COMMIT;\n"))))
}
