//! Rows that are not to be kept: folded beside all that is, read, and gone.

use annals::projection::ModelDefinition;
use annals::read_model::{ModelTable, Select};
use annals::{Fence, UnitOfWorkStore};

use super::generations::{answers, claimed, first, park, write};
use crate::conformance::broken::{Found, Verdict, ensure, ensure_eq};
use crate::conformance::unit::{ROWS, ensure_fenced, key_of};

const ONE: u32 = ModelTable::FIRST_SCRATCH + 7;
const OTHER: u32 = ModelTable::FIRST_SCRATCH + 8;

pub(super) async fn scratch_rows_are_beside_all_that_is_kept<S: UnitOfWorkStore>(
    store: S,
) -> Verdict {
    let (definition, owner) = first(&store).await?;
    write(&store, &owner, 1, "kept").await?;
    let before = store.catalog().await?;
    let one = begun(&store, &definition, ONE).await?;
    let other = begun(&store, &definition, OTHER).await?;
    for key in ["c", "a", "b"] {
        write(&store, &one, ONE, key).await?;
    }
    write(&store, &other, OTHER, "d").await?;
    ensure_eq!(
        found(&store, ONE, &all()).await?,
        Some(wanted(&["a", "b", "c"])),
        "the scratch rows"
    );
    let behind = store.select_scratch(&table(ONE), &all().limit(1)).await?.unwrap_or_default();
    let behind = behind.first().map_or_else(all, |row| all().after(row));
    ensure_eq!(
        found(&store, ONE, &behind).await?,
        Some(wanted(&["b", "c"])),
        "the rows behind the first"
    );
    ensure_eq!(
        found(&store, OTHER, &all()).await?,
        Some(wanted(&["d"])),
        "the rows of another run"
    );
    ensure_eq!(store.count_scratch(&table(ONE), &[]).await?, Some(3), "how many there are");
    ensure_eq!(answers(&store).await?, ["kept"], "the rows that answer");
    ensure_eq!(store.catalog().await?, before, "what the catalog says");
    Ok(())
}

pub(super) async fn scratch_rows_go_with_their_lease<S: UnitOfWorkStore>(store: S) -> Verdict {
    let (definition, owner) = first(&store).await?;
    write(&store, &owner, 1, "kept").await?;
    let held = begun(&store, &definition, ONE).await?;
    let left = begun(&store, &definition, OTHER).await?;
    write(&store, &held, ONE, "held").await?;
    write(&store, &left, OTHER, "left").await?;
    park(&store, &left).await?;
    ensure_eq!(store.drop_left_scratch().await?, 0, "how many were left while all are held");
    store.release_lease(&left).await?;
    ensure_eq!(store.drop_left_scratch().await?, 1, "how many were left of which one was given up");
    ensure_eq!(found(&store, OTHER, &all()).await?, None, "the rows that were left");
    ensure_eq!(store.count_scratch(&table(OTHER), &[]).await?, None, "how many of those there are");
    ensure!(store.parked(&left.id, None).await?.is_empty(), "what was parked of them is there");
    ensure_eq!(store.checkpoint(&left.id).await?, None, "the checkpoint of who folded them");
    ensure_eq!(
        found(&store, ONE, &all()).await?,
        Some(wanted(&["held"])),
        "the rows that are held"
    );

    store.drop_scratch(&definition, ONE).await?;
    ensure_eq!(found(&store, ONE, &all()).await?, None, "the rows that were dropped");
    ensure_fenced(write(&store, &held, ONE, "late").await, &held)?;
    ensure_eq!(store.drop_left_scratch().await?, 0, "how many are left in the end");
    ensure_eq!(answers(&store).await?, ["kept"], "the rows that answer");
    Ok(())
}

/// Makes a scratch table under the lease of its reader.
async fn begun(
    store: &impl UnitOfWorkStore,
    definition: &ModelDefinition,
    generation: u32,
) -> Result<Fence, Found> {
    let fence = claimed(store, definition, generation).await?;
    store.begin_scratch(definition, generation).await?;
    Ok(fence)
}

/// The keys of scratch rows; `None` if there is no table.
async fn found(
    store: &impl UnitOfWorkStore,
    generation: u32,
    select: &Select,
) -> Result<Option<Vec<String>>, Found> {
    let rows = store.select_scratch(&table(generation), select).await?;
    Ok(rows.map(|rows| rows.iter().map(key_of).collect()))
}

fn all() -> Select {
    Select::all(ROWS.table)
}

fn table(generation: u32) -> ModelTable {
    ModelTable { generation, ..ROWS }
}

fn wanted(keys: &[&str]) -> Vec<String> {
    keys.iter().map(|key| (*key).to_owned()).collect()
}
