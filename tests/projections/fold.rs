//! What the rows of the items are by a plain fold of the log, which knows no engine, no page and no failure.

use std::collections::HashSet;
use std::time::Duration;

use annals::CheckpointChange;
use annals::prelude::*;
use annals::projection::{Batch, ParkedEvent, projector};
use futures::TryStreamExt;

use crate::models::ItemRow;
use crate::stores::Store;

/// Rows and parked events as the fold of the harness gives them, one event after the other on a store of its own.
pub type Found = (Vec<ItemRow>, Vec<(String, u64)>);

pub async fn folded(store: &impl Store) -> Found {
    let rows = MemoryStore::new();
    let projector = projector::<ItemRow>();
    rows.prepare(projector.definition()).await.expect("the table is made");
    let reader = projector.definition().reader(1);
    let fence = rows.claim_lease(&reader, "fold", Duration::from_hours(1)).await;
    let fence = fence.expect("the store is there").expect("it is free");
    let read = ReadAll::after(Position::START).filter(projector.filter());
    let events: Vec<RecordedEvent> = store.read_all(read).try_collect().await.expect("it is read");
    let mut waiting: HashSet<String> = HashSet::new();
    for event in &events {
        let checkpoint = CheckpointChange { fence: fence.clone(), position: event.position };
        let events = std::slice::from_ref(event);
        let batch = Batch::new(&rows, store.codec(), 1, events, checkpoint).with_waiting(&waiting);
        let done = projector.apply(&batch).await.expect("it is applied");
        waiting.extend(done.parked.into_iter().map(|event| event.key));
    }
    let parked = rows.parked(&reader, None).await.expect("the store is there");
    let models = ReadModels::new(rows);
    let rows = models.query::<ItemRow>().fetch().await.expect("rows are read");
    (rows, keys_of(parked))
}

pub fn keys_of(parked: Vec<ParkedEvent>) -> Vec<(String, u64)> {
    let mut keys: Vec<_> =
        parked.into_iter().map(|event| (event.key, event.position.get())).collect();
    keys.sort_unstable();
    keys
}
