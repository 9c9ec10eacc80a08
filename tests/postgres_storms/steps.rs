//! Connections cut at each step of an append: at each byte that a store sends and at each that it is sent.

use std::time::{Duration, Instant};

use annals::{
    Append, EventStore, EventStoreExt, Expected, NewEvent, Payload, StreamId, WriteError,
};
use annals_postgres::testing::TestDatabase;
use futures::TryStreamExt;
use uuid::Uuid;

use crate::history::storm::Weather;
use crate::proxy::{Cuts, Proxy, Way};
use crate::{builder, migrated};

/// How an append ended whose connection was cut.
#[derive(Debug, Default)]
struct Ends {
    stored: u32,
    unknown: u32,
    unknown_and_there: u32,
    failed: u32,
}

/// Cuts the connection of one append after so many bytes, and holds what its writer is told against what is there.
async fn check(
    (store, end, proxy): (&impl EventStore, &impl EventStore, &Proxy),
    (way, bytes): (Way, usize),
    ends: &mut Ends,
) {
    // A connection is there: the cut meets the append, or what is done about its loss.
    while store.append(vec![append()]).await.is_err() {}
    let append = append();
    let (stream_id, id) = (append.stream_id.clone(), append.events[0].id);
    proxy.set(Cuts::After(way, bytes));
    let answer = store.append(vec![append.clone()]).await;
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
            let receipts = store.append(vec![append]).await;
            ends.unknown_and_there += u32::from(receipts.is_ok());
            let receipts = receipts.unwrap_or_else(|error| panic!("{way:?} {bytes}: {error:?}"));
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
}

/// An append of one event to a stream of its own.
fn append() -> Append {
    let event = NewEvent::new(Uuid::now_v7(), "Cut", 1, Payload::new("{}"));
    Append::new(StreamId::new("cut", event.id), Expected::NoStream, vec![event])
}

async fn cut_at_each_byte(patience: Duration) -> Ends {
    let database = TestDatabase::on_own_server().await.expect("a database");
    let end = migrated(database.url()).await;
    let proxy = Proxy::start(database.url()).await.expect("a port is free");
    let store = builder().patience(patience).connect(&proxy.url(database.url())).await;
    let store = store.expect("the server can be reached");
    let weather = Weather::of_the_day();
    let until = Instant::now() + weather.length;
    let mut ends = Ends::default();
    // In steps that come to each byte in the end, if there is time; a connection is made with fewer than these.
    for start in 0.. {
        let mut places = (start..3_000).step_by(61).peekable();
        if places.peek().is_none() || start >= 61 || Instant::now() >= until {
            break;
        }
        for bytes in places {
            check((&store, &end, &proxy), (Way::ToServer, bytes), &mut ends).await;
            // The answer is shorter than the statement.
            check((&store, &end, &proxy), (Way::ToClient, bytes / 6), &mut ends).await;
            if Instant::now() >= until {
                break;
            }
        }
    }
    println!("cut at each byte, with patience for {patience:?}: {ends:?}");
    ends
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_of_cuts_at_each_byte_of_an_append() {
    let ends = cut_at_each_byte(Duration::from_secs(5)).await;
    assert!(ends.stored > 0 && ends.unknown == 0 && ends.failed == 0, "{ends:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_of_cuts_at_each_byte_of_an_append_that_is_not_sent_again() {
    let ends = cut_at_each_byte(Duration::ZERO).await;
    assert!(ends.stored > 0 && ends.unknown > 0, "{ends:?}");
}
