//! Reading the log: all events in one order, from any position, through a filter.

use std::collections::HashMap;

use annals::{
    Append, EventFilter, EventStore, Expected, Position, ReadAll, RecordedEvent, StreamId,
};

use crate::conformance::broken::{Found, Verdict, ensure, ensure_eq};
use crate::conformance::material::{
    COUNTED, append, ensure_events, ensure_rising, filtered, log_of, named, number, numbers,
    store_numbers, store_one, stream,
};

const RARE: &str = "ConformanceRare";

pub(super) async fn the_first_event_of_a_virgin_store_is_read<S: EventStore>(store: S) -> Verdict {
    ensure_eq!(store.head().await?, Position::START, "the head of a virgin store");
    let page = store.log_page(&ReadAll::after(Position::START)).await?;
    ensure_eq!((page.events.len(), page.more), (0, false), "the page of a virgin store");
    ensure_eq!(page.reached, Position::START, "where a reader of a virgin store stands");

    let receipt = store_numbers(&store, &stream("a"), [1]).await?;
    ensure!(receipt.position > Position::START, "the first event has position 0");
    ensure!(store.head().await? >= receipt.position, "the head is before the first event");
    let page = store.log_page(&ReadAll::after(page.reached)).await?;
    ensure_eq!(numbers(&page.events)?, vec![1], "what the reader sees of the first event");
    Ok(())
}

pub(super) async fn the_log_has_each_event_once_in_order<S: EventStore>(store: S) -> Verdict {
    let streams = ["a", "b", "c"].map(stream);
    let mut stored = 0;
    for round in 0..30_u64 {
        let call = streams.iter().enumerate().filter(|(index, _)| round % (*index as u64 + 1) == 0);
        let call: Vec<Append> = call
            .map(|(_, stream)| append(stream, Expected::Any, round..=round + round % 3))
            .collect();
        stored += call.iter().map(|append| append.events.len()).sum::<usize>();
        let receipts = store.append(call).await?;
        // An append that fails may use a position up; what matters is that nobody waits for it.
        let stale = append(&streams[0], Expected::NoStream, [99]);
        stored += store_one(&store, stale).await.map_or(0, |_| 1);
        let last = receipts.iter().map(|receipt| receipt.position).max();
        ensure!(last <= Some(store.head().await?), "the head is before what was stored");
    }
    let log = log_of(&store).await?;
    ensure_eq!(log.len(), stored, "the number of events in the log");
    ensure_rising(&log)?;
    let mut versions: HashMap<&StreamId, u64> = HashMap::new();
    for event in &log {
        let version = versions.entry(&event.stream_id).or_default();
        *version += 1;
        let of = (&event.stream_id, event.position);
        ensure_eq!(event.stream_version, *version, "the version of the next event of {of:?}");
    }
    Ok(())
}

pub(super) async fn the_log_is_read_after_any_position<S: EventStore>(store: S) -> Verdict {
    for number in 1..=7 {
        store_numbers(&store, &stream(&format!("a-{}", number % 3)), [number, number + 10]).await?;
    }
    let log = log_of(&store).await?;
    ensure_eq!(log.len(), 14, "the number of events in the log");
    let positions = std::iter::once(Position::START).chain(log.iter().map(|event| event.position));
    for (index, after) in positions.enumerate() {
        for limit in [1, 2, 5, log.len(), usize::MAX] {
            let read = ReadAll::after(after).limit(limit);
            let events = paged(&store, read).await?;
            let what = format_args!("the log after {after} in pages of {limit}");
            ensure_events(what, &events, &log[index..])?;
        }
    }
    Ok(())
}

pub(super) async fn the_log_is_filtered_by_names_and_categories<S: EventStore>(
    store: S,
) -> Verdict {
    let categories = ["conformance", "conformance_b", "conformancexb", "Conformance", "conf"];
    let names = [COUNTED, RARE, "ConformanceRar_", "conformancerare", "Conformance"];
    for (round, category) in (0..).zip(categories.into_iter().cycle().take(25)) {
        let name = names[(round / 5) % 5];
        let events = vec![named(name, round as u64)];
        let append = Append::new(StreamId::new(category, "a-b"), Expected::Any, events);
        store_one(&store, append).await?;
    }
    let all = log_of(&store).await?;
    ensure_eq!(all.len(), 25, "the number of events in the log");
    let filters = [
        EventFilter::all(),
        EventFilter::all().event_types([RARE]),
        EventFilter::all().event_types(["ConformanceRar_"]),
        EventFilter::all().event_types([RARE, COUNTED, "ConformanceNobodyStored"]),
        EventFilter::all().event_types(["ConformanceNobodyStored"]),
        EventFilter::all().event_types(["' or true --", "%"]),
        EventFilter::all().event_types(Vec::<String>::new()),
        EventFilter::all().categories(["conformance_b"]),
        EventFilter::all().categories(["conformance", "conf"]),
        EventFilter::all().categories(["conf%"]),
        EventFilter::all().categories(Vec::<String>::new()),
        EventFilter::all().event_types([RARE]).categories(["conformance_b"]),
        EventFilter::all().event_types([RARE, COUNTED]).categories(["conf", "Conformance"]),
        EventFilter::all().event_types(["ConformanceNobodyStored"]).categories(["conf"]),
    ];
    for filter in filters {
        let expected: Vec<RecordedEvent> = all
            .iter()
            .filter(|event| filter.matches(&event.event_type, &event.stream_id))
            .cloned()
            .collect();
        let found = filtered(&store, filter.clone()).await?;
        ensure_events(format_args!("the log through {filter:?}"), &found, &expected)?;
    }
    Ok(())
}

pub(super) async fn the_log_is_filtered_by_streams<S: EventStore>(store: S) -> Verdict {
    let (a, long) = (stream("a"), stream("long"));
    let other = StreamId::new("conformance_b", "a");
    let alike = ["A", "a-1", "a%", "long' or true --"].map(stream);
    for round in 0..20 {
        store_numbers(&store, &long, round * 3..round * 3 + 3).await?;
        if round % 4 == 0 {
            store_one(&store, Append::new(a.clone(), Expected::Any, vec![named(RARE, round)]))
                .await?;
            store_numbers(&store, &other, [round]).await?;
            store_numbers(&store, &alike[round as usize / 4 % 4], [round]).await?;
        }
    }
    let all = log_of(&store).await?;
    let nobody = stream("nobody stored");
    let filters = [
        EventFilter::all().streams([a.clone()]),
        EventFilter::all().streams([long.clone()]),
        EventFilter::all().streams([long.clone(), a.clone(), nobody.clone(), a.clone()]),
        EventFilter::all().streams([nobody.clone()]),
        EventFilter::all().streams([]),
        EventFilter::all().streams(alike),
        EventFilter::all().streams([a.clone(), long.clone()]).event_types([RARE]),
        EventFilter::all().streams([a.clone(), other.clone()]).categories(["conformance_b"]),
        EventFilter::all().streams([other]).categories(["conformance"]),
        EventFilter::all().streams([a, long]).event_types([COUNTED]).categories(["conformance"]),
    ];
    for filter in filters {
        let expected: Vec<RecordedEvent> = (all.iter())
            .filter(|event| filter.matches(&event.event_type, &event.stream_id))
            .cloned()
            .collect();
        let starts = std::iter::once(Position::START).chain(all.iter().map(|event| event.position));
        for (index, after) in starts.enumerate().step_by(7) {
            let rest: Vec<RecordedEvent> =
                expected.iter().filter(|event| event.position > after).cloned().collect();
            let limit = [1, 4, usize::MAX][index % 3];
            let read = ReadAll::after(after).filter(filter.clone()).limit(limit);
            let found = paged(&store, read).await?;
            let what = format_args!("the log after {after} through {filter:?} in pages of {limit}");
            ensure_events(what, &found, &rest)?;
        }
    }
    Ok(())
}

pub(super) async fn reached_moves_on_past_what_does_not_match<S: EventStore>(store: S) -> Verdict {
    let a = stream("a");
    let rare = |number| vec![named(RARE, number)];
    store_numbers(&store, &a, 0..300).await?;
    store_one(&store, Append::new(a.clone(), Expected::Any, rare(1))).await?;
    store_numbers(&store, &a, 0..300).await?;
    let head = store.head().await?;

    let filter = EventFilter::all().event_types([RARE]);
    let none = EventFilter::all().event_types(["ConformanceNobodyStored"]);
    for (filter, expected) in [(filter.clone(), vec![1]), (none, Vec::new())] {
        let (mut after, mut seen) = (Position::START, Vec::new());
        loop {
            let page =
                store.log_page(&ReadAll::after(after).filter(filter.clone()).limit(2)).await?;
            seen.extend(numbers(&page.events)?);
            if !page.more {
                after = page.reached;
                break;
            }
            ensure!(page.reached > after, "the reader stays at {after}, though there is more");
            after = page.reached;
        }
        ensure_eq!(seen, expected, "what the reader saw through {filter:?}");
        ensure!(after >= head, "the reader came to {after} only, though the log ends at {head}");
    }

    // It moves on to what comes, matching or not, and is never ahead of the log.
    store_numbers(&store, &a, [1]).await?;
    let page = store.log_page(&ReadAll::after(head).filter(filter.clone())).await?;
    ensure_eq!((page.events.len(), page.more), (0, false), "the page of what does not match");
    ensure!(page.reached > head, "the reader stays at {head}");
    store_one(&store, Append::new(a, Expected::Any, rare(2))).await?;
    let page = store.log_page(&ReadAll::after(page.reached).filter(filter)).await?;
    ensure_eq!(numbers(&page.events)?, vec![2], "the event that matches at last");
    Ok(())
}

pub(super) async fn a_reader_ahead_of_the_log_gets_an_error<S: EventStore>(store: S) -> Verdict {
    for round in 0..2 {
        let head = store.head().await?;
        store.log_page(&ReadAll::after(head)).await?;
        for ahead in [head.get() + 1_000_000, 1 << 62, u64::MAX] {
            match store.log_page(&ReadAll::after(Position::from(ahead))).await {
                Err(error) if error.is_invalid() => {}
                other => {
                    let found = format!("position {ahead} of a log that ends at {head}: {other:?}");
                    return Err(Found(found));
                }
            }
        }
        store_numbers(&store, &stream("a"), [round]).await?;
    }
    Ok(())
}

/// Reads the log in pages, each of which has to bring the reader on.
async fn paged(store: &impl EventStore, mut read: ReadAll) -> Result<Vec<RecordedEvent>, Found> {
    let mut events = Vec::new();
    loop {
        let page = store.log_page(&read).await?;
        let count = page.events.len();
        ensure!(count <= read.limit, "a page of {count} events, of at most {}", read.limit);
        if let Some(last) = page.events.last() {
            number(last)?;
            let (last, reached) = (last.position, page.reached);
            ensure!(last <= reached, "a page ends at {last}, but its reader stands at {reached}");
        }
        ensure!(page.reached >= read.after, "the reader went back to {}", page.reached);
        events.extend(page.events);
        if !page.more {
            return Ok(events);
        }
        ensure!(page.reached > read.after, "the reader stays at {}", read.after);
        read.after = page.reached;
    }
}
