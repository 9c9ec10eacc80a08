//! What a dispatch tells `tracing`, under the domain's names.

use std::cell::{Cell, RefCell};
use std::fmt::Debug;
use std::sync::Once;

use annals::prelude::*;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event as TracingEvent, Metadata as Meta, Subscriber};

#[path = "../contract/bank.rs"]
mod bank;

use bank::{Account, Deposit, OpenAccount};

thread_local! {
    /// How many spans this thread is in.
    static ENTERED: Cell<u32> = const { Cell::new(0) };
    /// What this thread's test has seen: each has a thread of its own.
    static SEEN: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Writes down each span and event of the framework with its fields. One for the whole program: what a thread without a
/// subscriber meets first, `tracing` may take for disabled everywhere.
struct Recorder;

/// Forgets what this thread has seen, and records from here on.
fn record() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| tracing::subscriber::set_global_default(Recorder).unwrap());
    seen();
}

/// What this thread has seen since it was asked last.
fn seen() -> Vec<String> {
    SEEN.take()
}

fn write_down(line: String) {
    SEEN.with_borrow_mut(|seen| seen.push(line));
}

struct Fields(String);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.push_str(&format!(" {}={value:?}", field.name()));
    }
}

impl Subscriber for Recorder {
    fn enabled(&self, meta: &Meta<'_>) -> bool {
        meta.target().starts_with("annals")
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut fields = Fields(format!("span {}", span.metadata().name()));
        span.record(&mut fields);
        write_down(fields.0);
        Id::from_u64(1)
    }

    fn event(&self, event: &TracingEvent<'_>) {
        let mut fields = Fields(event.metadata().level().to_string());
        event.record(&mut fields);
        write_down(fields.0);
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {
        ENTERED.set(ENTERED.get() + 1);
    }

    fn exit(&self, _: &Id) {
        ENTERED.set(ENTERED.get() - 1);
    }
}

#[tokio::test]
async fn a_dispatch_is_a_span_with_the_command_and_the_stream() {
    record();
    let bus = CommandBus::new(MemoryStore::new());
    bus.dispatch(OpenAccount { account: "ada".into(), owner: "Ada".into() }).await.unwrap();
    bus.dispatch(Deposit { account: "ada".into(), amount: 0 }).await.unwrap_err();
    assert_eq!(
        seen(),
        [
            "span dispatch command=\"OpenAccount\" stream_id=account-ada",
            "DEBUG message=done stream_version=1 position=1 events=1",
            "span dispatch command=\"Deposit\" stream_id=account-ada",
            "DEBUG message=refused error=an amount must be more than zero",
        ]
    );
}

#[tokio::test]
async fn an_event_that_stops_its_reader_is_told_by_name_and_place() {
    let store = MemoryStore::new();
    let (id, data) = (uuid::Uuid::from_u128(1), annals::Payload::new("null"));
    let event = annals::NewEvent::new(id, "AccountFrozen", 1, data);
    let stream = StreamId::new("account", "ada");
    let append = annals::Append::new(stream, annals::Expected::NoStream, vec![event]);
    store.append(vec![append]).await.unwrap();

    record();
    let accounts = Repository::<Account>::new(store);
    accounts.load("ada").await.unwrap_err();
    let told = seen().join("\n");
    assert!(
        told.starts_with(
            "ERROR message=an event stops its reader stream_id=account-ada stream_version=1 position=1 \
             event_type=\"AccountFrozen\" error=event `AccountFrozen`"
        ),
        "{told}"
    );
}

#[tokio::test]
async fn a_snapshot_of_another_shape_is_told_and_what_to_do() {
    let store = MemoryStore::new();
    let bus = CommandBus::new(store.clone());
    bus.dispatch(OpenAccount { account: "ada".into(), owner: "Ada".into() }).await.unwrap();
    let accounts = Repository::<Account>::new(store.clone());
    accounts.snapshot("ada").await.unwrap();
    let stream = annals::StreamId::new("account", "ada");
    let mut snapshot = store.load_snapshot(&stream, 1).await.unwrap().unwrap();
    snapshot.fingerprint = Some(annals::shape::Fingerprint::new("of yesterday"));
    store.save_snapshot(snapshot).await.unwrap();

    record();
    accounts.load("ada").await.unwrap();
    assert_eq!(
        seen(),
        [
            "WARN message=the snapshot counts as none: the whole stream is replayed stream_id=account-ada \
          reason=\"the state changed its shape since version 1 of the snapshot; raise it: `snapshot(…, version = 2)`\""
        ]
    );
    accounts.snapshot("ada").await.unwrap();
    seen();
    accounts.load("ada").await.unwrap();
    assert!(seen().is_empty(), "overwritten, it is used again");
}

/// Waits once in the middle of each dispatch.
struct Slow;

#[async_trait]
impl Interceptor for Slow {
    async fn before(&self, _: &mut CommandCall) -> Result<(), Refusal> {
        assert_eq!(ENTERED.get(), 1, "the dispatch runs in its span");
        tokio::task::yield_now().await;
        assert_eq!(ENTERED.get(), 1);
        Ok(())
    }
}

#[tokio::test]
async fn no_span_is_held_while_a_dispatch_waits() {
    record();
    let bus = CommandBus::builder(MemoryStore::new()).interceptor(Slow).build().unwrap();
    let open = OpenAccount { account: "ada".into(), owner: "Ada".into() };
    let mut dispatch = bus.dispatch(open).into_future();
    assert!(futures::poll!(&mut dispatch).is_pending());
    assert_eq!(ENTERED.get(), 0, "others run meanwhile, and are not in this span");
    dispatch.await.unwrap();
    assert_eq!(ENTERED.get(), 0);
}

struct Lost;

#[saga(name = "lost", data = u64)]
impl Lost {
    #[step(undo = back)]
    async fn first(_: &u64) {}

    async fn back(_: &u64) -> Result<(), String> {
        Err("it is down".to_owned())
    }

    #[step]
    async fn second(_: &u64) -> Result<(), String> {
        Err("it is down".to_owned())
    }
}

#[tokio::test]
async fn a_saga_that_waits_for_a_person_is_told_by_its_id() {
    record();
    let sagas = SagaRunner::builder(MemoryStore::new(), std::sync::Arc::new(()))
        .register::<Lost>()
        .backoff(std::time::Duration::ZERO);
    let sagas = sagas.start().await.unwrap();
    sagas.run::<Lost>("l-7", 1).await.unwrap();
    let told = seen().join("\n");
    let wanted =
        "message=an undo keeps failing, and the saga waits for a person saga=\"lost\" id=\"l-7\"";
    assert!(told.contains(wanted), "{told}");
}
