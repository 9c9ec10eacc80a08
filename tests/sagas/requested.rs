//! What is asked of a runner from outside of its program.

use annals::prelude::*;
use annals::projection::ParkedEvent;
use annals::{CheckpointChange, CheckpointId, RowChange, UnitOfWork};
use serde_json::json;

use crate::on_each_store;
use crate::scene::{PATIENCE, Store, log_of, runner, story, until};
use crate::trip::{Backends, Booking, How, trip};
use crate::watched::{Fate, Watch, Watched};

/// A store that refuses what is written to one log once that is parked.
struct Refuses(std::sync::atomic::AtomicBool);

impl Watch for Refuses {
    fn fate(&self, _: &'static str, work: Option<&UnitOfWork>) -> Fate {
        let is_asked = self.0.load(std::sync::atomic::Ordering::SeqCst);
        let is_of_it =
            |work: &UnitOfWork| work.appends.iter().any(|append| append.stream_id.id() == "t-1");
        if is_asked && work.is_some_and(is_of_it) { Fate::Refused } else { Fate::Passes }
    }
}

/// Asks for a try of each, as an operator does.
async fn ask_for_retries(store: &impl Store, ids: &[&str]) {
    let keeper = CheckpointId { name: "annals/requests".into(), version: 1, shard: 0 };
    let lease = store.claim_lease(&keeper, "ada", PATIENCE).await.expect("the store is there");
    let fence = lease.expect("nobody else asks");
    let requests = ids.iter().map(|id| {
        RowChange::Park(ParkedEvent {
            reader: keeper.clone(),
            key: json!(["annals/saga/booking", 1, 0, { "retry": { "key": id } }]).to_string(),
            position: Position::START,
            stream_id: StreamId::new("annals/requests", "nothing"),
            event_type: "annals/requests".into(),
            error: String::new(),
            attempts: 0,
            parked_at: Timestamp::now(),
            retry_at: None,
        })
    });
    let change = CheckpointChange { fence: fence.clone(), position: Position::START };
    store.write_rows(requests.collect(), change).await.expect("they are kept");
    store.release_lease(&fence).await.expect("it is its own");
}

async fn one_that_always_fails_keeps_none_after_it_waiting(store: impl Store) {
    let backends = Backends::new([("mail", How::Fails(2)), ("undo hotel", How::Fails(u32::MAX))]);
    let watched = Watched::new(store.clone(), Refuses(false.into()));
    let sagas = runner(&watched, &backends).start().await.expect("the store is there");
    for id in ["t-1", "t-2"] {
        let run = sagas.run::<Booking>(id, trip()).user("ada").header("tenant", "north");
        run.await.expect("it is run");
    }
    backends.mend("undo hotel");
    watched.watch.0.store(true, std::sync::atomic::Ordering::SeqCst);
    ask_for_retries(&store, &["t-1", "t-2"]).await;
    until(async || {
        story(&store, "booking", "t-2").await.last().is_some_and(|last| last == "ended")
    })
    .await;
    // Who asks from outside is not known: it stays the saga of whoever began it.
    let last = log_of(&store, "booking", "t-2").await.pop().expect("it has ended");
    assert_eq!(last.metadata.user.as_deref(), Some("ada"));
    assert_eq!(last.metadata.headers.get("tenant").map(String::as_str), Some("north"));
    let undone = backends.calls_of("undo hotel");
    assert!(undone.iter().all(|call| call.user.as_deref() == Some("ada")), "{undone:?}");
    // It is asked for until it can be done.
    watched.watch.0.store(false, std::sync::atomic::Ordering::SeqCst);
    until(async || {
        story(&store, "booking", "t-1").await.last().is_some_and(|last| last == "ended")
    })
    .await;
}

on_each_store!(one_that_always_fails_keeps_none_after_it_waiting);
