//! What an append stores, and that it stores all or nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use annals::{Append, EventStore, Expected, Position, Receipt, StreamHead};
use futures::FutureExt;

use crate::conformance::broken::{Verdict, ensure, ensure_eq};
use crate::conformance::material::{
    append, changed, conflict, ensure_invalid, ensure_log, ensure_numbers, ensure_rising, event,
    events_of, log_of, numbers, store_numbers, store_one, stream, without_events,
};
use crate::conformance::race::race;

pub(super) async fn an_append_stores_its_events_in_their_order<S: EventStore>(store: S) -> Verdict {
    let a = stream("a");
    let one = store_one(&store, append(&a, Expected::NoStream, [1, 2, 3])).await?;
    let two = store_one(&store, append(&a, Expected::Exact(3), [4, 5])).await?;
    ensure_numbers(&store, &a, 1..=5).await?;
    let events = events_of(&store, &a).await?;
    ensure_rising(&events)?;
    for (receipt, last, count) in [(one, &events[2], 3), (two, &events[4], 2)] {
        let head = StreamHead::new(last.stream_version, last.position, last.recorded_at);
        ensure_eq!(receipt, Receipt::new(a.clone(), head, count), "the receipt");
    }
    Ok(())
}

pub(super) async fn appends_to_several_streams_are_all_or_none<S: EventStore>(store: S) -> Verdict {
    let (a, b, c) = (stream("a"), stream("b"), stream("c"));
    let receipts = store
        .append(vec![
            append(&a, Expected::NoStream, [1]),
            append(&b, Expected::NoStream, [1, 2]),
            append(&c, Expected::Any, [1]),
        ])
        .await?;
    let told: Vec<_> =
        receipts.iter().map(|receipt| (&receipt.stream_id, receipt.events)).collect();
    ensure_eq!(told, vec![(&a, 1), (&b, 2), (&c, 1)], "the receipts of three appends");

    let before = log_of(&store).await?;
    for failing in 0..3 {
        let mut appends = vec![
            append(&a, Expected::Exact(1), [2]),
            append(&b, Expected::Exact(2), [3]),
            append(&c, Expected::Exact(1), [2]),
        ];
        appends[failing].expected = Expected::Exact(9);
        let told = conflict(store.append(appends).await)?;
        ensure_eq!(told.stream_id, [&a, &b, &c][failing].clone(), "the stream of the conflict");
        ensure_log(format_args!("the log after append {failing} of 3 failed"), &store, &before)
            .await?;

        let mut appends = vec![
            append(&a, Expected::Any, [2]),
            append(&b, Expected::Any, [3]),
            append(&c, Expected::Any, [2]),
        ];
        appends[failing].events.push(changed(event(9), |event| event.id = before[0].id));
        ensure_invalid("an event id in use", store.append(appends).await)?;
        ensure_eq!(
            log_of(&store).await?,
            before,
            "the log after append {failing} of 3 was refused"
        );
    }
    ensure_eq!(numbers(&before)?, vec![1, 1, 2, 1], "the log");
    Ok(())
}

pub(super) async fn each_append_is_applied_after_those_before_it<S: EventStore>(
    store: S,
) -> Verdict {
    let (a, b) = (stream("a"), stream("b"));
    let receipts = store
        .append(vec![
            append(&a, Expected::NoStream, [1, 2]),
            append(&b, Expected::NoStream, [1]),
            append(&a, Expected::Exact(2), [3]),
            append(&a, Expected::Exact(3), []),
            append(&a, Expected::Any, [4]),
        ])
        .await?;
    let versions: Vec<u64> = receipts.iter().map(|receipt| receipt.stream_version).collect();
    ensure_eq!(versions, vec![2, 1, 3, 3, 4], "the versions in the receipts");
    ensure_numbers(&store, &a, 1..=4).await?;

    let before = log_of(&store).await?;
    let stale = vec![append(&b, Expected::Exact(1), [2]), append(&b, Expected::Exact(1), [3])];
    let told = conflict(store.append(stale).await)?;
    ensure_eq!(told.actual, 2, "the version that the second append of a call to `{b}` meets");
    ensure_log("the log after a conflict within a call", &store, &before).await?;
    Ok(())
}

pub(super) async fn several_streams_are_seen_together<S: EventStore + Clone>(store: S) -> Verdict {
    const LOOKS: u64 = 1_000;
    let (a, b) = (stream("a"), stream("b"));
    let done = Arc::new(AtomicBool::new(false));
    let writer = {
        let (store, a, b, done) = (store.clone(), a.clone(), b.clone(), done.clone());
        async move {
            while !done.load(Ordering::SeqCst) {
                store
                    .append(vec![append(&a, Expected::Any, [1]), append(&b, Expected::Any, [1])])
                    .await?;
                tokio::task::yield_now().await;
            }
            Verdict::Ok(())
        }
    };
    let reader = async move {
        let verdict = async {
            for look in 0..LOOKS {
                let (first, then) = if look % 2 == 0 { (&a, &b) } else { (&b, &a) };
                let seen = store.stream_head(first).await?.version;
                let other = store.stream_head(then).await?.version;
                ensure!(
                    seen <= other,
                    "`{first}` was seen at version {seen}, then `{then}` at {other}, though each call appends to both"
                );
                tokio::task::yield_now().await;
            }
            Ok(())
        };
        let verdict = verdict.await;
        done.store(true, Ordering::SeqCst);
        verdict
    };
    race([writer.boxed(), reader.boxed()]).await?.into_iter().collect()
}

pub(super) async fn crossed_streams_do_not_block_one_another<S: EventStore + Clone>(
    store: S,
) -> Verdict {
    const TASKS: u64 = 8;
    const CALLS: u64 = 25;
    let streams = [stream("a"), stream("b"), stream("c")];
    let writers = (0..TASKS).map(|task| {
        let (store, mut streams) = (store.clone(), streams.clone());
        if task % 2 == 1 {
            streams.reverse();
        }
        async move {
            for number in 0..CALLS {
                let call = streams.iter().map(|stream| append(stream, Expected::Any, [number]));
                store.append(call.collect()).await?;
            }
            Verdict::Ok(())
        }
    });
    race(writers).await?.into_iter().collect::<Verdict>()?;
    for stream in &streams {
        let version = store.stream_head(stream).await?.version;
        ensure_eq!(version, TASKS * CALLS, "the head of `{stream}`");
    }
    Ok(())
}

pub(super) async fn thousands_of_events_fit_in_one_append<S: EventStore>(store: S) -> Verdict {
    const EVENTS: u64 = 5_000;
    let a = stream("a");
    let receipt = store_numbers(&store, &a, 1..=EVENTS).await?;
    ensure_eq!((receipt.events, receipt.stream_version), (EVENTS, EVENTS), "the receipt");
    ensure_numbers(&store, &a, 1..=EVENTS).await?;
    ensure_rising(&log_of(&store).await?)
}

pub(super) async fn no_append_at_all_is_a_success<S: EventStore>(store: S) -> Verdict {
    ensure_eq!(store.append(Vec::new()).await?, Vec::new(), "the receipts of no append");
    ensure_log("the log", &store, &[]).await?;
    Ok(())
}

pub(super) async fn an_empty_list_of_events_is_a_success<S: EventStore>(store: S) -> Verdict {
    let (a, virgin) = (stream("a"), stream("virgin"));
    let receipt = store_numbers(&store, &virgin, []).await?;
    let told = (receipt.stream_version, receipt.position, receipt.events);
    ensure_eq!(told, (0, Position::START, 0), "the receipt of no events on a stream without any");

    let last = store_numbers(&store, &a, [1, 2]).await?;
    let receipt = store_numbers(&store, &a, []).await?;
    ensure_eq!(receipt, without_events(last), "the receipt of no events");
    let receipts = store
        .append(vec![append(&a, Expected::Any, []), append(&virgin, Expected::Any, [1])])
        .await?;
    let told: Vec<u64> = receipts.iter().map(|receipt| receipt.stream_version).collect();
    ensure_eq!(told, vec![2, 1], "the versions told where one append of two is empty");
    ensure_numbers(&store, &a, [1, 2]).await?;
    ensure_eq!(numbers(&log_of(&store).await?)?, vec![1, 2, 1], "the log");
    Ok(())
}

pub(super) async fn an_empty_list_still_checks_what_it_expects<S: EventStore>(store: S) -> Verdict {
    let a = stream("a");
    store_numbers(&store, &a, [1]).await?;
    for expected in [Expected::NoStream, Expected::Exact(2)] {
        let answer = store_one(&store, Append::new(a.clone(), expected, Vec::new())).await;
        ensure_eq!(conflict(answer)?.actual, 1, "the version found where {expected} was expected");
    }
    store_one(&store, append(&a, Expected::Exact(1), [])).await?;
    Ok(())
}
