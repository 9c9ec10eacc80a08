//! What an append expects of its stream, and that of two writers one wins.

use annals::{Conflict, EventStore, Expected, Position, ReadAll, ReadStream, StreamId};

use crate::conformance::broken::{Verdict, ensure, ensure_eq};
use crate::conformance::material::{
    append, changed, conflict, ensure_conflict, ensure_log, ensure_numbers, event, log_of, named,
    store_numbers, store_one, stream,
};
use crate::conformance::race::{ROUNDS, race};

pub(super) async fn expected_any_takes_every_version<S: EventStore>(store: S) -> Verdict {
    let a = stream("a");
    for number in 1..=4 {
        store_one(&store, append(&a, Expected::Any, [number])).await?;
    }
    ensure_numbers(&store, &a, 1..=4).await
}

pub(super) async fn expected_no_stream_takes_only_a_stream_without_events<S: EventStore>(
    store: S,
) -> Verdict {
    let (a, b) = (stream("a"), stream("b"));
    store_one(&store, append(&a, Expected::NoStream, [1])).await?;
    let again = store_one(&store, append(&a, Expected::NoStream, [2])).await;
    ensure_conflict(again, &told(&a, Expected::NoStream, 1))?;
    // `Exact(0)` says the same in another way.
    store_one(&store, append(&b, Expected::Exact(0), [1])).await?;
    ensure_eq!(
        conflict(store_one(&store, append(&b, Expected::Exact(0), [2])).await)?.actual,
        1,
        "the head"
    );
    ensure_numbers(&store, &a, [1]).await?;
    ensure_numbers(&store, &b, [1]).await
}

pub(super) async fn expected_exact_takes_only_that_version<S: EventStore>(store: S) -> Verdict {
    let (a, virgin) = (stream("a"), stream("virgin"));
    store_numbers(&store, &a, [1, 2, 3]).await?;
    for wrong in [0, 1, 2, 4, 5] {
        let answer = store_one(&store, append(&a, Expected::Exact(wrong), [9])).await;
        ensure_eq!(conflict(answer)?.actual, 3, "the version found where {wrong} was expected");
    }
    let answer = store_one(&store, append(&virgin, Expected::Exact(1), [9])).await;
    ensure_conflict(answer, &told(&virgin, Expected::Exact(1), 0))?;
    store_one(&store, append(&a, Expected::Exact(3), [4])).await?;
    ensure_numbers(&store, &a, 1..=4).await?;
    ensure_numbers(&store, &virgin, []).await
}

pub(super) async fn a_conflict_tells_both_versions<S: EventStore>(store: S) -> Verdict {
    let (a, b) = (stream("a"), stream("b"));
    store_numbers(&store, &a, 1..=5).await?;
    store_numbers(&store, &b, [1]).await?;
    let before = log_of(&store).await?;
    let answer = store_one(&store, append(&a, Expected::Exact(3), [6, 7])).await;
    let conflict = conflict(answer)?;
    let message = conflict.to_string();
    for part in [a.as_str(), "version 3", "version 5"] {
        ensure!(message.contains(part), "the message does not say `{part}`: {message}");
    }
    ensure_conflict(Err::<(), _>(conflict.into()), &told(&a, Expected::Exact(3), 5))?;
    let call = vec![append(&b, Expected::Exact(1), [2]), append(&a, Expected::NoStream, [6])];
    ensure_conflict(store.append(call).await, &told(&a, Expected::NoStream, 5))?;
    ensure_log("the log after conflicts", &store, &before).await?;
    Ok(())
}

pub(super) async fn of_two_writers_one_wins<S: EventStore + Clone>(store: S) -> Verdict {
    const WRITERS: u64 = 8;
    let a = stream("a");
    for version in 0..u64::from(ROUNDS) {
        let expected = Expected::at(version);
        let writers = (0..WRITERS).map(|writer| {
            let (store, append) = (store.clone(), append(&a, expected, [writer]));
            async move { store_one(&store, append).await }
        });
        let (won, lost): (Vec<_>, Vec<_>) =
            race(writers).await?.into_iter().partition(Result::is_ok);
        ensure_eq!(won.len(), 1, "the writers who won when {WRITERS} expected {expected}");
        for answer in lost {
            ensure_conflict(answer, &told(&a, expected, version + 1))?;
        }
        ensure_eq!(store.stream_head(&a).await?.version, version + 1, "the head of `{a}`");
    }
    Ok(())
}

pub(super) async fn of_two_writers_to_several_streams_one_wins<S: EventStore + Clone>(
    store: S,
) -> Verdict {
    let streams: Vec<StreamId> = ["a", "b", "c"].map(stream).into();
    for round in 0..ROUNDS {
        let mut heads = Vec::new();
        for stream in &streams {
            heads.push(store.stream_head(stream).await?.version);
        }
        // Each pair of writers shares a stream, so of three one wins.
        let writers = [(0, 1), (1, 2), (2, 0)].map(|(one, other)| {
            let call = [one, other].map(|index| {
                append(&streams[index], Expected::at(heads[index]), [u64::from(round)])
            });
            let store = store.clone();
            async move { store.append(call.into()).await }
        });
        let (won, lost): (Vec<_>, Vec<_>) =
            race(writers).await?.into_iter().partition(Result::is_ok);
        ensure_eq!(won.len(), 1, "the writers who won of three who share streams");
        for answer in lost {
            conflict(answer)?;
        }
        let stored = log_of(&store).await?.len();
        ensure_eq!(stored, 2 * (round as usize + 1), "the events of {} winners", round + 1);
    }
    Ok(())
}

pub(super) async fn the_head_is_the_streams_own<S: EventStore>(store: S) -> Verdict {
    let (a, b, virgin) = (stream("a"), stream("b"), stream("virgin"));
    for number in 1..=3 {
        store_numbers(&store, &b, [number]).await?;
        let unknown =
            changed(named("ConformanceNobodyKnows", number), |event| event.schema_version = 99);
        let append = annals::Append::new(
            a.clone(),
            Expected::at((number - 1) * 2),
            vec![unknown, event(number)],
        );
        let receipt = store_one(&store, append).await?;
        let head = store.stream_head(&a).await?;
        ensure_eq!(head.version, number * 2, "the head of `{a}`");
        let told = (head.version, head.position, head.recorded_at);
        let stored = (receipt.stream_version, receipt.position, receipt.recorded_at);
        ensure_eq!(told, stored, "the head of `{a}`, held against the receipt");
    }
    let head = store.stream_head(&virgin).await?;
    ensure_eq!((head.version, head.position), (0, Position::START), "the head of no stream");
    Ok(())
}

pub(super) async fn versions_have_64_bits<S: EventStore>(store: S) -> Verdict {
    let (a, virgin) = (stream("a"), stream("virgin"));
    store_numbers(&store, &a, [1]).await?;
    // Cut to 32 or to 16 bits, these are 0 and 1; as signed numbers, some are negative.
    for wrong in [1 << 32, (1 << 32) + 1, 1 << 16, (1 << 16) + 1, 1 << 63, (1 << 63) + 1, u64::MAX]
    {
        let expected = Expected::Exact(wrong);
        let answer = store_one(&store, append(&a, expected, [2])).await;
        ensure_conflict(answer, &told(&a, expected, 1))?;
        let answer = store_one(&store, append(&virgin, expected, [2])).await;
        ensure_conflict(answer, &told(&virgin, expected, 0))?;
        let beyond = store.stream_page(&ReadStream::new(a.clone()).from(wrong)).await?;
        ensure_eq!(beyond.events.len(), 0, "the events from version {wrong} on");
        let up_to = store.stream_page(&ReadStream::new(a.clone()).to(wrong)).await?;
        ensure_eq!(up_to.events.len(), 1, "the events up to version {wrong}");
    }
    let far = store.log_page(&ReadAll::after(Position::from(1 << 40))).await;
    ensure!(far.is_err(), "position 2^40 was cut: it gives a page of {far:?}");
    ensure_numbers(&store, &a, [1]).await
}

pub(super) async fn streams_go_on_beyond_16_bits<S: EventStore>(store: S) -> Verdict {
    const EVENTS: u64 = (1 << 16) + 10;
    const CALL: u64 = 8_192;
    let a = stream("a");
    let mut version = 0;
    while version < EVENTS {
        let next = EVENTS.min(version + CALL);
        let append = append(&a, Expected::at(version), version + 1..=next);
        let receipt = store_one(&store, append).await?;
        ensure_eq!(receipt.stream_version, next, "the version in the receipt");
        version = next;
    }
    ensure_eq!(store.stream_head(&a).await?.version, EVENTS, "the head of `{a}`");
    let page = store.stream_page(&ReadStream::new(a.clone()).from(EVENTS - 12)).await?;
    let versions: Vec<u64> = page.events.iter().map(|event| event.stream_version).collect();
    let expected: Vec<u64> = (EVENTS - 12..=EVENTS).collect();
    ensure_eq!(versions, expected, "the versions around 65,536");
    let cut = Expected::Exact(EVENTS & 0xffff);
    let stale = store_one(&store, append(&a, cut, [0])).await;
    ensure_conflict(stale, &told(&a, cut, EVENTS))
}

fn told(stream_id: &StreamId, expected: Expected, actual: u64) -> Conflict {
    Conflict::new(stream_id.clone(), expected, actual)
}
