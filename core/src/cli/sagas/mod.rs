//! `sagas`: which have not ended, what was done, and what of one that is parked is not undone.

mod asked;
mod list;
mod show;

use std::sync::Arc;

use clap::Subcommand;

use super::app::{Fault, Store, Verdict};
use super::console::Console;
use super::linked;
use super::reader::owner;
use crate::registry::SagaRegistration;
use crate::saga::{Instance, Journal, Owner, SagaOutcome, category_of, seat_id};
use crate::store::ReaderSeen;
use crate::stream::StreamId;

#[derive(Debug, Subcommand)]
pub(super) enum Sagas {
    /// Count the sagas, and list those that have not ended, the parked ones first; exits with 3 if one is parked
    List(list::Listing),
    /// Show one: its data, what was done, what is not undone
    Show(show::Showing),
    /// Have whoever runs it try again what is not undone of one that is parked
    Retry(asked::Chosen),
    /// Leave what is not undone of one that is parked as it is, or of one with which no program goes on: it ends
    Drop(asked::Chosen),
}

impl Sagas {
    pub(super) async fn run(self, store: Store, console: &mut Console) -> Result<Verdict, Fault> {
        match self {
            Self::List(listing) => listing.run(&store, console).await,
            Self::Show(showing) => showing.run(&store, console).await,
            Self::Retry(chosen) => chosen.retry(&store, console).await,
            Self::Drop(chosen) => chosen.drop(&store, console).await,
        }
    }
}

fn journal(store: &Store) -> Journal {
    Journal::new(Arc::new(store.clone()))
}

/// How many sagas of each name wait for a person, of those that the program links.
pub(super) async fn parked(store: &Store) -> Result<Vec<(&'static str, usize)>, Fault> {
    let journal = journal(store);
    let mut parked = Vec::new();
    for linked in linked::sagas() {
        let unfinished = journal.unfinished(linked.name).await?;
        let count = unfinished.iter().filter(|listed| listed.owner.is_none()).count();
        if count > 0 {
            parked.push((linked.name, count));
        }
    }
    Ok(parked)
}

/// A saga that the program links, by its name.
fn find(name: &str) -> Result<&'static SagaRegistration, Fault> {
    let linked = linked::sagas();
    let found = linked.iter().find(|linked| linked.name == name).copied();
    let known: Vec<&str> = linked.iter().map(|linked| linked.name).collect();
    found.ok_or_else(|| linked::absent("saga", name, &known))
}

fn stream_of(saga: &str, id: &str) -> StreamId {
    StreamId::new(&category_of(saga), id)
}

fn not_begun(saga: &str, id: &str) -> Fault {
    Fault::Absent(format!("saga `{saga}` was never begun under the id `{id}`"))
}

/// How a saga stands.
fn state(saga: &str, instance: &Instance, readers: &[ReaderSeen]) -> &'static str {
    match instance.outcome() {
        None if runner(saga, instance.owner(), readers).is_some() => "running",
        None => "left",
        Some(SagaOutcome::Completed) => "completed",
        Some(SagaOutcome::Compensated { .. }) => "compensated",
        Some(SagaOutcome::Parked { .. }) => "parked",
        Some(SagaOutcome::Dropped { .. }) => "dropped",
    }
}

/// The name of the runner that has a saga, if that lives.
fn runner(saga: &str, of: Owner, readers: &[ReaderSeen]) -> Option<String> {
    let seat = seat_id(saga, of.seat);
    let is_it = |reader: &&ReaderSeen| reader.id == seat && reader.epoch == of.epoch;
    readers.iter().filter(is_it).find(|reader| reader.is_held()).map(owner)
}
