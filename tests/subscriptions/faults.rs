//! What a subscription bears: a store that is away, that wakes its readers for nothing, that ends them for good; and a
//! consumer that is slow.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use annals::prelude::*;
use annals::{
    CheckpointChange, CheckpointId, Fence, LogPage, ReadModelStore, RowChange, SubscriptionError,
    WriteError,
};
use annals_testing::conformance::faulty::{Fault, Faulty};

use crate::material::{
    RARE, append, begin, is_still, next, numbers, reason, soon, store_numbers, stream, take, until,
};

/// Counts the pages that are read.
#[derive(Default)]
struct Counted(AtomicUsize);

#[async_trait]
impl<S: Sync> Fault<S> for Counted {
    async fn log_page(&self, store: &S, read: &ReadAll) -> Result<LogPage, StoreError>
    where
        S: EventStore,
    {
        self.0.fetch_add(1, Ordering::SeqCst);
        store.log_page(read).await
    }
}

#[tokio::test]
async fn a_slow_consumer_bounds_what_is_read() {
    let store = Faulty::new(MemoryStore::new(), Counted::default());
    store_numbers(&store, 0..1_000).await;
    let mut subscription = begin(store.subscribe().page_size(10)).await;
    let read = || store.fault().0.load(Ordering::SeqCst);
    assert_eq!(read(), 0, "nothing is read before it is asked for");
    for (taken, pages) in [(1, 1), (9, 1), (1, 2), (10, 3), (30, 6)] {
        take(&mut subscription, taken).await;
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        assert_eq!(read(), pages, "the pages read after {taken} more events");
    }
}

/// Answers as a script says, one entry a call, and then as the store does.
#[derive(Default)]
struct Scripted {
    pages: Mutex<Vec<Answer>>,
    waits: Mutex<Vec<Answer>>,
}

#[derive(Debug, Clone, Copy)]
enum Answer {
    Unavailable,
    Broken,
    /// A wait that ends at once, whatever is there.
    Early,
}

impl Scripted {
    fn next(script: &Mutex<Vec<Answer>>) -> Result<Option<Answer>, StoreError> {
        let mut script = script.lock().unwrap();
        if script.is_empty() {
            return Ok(None);
        }
        match script.remove(0) {
            Answer::Unavailable => Err(StoreError::unavailable("the server is away")),
            Answer::Broken => Err(StoreError::other("the log cannot be read: the disk is broken")),
            Answer::Early => Ok(Some(Answer::Early)),
        }
    }
}

#[async_trait]
impl<S: Sync> Fault<S> for Scripted {
    async fn log_page(&self, store: &S, read: &ReadAll) -> Result<LogPage, StoreError>
    where
        S: EventStore,
    {
        Self::next(&self.pages)?;
        store.log_page(read).await
    }

    async fn wait_for_events(&self, store: &S, after: Position) -> Result<(), StoreError>
    where
        S: EventStore,
    {
        match Self::next(&self.waits)? {
            Some(_) => Ok(()),
            None => store.wait_for_events(after).await,
        }
    }
}

fn scripted(pages: &[Answer], waits: &[Answer]) -> Faulty<MemoryStore, Scripted> {
    let script = Scripted { pages: Mutex::new(pages.into()), waits: Mutex::new(waits.into()) };
    Faulty::new(MemoryStore::new(), script)
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_away_is_asked_again() {
    use Answer::Unavailable;
    let store = scripted(&[Unavailable; 12], &[Unavailable; 3]);
    store_numbers(&store, 0..3).await;
    let mut subscription = begin(store.subscribe().page_size(2)).await;
    let begun = tokio::time::Instant::now();
    assert_eq!(numbers(&[subscription.next().await.unwrap().unwrap()]), [0]);
    let pauses = begun.elapsed().as_secs_f64();
    // 0.05 s doubled up to 5 s, each between half and all of it.
    assert!((13.0..=32.8).contains(&pauses), "12 tries took {pauses} s");
    assert_eq!(numbers(&take(&mut subscription, 2).await), [1, 2]);
    let writer = store.clone();
    tokio::spawn(async move {
        tokio::time::sleep(std::time::Duration::from_secs(60)).await;
        store_numbers(&writer, [3]).await;
    });
    assert_eq!(numbers(&[subscription.next().await.unwrap().unwrap()]), [3]);
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_ends_early_delivers_nothing_twice() {
    use Answer::Early;
    let store = scripted(&[], &[Early; 20]);
    store_numbers(&store, 0..3).await;
    let mut subscription = begin(store.subscribe()).await;
    assert_eq!(numbers(&take(&mut subscription, 3).await), [0, 1, 2]);
    assert!(is_still(subscription.next()).await);
    store_numbers(&store, [3]).await;
    assert_eq!(numbers(&take(&mut subscription, 1).await), [3]);
}

#[tokio::test]
async fn what_asking_again_would_not_help_ends_it_with_its_reason() {
    use Answer::Broken;
    let store = scripted(&[Broken], &[]);
    let mut subscription = begin(store.subscribe()).await;
    let caught_up = subscription.caught_up();
    let ended = reason(&mut subscription).await;
    assert_eq!(ended.to_string(), "the log cannot be read: the disk is broken");
    assert!(!soon(caught_up).await);
    assert!(soon(subscription.next_batch()).await.is_none());

    // What is at hand is delivered before.
    let store = scripted(&[], &[Broken]);
    store_numbers(&store, 0..3).await;
    let mut subscription = begin(store.subscribe()).await;
    assert_eq!(numbers(&take(&mut subscription, 3).await), [0, 1, 2]);
    reason(&mut subscription).await;
}

#[tokio::test]
async fn a_start_ahead_of_the_log_ends_it() {
    let store = MemoryStore::new();
    let mut subscription = begin(store.subscribe().after(Position::from(7))).await;
    let ended = reason(&mut subscription).await.to_string();
    assert!(ended.contains("a reader stands at position 7, but the log ends at 0"), "{ended}");
}

/// Says that there is more, but never gets on.
struct Stuck;

#[async_trait]
impl<S: Sync> Fault<S> for Stuck {
    async fn log_page(&self, _: &S, read: &ReadAll) -> Result<LogPage, StoreError>
    where
        S: EventStore,
    {
        Ok(LogPage::new(Vec::new(), read.after, true))
    }
}

#[tokio::test]
async fn a_store_that_never_gets_on_ends_it() {
    let store = Faulty::new(MemoryStore::new(), Stuck);
    let mut subscription = begin(store.subscribe()).await;
    let ended = reason(&mut subscription).await.to_string();
    assert!(ended.contains("reached no further"), "{ended}");
}

#[tokio::test]
async fn a_store_without_checkpoints_says_what_to_do() {
    // It commits no units of work, so that it keeps no checkpoints beside its events.
    let store = Faulty::new(MemoryStore::new(), Counted::default());
    let refused = soon(store.subscribe().durable("mailer")).await.unwrap_err();
    assert!(refused.to_string().contains("`.checkpoints_in(…)`"), "{refused}");
}

#[test]
fn without_a_runtime_a_durable_subscription_is_refused() {
    let subscribe = MemoryStore::new().subscribe().durable("mailer");
    let refused = futures::executor::block_on(subscribe.into_future()).unwrap_err();
    assert!(refused.to_string().contains("Tokio runtime"), "{refused}");
    // What needs none runs without.
    let store = MemoryStore::new();
    futures::executor::block_on(async {
        store_one(&store).await;
        let mut subscription = store.subscribe().await.unwrap();
        assert_eq!(numbers(&[subscription.next().await.unwrap().unwrap()]), [1]);
    });
}

async fn store_one(store: &MemoryStore) {
    store_numbers(store, [1]).await;
}

/// A reader of what is rare lets others run, though the whole log is passed in one go.
#[tokio::test]
async fn passing_much_over_lets_others_run() {
    let store = MemoryStore::new();
    for _ in 0..4 {
        store_numbers(&store, 0..70_000).await;
    }
    store.append(vec![append(&stream("a"), RARE, &[7])]).await.unwrap();
    let mut subscription = begin(store.subscribe().event_types([RARE])).await;
    let turns = std::sync::Arc::new(AtomicUsize::new(0));
    let other = {
        let turns = turns.clone();
        tokio::spawn(async move {
            loop {
                turns.fetch_add(1, Ordering::SeqCst);
                tokio::task::yield_now().await;
            }
        })
    };
    assert_eq!(numbers(&[next(&mut subscription).await]), [7]);
    assert!(turns.load(Ordering::SeqCst) >= 3);
    other.abort();
}

/// The error type reads well, and says its cause once.
#[tokio::test]
async fn an_error_of_the_store_is_told_as_it_is() {
    let error = SubscriptionError::from(StoreError::other("x").with_source(std::fmt::Error));
    assert_eq!(error.to_string(), "x");
    assert!(std::error::Error::source(&error).is_some_and(|source| source.is::<std::fmt::Error>()));
}

/// Moves no checkpoint, and counts how often a lease is claimed.
#[derive(Default)]
struct Unmoved {
    tries: AtomicUsize,
    claimed: AtomicUsize,
}

#[async_trait]
impl<S: Sync> Fault<S> for Unmoved {
    async fn write_rows(
        &self,
        _: &S,
        _: Vec<RowChange>,
        _: CheckpointChange,
    ) -> Result<(), WriteError>
    where
        S: ReadModelStore,
    {
        self.tries.fetch_add(1, Ordering::SeqCst);
        Err(StoreError::unavailable("the server is away").into())
    }

    async fn claim_lease(
        &self,
        store: &S,
        id: &CheckpointId,
        owner: &str,
        lifetime: Duration,
    ) -> Result<Option<Fence>, StoreError>
    where
        S: ReadModelStore,
    {
        self.claimed.fetch_add(1, Ordering::SeqCst);
        store.claim_lease(id, owner, lifetime).await
    }
}

/// The lease is renewed and given up while an acknowledgement waits for the store to take it.
#[tokio::test(start_paused = true)]
async fn an_acknowledgement_that_is_tried_again_holds_up_no_lease() {
    let store = Faulty::new(MemoryStore::new(), Unmoved::default());
    store_numbers(&store, [1]).await;
    let lease = Duration::from_millis(300);
    let subscribe = store.subscribe().durable("mailer").lease(lease);
    let mut subscription = begin(subscribe.checkpoints_in(store.clone())).await;
    let event = next(&mut subscription).await;
    // Given up by its caller, and still tried.
    assert!(is_still(subscription.ack(event.position)).await);
    let tries = || store.fault().tries.load(Ordering::SeqCst);
    let claimed = || store.fault().claimed.load(Ordering::SeqCst);
    let before = (tries(), claimed());
    until(async || tries() >= before.0 + 7 && claimed() >= before.1 + 7).await;
    soon(subscription.close()).await.unwrap();
    begin(store.subscribe().durable("mailer").checkpoints_in(store.clone())).await;
}

/// Moves a checkpoint without telling so, and moves none again until the lease, which has always run out, is claimed anew.
#[derive(Default)]
struct Untold {
    is_moved: AtomicBool,
    claimed: AtomicUsize,
}

#[async_trait]
impl<S: Sync> Fault<S> for Untold {
    async fn write_rows(
        &self,
        store: &S,
        rows: Vec<RowChange>,
        checkpoint: CheckpointChange,
    ) -> Result<(), WriteError>
    where
        S: ReadModelStore,
    {
        let away = StoreError::unavailable("the server is away");
        if !self.is_moved.swap(true, Ordering::SeqCst) {
            store.write_rows(rows, checkpoint).await?;
            self.claimed.store(0, Ordering::SeqCst);
            return Err(WriteError::UnknownCommit { source: away });
        }
        if self.claimed.load(Ordering::SeqCst) < 2 {
            return Err(away.into());
        }
        store.write_rows(rows, checkpoint).await
    }

    async fn claim_lease(
        &self,
        store: &S,
        id: &CheckpointId,
        owner: &str,
        _: Duration,
    ) -> Result<Option<Fence>, StoreError>
    where
        S: ReadModelStore,
    {
        let fence = store.claim_lease(id, owner, Duration::ZERO).await;
        self.claimed.fetch_add(1, Ordering::SeqCst);
        fence
    }
}

/// What this subscription itself has moved, without being told, is not taken for another's.
#[tokio::test(start_paused = true)]
async fn a_lease_that_ran_out_under_an_untold_acknowledgement_is_held_again() {
    let store = Faulty::new(MemoryStore::new(), Untold::default());
    store_numbers(&store, [1]).await;
    let subscribe = store.subscribe().durable("mailer").lease(Duration::from_millis(300));
    let mut subscription = begin(subscribe.checkpoints_in(store.clone())).await;
    let event = next(&mut subscription).await;
    soon(subscription.ack(event.position)).await.unwrap();
    assert!(is_still(subscription.next()).await, "it goes on");
}
