//! Readers that are divided into shards: nothing is done again, and nothing is passed over.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use annals::projection::ModelDefinition;
use annals::read_model::ModelTable;
use annals::shards::{Division, Floor, SLICES, Shard, Standing};
use annals::{
    CheckpointChange, CheckpointId, Fence, Position, ReadModelStore, UnitOfWorkStore, WriteError,
};
use futures::FutureExt;

use super::generations::begin;
use crate::conformance::broken::{Found, Verdict, ensure, ensure_eq};
use crate::conformance::race::{ROUNDS, race};
use crate::conformance::unit::{ROWS, ensure_fenced, prepare, reader};

/// Long enough that a lease does not run out while a rule runs.
const LONG: Duration = Duration::from_hours(1);

pub(super) async fn a_reader_has_one_shard_until_it_is_divided<S: UnitOfWorkStore>(
    store: S,
) -> Verdict {
    let id = reader("shards");
    let of_nothing = store.standing(&id).await?;
    ensure_eq!((of_nothing.layout.shards, &of_nothing.reached[..]), (1, &[None][..]), "at first");
    for (number, division) in [
        (3, Division::AtFirst(3)),
        (3, Division::AtFirst(5)),
        (2, Division::FromNow(2)),
        (2, Division::AtFirst(7)),
        (1, Division::FromNow(1)),
        (1, Division::AtFirst(4)),
    ] {
        let divided = store.divide(&id, division).await?;
        ensure_eq!(divided.layout.shards, number, "the shards after {division:?}");
        ensure_eq!(store.standing(&id).await?, divided, "what is kept after {division:?}");
    }
    for refused in [0, SLICES + 1] {
        let divided = store.divide(&id, Division::FromNow(refused)).await;
        ensure!(divided.is_err(), "it is divided into {refused} shards");
    }
    let others = [CheckpointId { version: 2, ..id.clone() }, reader("others")];
    store.divide(&id, Division::FromNow(4)).await?;
    for other in others {
        ensure_eq!(store.standing(&other).await?.layout.shards, 1, "the shards of another reader");
    }
    let of_shard = CheckpointId { shard: 3, ..id.clone() };
    ensure_eq!(store.standing(&of_shard).await?.layout.shards, 4, "the shards, asked by one");
    Ok(())
}

pub(super) async fn new_shards_begin_where_their_slices_are<S: UnitOfWorkStore>(
    store: S,
) -> Verdict {
    let id = reader("shards");
    write(&store, &claimed(&store, &id, 0).await?, 10).await?;
    let four = store.divide(&id, Division::FromNow(4)).await?;
    ensure_eq!(four.reached, vec![at(10); 4], "where four shards begin of one");
    for (shard, position) in [(0, 20), (1, 40), (2, 30)] {
        write(&store, &claimed(&store, &id, shard).await?, position).await?;
    }
    let two = store.divide(&id, Division::FromNow(2)).await?;
    ensure_eq!(two.reached, vec![at(20), at(10)], "where two shards begin of four");
    let floors: Vec<_> = two.layout.floors.iter().map(of_floor).collect();
    ensure_eq!(floors, [(256, 512, 40), (512, 768, 30)], "the slices that are further on");
    for shard in [0, 1] {
        let found = store.checkpoint(&CheckpointId { shard, ..id.clone() }).await?;
        ensure_eq!(found, two.reached[shard as usize], "the checkpoint of shard {shard}");
    }
    for shard in [2, 3] {
        let found = store.checkpoint(&CheckpointId { shard, ..id.clone() }).await?;
        ensure_eq!(found, None, "the checkpoint of shard {shard}, which is no more");
    }
    write(&store, &claimed(&store, &id, 1).await?, 35).await?;
    let three = store.divide(&id, Division::FromNow(3)).await?;
    ensure_eq!(three.reached, vec![at(20), at(35), at(35)], "where three shards begin of two");
    let floors: Vec<_> = three.layout.floors.iter().map(of_floor).collect();
    ensure_eq!(floors, [(256, 512, 40)], "the slices that are further on");
    Ok(())
}

pub(super) async fn a_division_gives_all_leases_up<S: UnitOfWorkStore>(store: S) -> Verdict {
    let id = reader("shards");
    let mut before: Vec<Fence> = Vec::new();
    for (round, into) in [1, 4, 2, 7, 1, 4].into_iter().enumerate() {
        store.divide(&id, Division::FromNow(into)).await?;
        for stale in &before {
            ensure_fenced(write(&store, stale, 1_000).await, stale)?;
        }
        for shard in Shard::all(into) {
            let fence = claimed(&store, &id, shard.index()).await?;
            write(&store, &fence, round as u64 + 1).await?;
            before.push(fence);
        }
    }
    ensure_eq!(store.standing(&id).await?.lowest(), Position::from(6), "where all shards are");
    let same = store.divide(&id, Division::FromNow(4)).await?;
    ensure_eq!(same.reached, vec![at(6); 4], "where they are when the number is as it was");
    let held = &before[before.len() - 4..];
    for held in held {
        write(&store, held, 7).await?;
    }
    a_division_under_leases(&store, &id, held).await
}

/// Whoever divides under leases is somebody who holds all of them.
async fn a_division_under_leases<S: UnitOfWorkStore>(
    store: &S,
    id: &CheckpointId,
    held: &[Fence],
) -> Verdict {
    store.release_lease(&held[2]).await?;
    let of_another = claimed(store, &held[2].id, 2).await?;
    ensure_fenced(store.divide_under(id, 2, held).await.map(drop), &held[2])?;
    ensure_eq!(store.standing(id).await?.layout.shards, 4, "the shards after a lease passed on");
    let held = [&held[..2], &[of_another], &held[3..]].concat();
    for held in &held {
        write(store, held, 8).await?;
    }
    let divided = store.divide_under(id, 2, &held).await?;
    ensure_eq!(divided.reached, vec![at(8); 2], "where two shards begin of four");
    ensure_fenced(store.divide_under(id, 3, &held).await.map(drop), &held[0])?;
    // What is so already, such as by a try whose answer was lost, is not refused.
    let again = store.divide_under(id, 2, &held).await?;
    ensure_eq!(again, divided, "the shards when it is divided so already");
    Ok(())
}

pub(super) async fn a_division_beside_writers_counts_what_they_wrote<S: UnitOfWorkStore + Clone>(
    store: S,
) -> Verdict {
    let id = reader("shards");
    let mut shards = 1;
    for round in 0..ROUNDS {
        let into = [4, 7, 2][round as usize % 3];
        let before = store.standing(&id).await?;
        let is_divided = Arc::new(AtomicBool::new(false));
        let mut tasks = Vec::new();
        for shard in Shard::all(shards) {
            let (store, fence) = (store.clone(), claimed(&store, &id, shard.index()).await?);
            let is_divided = is_divided.clone();
            // Not all at one place.
            let from = before.highest().get() + u64::from(shard.index()) * 10;
            tasks.push(
                async move {
                    let mut written = None;
                    for position in from + 1.. {
                        let too_late = is_divided.load(Ordering::SeqCst);
                        match write(&store, &fence, position).await {
                            Ok(()) => {
                                ensure!(!too_late, "a write after the division was done");
                                written = at(position);
                            }
                            Err(WriteError::Fenced { .. }) => break,
                            Err(error) => return Err(error.into()),
                        }
                        tokio::task::yield_now().await;
                    }
                    Ok::<_, Found>((shard.index(), written))
                }
                .boxed(),
            );
        }
        let divider = {
            let (store, id) = (store.clone(), id.clone());
            async move {
                // They write first, also where tasks take turns.
                for _ in 0..8 {
                    tokio::task::yield_now().await;
                }
                store.divide(&id, Division::FromNow(into)).await?;
                is_divided.store(true, Ordering::SeqCst);
                Ok((u32::MAX, None))
            }
        };
        tasks.push(divider.boxed());
        let written = race(tasks).await?.into_iter().collect::<Result<Vec<_>, _>>()?;
        let after = store.standing(&id).await?;
        ensure_eq!(after.layout.shards, into, "the shards");
        for key in (0..200).map(|key| format!("key {key}")) {
            let shard = Shard::of_key(&key, shards).index();
            let of_shard = written.iter().find(|(index, _)| *index == shard);
            let of_shard = of_shard.and_then(|(_, written)| *written).unwrap_or_default();
            let expected = of_shard.max(before.of_key(&key));
            ensure_eq!(after.of_key(&key), expected, "up to where `{key}` was done");
        }
        shards = into;
    }
    Ok(())
}

pub(super) async fn a_generation_takes_over_with_all_shards<S: UnitOfWorkStore>(
    store: S,
) -> Verdict {
    prepare(&store).await?;
    let ModelTable { table, version, .. } = ROWS;
    let definition = ModelDefinition::new(table.name, version, Some(table), Vec::new());
    let answers = definition.reader(1);
    store.divide(&answers, Division::FromNow(2)).await?;
    for (shard, position) in [(0, 10), (1, 30)] {
        write(&store, &claimed(&store, &answers, shard).await?, position).await?;
    }
    // One is behind, with a slice that is not.
    store.divide(&answers, Division::FromNow(1)).await?;
    store.divide(&answers, Division::FromNow(4)).await?;
    let last = claimed(&store, &answers, 3).await?;
    let of_rows = async || {
        let catalog = store.catalog().await?;
        let entry = catalog.into_iter().find(|entry| entry.projection == table.name);
        entry.map(|entry| entry.shards).ok_or_else(|| Found("it is not in the catalog".to_owned()))
    };
    ensure_eq!(of_rows().await?, 4, "the shards in the catalog");
    let generation = begin(&store, &definition).await?;
    let building = definition.reader(generation);
    let builder = claimed(&store, &building, 0).await?;
    let head = Position::from(30);
    let switch = async || store.switch_generation(&definition, generation, &builder, head).await;
    write(&store, &builder, 20).await?;
    ensure!(!switch().await?, "rows answer that are behind some of those that did");
    write(&store, &builder, 30).await?;
    ensure!(switch().await?, "rows that have come as far do not answer");
    ensure_fenced(write(&store, &last, 40).await, &last)?;
    let of_new: Standing = store.standing(&building).await?;
    ensure_eq!(of_new.reached, vec![at(30); 4], "where the shards of the new rows begin");
    ensure_eq!(of_rows().await?, 4, "the shards in the catalog after it");
    ensure_eq!(store.standing(&answers).await?.layout.shards, 1, "what is left of the old ones");
    ensure_fenced(write(&store, &builder, 40).await, &builder)?;
    // One is a number, too, once somebody has said it.
    store.divide(&building, Division::FromNow(1)).await?;
    let generation = begin(&store, &definition).await?;
    let last = definition.reader(generation);
    let builder = claimed(&store, &last, 0).await?;
    write(&store, &builder, 30).await?;
    ensure!(
        store.switch_generation(&definition, generation, &builder, head).await?,
        "it is behind"
    );
    let said = store.divide(&last, Division::AtFirst(4)).await?;
    ensure_eq!(said.layout.shards, 1, "the number that was said of the rows of before");
    Ok(())
}

#[expect(clippy::unnecessary_wraps, reason = "a checkpoint that is there")]
fn at(position: u64) -> Option<Position> {
    Some(Position::from(position))
}

fn of_floor(floor: &Floor) -> (u32, u32, u64) {
    (floor.slices.start, floor.slices.end, floor.position.get())
}

async fn claimed(
    store: &impl ReadModelStore,
    reader: &CheckpointId,
    shard: u32,
) -> Result<Fence, Found> {
    let id = CheckpointId { shard, ..reader.clone() };
    let fence = store.claim_lease(&id, "owner", LONG).await?;
    fence
        .ok_or_else(|| Found(format!("nobody holds the lease of {id:?}, and it cannot be claimed")))
}

/// Moves the checkpoint of a lease.
async fn write(store: &impl ReadModelStore, fence: &Fence, to: u64) -> Result<(), WriteError> {
    let moved = CheckpointChange { fence: fence.clone(), position: Position::from(to) };
    store.write_rows(Vec::new(), moved).await
}
