//! How many shards each engine has, as engines come and go and as the number of shards changes.

use std::time::Instant;

use annals::prelude::*;

use crate::models::ItemRow;
use crate::on_each_store;
use crate::shards::{SOON, builder, here};
use crate::stores::{PATIENCE, Store};

on_each_store!(
    shares_are_even,
    who_stands_by_hears_of_other_shards,
    what_a_leaving_engine_had_others_take_after_a_change,
);

async fn start(store: &impl Store, shards: u32) -> ProjectionEngine {
    let builder = builder(store).register::<ItemRow>().shards::<ItemRow>(shards);
    builder.start().await.expect("the engine starts")
}

/// Waits until each shard has an owner, and the engines have so many shards, the fewest first.
async fn shared(engines: &[&ProjectionEngine], expected: &[usize]) {
    let until = Instant::now() + PATIENCE;
    loop {
        let (mut shares, mut owned) = (Vec::new(), true);
        for engine in engines {
            let status = engine.status().await.expect("the store is there").projections.remove(0);
            owned &= status.shards.len() == expected.iter().sum::<usize>();
            owned &= status.shards.iter().all(|shard| shard.owner.is_some());
            shares.push(here(&status));
        }
        shares.sort_unstable();
        if owned && shares == expected {
            return;
        }
        assert!(Instant::now() < until, "{shares:?}, and not {expected:?}");
        tokio::time::sleep(SOON).await;
    }
}

async fn shares_are_even(store: impl Store) {
    let one = start(&store, 4).await;
    shared(&[&one], &[4]).await;
    let two = start(&store, 4).await;
    shared(&[&one, &two], &[2, 2]).await;
    let three = start(&store, 4).await;
    shared(&[&one, &two, &three], &[1, 1, 2]).await;
    two.set_shards::<ItemRow>(8).await.expect("it can be divided");
    shared(&[&one, &two, &three], &[2, 3, 3]).await;
    one.shutdown().await.expect("nothing went wrong");
    shared(&[&two, &three], &[4, 4]).await;
    two.set_shards::<ItemRow>(5).await.expect("it can be divided");
    shared(&[&two, &three], &[2, 3]).await;
    three.shutdown().await.expect("nothing went wrong");
    shared(&[&two], &[5]).await;
    two.shutdown().await.expect("nothing went wrong");
}

async fn who_stands_by_hears_of_other_shards(store: impl Store) {
    let one = start(&store, 1).await;
    shared(&[&one], &[1]).await;
    let two = start(&store, 1).await;
    shared(&[&one, &two], &[0, 1]).await;
    one.set_shards::<ItemRow>(4).await.expect("it can be divided");
    shared(&[&one, &two], &[2, 2]).await;
    two.set_shards::<ItemRow>(1).await.expect("it can be divided");
    shared(&[&one, &two], &[0, 1]).await;
    one.shutdown().await.expect("nothing went wrong");
    shared(&[&two], &[1]).await;
    two.shutdown().await.expect("nothing went wrong");
}

async fn what_a_leaving_engine_had_others_take_after_a_change(store: impl Store) {
    let (one, two, three) =
        (start(&store, 2).await, start(&store, 2).await, start(&store, 2).await);
    shared(&[&one, &two, &three], &[0, 1, 1]).await;
    one.set_shards::<ItemRow>(4).await.expect("it can be divided");
    shared(&[&one, &two, &three], &[1, 1, 2]).await;
    one.shutdown().await.expect("nothing went wrong");
    shared(&[&two, &three], &[2, 2]).await;
    two.shutdown().await.expect("nothing went wrong");
    shared(&[&three], &[4]).await;
    three.shutdown().await.expect("nothing went wrong");
}
