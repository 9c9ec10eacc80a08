//! Who caused an event, and why, is stored with it.

use annals::prelude::*;
use futures::TryStreamExt;

use crate::bank::{Account, CloseAccount, Deposit, OpenAccount};

async fn events(store: &MemoryStore) -> Vec<RecordedEvent> {
    let stream = StreamId::of::<Account>(&"ada".into());
    store.read_stream(&stream, ..).try_collect().await.unwrap()
}

fn open() -> OpenAccount {
    OpenAccount { account: "ada".into(), owner: "Ada".into() }
}

#[tokio::test]
async fn the_correlation_defaults_to_the_command_and_the_causation_is_the_command() {
    let store = MemoryStore::new();
    let bus = CommandBus::new(store.clone());
    let id = uuid::Uuid::from_u128(7);
    bus.dispatch(open()).command_id(id).await.unwrap();
    let metadata = &events(&store).await[0].metadata;
    assert_eq!(metadata.correlation_id.as_deref(), Some(&*id.to_string()));
    assert_eq!(metadata.causation_id.as_deref(), Some(&*id.to_string()));
    assert_eq!(metadata.command_causation_id, None);
}

#[tokio::test]
async fn everything_that_is_given_is_stored() {
    let store = MemoryStore::new();
    let issued: Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
    let bus = CommandBus::new(store.clone());
    bus.dispatch(open())
        .correlation_id("request-7")
        .causation_id("mail-3")
        .user("teller")
        .header("channel", "counter")
        .issued_at(issued)
        .await
        .unwrap();
    let metadata = &events(&store).await[0].metadata;
    assert_eq!(metadata.correlation_id.as_deref(), Some("request-7"));
    assert_eq!(metadata.command_causation_id.as_deref(), Some("mail-3"));
    assert_eq!(metadata.user.as_deref(), Some("teller"));
    assert_eq!(metadata.headers["channel"], "counter");
    assert_eq!(metadata.issued_at, Some(issued));
}

#[tokio::test]
async fn a_command_is_issued_by_the_bus_clock_unless_it_says_when() {
    let store = MemoryStore::new();
    let noon: Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
    let bus = CommandBus::builder(store.clone()).clock(ManualClock::at(noon)).build().unwrap();
    bus.dispatch(open()).await.unwrap();
    assert_eq!(events(&store).await[0].metadata.issued_at, Some(noon));
}

#[tokio::test]
async fn all_events_of_a_command_share_its_metadata_and_have_ids_of_their_own() {
    let store = MemoryStore::new();
    let bus = CommandBus::new(store.clone());
    bus.dispatch(open()).await.unwrap();
    bus.dispatch(Deposit { account: "ada".into(), amount: 5 }).await.unwrap();
    let receipt = bus.dispatch(CloseAccount { account: "ada".into() }).await.unwrap();
    assert_eq!((receipt.events, receipt.stream_version), (2, 4));
    let events = events(&store).await;
    assert_eq!(events[2].metadata, events[3].metadata);
    assert_ne!(events[2].id, events[3].id);
    assert_eq!(receipt.position, events[3].position);
    assert_eq!(receipt.recorded_at, events[3].recorded_at);
}

/// Makes the ids 1, 2, 3, …
#[derive(Debug, Default)]
struct Counted(std::sync::atomic::AtomicU64);

impl annals::IdSource for Counted {
    fn new_id(&self) -> uuid::Uuid {
        let last = self.0.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        uuid::Uuid::from_u128(u128::from(last) + 1)
    }
}

#[tokio::test]
async fn ids_come_from_the_injected_source() {
    let store = MemoryStore::new();
    let bus = CommandBus::builder(store.clone()).ids(Counted::default()).build().unwrap();
    bus.dispatch(open()).await.unwrap();
    let event = &events(&store).await[0];
    let command = uuid::Uuid::from_u128(1).to_string();
    assert_eq!(event.metadata.causation_id, Some(command), "the command's id comes first");
    assert_eq!(event.id, uuid::Uuid::from_u128(2));
}

/// Claims to be another command.
struct Liar;

#[async_trait]
impl Interceptor for Liar {
    async fn before(&self, call: &mut CommandCall) -> Result<(), Refusal> {
        call.metadata_mut().causation_id = Some("another".into());
        call.metadata_mut().issued_at = None;
        Ok(())
    }
}

#[tokio::test]
async fn no_interceptor_changes_which_command_it_was() {
    let store = MemoryStore::new();
    let bus = CommandBus::builder(store.clone()).interceptor(Liar).build().unwrap();
    let id = uuid::Uuid::from_u128(7);
    bus.dispatch(open()).command_id(id).await.unwrap();
    let metadata = &events(&store).await[0].metadata;
    assert_eq!(metadata.causation_id, Some(id.to_string()));
    assert!(metadata.issued_at.is_some());
}
