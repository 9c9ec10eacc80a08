//! Reading one stream: ranges, both directions, pages.

use annals::{
    Append, Direction, EventStore, EventStoreExt, Expected, Page, ReadStream, RecordedEvent,
    StreamId,
};
use futures::TryStreamExt;

use crate::conformance::broken::{Found, Verdict, ensure, ensure_eq};
use crate::conformance::material::{
    ensure_events, event, events_of, log_of, named, numbers, store_numbers, store_one, stream,
};

/// How many events the stream of these rules has.
const EVENTS: u64 = 10;

pub(super) async fn a_range_of_versions_is_read<S: EventStore>(store: S) -> Verdict {
    let a = filled(&store).await?;
    for (from, to) in ranges() {
        let range = ReadStream::new(a.clone()).from(from).to(to);
        let page = store.stream_page(&range).await?;
        ensure_page(&page, &Part::whole(from.max(1)..=to.min(EVENTS)), &range)?;
        let read: Vec<_> = store.read_stream(&a, from..=to).try_collect().await?;
        ensure_events("the events read as a stream", &read, &page.events)?;
    }
    let all: Vec<_> = store.read_stream(&a, ..).try_collect().await?;
    ensure_eq!(numbers(&all)?, (1..=EVENTS).collect::<Vec<_>>(), "the whole stream");
    let some: Vec<_> = store.read_stream(&a, 3..7).try_collect().await?;
    ensure_eq!(numbers(&some)?, vec![3, 4, 5, 6], "versions 3..7");
    Ok(())
}

pub(super) async fn a_range_is_read_backwards<S: EventStore>(store: S) -> Verdict {
    let a = filled(&store).await?;
    for (from, to) in ranges() {
        let range = ReadStream::new(a.clone()).from(from).to(to).backwards();
        let page = store.stream_page(&range).await?;
        ensure_page(&page, &Part::whole((from.max(1)..=to.min(EVENTS)).rev()), &range)?;
        let read: Vec<_> = store.read_stream_backwards(&a, from..=to).try_collect().await?;
        ensure_events("the events read backwards as a stream", &read, &page.events)?;
    }
    Ok(())
}

pub(super) async fn pages_lose_and_repeat_nothing<S: EventStore>(store: S) -> Verdict {
    let a = filled(&store).await?;
    for direction in [Direction::Forwards, Direction::Backwards] {
        for limit in [1, 2, 3, 4, 5, 9, 10, 11, usize::MAX] {
            for (from, to) in [(1, EVENTS), (1, u64::MAX), (2, 9), (5, 5)] {
                let mut read = ReadStream::new(a.clone()).from(from).to(to).limit(limit);
                read.direction = direction;
                ensure_paged(&store, read).await?;
            }
        }
    }
    Ok(())
}

pub(super) async fn what_is_not_there_is_an_empty_page<S: EventStore>(store: S) -> Verdict {
    let a = filled(&store).await?;
    let unknown = stream("unknown");
    let reads = [
        ReadStream::new(unknown.clone()),
        ReadStream::new(unknown.clone()).from(3).to(5).limit(1),
        ReadStream::new(a.clone()).from(EVENTS + 1),
        ReadStream::new(a.clone()).from(EVENTS + 1).to(EVENTS + 5).limit(1),
        ReadStream::new(a.clone()).from(u64::MAX),
        ReadStream::new(a.clone()).to(0),
        ReadStream::new(a.clone()).from(0).to(0).limit(1),
        ReadStream::new(a).from(7).to(3),
    ];
    for read in reads {
        for read in [read.clone(), read.backwards()] {
            let page = store.stream_page(&read).await?;
            ensure_page(&page, &Part::whole([]), &read)?;
        }
    }
    ensure_eq!(events_of(&store, &unknown).await?, Vec::new(), "the events of an unknown stream");
    Ok(())
}

pub(super) async fn an_event_is_the_same_in_stream_and_log<S: EventStore>(store: S) -> Verdict {
    let (a, b) = (stream("a"), stream("b"));
    for number in 1..=5 {
        store_numbers(&store, &b, [number]).await?;
        let events = vec![event(number), named("ConformanceNamed", number)];
        store_one(&store, Append::new(a.clone(), Expected::Any, events)).await?;
    }
    let log = log_of(&store).await?;
    for stream_id in [&a, &b] {
        let in_log: Vec<RecordedEvent> =
            log.iter().filter(|event| event.stream_id == *stream_id).cloned().collect();
        let in_stream = events_of(&store, stream_id).await?;
        ensure_events(format_args!("`{stream_id}` in the log"), &in_log, &in_stream)?;
    }
    Ok(())
}

/// Fills a stream, between events of others.
async fn filled(store: &impl EventStore) -> Result<StreamId, Found> {
    let (a, other) = (stream("a"), stream("a-"));
    for number in 1..=EVENTS / 2 {
        store_numbers(store, &other, [90 + number]).await?;
        store_numbers(store, &a, [number * 2 - 1, number * 2]).await?;
    }
    Ok(a)
}

fn ranges() -> [(u64, u64); 9] {
    [
        (1, EVENTS),
        (0, u64::MAX),
        (1, 1),
        (EVENTS, EVENTS),
        (3, 6),
        (EVENTS - 1, EVENTS + 1),
        (EVENTS, u64::MAX),
        (0, 1),
        (5, 5),
    ]
}

/// Ends the rule unless the pages of a read have all events of its part of the stream, once each and in its direction.
async fn ensure_paged(store: &impl EventStore, read: ReadStream) -> Verdict {
    let mut left: Vec<u64> = (read.from..=EVENTS.min(read.to)).collect();
    if read.direction == Direction::Backwards {
        left.reverse();
    }
    let mut next = Some(read);
    while let Some(read) = next {
        let page = store.stream_page(&read).await?;
        let (count, limit) = (page.events.len(), read.limit);
        ensure!(count <= limit, "a page of {count} events, of at most {limit}");
        ensure!(count > 0 || left.is_empty(), "an empty page, though {left:?} are left: {read:?}");
        let rest = left.split_off(count.min(left.len()));
        ensure_page(&page, &Part { versions: left, more: !rest.is_empty() }, &read)?;
        left = rest;
        next = read.following(&page)?;
    }
    ensure_eq!(left, Vec::<u64>::new(), "what the pages left out");
    Ok(())
}

/// What a page has to be.
struct Part {
    versions: Vec<u64>,
    more: bool,
}

impl Part {
    /// All that was asked for.
    fn whole(versions: impl IntoIterator<Item = u64>) -> Self {
        Self { versions: versions.into_iter().collect(), more: false }
    }
}

/// Ends the rule unless a page has just these versions, whose events say them too.
fn ensure_page(page: &Page, expected: &Part, read: &ReadStream) -> Verdict {
    let versions: Vec<u64> = page.events.iter().map(|event| event.stream_version).collect();
    ensure_eq!(versions, expected.versions, "{read:?}: the versions");
    ensure_eq!(numbers(&page.events)?, expected.versions, "{read:?}: what the events say");
    ensure_eq!(page.more, expected.more, "{read:?}: whether there is more");
    Ok(())
}
