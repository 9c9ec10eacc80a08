//! Writers of a storm: what happens to items at random, for as long as something else goes on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use annals::prelude::*;
use fastrand::Rng;

use crate::connect;
use crate::models::{ItemId, ItemSold, OwnerRenamed, Record, What};
use crate::stores::{bus, listed, priced};

/// How many items there are.
pub const ITEMS: usize = 120;

/// What becomes of items.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fates {
    /// Some end, and some events fail, so that they are parked and what follows waits.
    All,
    /// Each item has its row from its beginning on.
    Lasting,
}

/// Runs writers on the server at an address while something else goes on, and gives back what that gives.
pub async fn beside_writers<T>(
    url: &str,
    (writers, fates): (usize, Fates),
    rng: &mut Rng,
    meanwhile: impl AsyncFnOnce() -> T,
) -> T {
    let bus = bus(&connect(url).await);
    for item in 0..ITEMS {
        let listed = Record { item: ItemId(item.to_string()), what: listed(&owner(rng), 1) };
        // Listed twice, it is one item still.
        while bus.dispatch(listed.clone()).await.is_err() {}
    }
    let is_over = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..writers)
        .map(|_| tokio::spawn(write(bus.clone(), fates, rng.fork(), is_over.clone())))
        .collect();
    let given = meanwhile().await;
    is_over.store(true, Ordering::SeqCst);
    for writer in writers {
        writer.await.expect("a writer does not panic");
    }
    given
}

async fn write(bus: CommandBus, fates: Fates, mut rng: Rng, is_over: Arc<AtomicBool>) {
    while !is_over.load(Ordering::SeqCst) {
        let item = ItemId(rng.usize(..ITEMS).to_string());
        match bus.dispatch(Record { item, what: anything(fates, &mut rng) }).await {
            Ok(_) => {}
            Err(DispatchError::Rejected(never)) => panic!("{never:?}"),
            // What was stored of it, the log tells.
            Err(_) => tokio::time::sleep(Duration::from_millis(rng.u64(1..20))).await,
        }
    }
}

fn owner(rng: &mut Rng) -> String {
    format!("owner {}", rng.u8(..30))
}

fn anything(fates: Fates, rng: &mut Rng) -> What {
    match rng.u16(..1000) {
        0..4 if fates == Fates::All => priced(-1),
        4..8 if fates == Fates::All => What::Removed,
        8..60 => What::Renamed(OwnerRenamed { from: owner(rng), to: owner(rng) }),
        60..200 => What::Sold(ItemSold { buyer: owner(rng) }),
        200..400 => listed(&owner(rng), rng.i64(0..100)),
        _ => priced(rng.i64(0..100)),
    }
}
