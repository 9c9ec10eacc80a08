//! Events that cannot be read: they stop their reader, and nothing is decided on what it missed.

use annals::{
    Append, CommandBus, DispatchError, EventError, EventStore, Expected, LoadError, NewEvent,
    Payload, RecordedEvent, Repository, SnapshotStore,
};

use super::lenient::{AddVersion, LenientTally, NOTED};
use crate::conformance::broken::{Found, Verdict, ensure, ensure_eq};
use crate::conformance::material::{
    changed, ensure_log, events_of, log_of, named, number, store_one,
};
use crate::conformance::tallies::{add, bus, folded, store_history, stored, stream_of};
use crate::conformance::tally::{AmountAdded, Tally};

pub(super) async fn an_unknown_event_stops_the_load<S>(store: S) -> Verdict
where
    S: EventStore + SnapshotStore + Clone,
{
    let error = stopped_at(&store, named(NOTED, 1)).await?;
    ensure!(error.is_unknown(), "the error is not one of an unknown event: {error}");
    Ok(())
}

pub(super) async fn an_ignored_event_counts_in_the_version<S>(store: S) -> Verdict
where
    S: EventStore + SnapshotStore + Clone,
{
    store_history(&store, "a", [1]).await?;
    let notes = vec![named(NOTED, 1), named(NOTED, 2)];
    store_one(&store, Append::new(stream_of("a"), Expected::Exact(2), notes)).await?;
    let tallies = Repository::<LenientTally>::new(store.clone());
    let loaded = tallies.load("a").await?.map(|loaded| (loaded.state.added, loaded.stream_version));
    ensure_eq!(loaded, Some((1, 4)), "amounts and version, with two events passed over");
    let at = tallies.load("a").at_version(3).await?.map(|loaded| loaded.stream_version);
    ensure_eq!(at, Some(3), "the version of a state that ends with an event passed over");

    let bus = CommandBus::builder(store.clone()).register::<LenientTally>().build()?;
    let receipt = bus.dispatch(AddVersion { tally: "a".to_owned() }).await?;
    ensure_eq!(receipt.stream_version, 5, "the version at which a command was stored");
    let events = events_of(&store, &stream_of("a")).await?;
    ensure_eq!(number(&events[3])?, 2, "the event that was passed over");
    let said: AmountAdded = serde_json::from_str(events[4].data.as_str())?;
    ensure_eq!(said.amount, 4, "the version that the command was decided on");
    Ok(())
}

pub(super) async fn an_unreadable_event_stops_the_load<S>(store: S) -> Verdict
where
    S: EventStore + SnapshotStore + Clone,
{
    let good = stored(&AmountAdded { amount: 1 })?;
    let bad = changed(good, |event| event.data = Payload::new(r#"{"amount":"many"}"#));
    let error = stopped_at(&store, bad).await?;
    ensure!(error.is_unreadable(), "the error is not one of an unreadable event: {error}");
    ensure!(error.to_string().contains("many"), "the message does not tell the cause: {error}");
    Ok(())
}

pub(super) async fn an_event_of_an_unknown_version_stops_the_load<S>(store: S) -> Verdict
where
    S: EventStore + SnapshotStore + Clone,
{
    let good = stored(&AmountAdded { amount: 1 })?;
    let error = stopped_at(
        &store,
        changed(good, |event| {
            event.schema_version = 7_003;
            event.readable_from = 7_003;
        }),
    )
    .await?;
    ensure!(error.is_unreadable(), "the error is not one of an unreadable event: {error}");
    ensure!(error.to_string().contains("7003"), "the message does not tell the version: {error}");
    Ok(())
}

/// Puts an event between others of a tally, and gives back the error by which it stops loads and commands.
async fn stopped_at<S>(store: &S, event: NewEvent) -> Result<EventError, Found>
where
    S: EventStore + SnapshotStore + Clone,
{
    store_history(store, "a", [1]).await?;
    let around = vec![event, stored(&AmountAdded { amount: 2 })?];
    store_one(store, Append::new(stream_of("a"), Expected::Exact(2), around)).await?;
    let before = log_of(store).await?;
    let stopping = &events_of(store, &stream_of("a")).await?[2];

    let tallies = Repository::<Tally>::new(store.clone());
    let error = match tallies.load("a").await {
        Err(LoadError::Event(error)) => error,
        other => return Err(Found(format!("the load was answered with {other:?}"))),
    };
    ensure_names(&error, stopping)?;
    match bus(store.clone())?.dispatch(add("a", 3)).await {
        Err(DispatchError::Load(LoadError::Event(told))) => {
            ensure_eq!(told, error, "what a command is told");
        }
        other => return Err(Found(format!("a command was answered with {other:?}"))),
    }
    ensure_log("the log after what cannot be read", store, &before).await?;
    // What comes before it is read as ever.
    let earlier = tallies.load("a").at_version(2).await?.map(|loaded| loaded.state);
    ensure_eq!(earlier, Some(folded([1])), "the state before what cannot be read");
    Ok(error)
}

/// Ends the rule unless an error names an event, in words too.
fn ensure_names(error: &EventError, event: &RecordedEvent) -> Verdict {
    let named = (error.event_type(), error.stream_id(), error.stream_version(), error.position());
    let stopping = (&*event.event_type, &event.stream_id, event.stream_version, event.position);
    ensure_eq!(named, stopping, "the event that the error names");
    let message = error.to_string();
    for part in [
        format!("`{}`", event.event_type),
        format!("version {}", event.stream_version),
        format!("position {}", event.position),
    ] {
        ensure!(message.contains(&part), "the message does not say {part}: {message}");
    }
    Ok(())
}
