//! What a dispatch stores and answers, and what it does after a conflict.

use std::sync::Mutex;

use annals::{
    Append, Conflict, DispatchError, EventStore, Expected, Position, Receipt, RetryPolicy,
    SnapshotStore, WriteError,
};
use async_trait::async_trait;

use crate::conformance::broken::{Found, Verdict, ensure, ensure_eq};
use crate::conformance::faulty::{Fault, Faulty};
use crate::conformance::material::{ensure_log, events_of, log_of, without_events};
use crate::conformance::race::race;
use crate::conformance::tallies::{
    add, builder, bus, ensure_tally, folded, load, open, store_history, stored, stream_of,
};
use crate::conformance::tally::{AmountAdded, NegativeAmount};

pub(super) async fn a_command_stores_what_was_decided<S>(store: S) -> Verdict
where
    S: EventStore + SnapshotStore + Clone,
{
    let bus = bus(store.clone())?;
    for (version, receipt) in [
        (1, bus.dispatch(open("a")).await?),
        (2, bus.dispatch(add("a", 3)).await?),
        (3, bus.dispatch(add("a", 4)).expect_version(2).await?),
    ] {
        let events = events_of(&store, &stream_of("a")).await?;
        let stored = &events[version - 1];
        let told = (&receipt.stream_id, receipt.stream_version, receipt.position, receipt.events);
        let expected = (&stored.stream_id, stored.stream_version, stored.position, 1);
        ensure_eq!(told, expected, "the receipt of command {version}");
    }
    ensure_tally(&store, "a", [3, 4]).await?;

    let before = log_of(&store).await?;
    let refused = bus.dispatch(add("a", -1)).await;
    ensure!(
        matches!(refused, Err(DispatchError::Rejected(NegativeAmount(-1)))),
        "what the handler rejects was answered with {refused:?}"
    );
    let twice = bus.dispatch(open("a")).await;
    ensure!(
        matches!(twice, Err(DispatchError::AlreadyExists { .. })),
        "a creation of what exists was answered with {twice:?}"
    );
    let missing = bus.dispatch(add("b", 1)).await;
    ensure!(
        matches!(missing, Err(DispatchError::NotFound { .. })),
        "a command to what does not exist was answered with {missing:?}"
    );
    ensure_log("the log after refusals", &store, &before).await?;
    Ok(())
}

pub(super) async fn a_command_is_decided_again_after_a_conflict<S>(store: S) -> Verdict
where
    S: EventStore + SnapshotStore + Clone,
{
    store_history(&store, "a", [1]).await?;
    let bus = builder(Faulty::new(store.clone(), Rivals::new(&[10, 20, 30])?)).build()?;
    let receipt = bus.dispatch(add("a", 2)).await?;
    ensure_eq!(receipt.stream_version, 6, "the version after three rivals were faster");
    ensure_tally(&store, "a", [1, 10, 20, 30, 2]).await
}

pub(super) async fn a_conflict_that_is_not_retried_is_told<S>(store: S) -> Verdict
where
    S: EventStore + SnapshotStore + Clone,
{
    store_history(&store, "a", [1]).await?;
    let told = |expected, actual| Conflict::new(stream_of("a"), Expected::Exact(expected), actual);

    let rivals = Faulty::new(store.clone(), Rivals::new(&[10])?);
    let bus = builder(rivals).retry(RetryPolicy::never()).build()?;
    ensure_eq!(
        conflict(bus.dispatch(add("a", 2)).await)?,
        told(2, 3),
        "the conflict without retries"
    );

    let rivals = Faulty::new(store.clone(), Rivals::new(&[20, 30])?);
    let bus = builder(rivals).retry(RetryPolicy::times(1)).build()?;
    ensure_eq!(
        conflict(bus.dispatch(add("a", 2)).await)?,
        told(4, 5),
        "the conflict after one retry"
    );

    let rivals = Faulty::new(store.clone(), Rivals::new(&[40])?);
    let bus = builder(rivals).build()?;
    let expecting = |version| bus.dispatch(add("a", 2)).expect_version(version);
    ensure_eq!(conflict(expecting(9).await)?, told(9, 5), "the conflict of a version not reached");
    ensure_eq!(conflict(expecting(5).await)?, told(5, 6), "the conflict of a version that passed");
    expecting(6).await?;
    ensure_tally(&store, "a", [1, 10, 20, 30, 40, 2]).await
}

pub(super) async fn commands_that_meet_all_count<S>(store: S) -> Verdict
where
    S: EventStore + SnapshotStore + Clone,
{
    const TASKS: i64 = 16;
    const EACH: i64 = 5;
    let bus = bus(store.clone())?;
    let openers = (0..TASKS).map(|_| bus.dispatch(open("a")).into_future());
    let (opened, refused): (Vec<_>, Vec<_>) =
        race(openers).await?.into_iter().partition(Result::is_ok);
    ensure_eq!(opened.len(), 1, "the creations that were done, of {TASKS} of one aggregate");
    for answer in refused {
        let exists = matches!(answer, Err(DispatchError::AlreadyExists { .. }));
        ensure!(exists, "a creation of what exists was answered with {answer:?}");
    }
    let tasks = (0..TASKS).map(|_| {
        let bus = bus.clone();
        async move {
            let mut receipts: Vec<Receipt> = Vec::new();
            for _ in 0..EACH {
                receipts.push(bus.dispatch(add("a", 1)).await?);
            }
            Ok::<_, DispatchError<NegativeAmount>>(receipts)
        }
    });
    let mut versions = Vec::new();
    for receipts in race(tasks).await? {
        versions.extend(receipts?.iter().map(|receipt| receipt.stream_version));
    }
    bus.flush().await;
    versions.sort_unstable();
    let expected: Vec<u64> = (2..2 + u64::try_from(TASKS * EACH)?).collect();
    ensure_eq!(versions, expected, "the versions in the receipts of all commands");
    ensure_tally(&store, "a", std::iter::repeat_n(1, usize::try_from(TASKS * EACH)?)).await
}

pub(super) async fn a_command_without_events_is_a_success<S>(store: S) -> Verdict
where
    S: EventStore + SnapshotStore + Clone,
{
    let bus = bus(store.clone())?;
    bus.dispatch(open("a")).await?;
    let last = bus.dispatch(add("a", 1)).await?;
    let before = log_of(&store).await?;
    let receipt = bus.dispatch(add("a", 0)).await?;
    ensure_eq!(receipt, without_events(last), "the receipt of a command without events");
    ensure_log("the log", &store, &before).await?;
    Ok(())
}

pub(super) async fn a_command_with_an_impossible_id_is_refused<S>(store: S) -> Verdict
where
    S: EventStore + SnapshotStore + Clone,
{
    let bus = bus(store.clone())?;
    for id in ["", "a\0b", &"x".repeat(1025)] {
        let answer = bus.dispatch(open(id)).await;
        ensure!(
            matches!(answer, Err(DispatchError::InvalidCommand { .. })),
            "id {id:?} was answered with {answer:?}"
        );
    }
    ensure_eq!(store.head().await?, Position::START, "the head");
    let strange = "'; select pg_sleep(10) --\n\"%_\\ 🦀";
    bus.dispatch(open(strange)).await?;
    bus.dispatch(add(strange, 5)).await?;
    ensure_eq!(load(&store, strange).await?.state, folded([5]), "the state of a strange id");
    Ok(())
}

/// The conflict that a dispatch was answered with.
fn conflict<E: std::fmt::Debug>(
    answer: Result<Receipt, DispatchError<E>>,
) -> Result<Conflict, Found> {
    match answer {
        Err(DispatchError::Conflict(conflict)) => Ok(conflict),
        other => Err(Found(format!("expected a conflict, found {other:?}"))),
    }
}

/// Writers who are faster: before each append, one of them appends.
struct Rivals(Mutex<Vec<Append>>);

impl Rivals {
    fn new(amounts: &[i64]) -> Result<Self, Found> {
        let append = |&amount| {
            let event = stored(&AmountAdded { amount })?;
            Ok(Append::new(stream_of("a"), Expected::Any, vec![event]))
        };
        let appends: Result<Vec<_>, Found> = amounts.iter().rev().map(append).collect();
        Ok(Self(Mutex::new(appends?)))
    }

    fn next(&self) -> Option<Append> {
        self.0.lock().ok()?.pop()
    }
}

#[async_trait]
impl<S: EventStore> Fault<S> for Rivals {
    async fn append(&self, store: &S, appends: Vec<Append>) -> Result<Vec<Receipt>, WriteError> {
        if let Some(rival) = self.next() {
            store.append(vec![rival]).await?;
        }
        store.append(appends).await
    }
}
