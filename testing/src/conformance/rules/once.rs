//! Commands under idempotency keys: done once, answered always alike.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use annals::{
    Append, CommandBus, DispatchError, EventStore, KeyEntry, Receipt, SnapshotStore, StoreError,
    StreamId, WriteError,
};
use async_trait::async_trait;

use crate::conformance::broken::{Found, Verdict, ensure, ensure_eq};
use crate::conformance::faulty::{Fault, Faulty};
use crate::conformance::material::{ensure_log, log_of, stream};
use crate::conformance::race::{ROUNDS, race};
use crate::conformance::tallies::{
    add, builder, bus, ensure_tally, open, store_history, stream_of,
};

pub(super) async fn a_command_sent_again_is_not_done_again<S>(store: S) -> Verdict
where
    S: EventStore + SnapshotStore + Clone,
{
    let bus = bus(store.clone())?;
    let opened = bus.dispatch(open("a")).idempotency_key("open").await?;
    let added = bus.dispatch(add("a", 3)).idempotency_key("add").await?;
    bus.dispatch(add("a", 4)).await?;
    for _ in 0..2 {
        let again = bus.dispatch(open("a")).idempotency_key("open").await?;
        ensure_eq!(again, opened, "the receipt of a creation sent again");
        let again = bus.dispatch(add("a", 3)).idempotency_key("add").user("another").await?;
        ensure_eq!(again, added, "the receipt of a command sent again");
    }
    // On another stream, it is another key.
    bus.dispatch(open("b")).idempotency_key("open").await?;
    ensure_tally(&store, "a", [3, 4]).await?;
    ensure_tally(&store, "b", []).await
}

pub(super) async fn a_raced_command_is_done_once<S>(store: S) -> Verdict
where
    S: EventStore + SnapshotStore + Clone,
{
    const TASKS: usize = 16;
    let bus = bus(store.clone())?;
    for round in 0..ROUNDS {
        let tally = format!("a-{round}");
        // A creation: done twice, it would be refused, not only doubled.
        let openers =
            (0..TASKS).map(|_| bus.dispatch(open(&tally)).idempotency_key("open").into_future());
        let receipts: Vec<_> = race(openers).await?.into_iter().collect::<Result<_, _>>()?;
        ensure_all_alike(&receipts)?;
        let adders =
            (0..TASKS).map(|_| bus.dispatch(add(&tally, 7)).idempotency_key("add").into_future());
        let receipts: Vec<_> = race(adders).await?.into_iter().collect::<Result<_, _>>()?;
        ensure_all_alike(&receipts)?;
        ensure_tally(&store, &tally, [7]).await?;
    }
    Ok(())
}

pub(super) async fn a_command_that_its_twin_outran_is_answered<S>(store: S) -> Verdict
where
    S: EventStore + SnapshotStore + Clone,
{
    let twin = bus(store.clone())?;
    for (tally, expect_version) in [("a", None), ("b", Some(0))] {
        let send = |bus: &CommandBus| {
            let dispatch = bus.dispatch(open(tally)).idempotency_key("key");
            match expect_version {
                Some(version) => dispatch.expect_version(version),
                None => dispatch,
            }
        };
        let faster = Faulty::new(store.clone(), FasterTwin::new(send(&twin)));
        let answer = send(&bus(faster)?).await;
        let first = send(&twin).await?;
        match answer {
            Ok(receipt) => ensure_eq!(receipt, first, "the receipt of the slower of two"),
            Err(error) => {
                let expecting = expect_version.map_or("", |_| ", expecting a version,");
                return Err(Found(format!("the slower of two{expecting} was told: {error}")));
            }
        }
        ensure_tally(&store, tally, []).await?;
    }
    Ok(())
}

pub(super) async fn a_command_without_events_keeps_its_key<S>(store: S) -> Verdict
where
    S: EventStore + SnapshotStore + Clone,
{
    let bus = bus(store.clone())?;
    bus.dispatch(open("a")).await?;
    let nothing = bus.dispatch(add("a", 0)).idempotency_key("key").await?;
    ensure_eq!(nothing.events, 0, "the events of a command that leads to none");
    bus.dispatch(add("a", 1)).await?;
    let again = bus.dispatch(add("a", 0)).idempotency_key("key").await?;
    ensure_eq!(again, nothing, "the receipt of a command without events sent again");
    let other = bus.dispatch(add("a", 5)).idempotency_key("key").await;
    ensure_reused(&other)?;
    ensure_tally(&store, "a", [1]).await
}

pub(super) async fn a_key_of_another_command_is_refused<S>(store: S) -> Verdict
where
    S: EventStore + SnapshotStore + Clone,
{
    let bus = bus(store.clone())?;
    bus.dispatch(open("a")).idempotency_key("key").await?;
    bus.dispatch(add("a", 1)).idempotency_key("other").await?;
    let before = log_of(&store).await?;
    ensure_reused(&bus.dispatch(add("a", 1)).idempotency_key("key").await)?;
    ensure_reused(&bus.dispatch(add("a", 2)).idempotency_key("other").await)?;
    ensure_reused(&bus.dispatch(open("a")).idempotency_key("other").await)?;
    for impossible in ["", "k\0y"] {
        let answer = bus.dispatch(add("a", 1)).idempotency_key(impossible).await;
        let invalid = matches!(answer, Err(DispatchError::InvalidCommand { .. }));
        ensure!(invalid, "key {impossible:?} was answered with {answer:?}");
    }
    ensure_log("the log after keys were refused", &store, &before).await?;
    Ok(())
}

pub(super) async fn a_refusal_is_not_remembered<S>(store: S) -> Verdict
where
    S: EventStore + SnapshotStore + Clone,
{
    let bus = bus(store.clone())?;
    let early = bus.dispatch(add("a", 1)).idempotency_key("key").await;
    ensure!(
        matches!(early, Err(DispatchError::NotFound { .. })),
        "a command to what does not exist was answered with {early:?}"
    );
    bus.dispatch(open("a")).await?;
    let rejected = bus.dispatch(add("a", -1)).idempotency_key("key").await;
    ensure!(
        matches!(rejected, Err(DispatchError::Rejected(_))),
        "what the handler rejects was answered with {rejected:?}"
    );
    bus.dispatch(add("a", 1)).idempotency_key("key").await?;
    ensure_tally(&store, "a", [1]).await
}

pub(super) async fn under_an_expired_key_a_command_is_done_again<S>(store: S) -> Verdict
where
    S: EventStore + SnapshotStore + Clone,
{
    let bus = builder(store.clone()).key_lifetime(Duration::ZERO).build()?;
    bus.dispatch(open("a")).await?;
    for amount in [1, 1, 2] {
        bus.dispatch(add("a", amount)).idempotency_key("key").await?;
    }
    ensure_tally(&store, "a", [1, 1, 2]).await
}

pub(super) async fn an_unknown_outcome_is_told_and_found_out<S>(store: S) -> Verdict
where
    S: EventStore + SnapshotStore + Clone,
{
    store_history(&store, "a", [1]).await?;
    // A few are found out by the ids of the events; of too many, the caller is told.
    for (amount, done, lost) in [(2, true, 1), (3, false, 1), (4, true, 99), (5, false, 99)] {
        let answers = LostAnswers { done, lost: AtomicU32::new(lost) };
        let bus = builder(Faulty::new(store.clone(), answers)).build()?;
        let answer = bus.dispatch(add("a", amount)).idempotency_key(format!("key-{amount}")).await;
        if lost > 1 {
            ensure!(
                matches!(&answer, Err(DispatchError::UnknownOutcome { stream_id, .. }) if *stream_id == stream_of("a")),
                "answers that were lost were told as {answer:?}"
            );
        } else {
            ensure_eq!(answer?.events, 1, "the events of a command whose answer was lost once");
        }
        let bus = builder(store.clone()).build()?;
        let send = || bus.dispatch(add("a", amount)).idempotency_key(format!("key-{amount}"));
        let found_out = send().await?;
        ensure_eq!(send().await?, found_out, "the receipt of a third try");
    }
    ensure_tally(&store, "a", [1, 2, 3, 4, 5]).await
}

fn ensure_all_alike(receipts: &[Receipt]) -> Verdict {
    for receipt in receipts {
        ensure_eq!(receipt, &receipts[0], "the receipt of one of {} twins", receipts.len());
    }
    Ok(())
}

fn ensure_reused<E: std::fmt::Debug>(answer: &Result<Receipt, DispatchError<E>>) -> Verdict {
    let reused = matches!(answer, Err(DispatchError::KeyReused { .. }));
    ensure!(reused, "a key of another command was answered with {answer:?}");
    Ok(())
}

/// Has a twin of the command done just after its key was looked up and not found.
struct FasterTwin(tokio::sync::Mutex<Option<futures::future::BoxFuture<'static, bool>>>);

impl FasterTwin {
    fn new<E: Send + 'static>(twin: annals::Dispatch<E>) -> Self {
        let run = async move { twin.into_future().await.is_ok() };
        Self(tokio::sync::Mutex::new(Some(Box::pin(run))))
    }
}

#[async_trait]
impl<S: EventStore> Fault<S> for FasterTwin {
    async fn find_key(
        &self,
        store: &S,
        stream_id: &StreamId,
        key: &str,
    ) -> Result<Option<KeyEntry>, StoreError> {
        let entry = store.find_key(stream_id, key).await?;
        if let Some(twin) = self.0.lock().await.take() {
            twin.await;
        }
        Ok(entry)
    }
}

/// Loses the answers to the first appends, which were done or not.
struct LostAnswers {
    done: bool,
    lost: AtomicU32,
}

#[async_trait]
impl<S: EventStore> Fault<S> for LostAnswers {
    async fn append(&self, store: &S, appends: Vec<Append>) -> Result<Vec<Receipt>, WriteError> {
        let left =
            self.lost.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |lost| lost.checked_sub(1));
        if left.is_err() {
            return store.append(appends).await;
        }
        let stream_id = appends.first().map_or_else(|| stream("none"), |one| one.stream_id.clone());
        if self.done {
            store.append(appends).await?;
        }
        let source = StoreError::unavailable("the connection was lost");
        Err(WriteError::UnknownOutcome { stream_id, source })
    }
}
