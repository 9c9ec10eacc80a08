//! An append sent again, since its answer was lost: it finds out that it is there.

use annals::{Append, EventStore, Expected, NewEvent};

use crate::conformance::broken::{Verdict, ensure_eq};
use crate::conformance::material::{
    append, claim, ensure_invalid, ensure_log, ensure_numbers, event, events, log_of,
    store_numbers, store_one, stream,
};
use crate::conformance::race::{ROUNDS, race};

pub(super) async fn an_append_sent_again_is_not_doubled<S: EventStore>(store: S) -> Verdict {
    let a = stream("a");
    let mut version = 0;
    for expected in [Expected::NoStream, Expected::Exact(2), Expected::Any] {
        let first = append(&a, expected, [version + 1, version + 2]);
        let receipt = store_one(&store, first.clone()).await?;
        for _ in 0..2 {
            let again = store_one(&store, first.clone()).await?;
            ensure_eq!(again, receipt, "the receipt of an append sent again, expecting {expected}");
        }
        version += 2;
        ensure_numbers(&store, &a, 1..=version).await?;
    }
    Ok(())
}

pub(super) async fn an_append_sent_again_later_is_not_a_conflict<S: EventStore>(
    store: S,
) -> Verdict {
    let a = stream("a");
    let mut sent = Vec::new();
    for version in 0..4 {
        let first = append(&a, Expected::at(version), [version]);
        sent.push((first.clone(), store_one(&store, first).await?));
        store_numbers(&store, &stream("other"), [version]).await?;
    }
    for (first, receipt) in sent {
        let again = store_one(&store, first).await?;
        ensure_eq!(again, receipt, "the receipt of an append sent again after others");
    }
    ensure_numbers(&store, &a, 0..4).await
}

pub(super) async fn several_appends_sent_again_are_not_doubled<S: EventStore>(store: S) -> Verdict {
    let (a, b, c) = (stream("a"), stream("b"), stream("c"));
    store_numbers(&store, &c, [1]).await?;
    let call = vec![
        append(&a, Expected::NoStream, [1, 2]),
        append(&b, Expected::NoStream, [1]).with_key(claim("key")),
        append(&a, Expected::Exact(2), [3]),
        append(&c, Expected::Exact(1), []),
        append(&c, Expected::Exact(1), []).with_key(claim("key")),
    ];
    let first = store.append(call.clone()).await?;
    ensure_eq!(store.append(call.clone()).await?, first, "the receipts of a call sent again");

    for stream in [&a, &b, &c] {
        store_numbers(&store, stream, [9]).await?;
    }
    let again = store.append(call).await?;
    let with_events = |receipts: &[annals::Receipt]| receipts[..3].to_vec();
    ensure_eq!(
        with_events(&again),
        with_events(&first),
        "the receipts of a call sent again after others have appended"
    );
    ensure_eq!(again[4], first[4], "the receipt kept with the key of an append without events");
    ensure_eq!(again[3].events, 0, "the events told of an append without any");
    ensure_numbers(&store, &a, [1, 2, 3, 9]).await?;
    ensure_numbers(&store, &b, [1, 9]).await?;
    ensure_numbers(&store, &c, [1, 9]).await
}

pub(super) async fn an_append_sent_again_with_its_key_is_not_doubled<S: EventStore>(
    store: S,
) -> Verdict {
    let a = stream("a");
    let first = append(&a, Expected::NoStream, [1]).with_key(claim("key"));
    let receipt = store_one(&store, first.clone()).await?;
    ensure_eq!(store_one(&store, first.clone()).await?, receipt, "the receipt of the second try");
    store_numbers(&store, &a, [2]).await?;
    ensure_eq!(store_one(&store, first).await?, receipt, "the receipt of the third try");
    ensure_numbers(&store, &a, [1, 2]).await
}

pub(super) async fn event_ids_in_use_are_refused<S: EventStore>(store: S) -> Verdict {
    let (a, b) = (stream("a"), stream("b"));
    let there = events(1..=3);
    store_one(&store, Append::new(a.clone(), Expected::NoStream, there.clone())).await?;
    let before = log_of(&store).await?;
    let [one, two, three] = [0, 1, 2].map(|index: usize| there[index].clone());
    let twice = event(4);
    let cases: [(&str, _, Vec<NewEvent>); 7] = [
        ("a known id before a new one", &a, vec![three.clone(), event(4)]),
        ("a new id before a known one", &a, vec![event(4), one.clone()]),
        ("known ids around a new one", &a, vec![one.clone(), event(4), two.clone()]),
        ("known ids in another order", &a, vec![two.clone(), one.clone()]),
        ("known ids with one left out", &a, vec![one, three.clone()]),
        ("known ids in another stream", &b, vec![two, three]),
        ("one id twice", &a, vec![twice.clone(), twice]),
    ];
    for (what, stream_id, events) in cases {
        let call = vec![
            append(&stream("c"), Expected::Any, [1]),
            Append::new(stream_id.clone(), Expected::Any, events.clone()),
        ];
        ensure_invalid(what, store.append(call).await)?;
        let alone = Append::new(stream_id.clone(), Expected::Any, events);
        ensure_invalid(what, store_one(&store, alone).await)?;
        ensure_log(format_args!("the log after {what}"), &store, &before).await?;
    }
    Ok(())
}

pub(super) async fn a_call_that_is_there_in_part_is_refused<S: EventStore>(store: S) -> Verdict {
    let (a, b) = (stream("a"), stream("b"));
    let there = append(&a, Expected::NoStream, [1]);
    store_one(&store, there.clone()).await?;
    let before = log_of(&store).await?;
    let new = append(&b, Expected::Any, [1]);
    for call in [vec![there.clone(), new.clone()], vec![new, there]] {
        ensure_invalid("a call that is there in part", store.append(call).await)?;
        ensure_log("the log after a call that is there in part", &store, &before).await?;
    }
    Ok(())
}

pub(super) async fn an_append_sent_by_many_is_stored_once<S: EventStore + Clone>(
    store: S,
) -> Verdict {
    const TASKS: usize = 8;
    let a = stream("a");
    for version in 0..u64::from(ROUNDS) {
        let one =
            append(&a, Expected::at(version), [version]).with_key(claim(&version.to_string()));
        let senders = (0..TASKS).map(|_| {
            let (store, append) = (store.clone(), one.clone());
            async move { store_one(&store, append).await }
        });
        let receipts: Vec<_> = race(senders).await?.into_iter().collect::<Result<_, _>>()?;
        for receipt in &receipts {
            ensure_eq!(receipt, &receipts[0], "the receipt of one append sent by {TASKS}");
        }
        ensure_numbers(&store, &a, 0..=version).await?;
    }
    Ok(())
}
