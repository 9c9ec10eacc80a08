//! Releases of a projection that run beside each other, of which one stops at what the other can do.

use std::time::{Duration, Instant};

use annals::CheckpointId;
use annals::prelude::*;
use annals::projection::{Operator, ProjectionEngineBuilder, ProjectionState, Pruned};
use annals::shards::Shard;
use serde::{Deserialize, Serialize};

use crate::models::{ItemId, ItemListed, PriceChanged};
use crate::on_each_store;
use crate::shards::{SOON, builder, here, shows};
use crate::stores::{PATIENCE, Store, bus, listed, priced, record};

on_each_store!(
    a_newer_release_takes_the_stopped_shard_of_an_older_one_over,
    a_version_that_has_stopped_is_run_by_somebody,
    a_version_is_not_outdated_before_there_is_a_newer_one,
);

#[derive(Debug, thiserror::Error)]
#[error("this release knows no price of {0}")]
struct Unknown(i64);

macro_rules! release {
    ($name:ident, version = $version:literal, least = $least:expr) => {
        mod $name {
            use super::*;

            #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ReadModel)]
            #[read_model(table = "careful_items")]
            pub struct Careful {
                #[read_model(key)]
                pub item: ItemId,
                pub price: i64,
            }

            #[projection(name = "careful", version = $version, on_error = stop)]
            impl Careful {
                #[on(upsert)]
                fn listed(_: Option<Self>, event: &ItemListed, cx: &EventContext<Self>) -> Self {
                    Self { item: cx.key().clone(), price: event.price }
                }

                #[on]
                fn priced(&mut self, event: &PriceChanged) -> Result<(), Unknown> {
                    if event.price < $least {
                        return Err(Unknown(event.price));
                    }
                    self.price = event.price;
                    Ok(())
                }
            }
        }
    };
}

release!(old, version = 1, least = 0);
release!(new, version = 1, least = i64::MIN);
release!(next, version = 2, least = i64::MIN);

async fn start(builder: ProjectionEngineBuilder) -> ProjectionEngine {
    builder.start().await.expect("the engine starts")
}

async fn a_newer_release_takes_the_stopped_shard_of_an_older_one_over(store: impl Store) {
    let bus = bus(&store);
    let first = builder(&store).register::<old::Careful>().shards::<old::Careful>(4);
    let first = start(first.name("first")).await;
    let second = start(builder(&store).register::<new::Careful>().name("second")).await;
    for item in 0..20 {
        record(&bus, &item.to_string(), listed("Ada", 1)).await;
    }
    for engine in [&first, &second] {
        shows(engine, |status| here(status) == 2 && status.events_behind == 0).await;
    }
    // One shard of the first stops: both have as many as are fair.
    let status = first.status().await.expect("the store is there").projections.remove(0);
    let shard = status.shards.iter().find(|shard| shard.runs_here).expect("it has two").shard;
    let item = (0..20).map(|item| item.to_string()).find(|item| shard.has_key(item));
    let item = item.expect("each shard has some");
    let bad = record(&bus, &item, priced(-1)).await;
    let last = record(&bus, &item, priced(-2)).await;
    second.wait_for::<new::Careful>(&last, PATIENCE).await.expect("it is taken over");
    let row = ReadModels::new(store.clone()).get::<new::Careful>(&*item).await;
    assert_eq!(row.expect("rows are read").expect("it is there").price, -2);
    // The first hears of it, and has its share again.
    for engine in [&first, &second] {
        shows(engine, |status| {
            here(status) == 2 && status.stopped_at.is_none() && status.events_behind == 0
        })
        .await;
    }
    assert!(bad.position < last.position && Shard::of_key(&item, 4) == shard);
    first.shutdown().await.expect("nothing is wrong any more");
    second.shutdown().await.expect("nothing went wrong");
}

/// The versions that could go.
async fn unused(operator: &Operator) -> Vec<u32> {
    let mut unused = Vec::new();
    for entry in operator.outdated().await.expect("the store is there") {
        if !operator.is_run(&entry).await.expect("the store is there") {
            unused.push(entry.version);
        }
    }
    unused
}

async fn a_version_that_has_stopped_is_run_by_somebody(store: impl Store) {
    let bus = bus(&store);
    let next = builder(&store).register::<next::Careful>();
    let next = start(next).await;
    for shards in [1, 4] {
        let running = builder(&store).register::<old::Careful>().shards::<old::Careful>(4);
        let running = start(running).await;
        running.set_shards::<old::Careful>(shards).await.expect("it can be divided");
        for item in 0..20 {
            record(&bus, &item.to_string(), listed("Ada", 1)).await;
        }
        for item in 0..20 {
            record(&bus, &item.to_string(), priced(-1)).await;
        }
        shows(&running, |status| status.state == ProjectionState::Stopped && here(status) == 0)
            .await;
        // Seats were given up; whoever looks may look a moment before it is told.
        let operator = next.operator();
        let until = Instant::now() + PATIENCE;
        while !unused(operator).await.is_empty() {
            assert!(Instant::now() < until, "nobody is said to run version 1 in {shards} shards");
            tokio::time::sleep(SOON).await;
        }
        let pruned = operator.prune_version("careful", 1).await.expect("the store is there");
        assert_eq!(pruned, Pruned::InUse);
        running.shutdown().await.expect_err("it has stopped");
        // Where it stands is kept.
        assert_eq!(unused(operator).await, [1]);
    }
    let gone = next.prune().await.expect("the store is there");
    assert!(matches!(&gone[..], [(entry, Pruned::Done)] if entry.version == 1), "{gone:?}");
    let seats = store.leases("annals/projection/careful/").await.expect("the store is there");
    assert!(seats.iter().all(|held| held.id.version == 2), "{seats:?}");
    // A version in several shards leaves nothing behind, either.
    let again = builder(&store).register::<old::Careful>().shards::<old::Careful>(3);
    let again = start(again).await;
    shows(&again, |status| status.shards.len() == 3 && status.stopped_at.is_some()).await;
    assert!(again.shutdown().await.is_err(), "it stops where it stopped before");
    next.shutdown().await.expect("nothing went wrong");
}

async fn a_version_is_not_outdated_before_there_is_a_newer_one(store: impl Store) {
    let running = start(builder(&store).register::<old::Careful>()).await;
    running.shutdown().await.expect("nothing went wrong");
    // A program of a release that was never rolled out.
    let operator = builder(&store).register::<next::Careful>().operator().expect("nothing clashes");
    assert_eq!(unused(&operator).await, [0; 0]);
    assert!(operator.prune().await.expect("the store is there").is_empty());
    let next = start(builder(&store).register::<next::Careful>()).await;
    assert_eq!(unused(&operator).await, [1]);
    next.shutdown().await.expect("nothing went wrong");
    let reader = CheckpointId::of_projection("careful", 1, 1);
    store.claim_lease(&reader, "somebody", Duration::from_mins(1)).await.expect("it is there");
    assert_eq!(unused(&operator).await, [0; 0]);
}
