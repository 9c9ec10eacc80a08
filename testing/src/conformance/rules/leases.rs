//! Leases: one owner at a time, and a late one writes nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use annals::{
    CheckpointChange, CheckpointId, Fence, LeaseHolder, Position, ReadModelStore, UnitOfWorkStore,
    WriteError,
};
use futures::FutureExt;
use serde_json::json;

use crate::conformance::broken::{Found, Verdict, ensure, ensure_eq};
use crate::conformance::race::{ROUNDS, race};
use crate::conformance::unit::{ensure_fenced, prepare, reader, row_says, upsert};

/// Long enough that a lease does not run out while a rule runs.
const LONG: Duration = Duration::from_hours(1);

pub(super) async fn a_lease_has_one_owner<S: UnitOfWorkStore>(store: S) -> Verdict {
    prepare(&store).await?;
    let id = reader("lease");
    let first = claimed(&store, &id, "one", LONG).await?;
    ensure!(first.epoch > 0, "the first epoch is 0, which stands for no lease");
    ensure_eq!(first.id, id, "whose lease it is");
    for other in ["two", "One", "one ", ""] {
        let taken = store.claim_lease(&id, other, LONG).await?;
        ensure!(taken.is_none(), "{other:?} was given {taken:?}, though `one` holds the lease");
    }
    let renewed = claimed(&store, &id, "one", LONG).await?;
    ensure_eq!(renewed, first, "the lease that its owner renewed");
    write(&store, &renewed, 1).await?;

    let others = [
        CheckpointId { version: 2, ..id.clone() },
        CheckpointId { shard: 1, ..id.clone() },
        reader("another lease"),
    ];
    for id in others {
        let other = claimed(&store, &id, "two", LONG).await?;
        ensure_eq!(store.checkpoint(&id).await?, None, "the checkpoint of another reader");
        write(&store, &other, 9).await?;
    }
    ensure_eq!(store.checkpoint(&id).await?, Some(Position::from(1)), "the checkpoint");
    Ok(())
}

pub(super) async fn a_raced_lease_has_one_owner<S: UnitOfWorkStore + Clone>(store: S) -> Verdict {
    const TASKS: u64 = 8;
    for round in 0..ROUNDS {
        let id = reader(&format!("race {round}"));
        if round % 2 == 0 {
            // Every other lease has run out rather than never been.
            claimed(&store, &id, "late", Duration::ZERO).await?;
        }
        let claimers = (0..TASKS).map(|task| {
            let (store, id) = (store.clone(), id.clone());
            async move { store.claim_lease(&id, &format!("owner-{task}"), LONG).await }
        });
        let answers: Vec<_> = race(claimers).await?.into_iter().collect::<Result<_, _>>()?;
        let given = answers.into_iter().flatten().count();
        ensure_eq!(given, 1, "the owners, of {TASKS} who claimed one lease");
    }
    Ok(())
}

pub(super) async fn a_takeover_raises_the_epoch<S: UnitOfWorkStore>(store: S) -> Verdict {
    prepare(&store).await?;
    let id = reader("lease");
    let mut before: Vec<Fence> = Vec::new();
    let never = Fence { id: id.clone(), epoch: 0 };
    ensure_fenced(write(&store, &never, 99).await, &never)?;
    // The same owner's name may be that of a new process, while the old one only sleeps.
    for (number, owner) in (1..).zip(["one", "one", "two", "one", "three"]) {
        let fence = claimed(&store, &id, owner, Duration::ZERO).await?;
        for stale in &before {
            let (old, new) = (stale.epoch, fence.epoch);
            ensure!(old < new, "the epoch went from {old} to {new} as the lease passed on");
            ensure_fenced(write(&store, stale, 99).await, stale)?;
        }
        write(&store, &fence, number).await?;
        ensure_eq!(row_says(&store, "lease").await?, Some(json!(number)), "what the owner wrote");
        before.push(fence);
    }
    ensure_eq!(store.checkpoint(&id).await?, Some(Position::from(5)), "the checkpoint");
    Ok(())
}

pub(super) async fn a_released_lease_passes_on_at_once<S: UnitOfWorkStore>(store: S) -> Verdict {
    prepare(&store).await?;
    let id = reader("lease");
    let mut fence = claimed(&store, &id, "one", LONG).await?;
    for owner in ["two", "two", "one", ""] {
        store.release_lease(&fence).await?;
        ensure_fenced(write(&store, &fence, 98).await, &fence)?;
        let next = claimed(&store, &id, owner, LONG).await?;
        let (old, new) = (fence.epoch, next.epoch);
        ensure!(old < new, "the epoch went from {old} to {new} as the lease passed to {owner:?}");
        ensure_fenced(write(&store, &fence, 99).await, &fence)?;
        write(&store, &next, 1).await?;
        fence = next;
    }
    Ok(())
}

pub(super) async fn a_lease_that_has_passed_on_stays<S: UnitOfWorkStore>(store: S) -> Verdict {
    prepare(&store).await?;
    let id = reader("lease");
    let late = claimed(&store, &id, "one", Duration::ZERO).await?;
    let fence = claimed(&store, &id, "two", LONG).await?;
    store.release_lease(&late).await?;
    let taken = store.claim_lease(&id, "three", LONG).await?;
    ensure!(taken.is_none(), "the lease of `two` was released by `one`, who had lost it");
    write(&store, &fence, 1).await?;
    store.release_lease(&Fence { id: reader("never claimed"), epoch: 1 }).await?;
    Ok(())
}

pub(super) async fn leases_tell_their_owners<S: UnitOfWorkStore>(store: S) -> Verdict {
    let listed = async |beginning: &str| -> Result<Vec<_>, Found> {
        let listed = store.leases(&reader(beginning).name).await?;
        let shown =
            |held: LeaseHolder| (held.id.clone(), held.owner.clone(), held.epoch, held.is_held());
        Ok(listed.into_iter().map(shown).collect())
    };
    ensure_eq!(listed("").await?, [], "the leases of a store in which nobody claimed any");
    let of = |name: &str, shard| CheckpointId { shard, ..reader(name) };
    let ids = [of("a%_b", 1), of("a%_b", 2), of("a%_b/c", 1), of("aXb", 1), of("b", 1)];
    // In another order than that of their ids.
    for id in ids.iter().rev() {
        claimed(&store, id, "one", LONG).await?;
    }
    let run_out = claimed(&store, &of("a%_b", 3), "two#3", Duration::ZERO).await?;
    let given_up = claimed(&store, &of("a%_b", 4), "three", LONG).await?;
    store.release_lease(&given_up).await?;
    let held = |id: &CheckpointId, epoch| (id.clone(), "one".to_owned(), epoch, true);
    let mut expected = vec![
        held(&ids[0], 1),
        held(&ids[1], 1),
        (run_out.id.clone(), "two#3".to_owned(), run_out.epoch, false),
        held(&ids[2], 1),
    ];
    ensure_eq!(listed("a%_b").await?, expected, "the leases by the beginning of their names");
    claimed(&store, &run_out.id, "one", LONG).await?;
    expected[2] = held(&run_out.id, run_out.epoch + 1);
    ensure_eq!(listed("a%_b").await?, expected, "the leases after one was taken over");
    expected.extend([held(&ids[3], 1), held(&ids[4], 1)]);
    ensure_eq!(listed("").await?, expected, "all leases");
    let left = store.leases(&ids[4].name).await?.pop().map(|held| held.left).unwrap_or_default();
    ensure!(left <= LONG && left > LONG / 2, "a lease of {LONG:?} is held for {left:?} more");
    Ok(())
}

pub(super) async fn a_lease_lost_while_writing_stops_the_writer<S: UnitOfWorkStore + Clone>(
    store: S,
) -> Verdict {
    prepare(&store).await?;
    for round in 0..u64::from(ROUNDS) {
        let id = reader(&format!("race {round}"));
        let late = claimed(&store, &id, "one", Duration::ZERO).await?;
        let passed = Arc::new(AtomicBool::new(false));
        let writer = {
            let (store, late, passed) = (store.clone(), late.clone(), passed.clone());
            async move {
                loop {
                    let too_late = passed.load(Ordering::SeqCst);
                    match write(&store, &late, 1).await {
                        Ok(()) => {
                            ensure!(!too_late, "a write after the lease had passed on was done");
                        }
                        Err(WriteError::Fenced { .. }) => return Verdict::Ok(()),
                        Err(error) => return Err(error.into()),
                    }
                    tokio::task::yield_now().await;
                }
            }
        };
        let successor = {
            let (store, id) = (store.clone(), id.clone());
            async move {
                let fence = claimed(&store, &id, "two", LONG).await?;
                passed.store(true, Ordering::SeqCst);
                write(&store, &fence, 2).await?;
                Verdict::Ok(())
            }
        };
        race([writer.boxed(), successor.boxed()]).await?.into_iter().collect::<Verdict>()?;
        let (row, checkpoint) = (row_says(&store, "lease").await?, store.checkpoint(&id).await?);
        ensure_eq!(row, Some(json!(2)), "the row that the new owner wrote");
        ensure_eq!(checkpoint, Some(Position::from(2)), "the checkpoint of the new owner");
    }
    Ok(())
}

async fn claimed(
    store: &impl ReadModelStore,
    id: &CheckpointId,
    owner: &str,
    lifetime: Duration,
) -> Result<Fence, Found> {
    let fence = store.claim_lease(id, owner, lifetime).await?;
    fence.ok_or_else(|| Found(format!("{owner:?} was not given a lease that nobody holds")))
}

/// Writes a row and the checkpoint under a lease.
async fn write(store: &impl ReadModelStore, fence: &Fence, number: u64) -> Result<(), WriteError> {
    let position = Position::from(number);
    let moved = CheckpointChange { fence: fence.clone(), position };
    store.write_rows(vec![upsert("lease", &json!(number))], moved).await
}
