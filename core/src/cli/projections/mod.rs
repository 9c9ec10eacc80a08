//! `projections`: how they are, paused, resumed, rebuilt and pruned.

mod changes;
mod differences;
mod list;
mod plan;
mod prune;
mod rebuild_answers;
mod rebuilds;
mod shards;
mod status;

use clap::{Args, Subcommand};

use super::app::{Fault, Store, Verdict};
use super::console::Console;
use super::linked;
use crate::projection::{CatalogEntry, Operator, ProjectionEngine};

#[derive(Debug, Subcommand)]
pub(super) enum Projections {
    /// List the projections: those that the program links, and those that the store keeps
    List,
    /// Show how far they are, and who runs them; exits with 3 if one is behind
    Status(status::StatusOf),
    /// Have one pause after its present batch, in all programs, until it is resumed
    Pause(Named),
    /// Have one go on that was paused, or that has stopped and whose cause is mended
    Resume(changes::Resumed),
    /// Have one pass over an event at which it has stopped, for good, and go on
    Skip(changes::Skipped),
    /// Have the rows of one built anew beside those that answer, or one row, by whoever runs it
    Rebuild(rebuilds::Rebuilding),
    /// Have one run in so many shards, which engines share
    Shards(shards::Dividing),
    /// Show the rebuilds that are asked for, under way or over
    Rebuilds(rebuilds::Listing),
    /// Change how much a rebuild that is under way may ask of the database; without options, as much as there is
    SetLoad(rebuilds::Loading),
    /// Cancel a rebuild of all rows, or of one: the rows stay as they are
    Cancel(rebuilds::Cancelling),
    /// Show what this program's release will make, read and drop; exits with 3 if engines wait for it
    Plan(plan::Planning),
    /// Drop rows and checkpoints of versions that nobody runs any more
    Prune(prune::Pruning),
    /// Have the public name of the rows show another version: back to an older one, too
    ShowVersion(changes::ShownVersion),
}

/// A projection by its name.
#[derive(Debug, Args)]
pub(super) struct Named {
    /// Its name
    name: String,
    /// Its version; without it, the one that this program links, or the newest
    #[arg(long)]
    version: Option<u32>,
}

impl Projections {
    pub(super) async fn run(self, store: Store, console: &mut Console) -> Result<Verdict, Fault> {
        match self {
            Self::List => list::list(&store, console).await,
            Self::Status(status) => status.run(&store, console).await,
            Self::Pause(named) => changes::pause(&named, &store, console).await,
            Self::Resume(resumed) => resumed.run(&store, console).await,
            Self::Skip(skipped) => skipped.run(&store, console).await,
            Self::Rebuild(rebuilding) => rebuilding.run(&store, console).await,
            Self::Shards(dividing) => dividing.run(&store, console).await,
            Self::Rebuilds(listing) => listing.run(&store, console).await,
            Self::SetLoad(loading) => loading.run(&store, console).await,
            Self::Cancel(cancelling) => cancelling.run(&store, console).await,
            Self::Plan(planning) => planning.run(&store, console).await,
            Self::Prune(pruning) => pruning.run(&store, console).await,
            Self::ShowVersion(shown) => shown.run(&store, console).await,
        }
    }
}

/// What asks for rebuilds, of all projections that the program links.
fn operator(store: &Store) -> Result<Operator, Fault> {
    Ok(ProjectionEngine::builder(store.clone()).register_all().operator()?)
}

impl Named {
    /// What is kept of it.
    pub(super) async fn find(&self, store: &Store) -> Result<CatalogEntry, Fault> {
        let catalog = store.catalog().await?;
        let of_name = catalog.iter().filter(|entry| entry.projection == self.name);
        let linked = linked::projections().into_iter();
        let linked = linked.filter(|linked| linked.name == self.name).map(|linked| linked.version);
        let version = self.version.or(linked.max());
        let found = match version {
            Some(version) => of_name.clone().find(|entry| entry.version == version),
            None => of_name.clone().max_by_key(|entry| entry.version),
        };
        if let Some(found) = found {
            return Ok(found.clone());
        }
        if let Some(version) = version
            && let Some(kept) = of_name.map(|entry| entry.version).max()
        {
            let hint = if self.version.is_none() {
                format!("; add --version {kept}")
            } else {
                String::new()
            };
            return Err(Fault::Absent(format!(
                "projection `{}` is kept at version {kept}, not {version}{hint}",
                self.name
            )));
        }
        let known: Vec<&str> = catalog.iter().map(|entry| &*entry.projection).collect();
        if linked::projections().iter().any(|linked| linked.name == self.name) {
            return Err(Fault::Absent(format!(
                "projection `{}` is not in the store: no engine has begun it yet",
                self.name
            )));
        }
        Err(linked::absent("projection", &self.name, &known))
    }
}
