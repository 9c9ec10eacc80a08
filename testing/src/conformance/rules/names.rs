//! Names of streams and events: kept as they are, or refused before anything is written.

use annals::{Append, EventFilter, EventStore, Expected, StreamId};

use crate::conformance::broken::{Verdict, ensure_eq};
use crate::conformance::material::{
    CATEGORY, append, changed, ensure_invalid, ensure_log, ensure_numbers, event, filtered, log_of,
    store_numbers, store_one, stream,
};

/// Ids that would be something else than text in careless SQL, JSON, paths, headers or URLs.
const STRANGE: [&str; 18] = [
    "'",
    "''; select pg_sleep(10) --",
    "\"",
    "%",
    "%s%n",
    "_",
    "\\",
    "\\0",
    "$1",
    "line\nfeed",
    "tab\tand\r\nreturn",
    "-",
    "--a-b-",
    "../../etc/passwd",
    "\u{7f}\u{1}",
    "🦀👩‍👩‍👧‍👦",
    "אב\u{202e}ג",
    " ",
];

/// Each pair is two streams.
const ALIKE: [(&str, &str); 9] = [
    ("a", "A"),
    ("a", "a "),
    ("a", " a"),
    ("a_c", "abc"),
    ("a%", "aa"),
    // One letter in two forms of Unicode.
    ("\u{e9}", "e\u{301}"),
    ("straße", "strasse"),
    ("1", "01"),
    ("null", "NULL"),
];

pub(super) async fn strange_ids_name_streams<S: EventStore>(store: S) -> Verdict {
    let long = ["x".repeat(255), "🦀".repeat(63), "x".repeat(1024)];
    let ids: Vec<&str> = STRANGE.into_iter().chain(long.iter().map(String::as_str)).collect();
    for (number, id) in (0..).zip(&ids) {
        let append = append(&stream(id), Expected::NoStream, [number, number + 1]);
        let receipt = store_one(&store, append).await?;
        ensure_eq!(receipt.stream_id, stream(id), "the stream in the receipt");
    }
    for (number, id) in (0..).zip(&ids) {
        ensure_numbers(&store, &stream(id), [number, number + 1]).await?;
    }
    let all = log_of(&store).await?;
    let named: Vec<&str> = all.iter().step_by(2).map(|event| event.stream_id.id()).collect();
    ensure_eq!(named, ids, "the ids in the log");
    let in_category = filtered(&store, EventFilter::all().categories([CATEGORY])).await?;
    ensure_eq!(in_category.len(), all.len(), "the events of the category");
    Ok(())
}

pub(super) async fn streams_are_told_apart_byte_by_byte<S: EventStore>(store: S) -> Verdict {
    for (category, (one, other)) in ('a'..).zip(ALIKE) {
        let streams = [one, other].map(|id| StreamId::new(&format!("conformance_{category}"), id));
        for (number, stream) in (0..).zip(&streams) {
            store_one(&store, append(stream, Expected::NoStream, [number])).await?;
        }
        for (number, stream) in (0..).zip(&streams) {
            ensure_numbers(&store, stream, [number]).await?;
        }
    }
    Ok(())
}

pub(super) async fn ids_that_cannot_be_kept_are_refused<S: EventStore>(store: S) -> Verdict {
    let over_long = "x".repeat(1025);
    let cases = [
        ("an empty id", stream("")),
        ("a name without an id", StreamId::from_name("conformance")),
        ("an empty category", StreamId::new("", "a")),
        ("an over-long id", stream(&over_long)),
        ("an over-long category", StreamId::new(&over_long, "a")),
        ("a null character in the id", stream("a\0b")),
        ("a null character in the category", StreamId::new("a\0b", "a")),
    ];
    for (what, stream_id) in cases {
        let refused = append(&stream_id, Expected::Any, [1]);
        ensure_invalid(what, store_one(&store, refused.clone()).await)?;
        let empty = append(&stream_id, Expected::Any, []);
        ensure_invalid(what, store_one(&store, empty).await)?;
        let call = vec![append(&stream("a"), Expected::Any, [1]), refused];
        ensure_invalid(what, store.append(call).await)?;
        ensure_log(format_args!("the log after {what}"), &store, &[]).await?;
    }
    // What follows a refusal is stored as ever.
    store_numbers(&store, &stream("a"), [1]).await?;
    ensure_numbers(&store, &stream("a"), [1]).await
}

pub(super) async fn event_names_that_cannot_be_kept_are_refused<S: EventStore>(
    store: S,
) -> Verdict {
    let a = stream("a");
    let names = [
        ("an empty name of an event", String::new()),
        ("an over-long name of an event", "N".repeat(256)),
        ("a null character in the name of an event", "N\0".to_owned()),
    ];
    for (what, name) in names {
        let events = vec![event(1), changed(event(2), |event| event.event_type = name.into())];
        let refused = Append::new(a.clone(), Expected::Any, events);
        let call = vec![append(&stream("b"), Expected::Any, [1]), refused];
        ensure_invalid(what, store.append(call).await)?;
        ensure_log(format_args!("the log after {what}"), &store, &[]).await?;
    }
    Ok(())
}
