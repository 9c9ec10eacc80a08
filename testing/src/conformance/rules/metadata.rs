//! What stands beside an event's content: metadata, stored name, version of its shape, instant.

use std::sync::Arc;

use annals::{Append, EventFilter, EventStore, Expected, Metadata, ReadStream, Receipt, Timestamp};

use crate::conformance::broken::{Verdict, ensure, ensure_eq};
use crate::conformance::material::{
    COUNTED, append, changed, ensure_events, ensure_untouched, event, events_of, filtered, log_of,
    of_several_releases, store_numbers, store_one, stream,
};
use crate::conformance::race::race;

pub(super) async fn metadata_comes_back_as_it_was<S: EventStore>(store: S) -> Verdict {
    let mut full = Metadata::default()
        .with_correlation_id("request-1")
        .with_causation_id("command-\u{2028}-2")
        .with_user("Zoë \"O'Neill\" 李 🦀")
        .with_header("channel", "counter")
        .with_header("", "a header without a name")
        .with_header("a.b[0]/c d", "%s \\ \n\t '; drop table events --")
        .with_header("empty", "")
        .with_header("long", "x".repeat(10_000));
    full.command_causation_id = Some("event-3".to_owned());
    full.issued_at = Some(Timestamp::from_micros(1_772_366_400_123_457));
    let mut ancient = Metadata::default();
    ancient.issued_at = Some(Timestamp::MIN);
    let mut empty_texts = Metadata::default();
    empty_texts.correlation_id = Some(String::new());
    let all = [full, ancient, empty_texts, Metadata::default()];

    let a = stream("a");
    let events = all.iter().map(|metadata| event(1).with_metadata(Arc::new(metadata.clone())));
    store_one(&store, Append::new(a.clone(), Expected::Any, events.collect())).await?;
    for read in [events_of(&store, &a).await?, log_of(&store).await?] {
        for (event, metadata) in read.iter().zip(&all) {
            ensure_eq!(*event.metadata, *metadata, "the metadata of an event");
        }
    }
    Ok(())
}

pub(super) async fn without_metadata_the_events_are_the_same<S: EventStore>(store: S) -> Verdict {
    let (a, none) = (stream("a"), Arc::new(Metadata::default()));
    let events = (1..=6).map(|number| {
        let metadata = Metadata::default().with_user(format!("user {}", number / 2));
        event(number).with_metadata(Arc::new(metadata))
    });
    store_one(&store, Append::new(a.clone(), Expected::Any, events.collect())).await?;
    for asked in [ReadStream::new(a.clone()), ReadStream::new(a).backwards()] {
        let asked = asked.from(2).limit(4);
        let whole = store.stream_page(&asked).await?;
        let bare = store.stream_page(&asked.metadata(false)).await?;
        ensure_eq!(bare.more, whole.more, "whether more is to come");
        let found = bare.events.into_iter().zip(&whole.events).map(|(mut event, whole)| {
            if event.metadata == none {
                event.metadata = whole.metadata.clone();
            }
            event
        });
        let found: Vec<_> = found.collect();
        ensure_events("the events read without metadata", &found, &whole.events)?;
    }
    Ok(())
}

pub(super) async fn stored_names_come_back_as_they_were<S: EventStore>(store: S) -> Verdict {
    let a = stream("a");
    let longest = "N".repeat(255);
    let names = ["ConformanceCounted", "conformance.counted/v1 '\"%_\\", "Gezählt 🦀", &longest];
    let mut stored = Vec::new();
    let versions = [(0, 0), (1, 1), (70_000, 3), (u32::MAX, u32::MAX - 1)];
    for (name, (schema_version, readable_from)) in names.into_iter().zip(versions) {
        stored.push(changed(event(1), |event| {
            event.event_type = name.to_owned().into();
            event.schema_version = schema_version;
            event.readable_from = readable_from;
        }));
    }
    store_one(&store, Append::new(a.clone(), Expected::Any, stored.clone())).await?;
    for (read, stored) in events_of(&store, &a).await?.iter().zip(&stored) {
        ensure_eq!(read.event_type, stored.event_type, "the stored name");
        ensure_eq!(read.schema_version, stored.schema_version, "the version of the shape");
        ensure_eq!(read.readable_from, stored.readable_from, "the version from which it reads");
        ensure_eq!(read.id, stored.id, "the id of the event");
    }
    Ok(())
}

pub(super) async fn old_versions_come_back_beside_new_ones<S: EventStore>(store: S) -> Verdict {
    let (a, given) = (stream("a"), of_several_releases());
    for event in &given {
        let one = Append::new(a.clone(), Expected::Any, vec![event.clone()]);
        store_one(&store, one).await?;
    }
    ensure_untouched(&events_of(&store, &a).await?, &given, "in the stream")?;
    ensure_untouched(&log_of(&store).await?, &given, "in the log")?;
    // Who follows an event asks for all of its names.
    let filter = EventFilter::all().event_types([COUNTED, "ConformanceAdded"]);
    ensure_untouched(&filtered(&store, filter).await?, &given, "in the log by its names")?;
    let backwards = store.stream_page(&ReadStream::new(a).backwards()).await?;
    let given: Vec<_> = given.into_iter().rev().collect();
    ensure_untouched(&backwards.events, &given, "in the stream backwards")
}

pub(super) async fn recorded_at_never_decreases_within_a_stream<S: EventStore + Clone>(
    store: S,
) -> Verdict {
    const WRITERS: u64 = 8;
    let a = stream("a");
    let writers = (0..WRITERS).map(|writer| {
        let (store, a) = (store.clone(), a.clone());
        async move {
            let mut receipts: Vec<Receipt> = Vec::new();
            for number in 0..50 {
                let append = append(&a, Expected::Any, [writer, number]);
                receipts.push(store_one(&store, append).await?);
            }
            Ok::<_, annals::WriteError>(receipts)
        }
    });
    let answers = race(writers).await?;
    let events = events_of(&store, &a).await?;
    for pair in events.windows(2) {
        let (one, next) = (pair[0].recorded_at, pair[1].recorded_at);
        let version = pair[1].stream_version;
        ensure!(one <= next, "version {version} was recorded at {next}, the one before at {one}");
    }
    for receipts in answers {
        for receipt in receipts? {
            let index = usize::try_from(receipt.stream_version - 1)?;
            let event = &events[index];
            ensure_eq!(receipt.recorded_at, event.recorded_at, "the instant in a receipt");
            ensure_eq!(receipt.position, event.position, "the position in a receipt");
        }
    }
    let last = store_numbers(&store, &a, []).await?;
    ensure_eq!(
        Some(last.recorded_at),
        events.last().map(|event| event.recorded_at),
        "the last instant"
    );
    Ok(())
}
