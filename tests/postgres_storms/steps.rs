//! Connections cut at each step of an append and of a unit of work: at each byte that a store sends and at each that it is
//! sent, and so before, during and after its COMMIT.

use std::time::{Duration, Instant};

use annals::projection::ModelDefinition;
use annals::read_model::{ColumnKind, ModelTable, Row, RowKey, Table, TableColumn, Value};
use annals::{
    Append, EventStore, EventStoreExt, Expected, NewEvent, Payload, ReadModelStore, Receipt,
    RowChange, StreamId, UnitOfWork, UnitOfWorkStore, WriteError,
};
use annals_postgres::PostgresStore;
use annals_postgres::testing::TestDatabase;
use futures::TryStreamExt;
use uuid::Uuid;

use crate::history::storm::Weather;
use crate::proxy::{Cuts, Proxy, Way};
use crate::{builder, migrated};

/// The table of the rows that units write.
const ROWS: ModelTable = ModelTable {
    table: &Table::new("cut", &[TableColumn::new("id", ColumnKind::Uuid, false)], &[0]),
    version: 1,
    generation: 1,
};

/// The bytes between two cuts, at first.
const STEP: usize = 61;

/// What is sent and answered, with a connection made anew, is shorter.
const LONGEST: usize = 4_000;

/// How a write ended whose connection was cut.
#[derive(Debug, Default)]
struct Ends {
    stored: u32,
    unknown: u32,
    failed: u32,
}

/// What is sent while connections are cut.
#[derive(Debug, Clone, Copy)]
enum Sends {
    /// One statement, which is a transaction of its own.
    Appends,
    /// Several statements from BEGIN to COMMIT.
    Units,
}

impl Sends {
    async fn send(self, store: &PostgresStore, append: Append) -> Result<Vec<Receipt>, WriteError> {
        match self {
            Self::Appends => store.append(vec![append]).await,
            Self::Units => {
                let row = Row(vec![Value::Uuid(append.events[0].id)]);
                let row = RowChange::Upsert { table: ROWS, row };
                store.commit(UnitOfWork::new().append(append).row(row)).await
            }
        }
    }
}

/// What connections are cut between, and how.
struct Cutter {
    sends: Sends,
    store: PostgresStore,
    proxy: Proxy,
    /// The same database without the proxy.
    end: PostgresStore,
    ends: Ends,
}

impl Cutter {
    /// Cuts a connection after so many bytes, and holds what the writer is told against what is there.
    async fn check(&mut self, way: Way, bytes: usize) {
        let Self { sends, store, proxy, end, ends } = self;
        // A connection is there: the cut meets what is sent, or what is done about its loss.
        while sends.send(store, append()).await.is_err() {}
        let append = append();
        let (stream_id, id) = (append.stream_id.clone(), append.events[0].id);
        proxy.set(Cuts::After(way, bytes));
        let answer = sends.send(store, append.clone()).await;
        proxy.set(Cuts::None);
        let there = async || -> Vec<Uuid> {
            let events = end.read_stream(&stream_id, ..).map_ok(|event| event.id);
            events.try_collect().await.expect("the stream is read")
        };
        match answer {
            Ok(_) => {
                ends.stored += 1;
                assert_eq!(there().await, [id], "{way:?} {bytes}: told stored");
            }
            Err(WriteError::UnknownOutcome { .. }) => {
                ends.unknown += 1;
                // Sent again, it is there once, whatever became of the first try, which may still be under way.
                let receipts = sends.send(store, append).await;
                let receipts =
                    receipts.unwrap_or_else(|error| panic!("{way:?} {bytes}: {error:?}"));
                assert_eq!((receipts.len(), receipts[0].stream_version), (1, 1), "{way:?} {bytes}");
                assert_eq!(there().await, [id], "{way:?} {bytes}: sent again");
            }
            Err(WriteError::Store(error)) => {
                ends.failed += 1;
                // Longer than a server needs to do what it still has.
                tokio::time::sleep(Duration::from_millis(50)).await;
                assert_eq!(there().await, Vec::<Uuid>::new(), "{way:?} {bytes}: told {error:?}");
            }
            Err(error) => panic!("{way:?} {bytes}: nothing else can have come of it: {error:?}"),
        }
        let key = RowKey(vec![Value::Uuid(id)]);
        let rows = end.rows(&ROWS, &[key], &[]).await.expect("the row is read");
        let expected = matches!(sends, Sends::Units) && !there().await.is_empty();
        assert_eq!(!rows.is_empty(), expected, "{way:?} {bytes}: the row");
    }
}

/// An append of one event to a stream of its own.
fn append() -> Append {
    let event = NewEvent::new(Uuid::now_v7(), "Cut", 1, Payload::new("{}"));
    Append::new(StreamId::new("cut", event.id), Expected::NoStream, vec![event])
}

async fn cut_at_each_byte(sends: Sends, patience: Duration) -> Ends {
    let database = TestDatabase::on_own_server().await.expect("a database");
    let end = migrated(database.url()).await;
    let definition = ModelDefinition::new(ROWS.table.name, ROWS.version, Some(ROWS.table), vec![]);
    end.prepare(&definition).await.expect("the table is made");
    let proxy = Proxy::start(database.url()).await.expect("a port is free");
    let store = builder().max_connections(1).patience(patience);
    let store = store.connect(&proxy.url(database.url())).await.expect("the server can be reached");
    let mut cutter = Cutter { sends, store, proxy, end, ends: Ends::default() };
    let until = Instant::now() + Weather::of_the_day().length;
    // In steps that come to each byte in the end, if there is time.
    'cuts: for start in 0..STEP {
        for bytes in (start..LONGEST).step_by(STEP) {
            cutter.check(Way::ToServer, bytes).await;
            // What comes back is shorter.
            cutter.check(Way::ToClient, bytes / 4).await;
            if Instant::now() >= until {
                break 'cuts;
            }
        }
    }
    println!("{sends:?} cut at each byte, with patience for {patience:?}: {:?}", cutter.ends);
    cutter.ends
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_of_cuts_at_each_byte_of_an_append() {
    let ends = cut_at_each_byte(Sends::Appends, Duration::from_secs(5)).await;
    assert!(ends.stored > 0 && ends.unknown == 0 && ends.failed == 0, "{ends:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_of_cuts_at_each_byte_of_an_append_that_is_not_sent_again() {
    let ends = cut_at_each_byte(Sends::Appends, Duration::ZERO).await;
    assert!(ends.stored > 0 && ends.unknown > 0, "{ends:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_of_cuts_at_each_byte_of_a_unit() {
    let ends = cut_at_each_byte(Sends::Units, Duration::from_secs(5)).await;
    assert!(ends.stored > 0 && ends.unknown == 0, "{ends:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_of_cuts_at_each_byte_of_a_unit_that_is_not_sent_again() {
    let ends = cut_at_each_byte(Sends::Units, Duration::ZERO).await;
    assert!(ends.stored > 0 && ends.unknown > 0, "{ends:?}");
}
