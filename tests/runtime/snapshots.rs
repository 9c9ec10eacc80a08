//! Snapshots make loading shorter, and can make nothing wrong.

use std::sync::atomic::{AtomicUsize, Ordering};

use annals::prelude::*;
use annals::shape::Fingerprint;
use annals::{Payload, StoredSnapshot, Stores};
use serde::{Deserialize, Serialize};

use crate::bank::{Account, Deposit, OpenAccount};
use crate::faulty_store::FaultyStore;

#[derive(Debug, Clone, Serialize, Deserialize, AggregateId)]
struct MeterId(String);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
struct MeterRead {
    units: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
struct MonthClosed;

#[derive(Debug, Clone, Serialize, Deserialize, Command)]
struct ReadMeter {
    #[command(id)]
    meter: MeterId,
    units: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize, Command)]
struct CloseMonth {
    #[command(id)]
    meter: MeterId,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Aggregate)]
#[aggregate(id = MeterId, events(MeterRead, MonthClosed), snapshot(on(MonthClosed), version = 3))]
struct Meter {
    units: u64,
}

#[handlers]
impl Meter {
    #[handle(upsert)]
    fn read(_: Option<&Self>, command: ReadMeter) -> MeterRead {
        MeterRead { units: command.units }
    }

    #[apply(upsert)]
    fn was_read(meter: Option<Self>, event: &MeterRead) -> Self {
        Self { units: meter.map_or(0, |meter| meter.units) + event.units }
    }

    #[handle]
    fn close(&self, _: CloseMonth) -> MonthClosed {
        MonthClosed
    }

    #[apply]
    fn closed(&mut self, _: &MonthClosed) {}
}

fn stream() -> StreamId {
    StreamId::of::<Meter>(&"m".into())
}

/// A meter that was read three times, 1 unit each.
async fn meter(stores: impl Into<Stores>) -> CommandBus {
    let bus = CommandBus::new(stores);
    for _ in 0..3 {
        bus.dispatch(ReadMeter { meter: "m".into(), units: 1 }).await.unwrap();
    }
    bus
}

/// A snapshot that says 1,000 units, so that its use can be seen.
async fn telltale(store: &MemoryStore, stream_version: u64) -> StoredSnapshot {
    let page = store.log_page(&ReadAll::after(Position::START)).await.unwrap();
    let index = usize::try_from(stream_version.min(page.events.len() as u64)).unwrap() - 1;
    let data = Payload::new(r#"{"units":1000}"#);
    let fingerprint = Meter::snapshot_shape().map(|state| state.fingerprint.clone());
    StoredSnapshot::new(stream(), stream_version, page.events[index].id, data)
        .with_shape(3, fingerprint)
}

/// The same snapshot, but for one thing.
fn but(snapshot: &StoredSnapshot, change: impl FnOnce(&mut StoredSnapshot)) -> StoredSnapshot {
    let mut changed = snapshot.clone();
    change(&mut changed);
    changed
}

async fn units(store: &MemoryStore) -> u64 {
    Repository::<Meter>::new(store.clone()).load("m").await.unwrap().unwrap().state.units
}

#[tokio::test]
async fn one_is_taken_every_so_many_events() {
    let store = MemoryStore::new();
    let bus = CommandBus::new(store.clone());
    bus.dispatch(OpenAccount { account: "ada".into(), owner: "Ada".into() }).await.unwrap();
    for _ in 0..98 {
        bus.dispatch(Deposit { account: "ada".into(), amount: 1 }).await.unwrap();
    }
    bus.flush().await;
    let stream = StreamId::of::<Account>(&"ada".into());
    assert!(store.load_snapshot(&stream, 1).await.unwrap().is_none(), "99 events");
    bus.dispatch(Deposit { account: "ada".into(), amount: 1 }).await.unwrap();
    bus.flush().await;
    let snapshot = store.load_snapshot(&stream, 1).await.unwrap().unwrap();
    assert_eq!(snapshot.stream_version, 100);
    let state: Account = serde_json::from_str(snapshot.data.as_str()).unwrap();
    assert_eq!(state.balance, 99, "each event once");
    let fingerprint = annals::shape::Shape::of::<Account>().fingerprint();
    assert_eq!(snapshot.fingerprint, Some(fingerprint), "by the state's shape");
}

#[tokio::test]
async fn one_is_taken_after_a_named_event_and_on_demand() {
    let store = MemoryStore::new();
    let bus = meter(store.clone()).await;
    bus.flush().await;
    assert!(store.load_snapshot(&stream(), 3).await.unwrap().is_none());
    bus.dispatch(CloseMonth { meter: "m".into() }).await.unwrap();
    bus.flush().await;
    assert_eq!(store.load_snapshot(&stream(), 3).await.unwrap().unwrap().stream_version, 4);
    bus.dispatch(ReadMeter { meter: "m".into(), units: 1 }).await.unwrap();
    let meters = Repository::<Meter>::new(store.clone());
    assert_eq!(meters.snapshot("m").await.unwrap(), Some(5));
    assert_eq!(store.load_snapshot(&stream(), 3).await.unwrap().unwrap().stream_version, 5);
    assert_eq!(meters.snapshot("nobody").await.unwrap(), None);
}

#[tokio::test]
async fn a_good_one_is_used() {
    let store = MemoryStore::new();
    let bus = meter(store.clone()).await;
    store.save_snapshot(telltale(&store, 2).await).await.unwrap();
    assert_eq!(units(&store).await, 1001);
    bus.dispatch(ReadMeter { meter: "m".into(), units: 1 }).await.unwrap();
    assert_eq!(units(&store).await, 1002);
    store.save_snapshot(telltale(&store, 4).await).await.unwrap();
    assert_eq!(units(&store).await, 1000, "a snapshot of the head has no tail");
}

#[tokio::test]
async fn a_bad_one_counts_as_none_and_is_overwritten_later() {
    let store = MemoryStore::new();
    let bus = meter(store.clone()).await;
    let good = telltale(&store, 2).await;
    let bad = [
        ("broken", but(&good, |it| it.data = Payload::new("{\"units\":"))),
        ("not its state", but(&good, |it| it.data = Payload::new("\"seven\""))),
        ("of another version", but(&good, |it| it.snapshot_version = 2)),
        ("of another shape", but(&good, |it| it.fingerprint = Some(Fingerprint::new("0")))),
        ("of a shape unknown", but(&good, |it| it.fingerprint = None)),
        ("ahead of its stream", telltale(&store, 4).await),
        ("far ahead", telltale(&store, u64::MAX).await),
        ("at version 0", but(&good, |it| it.stream_version = 0)),
        ("of another history", but(&good, |it| it.event_id = uuid::Uuid::from_u128(1))),
    ];
    for (what, snapshot) in bad {
        store.save_snapshot(snapshot).await.unwrap();
        assert_eq!(units(&store).await, 3, "{what}");
        let accepted = bus.dispatch(ReadMeter { meter: "m".into(), units: 0 }).await;
        assert!(accepted.is_ok(), "{what}");
        let meters = Repository::<Meter>::new(store.clone());
        let version = meters.snapshot("m").await.unwrap().unwrap();
        let now = store.load_snapshot(&stream(), 3).await.unwrap().unwrap();
        assert_eq!(now.stream_version, version, "{what}: overwritten");
    }
}

#[tokio::test]
async fn time_travel_goes_behind_a_snapshot() {
    let noon: Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
    let clock = ManualClock::at(noon);
    let store = MemoryStore::builder().clock(clock.clone()).build();
    let bus = meter(store.clone()).await;
    clock.advance(std::time::Duration::from_hours(1));
    bus.dispatch(ReadMeter { meter: "m".into(), units: 1 }).await.unwrap();
    store.save_snapshot(telltale(&store, 4).await).await.unwrap();
    let meters = Repository::<Meter>::new(store);
    assert_eq!(meters.load("m").at_version(2).await.unwrap().unwrap().state.units, 2);
    assert_eq!(meters.load("m").as_of(noon).await.unwrap().unwrap().state.units, 3);
    let later = noon + std::time::Duration::from_hours(2);
    assert_eq!(meters.load("m").as_of(later).await.unwrap().unwrap().state.units, 1000);
    assert_eq!(meters.load("m").at_version(4).await.unwrap().unwrap().state.units, 1000);
}

#[tokio::test]
async fn snapshots_that_fail_fail_no_command() {
    let store = FaultyStore { snapshots_fail: true, ..FaultyStore::default() };
    let bus = meter(store.clone()).await;
    let receipt = bus.dispatch(CloseMonth { meter: "m".into() }).await.unwrap();
    bus.flush().await;
    assert_eq!(receipt.stream_version, 4);
    let meters = Repository::<Meter>::new(store);
    assert_eq!(meters.load("m").await.unwrap().unwrap().state.units, 3);
    assert!(meters.snapshot("m").await.is_err(), "who asks for one is told");
}

#[tokio::test]
async fn they_may_live_in_another_store() {
    let (events, snapshots) = (MemoryStore::new(), MemoryStore::new());
    let bus = meter(Stores::new(events.clone(), snapshots.clone())).await;
    bus.dispatch(CloseMonth { meter: "m".into() }).await.unwrap();
    bus.flush().await;
    assert!(events.load_snapshot(&stream(), 3).await.unwrap().is_none());
    assert!(snapshots.load_snapshot(&stream(), 3).await.unwrap().is_some());
}

#[test]
fn without_a_runtime_a_command_is_done_and_no_snapshot_is_taken() {
    let store = MemoryStore::new();
    let bus = CommandBus::new(store.clone());
    futures::executor::block_on(async {
        bus.dispatch(ReadMeter { meter: "m".into(), units: 1 }).await.unwrap();
        let receipt = bus.dispatch(CloseMonth { meter: "m".into() }).await.unwrap();
        assert_eq!(receipt.stream_version, 2);
        bus.flush().await;
        assert!(store.load_snapshot(&stream(), 3).await.unwrap().is_none());
    });
}

#[derive(Debug, Clone, PartialEq, Deserialize, Aggregate)]
#[aggregate(id = MeterId, events(MeterRead), category = "brittle", snapshot(every = 1))]
struct Brittle;

impl Serialize for Brittle {
    fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        panic!("a state that cannot be written");
    }
}

#[derive(Debug, Clone, Serialize, Deserialize, Command)]
struct ReadBrittle {
    #[command(id)]
    meter: MeterId,
}

#[handlers]
impl Brittle {
    #[handle(upsert)]
    fn read(_: Option<&Self>, _: ReadBrittle) -> MeterRead {
        MeterRead { units: 1 }
    }

    #[apply(upsert)]
    fn was_read(_: Option<Self>, _: &MeterRead) -> Self {
        Self
    }
}

#[tokio::test]
async fn a_snapshot_that_panics_fails_no_command() {
    let bus = CommandBus::new(MemoryStore::new());
    for version in 1..=3 {
        let receipt = bus.dispatch(ReadBrittle { meter: "m".into() }).await.unwrap();
        assert_eq!(receipt.stream_version, version);
    }
    bus.flush().await;
}

/// Counts how often it is read.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Counted;

static READS: AtomicUsize = AtomicUsize::new(0);

impl<'de> Deserialize<'de> for Counted {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        READS.fetch_add(1, Ordering::Relaxed);
        <()>::deserialize(deserializer).map(|()| Self)
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Aggregate)]
#[aggregate(id = MeterId, events(MonthClosed), snapshot(every = 10))]
struct Month {
    closings: Counted,
}

#[handlers]
impl Month {
    #[apply(upsert)]
    fn closed(_: Option<Self>, _: &MonthClosed) -> Self {
        Self { closings: Counted }
    }
}

#[test]
fn the_shape_of_a_state_is_found_when_a_bus_is_built() {
    let builder = CommandBus::builder(MemoryStore::new()).register::<Month>();
    builder.build().unwrap();
    let reads = READS.load(Ordering::Relaxed);
    assert_ne!(reads, 0);
    Month::snapshot_shape().unwrap();
    assert_eq!(READS.load(Ordering::Relaxed), reads, "it is known by then");
}
