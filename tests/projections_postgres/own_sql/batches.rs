//! One batch, as an engine hands it over.

use std::collections::HashSet;

use annals::prelude::*;
use annals::projection::{Batch, BatchError};
use annals::{CheckpointChange, EventStore, Fence, PlainJson, ReadAll, WriteError};
use annals_postgres::{PostgresStore, sql_projector};

use super::{Ledger, amounts, count, owned, paid, record, totals};
use crate::{Error, fresh, lease};

async fn events_of(store: &PostgresStore) -> Result<Vec<RecordedEvent>, Error> {
    Ok(store.log_page(&ReadAll::after(Position::from(0))).await?.events)
}

fn batch<'a>(store: &'a PostgresStore, events: &'a [RecordedEvent], fence: &Fence) -> Batch<'a> {
    let position = events.last().expect("there are events").position;
    let change = CheckpointChange { fence: fence.clone(), position };
    Batch::new(store, &PlainJson, 1, events, change)
}

#[tokio::test]
async fn a_batch_that_fails_has_done_nothing() -> Result<(), Error> {
    let (store, _database) = fresh().await?;
    record(&store, "a", vec![owned("Ada"), paid(1), paid(-3)]).await?;
    let ledger = sql_projector::<Ledger>();
    ledger.prepare(&store).await?;
    let fence = lease(&store, ledger.definition(), 1).await?;
    let events = events_of(&store).await?;
    let failed = ledger.apply(&batch(&store, &events, &fence)).await.unwrap_err();
    assert!(matches!(failed, BatchError::OneOf(_)), "{failed:?}");
    assert_eq!(count(&store, "accounts").await?, 0);
    assert_eq!(store.checkpoint(&fence.id).await?.unwrap_or_default(), Position::from(0));

    let done = ledger.apply(&batch(&store, &events[..2], &fence)).await?;
    assert!(done.parked.is_empty());
    assert_eq!(totals(&store).await?, amounts(&[("Ada", 1)]));
    assert_eq!(store.checkpoint(&fence.id).await?, Some(events[1].position));
    Ok(())
}

#[tokio::test]
async fn whoever_has_lost_the_lease_writes_nothing() -> Result<(), Error> {
    let (store, _database) = fresh().await?;
    record(&store, "a", vec![owned("Ada"), paid(1)]).await?;
    let ledger = sql_projector::<Ledger>();
    ledger.prepare(&store).await?;
    let fence = lease(&store, ledger.definition(), 1).await?;
    store.release_lease(&fence).await?;
    let current = lease(&store, ledger.definition(), 1).await?;
    let events = events_of(&store).await?;
    let fenced = ledger.apply(&batch(&store, &events, &fence)).await.unwrap_err();
    assert!(matches!(fenced, BatchError::Write(WriteError::Fenced { .. })), "{fenced:?}");
    assert_eq!(count(&store, "accounts").await?, 0);
    ledger.apply(&batch(&store, &events, &current)).await?;
    assert_eq!(totals(&store).await?, amounts(&[("Ada", 1)]));
    Ok(())
}

#[tokio::test]
async fn events_of_a_stream_that_waits_are_parked_with_the_batch() -> Result<(), Error> {
    let (store, _database) = fresh().await?;
    record(&store, "a", vec![owned("Ada")]).await?;
    record(&store, "b", vec![owned("Bob")]).await?;
    let ledger = sql_projector::<Ledger>();
    ledger.prepare(&store).await?;
    let fence = lease(&store, ledger.definition(), 1).await?;
    let events = events_of(&store).await?;
    let waiting = HashSet::from(["account-a".to_owned()]);
    let waits = batch(&store, &events, &fence).with_waiting(&waiting);
    let done = ledger.apply(&waits).await?;
    assert_eq!(done.parked.len(), 1);
    let parked = store.parked(&fence.id, None).await?;
    assert_eq!((parked.len(), &*parked[0].key), (1, "account-a"));
    assert_eq!(count(&store, "accounts").await?, 1);
    Ok(())
}
