//! Rebuilds while events come all the time: the new rows take the place of the old ones all the same.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use annals::prelude::*;
use annals::{CheckpointChange, RowChange, UnitOfWorkStore, WriteError};
use annals_testing::conformance::faulty::{Fault, Faulty};

use crate::fold::folded;
use crate::models::ItemRow;
use crate::on_each_store;
use crate::stores::{PATIENCE, Store, bus, listed, priced, record, wait};

on_each_store!(
    one_worker_makes_way_for_the_new_rows,
    all_shards_make_way_for_the_new_rows_at_once,
    engines_that_look_seldom_make_way_at_once_too,
);

/// A store at which new rows are always behind once they are written.
struct Behind;

#[async_trait]
impl<S: UnitOfWorkStore + SnapshotStore> Fault<S> for Behind {
    async fn write_rows(
        &self,
        store: &S,
        rows: Vec<RowChange>,
        checkpoint: CheckpointChange,
    ) -> Result<(), WriteError> {
        let is_new = checkpoint.fence.id.name.ends_with("/2");
        store.write_rows(rows, checkpoint).await?;
        if is_new {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        Ok(())
    }
}

async fn one_worker_makes_way_for_the_new_rows(store: impl Store) {
    rebuilt(store, 1, Duration::from_secs(1)).await;
}

async fn all_shards_make_way_for_the_new_rows_at_once(store: impl Store) {
    rebuilt(store, 4, Duration::from_secs(1)).await;
}

async fn engines_that_look_seldom_make_way_at_once_too(store: impl Store) {
    rebuilt(store, 4, Duration::from_secs(6)).await;
}

async fn rebuilt(store: impl Store, shards: u32, polling: Duration) {
    let start = async || {
        let engine = ProjectionEngine::builder(Faulty::new(store.clone(), Behind));
        let engine = engine.register::<ItemRow>().shards::<ItemRow>(shards).polling(polling);
        engine.start().await.expect("the engine starts")
    };
    let one = start().await;
    // They look at different times.
    tokio::time::sleep(polling / 2).await;
    let two = start().await;
    let bus = bus(&store);
    let is_over = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..4)
        .map(|writer| {
            let (bus, is_over) = (bus.clone(), is_over.clone());
            tokio::spawn(async move {
                let items: Vec<String> = (0..10).map(|item| format!("{writer} {item}")).collect();
                for item in &items {
                    record(&bus, item, listed("Ada", 1)).await;
                }
                for number in 0.. {
                    let last = record(&bus, &items[number % 10], priced(2)).await;
                    if is_over.load(Ordering::SeqCst) {
                        return last;
                    }
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                unreachable!("there are more numbers than time");
            })
        })
        .collect();
    let done = tokio::time::timeout(PATIENCE, one.rebuild::<ItemRow>()).await;
    is_over.store(true, Ordering::SeqCst);
    done.expect("the new rows answer, though events come").expect("nothing is wrong with it");
    for writer in writers {
        let last = writer.await.expect("all are stored");
        wait(&one, &last).await;
        wait(&two, &last).await;
    }
    let rows = ReadModels::new(store.clone()).query::<ItemRow>().fetch().await;
    assert_eq!(rows.expect("rows are read"), folded(&store).await.0);
    one.shutdown().await.expect("nothing went wrong");
    two.shutdown().await.expect("nothing went wrong");
}
