//! What waits is given up while a reactor reads no further.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use annals::prelude::*;
use annals::process::ProcessError;
use annals::{LogPage, SnapshotStore, UnitOfWork, UnitOfWorkStore, WriteError};
use annals_postgres::PostgresStore;
use annals_postgres::testing::TestDatabase;
use annals_testing::conformance::faulty::{Fault, Faulty};

use crate::mailer::{Mailer, Mails};
use crate::rules::{PATIENCE, Store, engine, place};

/// A store that keeps the checkpoint where it is, as it is found after a crash.
#[derive(Clone)]
struct Left;

#[async_trait]
impl<S: UnitOfWorkStore + SnapshotStore> Fault<S> for Left {
    async fn commit(&self, store: &S, mut work: UnitOfWork) -> Result<Vec<Receipt>, WriteError> {
        if let Some(checkpoint) = &mut work.checkpoint {
            let kept = store.checkpoint(&checkpoint.fence.id).await?;
            checkpoint.position = kept.unwrap_or_default();
        }
        store.commit(work).await
    }
}

/// A store whose log is not read on, while it is so.
#[derive(Clone)]
struct Stuck(Arc<AtomicBool>);

#[async_trait]
impl<S: UnitOfWorkStore + SnapshotStore> Fault<S> for Stuck {
    async fn log_page(&self, store: &S, read: &ReadAll) -> Result<LogPage, StoreError> {
        while self.0.load(Ordering::SeqCst) {
            tokio::time::sleep(PATIENCE / 10_000).await;
        }
        store.log_page(read).await
    }
}

/// It waits above the checkpoint, and the log is read no further since there are to be other shards: they do not wait for it.
async fn a_drop_that_waits_does_not_hold_up_a_change_of_the_shards<S: Store>(store: S) {
    let mailer = Arc::new(Mailer::default());
    mailer.fail("bad", Some("no such address"));
    let left = Faulty::with_units(store.clone(), Left);
    let bus = CommandBus::new(left.clone());
    let running = engine(&bus, &mailer, &left).await;
    place(&bus, "bad").await;
    running.settle(PATIENCE).await.expect_err("it waits");
    running.shutdown().await.expect("nothing stopped");

    let is_stuck = Arc::new(AtomicBool::new(true));
    let stuck = Faulty::with_units(store, Stuck(is_stuck.clone()));
    let running = engine(&CommandBus::new(stuck.clone()), &mailer, &stuck).await;
    while !running.status().await.expect("the store answers").processes[0].runs_here {
        tokio::task::yield_now().await;
    }
    let mails = running.reactor::<Mails>().expect("it runs");
    let both = async {
        let dropping = mails.drop_parked("order-bad");
        tokio::join!(dropping, mails.set_shards(2))
    };
    let both = tokio::time::timeout(PATIENCE, both).await.expect("neither waits for the other");
    let (dropped, divided) = both;
    divided.expect("it is divided");
    assert!(matches!(dropped, Err(ProcessError::NotOwner { .. })), "{dropped:?}");
    assert_eq!(running.parked().await.expect("the store answers").len(), 1);

    is_stuck.store(false, Ordering::SeqCst);
    assert_eq!(mails.drop_parked("order-bad").await.expect("it is dropped"), 1);
    running.settle(PATIENCE).await.expect("nothing waits");
    running.shutdown().await.expect("nothing stopped");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_memory() {
    a_drop_that_waits_does_not_hold_up_a_change_of_the_shards(MemoryStore::new()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_postgres() {
    let database = TestDatabase::create().await.expect("a database");
    let store = PostgresStore::connect(database.url()).await.expect("it is there");
    store.migrate().await.expect("it takes the tables");
    a_drop_that_waits_does_not_hold_up_a_change_of_the_shards(store).await;
}
