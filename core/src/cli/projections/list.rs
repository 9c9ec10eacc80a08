//! `projections list`: those that the program links beside those that the store keeps.

use serde::Serialize;

use crate::cli::app::{Fault, Store, Verdict};
use crate::cli::console::{Answer, Console};
use crate::cli::linked;
use crate::cli::table::Table;
use crate::projection::CatalogEntry;
use crate::registry::ProjectionRegistration;

/// `{"projections": [{"name", "version", "linked", "kept", "inline", "table", "generation", "building", "shards", "paused"}]}`: what is
/// not kept has no generation, what is not linked no table.
#[derive(Serialize)]
struct Listed {
    projections: Vec<Item>,
}

#[derive(Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is a field of the JSON")]
struct Item {
    name: String,
    version: u32,
    linked: bool,
    kept: bool,
    inline: bool,
    table: Option<&'static str>,
    generation: Option<u32>,
    building: Option<u32>,
    shards: Option<u32>,
    paused: bool,
}

/// Tells of all.
pub(super) async fn list(store: &Store, console: &mut Console) -> Result<Verdict, Fault> {
    let catalog = store.catalog().await?;
    let linked = linked::projections();
    let mut projections: Vec<Item> = catalog
        .iter()
        .map(|entry| {
            let linked = linked::projection_of(&linked, entry);
            item(&entry.projection, entry.version, linked, Some(entry))
        })
        .collect();
    let is_kept = |linked: &&&ProjectionRegistration| {
        catalog.iter().any(|kept| kept.projection == linked.name && kept.version == linked.version)
    };
    let others = linked.iter().filter(|linked| !is_kept(linked));
    projections.extend(others.map(|linked| item(linked.name, linked.version, Some(linked), None)));
    projections.sort_by(|one, two| (&one.name, one.version).cmp(&(&two.name, two.version)));
    console.answer(&Listed { projections })?;
    Ok(Verdict::Fine)
}

fn item(
    name: &str,
    version: u32,
    linked: Option<&&'static ProjectionRegistration>,
    kept: Option<&CatalogEntry>,
) -> Item {
    Item {
        name: name.to_owned(),
        version,
        linked: linked.is_some(),
        kept: kept.is_some(),
        inline: linked.is_some_and(|linked| linked.inline.is_some()),
        table: linked.map(|linked| linked.table),
        generation: kept.map(|kept| kept.generation),
        building: kept.and_then(|kept| kept.building),
        shards: kept.map(|kept| kept.shards),
        paused: kept.is_some_and(|kept| kept.paused),
    }
}

impl Answer for Listed {
    fn text(&self) -> String {
        let mut table =
            Table::new(["NAME", "#VERSION", "TABLE", "#GENERATION", "LINKED", "KEPT", "NOTES"]);
        let yes = |is: bool| if is { "yes" } else { "no" }.to_owned();
        for item in &self.projections {
            let mut notes = Vec::new();
            if item.inline {
                notes.push("inline".to_owned());
            }
            if item.paused {
                notes.push("paused".to_owned());
            }
            if let Some(shards) = item.shards.filter(|shards| *shards > 1) {
                notes.push(format!("{shards} shards"));
            }
            if let Some(building) = item.building {
                notes.push(format!("generation {building} is being built"));
            }
            table.row([
                item.name.clone(),
                item.version.to_string(),
                item.table.unwrap_or("?").to_owned(),
                item.generation.map_or_else(|| "-".to_owned(), |number| number.to_string()),
                yes(item.linked),
                yes(item.kept),
                notes.join(", "),
            ]);
        }
        table.text("there are no projections")
    }
}
