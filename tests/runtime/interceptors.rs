//! Interceptors stand around each dispatch, in the order in which they were added.

use std::sync::{Arc, Mutex};

use annals::prelude::*;
use annals::{Origin, Outcome};
use futures::TryStreamExt;
use serde_json::json;

use crate::bank::{Account, Deposit, OpenAccount};

type Log = Arc<Mutex<Vec<String>>>;

/// Writes down what it sees, and refuses who has no user if it is told to.
struct Watcher {
    name: &'static str,
    log: Log,
    needs_user: bool,
}

#[async_trait]
impl Interceptor for Watcher {
    async fn before(&self, call: &mut CommandCall) -> Result<(), Refusal> {
        assert_eq!(call.origin(), &Origin::Caller);
        let line =
            format!("{} before {} {} {}", self.name, call.name(), call.stream_id(), call.content());
        self.log.lock().unwrap().push(line);
        if self.needs_user && call.metadata().user.is_none() {
            return Err(Refusal::new("who are you?"));
        }
        let metadata = call.metadata_mut();
        metadata.headers.insert("seen-by".into(), self.name.into());
        Ok(())
    }

    async fn after(&self, call: &CommandCall, outcome: Outcome<'_>) {
        let outcome = match outcome {
            Outcome::Done(receipt) => format!("done at {}", receipt.stream_version),
            Outcome::Failed { message, failure } => format!("failed ({failure:?}): {message}"),
            _ => unreachable!("a new outcome"),
        };
        self.log.lock().unwrap().push(format!("{} after {} {outcome}", self.name, call.name()));
    }
}

fn bus(log: &Log) -> (MemoryStore, CommandBus) {
    let store = MemoryStore::new();
    let watcher = |name, needs_user| Watcher { name, log: log.clone(), needs_user };
    let bus = CommandBus::builder(store.clone())
        .interceptor(watcher("first", false))
        .interceptor(watcher("second", true))
        .interceptor(watcher("third", false))
        .build()
        .unwrap();
    (store, bus)
}

fn open() -> OpenAccount {
    OpenAccount { account: "ada".into(), owner: "Ada".into() }
}

fn taken(log: &Log) -> Vec<String> {
    std::mem::take(&mut log.lock().unwrap())
}

#[tokio::test]
async fn they_see_a_command_in_order_and_its_outcome_in_reverse() {
    let log = Log::default();
    let (store, bus) = bus(&log);
    bus.dispatch(open()).user("teller").await.unwrap();
    let content = r#"{"account":"ada","owner":"Ada"}"#;
    assert_eq!(
        taken(&log),
        [
            format!("first before OpenAccount account-ada {content}"),
            format!("second before OpenAccount account-ada {content}"),
            format!("third before OpenAccount account-ada {content}"),
            "third after OpenAccount done at 1".into(),
            "second after OpenAccount done at 1".into(),
            "first after OpenAccount done at 1".into(),
        ]
    );
    let stream = StreamId::new("account", "ada");
    let events: Vec<RecordedEvent> = store.read_stream(&stream, ..).try_collect().await.unwrap();
    assert_eq!(events[0].metadata.headers["seen-by"], "third", "what they add is stored");
}

#[tokio::test]
async fn the_first_that_refuses_ends_the_dispatch() {
    let log = Log::default();
    let (store, bus) = bus(&log);
    let refused = bus.dispatch(open()).await.unwrap_err();
    assert!(matches!(&refused, DispatchError::Refused(_)));
    assert_eq!(refused.to_string(), "who are you?");
    let seen = taken(&log);
    assert_eq!(seen.len(), 3, "{seen:?}");
    assert_eq!(seen[2], "first after OpenAccount failed (Refused): who are you?");
    assert_eq!(store.head().await.unwrap(), Position::START);
}

#[tokio::test]
async fn commands_by_name_go_through_the_same_ones() {
    let log = Log::default();
    let (_, bus) = bus(&log);
    let content = json!({ "account": "ada", "owner": "Ada" });
    bus.dispatch_json("OpenAccount", content.clone()).user("teller").await.unwrap();
    assert_eq!(taken(&log).len(), 6);
    let refused = bus.dispatch_json("OpenAccount", content).await.unwrap_err();
    assert!(matches!(refused, DispatchError::Refused(_)));
}

#[tokio::test]
async fn an_unknown_name_is_answered_before_them() {
    let log = Log::default();
    let (_, bus) = bus(&log);
    let unknown = bus.dispatch_json("Opn", json!({})).await.unwrap_err();
    assert!(matches!(unknown, DispatchError::UnknownCommand { .. }));
    assert!(taken(&log).is_empty());
}

#[tokio::test]
async fn they_run_before_the_key_is_looked_up() {
    let log = Log::default();
    let (_, bus) = bus(&log);
    bus.dispatch(open()).user("teller").idempotency_key("k").await.unwrap();
    let refused = bus.dispatch(open()).idempotency_key("k").await.unwrap_err();
    assert!(matches!(refused, DispatchError::Refused(_)), "the receipt is not for everyone");
}

#[tokio::test]
async fn they_learn_of_a_domain_error() {
    let log = Log::default();
    let (_, bus) = bus(&log);
    bus.dispatch(open()).user("teller").await.unwrap();
    taken(&log);
    let deposit = Deposit { account: "ada".into(), amount: 0 };
    bus.dispatch(deposit).user("teller").await.unwrap_err();
    let last = taken(&log).pop().unwrap();
    assert_eq!(last, "first after Deposit failed (Rejected): an amount must be more than zero");
    assert_eq!(StreamId::of::<Account>(&"ada".into()).as_str(), "account-ada");
}
