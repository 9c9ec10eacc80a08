//! Rebuilds, as they are kept.

use annals::StoreError;
use annals::projection::Rebuild;
use sqlx::Row as _;

use crate::append::bounded;
use crate::database::Database;
use crate::error::store_error;

/// Tells of all rebuilds.
pub(crate) async fn rebuilds(database: &Database) -> Result<Vec<Rebuild>, StoreError> {
    let doing = "read the rebuilds of projections";
    let rows = database.fetch_all(doing, || database.statements.rebuilds()).await?;
    let read = rows.iter().map(|row| {
        let kept: &str = row.try_get(0).map_err(|error| store_error(doing, error))?;
        Rebuild::from_kept(kept)
    });
    read.collect()
}

/// Keeps a rebuild, unless it was changed since it was read.
pub(crate) async fn keep_rebuild(
    database: &Database,
    rebuild: &Rebuild,
) -> Result<bool, StoreError> {
    let mut after = rebuild.clone();
    after.revision += 1;
    let (id, after) = (super::parked::escaped(&rebuild.id()).into_owned(), after.kept());
    let query = || {
        database
            .statements
            .rebuild_keep()
            .bind(&rebuild.projection)
            .bind(i64::from(rebuild.version))
            .bind(&id)
            .bind(bounded(rebuild.revision))
            .bind(&after)
    };
    Ok(database.execute("keep how a rebuild goes", query).await? > 0)
}
