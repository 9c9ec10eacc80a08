//! Storms on the store in memory; and on stores that are broken on purpose, which the checker finds.

use std::time::Duration;

use annals::{Append, EventStore, LogPage, MemoryStore, ReadAll, Receipt, StoreError, WriteError};
use annals_testing::conformance::faulty::{Fault as Planted, Faulty};
use async_trait::async_trait;

use crate::faults::appends::{Doubles, ForgottenKey, NoConcurrencyCheck, NoFault, OneByOne};
use crate::faults::reads::PassedEvent;
use crate::history::check::{Kind, check};
use crate::history::storm::{Weather, assert_sound, storm};

/// How many storms a fault may outlive at most.
const STORMS: u32 = 20;

/// Shows events in pairs, the later one first, to whoever reads one at a time.
struct Turned;

#[async_trait]
impl<S: Sync> Planted<S> for Turned {
    async fn log_page(&self, store: &S, read: &ReadAll) -> Result<LogPage, StoreError>
    where
        S: EventStore,
    {
        let mut page = store.log_page(read).await?;
        if read.limit.is_multiple_of(2) && page.events.len() > 1 {
            page.events.swap(0, 1);
        }
        Ok(page)
    }
}

/// Answers late, as a server does, so that calls are dropped before and after they are done.
struct RoundTrips;

#[async_trait]
impl<S: Sync> Planted<S> for RoundTrips {
    async fn append(&self, store: &S, appends: Vec<Append>) -> Result<Vec<Receipt>, WriteError>
    where
        S: EventStore,
    {
        tokio::time::sleep(Duration::from_millis(1)).await;
        let answer = store.append(appends).await;
        tokio::time::sleep(Duration::from_millis(1)).await;
        answer
    }
}

/// What is found after a storm on a store with a fault; the end is read without it.
async fn found_with<F: Planted<MemoryStore>>(fault: F) -> Vec<Kind> {
    let memory = MemoryStore::new();
    let store = Faulty::new(memory.clone(), fault);
    let weather = Weather { length: Duration::from_millis(400), ..Weather::of_the_day() };
    let history = storm("broken", weather, store, async || memory).await;
    let mut kinds: Vec<Kind> = check(&history).into_iter().map(|fault| fault.kind).collect();
    kinds.sort_unstable();
    kinds.dedup();
    println!("found: {kinds:?}");
    kinds
}

/// Checks that a fault is found: on a machine with no time to spare, in one of several storms.
async fn check_found<F: Planted<MemoryStore>>(fault: impl Fn() -> F, expected: Kind) {
    for _ in 0..STORMS {
        if found_with(fault()).await.contains(&expected) {
            return;
        }
    }
    panic!("{expected:?} was not found in {STORMS} storms");
}

/// With units of work, which a store with a fault does not pass on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_of_units_in_memory() {
    let store = MemoryStore::new();
    let history = storm("units", Weather::of_the_day(), store.clone(), async || store).await;
    assert_sound(&history);
    assert!(!history.rows.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_in_memory() {
    let store = Faulty::new(MemoryStore::new(), RoundTrips);
    let weather = Weather::of_the_day().with_dropped(20);
    let history = storm("memory", weather, store.clone(), async || store).await;
    assert_sound(&history);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_on_a_store_without_a_fault_finds_none() {
    assert_eq!(found_with(NoFault).await, []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_finds_a_passed_event() {
    check_found(|| PassedEvent, Kind::Passed).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_finds_a_missing_concurrency_check() {
    check_found(|| NoConcurrencyCheck, Kind::Unexpected).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_finds_a_forgotten_key() {
    check_found(|| ForgottenKey, Kind::DoneTwice).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_finds_appends_that_are_done_one_by_one() {
    check_found(|| OneByOne, Kind::InPart).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_finds_event_ids_that_are_made_anew() {
    check_found(|| Doubles, Kind::Unsent).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_finds_readers_that_see_another_order() {
    check_found(|| Turned, Kind::OrderDiffers).await;
}
