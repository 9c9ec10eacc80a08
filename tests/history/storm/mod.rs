//! Storms: writers and readers that do at random what programs do, on any store, for a while.

mod reader;
mod subscriber;
mod weather;
mod writer;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use annals::projection::ModelDefinition;
use annals::read_model::{ColumnKind, ModelTable, RowKey, Table, TableColumn, Value};
use annals::{EventStore, EventStoreExt, Position, ReadAll, StreamId};
use fastrand::Rng;
use futures::TryStreamExt;
use tokio::sync::watch;

pub use self::weather::Weather;
use super::check::{Fault, check};
use super::record::{Entry, History, Reading, Told};

const WRITERS: usize = 16;
const READERS: usize = 4;
/// How many wait for one durable subscription.
const OWNERS: usize = 3;

/// How many streams all writers write to, beside those of their own.
const STREAMS: usize = 8;

/// The table of the rows that are written together with events.
const ROWS: ModelTable = ModelTable {
    table: &Table::new("storm", &[TableColumn::new("key", ColumnKind::Text, false)], &[0]),
    version: 1,
    generation: 1,
};

fn key(key: String) -> RowKey {
    RowKey(vec![Value::Text(key)])
}

/// How long the table of the rows may take to be made, in any weather.
const PREPARED: Duration = Duration::from_secs(30);

/// How many faults of a history are shown.
const SHOWN: usize = 20;

/// Runs a storm on a store, and reads what is there in the end from another handle of it.
///
/// The seed decides what writers and readers want to do; how they meet, the machine decides.
pub async fn storm<S, C>(
    name: &str,
    weather: Weather,
    store: S,
    calm: impl AsyncFnOnce() -> C,
) -> History
where
    S: EventStore + Clone,
    C: EventStore,
{
    let Weather { seed, length, .. } = weather;
    let begun = Instant::now();
    println!("storm `{name}`: ANNALS_STORM_SEED={seed}, {length:?}");
    if let Some(units) = store.unit_of_work() {
        let ModelTable { table, version, .. } = ROWS;
        let definition = ModelDefinition::new(table.name, version, Some(table), Vec::new());
        // The weather is there already, so that this may be cut off as well.
        while let Err(error) = units.prepare(&definition).await {
            assert!(error.is_unavailable(), "the table is made: {error:?}");
            assert!(begun.elapsed() < PREPARED, "the table is made: {error:?}");
        }
    }
    let mut rng = Rng::with_seed(seed);
    let until = Instant::now() + length;
    let (tell_end, end) = watch::channel(None);
    let readers: Vec<_> = (0..READERS)
        .map(|number| {
            let start = if number + 1 == READERS { length / 2 } else { Duration::ZERO };
            let reader = reader::Reader::new(number, rng.fork(), start);
            tokio::spawn(reader.read(store.clone(), end.clone()))
        })
        .collect();
    let writers: Vec<_> = (0..WRITERS)
        .map(|number| {
            let writer = writer::Writer::new(number, rng.fork(), weather.clone());
            tokio::spawn(writer.write(store.clone(), until))
        })
        .collect();
    let subscriber = subscriber::Subscriber::new(rng.fork());
    let subscriber = tokio::spawn(subscriber.read(store.clone(), end.clone()));
    let count = Arc::new(AtomicU64::new(0));
    let owners = if store.unit_of_work().is_some() { OWNERS } else { 0 };
    let owners: Vec<_> = (0..owners)
        .map(|number| {
            let owner = subscriber::Owner::new(number, rng.fork(), count.clone());
            tokio::spawn(owner.read(store.clone(), end.clone()))
        })
        .collect();
    let mut history = History::default();
    for writer in writers {
        history.calls.extend(writer.await.expect("a writer does not panic"));
    }
    let store = calm().await;
    look(&store, &mut history).await;
    tell_end.send_replace(Some(history.log.last().map_or(0, |last| last.position)));
    for reader in readers {
        let reading: Reading = reader.await.expect("a reader does not panic");
        history.readings.push(reading);
    }
    history.readings.push(subscriber.await.expect("a subscriber does not panic"));
    for owner in owners {
        history.sessions.extend(owner.await.expect("an owner does not panic"));
    }
    println!("storm `{name}`: {}", summary(&history));
    history
}

/// Fails the test if anything is wrong with a history, and if nothing happened in it.
pub fn assert_sound(history: &History) {
    let faults = check(history);
    assert!(faults.is_empty(), "{}", describe(&faults));
    assert!(history.log.len() > 50, "a storm in which nothing happens proves nothing");
}

fn describe(faults: &[Fault]) -> String {
    let mut lines = format!("{} faults", faults.len());
    for fault in faults.iter().take(SHOWN) {
        _ = write!(lines, "\n{fault}");
    }
    lines
}

/// Reads all that is there, once nothing changes any more.
async fn look(store: &impl EventStore, history: &mut History) {
    let mut log = log_of(store).await;
    loop {
        // What a caller sent that is gone may still be on its way.
        tokio::time::sleep(Duration::from_millis(200)).await;
        let again = log_of(store).await;
        if again == log {
            break;
        }
        log = again;
    }
    history.log = log;
    let mut streams: Vec<StreamId> = Vec::new();
    let mut keys: Vec<(StreamId, String)> = Vec::new();
    for sent in history.calls.iter().flat_map(|call| &call.sent) {
        streams.push(sent.stream_id.clone());
        keys.extend(sent.key.clone().map(|key| (sent.stream_id.clone(), key)));
    }
    streams.sort_unstable();
    streams.dedup();
    keys.sort_unstable();
    keys.dedup();
    for stream_id in streams {
        let events: Vec<_> =
            store.read_stream(&stream_id, ..).try_collect().await.expect("a stream is read");
        history.streams.push((stream_id, events.iter().map(Entry::from).collect()));
    }
    if let Some(units) = store.unit_of_work() {
        let keys = history.calls.iter().filter_map(|call| call.row.clone()).map(key);
        let keys: Vec<RowKey> = keys.collect();
        let rows = units.rows(&ROWS, &keys, &[]).await.expect("rows are read");
        history.rows = rows.iter().map(|row| ROWS.table.key_of(row).to_string()).collect();
    }
    for (stream_id, key) in keys {
        let kept = store.find_key(&stream_id, &key).await.expect("a key is looked up");
        history.keys.push((stream_id, key, kept.map(|entry| entry.receipt)));
    }
}

async fn log_of(store: &impl EventStore) -> Vec<Entry> {
    let log = store.read_all(ReadAll::after(Position::START));
    log.map_ok(|event| Entry::from(&event)).try_collect().await.expect("the log is read")
}

/// How often each answer came: a storm that never made a conflict did not look for one.
fn summary(history: &History) -> String {
    let mut answers: BTreeMap<String, usize> = BTreeMap::new();
    for told in history.calls.iter().flat_map(|call| &call.told) {
        let answer = match told {
            Told::Stored(_) => "stored".to_owned(),
            Told::Conflict(_) => "conflict".to_owned(),
            Told::KeyUsed { .. } => "key in use".to_owned(),
            Told::Failed(why) => format!("failed ({})", without_numbers(why)),
            Told::Unknown(why) => format!("unknown ({})", without_numbers(why)),
            Told::Silence => "no answer".to_owned(),
        };
        *answers.entry(answer).or_default() += 1;
    }
    let again = history.calls.iter().filter(|call| call.told.len() > 1).count();
    let (events, sessions) = (history.log.len(), history.sessions.len());
    format!(
        "{events} events; {sessions} owners of the subscription; {again} calls were sent again; told {answers:#?}"
    )
}

/// A message without what differs from one time to the next.
fn without_numbers(message: &str) -> String {
    message.replace(|sign: char| sign.is_ascii_digit(), "")
}
