//! What events say: it is read as it was written.

use std::sync::Arc;

use annals::{Append, EventStore, Expected, Metadata, NewEvent, Payload, WriteError};
use serde_json::{Value, json};

use crate::conformance::broken::{Found, Verdict, ensure, ensure_eq};
use crate::conformance::material::{changed, event, events_of, log_of, store_one, stream};

pub(super) async fn payloads_come_back_as_they_were<S: EventStore>(store: S) -> Verdict {
    let mut deep = json!("bottom");
    for level in 0..100 {
        deep = if level % 2 == 0 { json!([deep]) } else { json!({ "deeper": deep }) };
    }
    let contents = [
        json!({}),
        json!([]),
        json!(null),
        json!(true),
        // What a codec makes may be a mere string.
        json!("c2VhbGVk"),
        json!(0),
        json!({ "": "", " ": " ", "a.b": 1, "$ref": "#", "__proto__": null, "Zoë 🦀": "李\u{202e}" }),
        json!({ "text": "quote \" backslash \\ slash / tab \t line \n nul-like \\u0000 bell \u{7} \u{7f} \u{fffd} \u{10ffff}" }),
        json!({ "sql": "'; drop table events; --", "format": "%s %n {} $1 ?" }),
        json!([0, -1, 1, i64::MIN, i64::MAX, u64::MAX, 1_u64 << 53, (1_u64 << 53) + 1]),
        json!([0.1, -0.5, 1.5e-9, 123_456_789.123_456_78, f64::MAX, f64::MIN_POSITIVE, 1.0]),
        json!([[], [[]], [{}], {}, { "a": [] }, null, false]),
        deep,
    ];
    let a = stream("a");
    let events = contents.iter().map(saying);
    store_one(&store, Append::new(a.clone(), Expected::Any, events.collect())).await?;
    for read in [events_of(&store, &a).await?, log_of(&store).await?] {
        ensure_eq!(read.len(), contents.len(), "the number of events");
        for (event, content) in read.iter().zip(&contents) {
            let said: Value = serde_json::from_str(event.data.as_str())?;
            ensure_eq!(said, *content, "the content of an event");
        }
    }
    Ok(())
}

pub(super) async fn a_megabyte_comes_back_whole<S: EventStore>(store: S) -> Verdict {
    let a = stream("a");
    // Not all alike, so that a part read twice would show.
    let content =
        json!({ "text": "é".repeat(100_000), "numbers": (0..130_000).collect::<Vec<_>>() });
    let big = saying(&content);
    store_one(&store, Append::new(a.clone(), Expected::Any, vec![event(1), big, event(2)])).await?;
    let events = events_of(&store, &a).await?;
    ensure_eq!(events.len(), 3, "the number of events");
    let said: Value = serde_json::from_str(events[1].data.as_str())?;
    ensure!(said == content, "a payload of {} bytes was changed", content.to_string().len());
    Ok(())
}

pub(super) async fn a_null_character_is_kept_or_refused<S: EventStore>(store: S) -> Verdict {
    let content = json!({ "text": "before\0after" });
    let header = Metadata::default().with_header("name", "before\0after");
    let name = Metadata::default().with_header("na\0me", "text");
    let user = Metadata::default().with_user("\0");
    let data = saying(&content);
    let with = |metadata: Metadata| event(0).with_metadata(Arc::new(metadata));
    for (case, new) in (0..).zip([data, with(header), with(name), with(user)]) {
        let (a, other) = (stream(&format!("a-{case}")), stream(&format!("other-{case}")));
        let call = vec![
            Append::new(other.clone(), Expected::NoStream, vec![event(1)]),
            Append::new(a.clone(), Expected::NoStream, vec![new.clone(), event(1)]),
        ];
        let answer = store.append(call).await;
        let (kept, beside) = (events_of(&store, &a).await?, events_of(&store, &other).await?);
        match answer {
            Ok(_) => {
                ensure_eq!((kept.len(), beside.len()), (2, 1), "the events stored");
                let said: Value = serde_json::from_str(kept[0].data.as_str())?;
                ensure_eq!(said, serde_json::from_str::<Value>(new.data.as_str())?, "the content");
                ensure_eq!(kept[0].metadata, new.metadata, "the metadata");
            }
            Err(WriteError::Store(error)) if error.is_invalid() => {
                ensure_eq!(
                    (kept.len(), beside.len()),
                    (0, 0),
                    "the events stored of what was refused"
                );
            }
            Err(error) => {
                return Err(Found(format!("neither kept nor refused as invalid, but: {error:?}")));
            }
        }
    }
    Ok(())
}

/// An event with this content.
fn saying(content: &Value) -> NewEvent {
    changed(event(0), |event| event.data = Payload::new(content.to_string()))
}
