//! Whatever reads a stream takes the way up: repositories, the bus, time travel, the tail after a snapshot.

use std::time::Duration;

use annals::prelude::*;
use annals::{Append, Clock, Expected, ManualClock, NewEvent, Payload};
use futures::TryStreamExt;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(version = 3, upcast(from = 1, with = from_text), readable_from = 2)]
struct Saved {
    cents: i64,
    #[event(since = 3, default = 1)]
    times: i64,
}

fn from_text(old: Value) -> Result<Value, UpcastError> {
    let cents = old["cents"].as_str().and_then(|cents| cents.parse::<i64>().ok());
    Ok(json!({ "cents": cents.ok_or_else(|| UpcastError::new("`cents` is not a number"))? }))
}

#[derive(Debug, Clone, Serialize, Deserialize, Command)]
struct Save {
    #[command(id)]
    jar: String,
    cents: i64,
}

#[derive(Debug, PartialEq, Serialize, Deserialize, Aggregate)]
#[aggregate(id = String, events(Saved), snapshot())]
struct SavingJar {
    cents: i64,
}

#[handlers]
impl SavingJar {
    #[handle(upsert)]
    fn save(jar: Option<&Self>, command: Save) -> Saved {
        // What was stored by other releases decides.
        Saved { cents: command.cents + jar.map_or(0, |jar| jar.cents), times: 1 }
    }

    #[apply(upsert)]
    fn saved(jar: Option<Self>, event: &Saved) -> Self {
        Self { cents: jar.map_or(0, |jar| jar.cents) + event.cents * event.times }
    }
}

async fn store(store: &MemoryStore, stored: &[(u32, u32, &str)]) {
    let events = stored.iter().map(|(version, readable_from, json)| {
        NewEvent::new(uuid::Uuid::now_v7(), "Saved", *version, Payload::new(*json))
            .with_readable_from(*readable_from)
    });
    let stream = StreamId::of::<SavingJar>(&"red".to_owned());
    let append = Append::new(stream, Expected::Any, events.collect());
    store.append(vec![append]).await.unwrap();
}

const OLD: [(u32, u32, &str); 2] = [(1, 1, r#"{"cents":"5"}"#), (2, 2, r#"{"cents":7}"#)];

#[tokio::test]
async fn repositories_and_the_bus_read_every_version() {
    let log = MemoryStore::new();
    store(&log, &OLD).await;
    // From a release that is newer than this one.
    store(&log, &[(4, 3, r#"{"cents":1,"times":2,"colour":"red"}"#)]).await;
    let jars = Repository::<SavingJar>::new(log.clone());
    assert_eq!(jars.load("red").await.unwrap().unwrap().state.cents, 14);

    let bus = CommandBus::builder(log.clone()).register::<SavingJar>().build().unwrap();
    bus.dispatch(Save { jar: "red".into(), cents: 1 }).await.unwrap();
    assert_eq!(jars.load("red").await.unwrap().unwrap().state.cents, 29);
    let recorded = log.read_stream(&StreamId::of::<SavingJar>(&"red".to_owned()), ..);
    let events: Vec<RecordedEvent> = recorded.try_collect().await.unwrap();
    let stored: Vec<_> =
        events.iter().map(|event| (event.schema_version, event.readable_from)).collect();
    assert_eq!(stored, [(1, 1), (2, 2), (4, 3), (3, 2)], "what is stored is not rewritten");
    assert_eq!(events[0].data.as_str(), OLD[0].2);
    let decoded: Option<SavingJarEvent> = log.decode(&events[0]).unwrap();
    assert!(
        matches!(decoded, Some(SavingJarEvent::Saved(Saved { cents: 5, times: 1 }))),
        "{decoded:?}"
    );
}

#[tokio::test]
async fn time_travel_reads_every_version() {
    let clock = ManualClock::at("2026-03-01T12:00:00Z".parse().unwrap());
    let log = MemoryStore::builder().clock(clock.clone()).build();
    let mut instants = Vec::new();
    for stored in [OLD[0], OLD[1], (4, 3, r#"{"cents":1,"times":2,"colour":"red"}"#)] {
        store(&log, &[stored]).await;
        instants.push(clock.now());
        clock.advance(Duration::from_mins(1));
    }
    let jars = Repository::<SavingJar>::new(log);
    let minute = Duration::from_mins(1);
    assert!(jars.load("red").as_of(instants[0] - minute).await.unwrap().is_none());
    for (version, (instant, cents)) in (1..).zip(instants.into_iter().zip([5, 12, 14])) {
        let then = jars.load("red").at_version(version).await.unwrap().unwrap();
        assert_eq!(then.state.cents, cents, "at version {version}");
        // The state stays until the next event, a minute later.
        for instant in [instant, instant + minute / 2] {
            let then = jars.load("red").as_of(instant).await.unwrap().unwrap();
            assert_eq!(
                (then.stream_version, then.state.cents),
                (version, cents),
                "as of {instant}"
            );
        }
    }
}

#[tokio::test]
async fn a_history_takes_the_way_up() {
    let log = MemoryStore::new();
    store(&log, &OLD).await;
    let jars = Repository::<SavingJar>::new(log.clone());
    let history: Vec<_> = jars.history("red").try_collect().await.unwrap();
    let told: Vec<_> = history
        .iter()
        .map(|(recorded, SavingJarEvent::Saved(saved))| (recorded.schema_version, saved.clone()))
        .collect();
    let expected = [(1, Saved { cents: 5, times: 1 }), (2, Saved { cents: 7, times: 1 })];
    assert_eq!(told, expected);

    store(&log, &[(1, 1, r#"{"cents":"many"}"#)]).await;
    let mut history = jars.history("red");
    for _ in 0..2 {
        history.try_next().await.unwrap().unwrap();
    }
    let error = history.try_next().await.unwrap_err().to_string();
    assert!(error.ends_with("Saved: version 1 to 2: `cents` is not a number"), "{error}");
}

#[tokio::test]
async fn a_subscription_decodes_every_version() {
    let log = MemoryStore::new();
    store(&log, &OLD).await;
    let mut subscription = log.subscribe().event_types(["Saved"]).await.unwrap();
    let mut read = async || {
        let recorded = subscription.try_next().await.unwrap().unwrap();
        let version = recorded.schema_version;
        log.decode::<SavingJarEvent>(&recorded).map(|event| (version, event))
    };
    let saved = |read: (u32, Option<SavingJarEvent>)| match read {
        (version, Some(SavingJarEvent::Saved(saved))) => (version, saved),
        other => panic!("not listed: {other:?}"),
    };
    assert_eq!(saved(read().await.unwrap()), (1, Saved { cents: 5, times: 1 }));
    assert_eq!(saved(read().await.unwrap()), (2, Saved { cents: 7, times: 1 }));
    // What is stored while it waits, by a release before this one and by one after it.
    store(&log, &[(1, 1, r#"{"cents":"3"}"#), (4, 3, r#"{"cents":1,"times":2}"#)]).await;
    store(&log, &[(4, 4, r#"{"cents":1}"#)]).await;
    assert_eq!(saved(read().await.unwrap()), (1, Saved { cents: 3, times: 1 }));
    assert_eq!(saved(read().await.unwrap()), (4, Saved { cents: 1, times: 2 }));
    let error = read().await.unwrap_err().to_string();
    assert!(
        error.ends_with("Saved: stored at version 4, this program knows up to version 3"),
        "{error}"
    );
}

#[tokio::test]
async fn the_tail_after_a_snapshot_takes_the_way_up() {
    let log = MemoryStore::new();
    store(&log, &OLD).await;
    let jars = Repository::<SavingJar>::new(log.clone());
    jars.snapshot("red").await.unwrap();
    store(&log, &[(1, 1, r#"{"cents":"3"}"#)]).await;
    assert_eq!(jars.load("red").await.unwrap().unwrap().state.cents, 15);
    store(&log, &[(1, 1, r#"{"cents":"many"}"#)]).await;
    let error = jars.load("red").await.unwrap_err().to_string();
    assert!(
        error.ends_with("Saved: version 1 to 2: `cents` is not a number"),
        "the message joins the whole chain: {error}"
    );
}

#[tokio::test]
async fn what_no_reader_of_this_version_reads_stops_the_load() {
    let log = MemoryStore::new();
    store(&log, &[(4, 4, r#"{"cents":1}"#)]).await;
    let error = Repository::<SavingJar>::new(log).load("red").await.unwrap_err().to_string();
    assert!(
        error.ends_with("Saved: stored at version 4, this program knows up to version 3"),
        "{error}"
    );
}
