//! What is delivered: each event once, in the order of the log, from where it was asked for.

use std::sync::Arc;

use annals::prelude::*;
use futures::{FutureExt, StreamExt, TryStreamExt};

use crate::material::{
    COUNTED, RARE, append, begin, is_still, next, numbers, soon, store_numbers, stream, take,
};

pub async fn the_log_is_delivered_then_what_comes<S: EventStore + Clone>(store: S) {
    store_numbers(&store, 0..25).await;
    let mut subscription = begin(store.subscribe().page_size(10)).await;
    assert_eq!(numbers(&take(&mut subscription, 25).await), (0..25).collect::<Vec<_>>());
    for round in 25..30 {
        assert!(is_still(subscription.next()).await);
        store_numbers(&store, [round]).await;
        assert_eq!(numbers(&take(&mut subscription, 1).await), [round]);
    }
}

pub async fn the_first_event_of_a_virgin_store_is_delivered<S: EventStore + Clone>(store: S) {
    let mut subscription = begin(store.subscribe()).await;
    assert!(is_still(subscription.next()).await);
    store_numbers(&store, [1]).await;
    assert_eq!(numbers(&take(&mut subscription, 1).await), [1]);
}

pub async fn a_subscription_from_the_head_delivers_what_comes<S: EventStore + Clone>(store: S) {
    let head = store_numbers(&store, 0..5).await;
    let mut subscription = begin(store.subscribe().from_head()).await;
    assert_eq!(subscription.position(), head);
    store_numbers(&store, [5]).await;
    let event = next(&mut subscription).await;
    assert_eq!(numbers(std::slice::from_ref(&event)), [5]);
    assert_eq!(subscription.position(), event.position);
}

pub async fn a_subscription_after_a_position_leaves_out_what_is_before<S: EventStore + Clone>(
    store: S,
) {
    let middle = store_numbers(&store, 0..5).await;
    store_numbers(&store, 5..9).await;
    let mut subscription = begin(store.subscribe().after(middle).page_size(2)).await;
    assert_eq!(numbers(&take(&mut subscription, 4).await), [5, 6, 7, 8]);
    assert!(is_still(subscription.next()).await);
}

pub async fn a_filter_takes_types_categories_and_streams<S: EventStore + Clone>(store: S) {
    let (a, b) = (stream("a"), stream("b"));
    let other = StreamId::new("other", "a");
    let mut of_streams =
        begin(store.subscribe().streams([b.clone(), other.clone()]).page_size(2)).await;
    let mut of_types = begin(store.subscribe().event_types([RARE])).await;
    let mut of_both = begin(
        store.subscribe().categories(["subscribed"]).event_types([RARE]).streams([a.clone()]),
    )
    .await;
    let filter = EventFilter::all().categories(["other"]);
    let mut of_filter = begin(store.subscribe().event_types(["Nothing"]).filter(filter)).await;
    for round in (0..40).step_by(4) {
        let appends = [
            append(&a, COUNTED, &[round]),
            append(&b, COUNTED, &[round + 1]),
            append(&other, RARE, &[round + 2]),
            append(&a, RARE, &[round + 3]),
        ];
        for append in appends {
            store.append(vec![append]).await.unwrap();
        }
    }
    let expected = |rests: &[u64]| -> Vec<u64> {
        (0..40).filter(|number| rests.contains(&(number % 4))).collect()
    };
    for (subscription, rests) in [
        (&mut of_streams, &[1, 2][..]),
        (&mut of_types, &[2, 3]),
        (&mut of_both, &[3]),
        (&mut of_filter, &[2]),
    ] {
        let expected = expected(rests);
        assert_eq!(numbers(&take(subscription, expected.len()).await), expected, "{rests:?}");
        assert!(is_still(subscription.next()).await);
    }
}

pub async fn batches_are_what_is_at_hand<S: EventStore + Clone>(store: S) {
    store_numbers(&store, 0..25).await;
    let mut subscription = begin(store.subscribe().page_size(10)).await;
    assert_eq!(numbers(&take(&mut subscription, 3).await), [0, 1, 2]);
    let mut sizes = Vec::new();
    for _ in 0..3 {
        let batch = soon(subscription.next_batch()).await.unwrap().unwrap();
        assert_eq!(subscription.position(), batch.last().unwrap().position);
        sizes.push(numbers(&batch));
    }
    let expected: [Vec<u64>; 3] = [(3..10).collect(), (10..20).collect(), (20..25).collect()];
    assert_eq!(sizes, expected);
    assert!(is_still(subscription.next_batch()).await);
}

/// Readers who begin at any time and read in pages of any size, while writers append: each sees the log as it is.
pub async fn catching_up_turns_live_without_a_gap<S: EventStore + Clone>(store: S) {
    const WRITERS: u64 = 6;
    const CALLS: u64 = 50;
    let total = usize::try_from(WRITERS * CALLS * 3).unwrap();
    let writers = (0..WRITERS).map(|writer| {
        let store = store.clone();
        tokio::spawn(async move {
            let (own, shared) = (stream(&format!("own-{writer}")), stream("shared"));
            for call in 0..CALLS {
                let appends =
                    vec![append(&own, COUNTED, &[call, call]), append(&shared, RARE, &[writer])];
                store.append(appends).await.unwrap();
                tokio::task::yield_now().await;
            }
        })
    });
    let writers: Vec<_> = writers.collect();
    let mut readers = Vec::new();
    for page_size in [1, 7, 64, 1024] {
        let store = store.clone();
        readers.push(tokio::spawn(async move {
            let subscription = begin(store.subscribe().page_size(page_size)).await;
            soon(subscription.take(total).try_collect::<Vec<_>>()).await.unwrap()
        }));
        tokio::task::yield_now().await;
    }
    for writer in writers {
        soon(writer).await.unwrap();
    }
    let log: Vec<RecordedEvent> =
        store.read_all(ReadAll::after(Position::START)).try_collect().await.unwrap();
    assert_eq!(log.len(), total);
    for reader in readers {
        let seen = soon(reader).await.unwrap();
        for (seen, there) in seen.iter().zip(&log) {
            assert_eq!(seen, there);
        }
    }
}

pub async fn it_tells_when_it_has_caught_up<S: EventStore + Clone>(store: S) {
    store_numbers(&store, 0..10).await;
    let mut subscription = begin(store.subscribe().page_size(3)).await;
    let mut caught_up = Box::pin(subscription.caught_up());
    take(&mut subscription, 10).await;
    // The last one is delivered, but may still be in the consumer's hands.
    assert!(!subscription.is_caught_up());
    assert!((&mut caught_up).now_or_never().is_none());
    assert!(is_still(subscription.next()).await);
    assert!(subscription.is_caught_up());
    assert!(soon(caught_up).await);
    // Once is for ever, and is told to whoever asks later too.
    store_numbers(&store, 10..12).await;
    next(&mut subscription).await;
    assert!(subscription.is_caught_up());
    assert!(soon(subscription.caught_up()).await);

    let ended = begin(store.subscribe()).await;
    let caught_up = ended.caught_up();
    drop(ended);
    assert!(!soon(caught_up).await, "it ended before");
}

pub async fn a_dropped_wait_loses_nothing<S: EventStore + Clone>(store: S) {
    let writer = {
        let store = store.clone();
        tokio::spawn(async move {
            for number in 0..100 {
                store_numbers(&store, [number]).await;
            }
        })
    };
    let mut subscription = begin(store.subscribe().page_size(3)).await;
    let mut seen = Vec::new();
    while seen.len() < 100 {
        // Polled once and dropped, at whatever it is waiting for.
        match subscription.next().now_or_never() {
            Some(event) => seen.extend(numbers(&[event.unwrap().unwrap()])),
            None => tokio::task::yield_now().await,
        }
    }
    soon(writer).await.unwrap();
    assert_eq!(seen, (0..100).collect::<Vec<_>>());
}

pub async fn any_clone_of_a_store_can_be_subscribed_to<S: EventStore + Clone>(store: S) {
    store_numbers(&store, [1, 2]).await;
    let shared: Arc<dyn EventStore> = Arc::new(store);
    let subscription = begin(shared.subscribe()).await;
    // As a `Stream`, by the combinators.
    let seen: Vec<_> = soon(subscription.take(2).try_collect()).await.unwrap();
    assert_eq!(numbers(&seen), [1, 2]);
    let mut durable = begin(shared.subscribe().durable("shared")).await;
    assert_eq!(numbers(&take(&mut durable, 2).await), [1, 2]);
    durable.ack_delivered().await.unwrap();
}
