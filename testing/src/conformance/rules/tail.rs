//! Readers at the tail, while others append: they miss nothing and are woken.

use std::collections::HashMap;

use annals::{EventStore, Expected, Position, ReadAll, RecordedEvent, StreamId};
use futures::FutureExt;
use tokio::sync::watch;

use crate::conformance::broken::{Found, Verdict, ensure, ensure_eq};
use crate::conformance::material::{
    append, ensure_rising, log_of, numbers, store_numbers, store_one, stream,
};
use crate::conformance::race::{ROUNDS, race, soon};

const WRITERS: u64 = 8;
const READERS: u64 = 3;
/// How many calls each writer makes.
const CALLS: u64 = 60;

pub(super) async fn nothing_appears_below_a_head<S: EventStore + Clone>(store: S) -> Verdict {
    let written = watch::Sender::new(false);
    let writers = storm(&store, &written);
    let reader = {
        let (store, written) = (store.clone(), written.subscribe());
        tokio::spawn(async move {
            let mut told: Vec<(Position, usize)> = Vec::new();
            loop {
                let done = *written.borrow();
                let head = store.head().await?;
                let log = log_of(&store).await?;
                told.push((head, log.iter().filter(|event| event.position <= head).count()));
                if done {
                    return Ok::<_, Found>(told);
                }
                tokio::task::yield_now().await;
            }
        })
    };
    writers.await?;
    let told = soon("the end of the reader", reader).await???;
    let log = log_of(&store).await?;
    for pair in told.windows(2) {
        ensure!(pair[0].0 <= pair[1].0, "the head went back from {} to {}", pair[0].0, pair[1].0);
    }
    for (head, seen) in told {
        let there = log.iter().filter(|event| event.position <= head).count();
        ensure_eq!(
            seen,
            there,
            "the events seen up to head {head}, held against those there later"
        );
    }
    Ok(())
}

pub(super) async fn readers_at_the_tail_pass_nothing<S: EventStore + Clone>(store: S) -> Verdict {
    let written = watch::Sender::new(false);
    let readers: Vec<_> =
        (0..READERS).map(|_| tokio::spawn(follow(store.clone(), written.subscribe()))).collect();
    storm(&store, &written).await?;
    let log = log_of(&store).await?;
    ensure_rising(&log)?;
    let calls = WRITERS * CALLS;
    let stored = log.len() as u64;
    ensure!(stored >= 2 * calls, "{calls} calls of two and three events left {stored} in the log");
    for reader in readers {
        let seen = soon("a reader at the tail", reader).await???;
        ensure_same_order(&seen, &log)?;
    }
    Ok(())
}

pub(super) async fn a_wait_ends_when_events_come<S: EventStore + Clone>(store: S) -> Verdict {
    let a = stream("a");
    for number in 1..=5 {
        let head = store.head().await?;
        // A wait that is given up takes nothing from those that follow.
        drop(store.wait_for_events(head).now_or_never());
        let waiting = tokio::spawn(next_after(store.clone(), head));
        tokio::task::yield_now().await;
        store_numbers(&store, &a, [number]).await?;
        let woken = soon("a wait for an event", waiting).await???;
        ensure_eq!(numbers(&woken)?, vec![number], "what one who waited was woken for");
        soon("a wait for what is there", store.wait_for_events(head)).await??;
        soon("a wait from the beginning", store.wait_for_events(Position::START)).await??;
    }
    Ok(())
}

pub(super) async fn no_append_falls_between_look_and_wait<S: EventStore + Clone>(
    store: S,
) -> Verdict {
    let a = stream("a");
    for round in 0..10 * u64::from(ROUNDS) {
        let head = store.head().await?;
        let waiter = next_after(store.clone(), head);
        let writer = {
            let (store, a) = (store.clone(), a.clone());
            async move {
                store_numbers(&store, &a, [round]).await?;
                Ok(Vec::new())
            }
        };
        let answers =
            soon("an append beside a wait", race([waiter.boxed(), writer.boxed()])).await??;
        let seen: Vec<RecordedEvent> =
            answers.into_iter().collect::<Result<Vec<_>, Found>>()?.concat();
        ensure_eq!(numbers(&seen)?, vec![round], "what one who waited saw in round {round}");
    }
    Ok(())
}

/// Writers who append to streams of their own, to one that all share, and in vain.
async fn storm<S: EventStore + Clone>(store: &S, written: &watch::Sender<bool>) -> Verdict {
    let writers = (0..WRITERS).map(|writer| {
        let (store, own) = (store.clone(), stream(&format!("own-{writer}")));
        let shared = stream("shared");
        async move {
            for call in 0..CALLS {
                let mut appends = vec![
                    append(&own, Expected::Any, [call]),
                    append(&shared, Expected::Any, [writer, call]),
                ];
                if call % 3 == 0 {
                    appends.reverse();
                }
                if call % 5 == 0 {
                    appends.truncate(1);
                    appends.push(append(&own, Expected::Any, [call, writer]));
                }
                store.append(appends).await?;
                if call % 4 == 0 {
                    // A writer whose positions are drawn, if they are, and never used.
                    let stale = append(&own, Expected::NoStream, [call]);
                    store_one(&store, stale).await.err();
                }
                tokio::task::yield_now().await;
            }
            Verdict::Ok(())
        }
    });
    let answers = race(writers).await;
    // Told in any case: the readers wait for it.
    written.send_replace(true);
    answers?.into_iter().collect()
}

/// Follows the tail until the writers are done and all is read.
async fn follow<S: EventStore>(
    store: S,
    mut written: watch::Receiver<bool>,
) -> Result<Vec<RecordedEvent>, Found> {
    let mut seen = Vec::new();
    let mut read = ReadAll::after(Position::START).limit(7);
    loop {
        // Asked first: what is read after the writers are done is all there is.
        let done = *written.borrow_and_update();
        let page = store.log_page(&read).await?;
        seen.extend(page.events);
        read.after = page.reached;
        if page.more {
            continue;
        }
        if done {
            return Ok(seen);
        }
        tokio::select! {
            woken = store.wait_for_events(read.after) => woken?,
            _ = written.changed() => {}
        }
    }
}

/// Waits at a position until there are events after it.
async fn next_after<S: EventStore>(store: S, after: Position) -> Result<Vec<RecordedEvent>, Found> {
    let mut read = ReadAll::after(after);
    loop {
        soon("a wait for events", store.wait_for_events(read.after)).await??;
        let page = store.log_page(&read).await?;
        if !page.events.is_empty() {
            return Ok(page.events);
        }
        // Woken early, which is allowed.
        read.after = page.reached;
        tokio::task::yield_now().await;
    }
}

/// Ends the rule unless a reader saw the log as it is: each event once, in its order.
fn ensure_same_order(seen: &[RecordedEvent], log: &[RecordedEvent]) -> Verdict {
    let mut versions: HashMap<&StreamId, u64> = HashMap::new();
    for event in seen {
        let (stream_id, found, position) = (&event.stream_id, event.stream_version, event.position);
        let version = versions.entry(stream_id).or_default();
        ensure!(
            found == *version + 1,
            "a reader saw version {found} of `{stream_id}` at position {position}, after version {version}"
        );
        *version = found;
    }
    for (seen, there) in seen.iter().zip(log) {
        let (found, expected) = (seen.position, there.position);
        ensure!(seen == there, "a reader saw position {found} where the log has {expected}");
    }
    ensure_eq!(seen.len(), log.len(), "the number of events that a reader saw");
    Ok(())
}
