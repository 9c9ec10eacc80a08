//! `projections shards`: how many shards a projection has.

use clap::Args;
use serde::Serialize;

use super::{Named, operator};
use crate::cli::app::{Fault, Store, Verdict};
use crate::cli::console::{Answer, Console, safe};
use crate::projection::CatalogEntry;
use crate::request::{Request, Wish};
use crate::shards::{SLICES, Shard};
use crate::store::CheckpointId;

#[derive(Debug, Args)]
pub(in crate::cli) struct Dividing {
    #[command(flatten)]
    named: Named,
    /// How many, from 1 to 1024
    #[arg(value_parser = clap::value_parser!(u32).range(1..=i64::from(SLICES)))]
    shards: u32,
}

/// `{"projection", "version", "before", "shards"}`: how many there were, and how many there are.
#[derive(Serialize)]
struct Divided {
    projection: String,
    version: u32,
    before: u32,
    shards: u32,
}

impl Dividing {
    pub(super) async fn run(self, store: &Store, console: &mut Console) -> Result<Verdict, Fault> {
        let entry = self.named.find(store).await?;
        let CatalogEntry { projection, version, shards: before, .. } = entry;
        operator(store)?.set_shards(&projection, version, self.shards).await?;
        console.answer(&Divided { projection, version, before, shards: self.shards })?;
        Ok(Verdict::Fine)
    }
}

/// The same asked of each shard: of one that has stopped, the others do not know.
pub(super) fn of_each(entry: &CatalogEntry, wish: &Wish) -> Vec<Request> {
    let reader = entry.reader();
    let of_shard = |shard: Shard| CheckpointId { shard: shard.index(), ..reader.clone() };
    Shard::all(entry.shards).map(|shard| Request::new(of_shard(shard), wish.clone())).collect()
}

impl Answer for Divided {
    fn text(&self) -> String {
        let Self { projection, version, before, shards } = self;
        let projection = safe(projection);
        let plural = if *shards == 1 { "shard" } else { "shards" };
        format!(
            "projection `{projection}` (version {version}) has {shards} {plural}; before: {before}"
        )
    }
}
