//! Whatever leaves memory goes through the store's codec.

use std::borrow::Cow;

use annals::prelude::*;
use annals::{CodecError, Payload, PayloadCodec, PayloadOf};

use crate::bank::{Account, Deposit, OpenAccount};

/// Turns the text round, and says in front what it is of.
struct Reversed;

impl PayloadCodec for Reversed {
    fn seal(&self, of: PayloadOf<'_>, json: String) -> Result<Payload, CodecError> {
        let what = match of {
            PayloadOf::Event { stream, event_type } => format!("{stream}/{event_type}"),
            PayloadOf::Snapshot { stream } => format!("{stream}/snapshot"),
            _ => return Err(CodecError::new("not in this test")),
        };
        let reversed: String = json.chars().rev().collect();
        Ok(Payload::new(serde_json::Value::from(format!("{what}|{reversed}")).to_string()))
    }

    fn open<'a>(
        &self,
        of: PayloadOf<'_>,
        payload: &'a Payload,
    ) -> Result<Cow<'a, str>, CodecError> {
        let text: String = serde_json::from_str(payload.as_str())
            .map_err(|error| CodecError::new(error.to_string()))?;
        let (what, reversed) = text.split_once('|').ok_or_else(|| CodecError::new("no mark"))?;
        let expected = match of {
            PayloadOf::Event { stream, event_type } => format!("{stream}/{event_type}"),
            PayloadOf::Snapshot { stream } => format!("{stream}/snapshot"),
            _ => return Err(CodecError::new("not in this test")),
        };
        if what != expected {
            return Err(CodecError::new(format!("sealed for {what}, opened for {expected}")));
        }
        Ok(reversed.chars().rev().collect::<String>().into())
    }
}

#[tokio::test]
async fn events_and_snapshots_are_sealed_and_opened() {
    let store = MemoryStore::builder().codec(Reversed).build();
    let bus = CommandBus::new(store.clone());
    bus.dispatch(OpenAccount { account: "ada".into(), owner: "Ada".into() }).await.unwrap();
    for _ in 0..120 {
        bus.dispatch(Deposit { account: "ada".into(), amount: 1 }).await.unwrap();
    }
    bus.flush().await;
    let page = store.log_page(&ReadAll::after(Position::START)).await.unwrap();
    assert_eq!(page.events[0].data.as_str(), r#""account-ada/AccountOpened|}\"adA\":\"renwo\"{""#);
    let stream = StreamId::new("account", "ada");
    let snapshot = store.load_snapshot(&stream, 1).await.unwrap().expect("due at version 100");
    assert!(snapshot.data.as_str().starts_with(r#""account-ada/snapshot|"#));
    let account = Repository::<Account>::new(store).load("ada").await.unwrap().unwrap();
    assert_eq!(account.state.balance, 120);
}

#[tokio::test]
async fn what_cannot_be_opened_stops_the_reader() {
    let plain = MemoryStore::new();
    let bus = CommandBus::new(plain.clone());
    bus.dispatch(OpenAccount { account: "ada".into(), owner: "Ada".into() }).await.unwrap();
    let events = plain.log_page(&ReadAll::after(Position::START)).await.unwrap().events;

    let sealed = MemoryStore::builder().codec(Reversed).build();
    let (name, data) = (events[0].event_type.clone(), events[0].data.clone());
    let event = annals::NewEvent::new(events[0].id, name, 1, data)
        .with_metadata(events[0].metadata.clone());
    let append = annals::Append::new(
        StreamId::new("account", "ada"),
        annals::Expected::NoStream,
        vec![event],
    );
    sealed.append(vec![append]).await.unwrap();
    let error = Repository::<Account>::new(sealed).load("ada").await.unwrap_err();
    assert!(error.to_string().contains("invalid type: map, expected a string"), "{error}");
}
