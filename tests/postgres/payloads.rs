//! What is stored as it is, and what is refused before anything is written.

use annals::prelude::*;
use annals::{Append, Expected, NewEvent, Payload, ReadStream};
use annals_postgres::PostgresStore;

use super::{Error, fresh};

fn event(json: impl Into<String>) -> NewEvent {
    NewEvent::new(uuid::Uuid::now_v7(), "Happened", 1, Payload::new(json.into()))
}

async fn append(store: &PostgresStore, id: &str, events: Vec<NewEvent>) -> Result<Receipt, Error> {
    let append = Append::new(StreamId::new("strange", id), Expected::NoStream, events);
    let mut receipts = store.append(vec![append]).await?;
    Ok(receipts.remove(0))
}

#[tokio::test]
async fn ids_are_never_part_of_a_statement() -> Result<(), Error> {
    let (store, _database) = fresh().await?;
    let ids = [
        "'; SELECT pg_sleep(60); --",
        "\"quoted\"",
        "100%_of\\",
        "two\nlines",
        "$1 {schema} {namespace}",
        "🦀 é e\u{301}",
        &"x".repeat(255),
    ];
    for id in ids {
        append(&store, id, vec![event("1")]).await?;
        let page = store.stream_page(&ReadStream::new(StreamId::new("strange", id))).await?;
        assert_eq!(page.events[0].stream_id.id(), id);
    }
    Ok(())
}

/// The text of a payload comes back byte by byte, numbers and blanks and repeated keys included.
#[tokio::test]
async fn json_comes_back_as_it_was_written() -> Result<(), Error> {
    let (store, _database) = fresh().await?;
    let texts = [
        r#"{"b":1,"a":1.0,"a":2}"#,
        "[1e400,0.10,-0,123456789012345678901234567890.0]",
        r#""a\u0000b""#,
        " { } ",
        r#""🦀""#,
    ];
    for (number, text) in texts.iter().enumerate() {
        let id = number.to_string();
        append(&store, &id, vec![event(*text)]).await?;
        let page = store.stream_page(&ReadStream::new(StreamId::new("strange", &id))).await?;
        assert_eq!(page.events[0].data.as_str(), *text);
    }
    Ok(())
}

#[tokio::test]
async fn what_is_no_json_is_refused_and_nothing_is_written() -> Result<(), Error> {
    let (store, _database) = fresh().await?;
    for text in ["", "{", "a\0b", "NaN"] {
        let events = vec![event("1"), event(text)];
        let refused = append(&store, "a", events).await.unwrap_err();
        let refused: &annals::WriteError = refused.downcast_ref().unwrap();
        assert!(
            matches!(refused, annals::WriteError::Store(error) if error.is_invalid()),
            "{text:?}: {refused:?}"
        );
    }
    assert_eq!(store.head().await?, Position::START);
    Ok(())
}

#[tokio::test]
async fn a_megabyte_and_ten_thousand_events_are_stored_whole() -> Result<(), Error> {
    let (store, _database) = fresh().await?;
    let large = format!("\"{}\"", "x".repeat(1 << 20));
    append(&store, "large", vec![event(large.clone())]).await?;
    let page = store.stream_page(&ReadStream::new(StreamId::new("strange", "large"))).await?;
    assert_eq!(page.events[0].data.as_str(), large);
    let events = (0..10_000).map(|number| event(number.to_string())).collect();
    let receipt = append(&store, "many", events).await?;
    assert_eq!((receipt.stream_version, receipt.events), (10_000, 10_000));
    let many = ReadStream::new(StreamId::new("strange", "many")).backwards().limit(1);
    assert_eq!(store.stream_page(&many).await?.events[0].data.as_str(), "9999");
    Ok(())
}

/// One caller's bad data, conflict or absence is no other's.
#[tokio::test]
async fn callers_who_share_a_round_trip_do_not_share_their_mistakes() -> Result<(), Error> {
    let (store, _database) = fresh().await?;
    append(&store, "taken", vec![event("1")]).await?;
    let mut calls = Vec::new();
    for number in 0..60 {
        let store = store.clone();
        calls.push(tokio::spawn(async move {
            let id = number.to_string();
            match number % 4 {
                0 => append(&store, "taken", vec![event("1")]).await.is_err(),
                1 => append(&store, &id, vec![event("{")]).await.is_err(),
                2 => {
                    // Dropped before it is answered.
                    let gone = append(&store, &id, vec![event("1")]);
                    let _ = tokio::time::timeout(std::time::Duration::ZERO, gone).await;
                    true
                }
                _ => append(&store, &id, vec![event("1")]).await.is_ok(),
            }
        }));
    }
    for (number, call) in calls.into_iter().enumerate() {
        assert!(call.await?, "call {number}");
    }
    for number in (0..60).filter(|number| number % 4 == 3) {
        let head = store.stream_head(&StreamId::new("strange", number)).await?;
        assert_eq!(head.version, 1);
    }
    Ok(())
}
