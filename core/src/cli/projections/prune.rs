//! `projections prune`: versions that go.

use std::fmt::Write as _;

use clap::Args;
use serde::Serialize;

use super::operator;
use crate::cli::app::{Fault, Store, Verdict};
use crate::cli::console::{Answer, Console, safe};
use crate::cli::linked;
use crate::projection::{CatalogEntry, Pruned};
use crate::store::{CheckpointId, ReaderSeen};

#[derive(Debug, Args)]
pub(in crate::cli) struct Pruning {
    /// Only this projection; without it, all versions that are older than those that this program links
    #[arg(requires = "version")]
    name: Option<String>,
    /// The version that goes
    #[arg(long, requires = "name")]
    version: Option<u32>,
}

/// `{"pruned": [{"projection", "version", "became"}], "scratch", "scratch_kept"}`: `became` is `gone`, or `in_use` of what somebody runs; `scratch`
/// counts the scratch tables of dry runs and what-ifs whose programs died, which go without a question, and
/// `scratch_kept` those that stay, since somebody has them, or had them until less than a minute ago.
#[derive(Serialize)]
struct Gone {
    pruned: Vec<One>,
    scratch: u64,
    scratch_kept: usize,
}

#[derive(Serialize)]
struct One {
    projection: String,
    version: u32,
    became: &'static str,
}

impl Pruning {
    pub(super) async fn run(self, store: &Store, console: &mut Console) -> Result<Verdict, Fault> {
        let operator = operator(store)?;
        let meant = match (self.name, self.version) {
            (Some(name), Some(version)) => vec![named(&name, version, operator.catalog().await?)?],
            _ => operator.outdated().await?,
        };
        // What somebody runs stays, be it that it has stopped: nobody is asked about that.
        let (mut pruned, mut unused) = (Vec::new(), Vec::new());
        for entry in meant {
            if operator.is_run(&entry).await? {
                pruned.push(One::of(entry, "in_use"));
            } else {
                unused.push(entry);
            }
        }
        if !unused.is_empty() {
            let name = |entry: &CatalogEntry| {
                format!("`{}` at version {}", entry.projection, entry.version)
            };
            let names: Vec<String> = unused.iter().map(name).collect();
            let kept = operator.catalog().await?;
            let goes = |entry: &CatalogEntry| {
                let is_it = |gone: &CatalogEntry| {
                    (&gone.projection, gone.version) == (&entry.projection, entry.version)
                };
                unused.iter().any(is_it)
            };
            let stays =
                |name: &str| kept.iter().any(|entry| entry.projection == name && !goes(entry));
            let mut lost: Vec<&str> = unused.iter().map(|entry| &*entry.projection).collect();
            lost.retain(|name| !stays(name));
            lost.dedup();
            let mut what = format!("drops the rows and checkpoints of {}", names.join(", "));
            for name in lost {
                // Writing to a text does not fail.
                let _ = write!(
                    what,
                    "; no other version of `{name}` is kept: nothing answers for it then, and its public name goes"
                );
            }
            for entry in kept.iter().filter(|entry| !goes(entry)) {
                let behind = behind(store, entry).await?;
                if behind > 0 && unused.iter().any(|gone| gone.projection == entry.projection) {
                    let CatalogEntry { projection, version, .. } = entry;
                    let _ = write!(
                        what,
                        "; version {version} of `{projection}`, which stays, is {behind} behind the log's end"
                    );
                }
            }
            console.confirm(&what)?;
        }
        // One after the other, rather than whatever is outdated by now: nobody was asked about that.
        for entry in unused {
            let became = match operator.prune_version(&entry.projection, entry.version).await? {
                Pruned::InUse => "in_use",
                _ => "gone",
            };
            pruned.push(One::of(entry, became));
        }
        let is_wrong = pruned.iter().any(|one| one.became != "gone");
        operator.drop_left_rebuilds().await?;
        let scratch = operator.drop_left_scratch().await?;
        let is_scratch = |reader: &&ReaderSeen| reader.id.name.starts_with(CheckpointId::SCRATCH);
        let readers = store.readers().await?;
        let kept = readers.iter().filter(is_scratch).filter(|reader| reader.is_held());
        let scratch_kept = kept.count();
        console.answer(&Gone { pruned, scratch, scratch_kept })?;
        Ok(Verdict::wrong_if(is_wrong))
    }
}

/// How many positions the rows of a version are behind the log's end.
async fn behind(store: &Store, entry: &CatalogEntry) -> Result<u64, Fault> {
    let linked = linked::projections();
    if linked::projection_of(&linked, entry).is_some_and(|linked| linked.inline.is_some()) {
        return Ok(0);
    }
    let stands = store.standing(&entry.reader()).await?.lowest();
    Ok(store.head().await?.get().saturating_sub(stands.get()))
}

impl One {
    fn of(entry: CatalogEntry, became: &'static str) -> Self {
        let CatalogEntry { projection, version, .. } = entry;
        Self { projection, version, became }
    }
}

/// A version by its name, which this program must not need.
fn named(name: &str, version: u32, catalog: Vec<CatalogEntry>) -> Result<CatalogEntry, Fault> {
    let is_it = |entry: &CatalogEntry| entry.projection == name && entry.version == version;
    let Some(entry) = catalog.into_iter().find(is_it) else {
        return Err(Fault::Absent(format!("projection `{name}` is not kept at version {version}")));
    };
    if linked::projection_of(&linked::projections(), &entry).is_some() {
        return Err(Fault::Usage(format!(
            "projection `{name}` at version {version} is what this program links; prune it by a release that does not"
        )));
    }
    Ok(entry)
}

impl Answer for Gone {
    fn text(&self) -> String {
        let mut text = String::new();
        if self.pruned.is_empty() {
            text.push_str("there is no version to prune\n");
        }
        if self.scratch > 0 {
            let _ = writeln!(text, "scratch tables that were left and are gone: {}", self.scratch);
        }
        if self.scratch_kept > 0 {
            let _ = writeln!(
                text,
                "scratch tables that stay: {}; one whose program died goes with a prune that comes a minute later",
                self.scratch_kept
            );
        }
        for One { projection, version, became } in &self.pruned {
            let became =
                if *became == "gone" { "is gone" } else { "is run by somebody, and stays" };
            let _ =
                writeln!(text, "projection `{}` at version {version} {became}", safe(projection));
        }
        text
    }
}
