//! Loads without regard to snapshots: metadata, long streams, states of the past.

use annals::{CommandBus, EventStore, LoadError, Position, Repository, SnapshotStore, Timestamp};
use uuid::Uuid;

use crate::conformance::broken::{Found, Verdict, ensure, ensure_eq};
use crate::conformance::material::events_of;
use crate::conformance::tallies::{
    add, bus, ensure_tally, folded, load, open, store_history, stream_of,
};
use crate::conformance::tally::Tally;

pub(super) async fn events_carry_what_caused_them<S>(store: S) -> Verdict
where
    S: EventStore + SnapshotStore + Clone,
{
    let bus: CommandBus = bus(store.clone())?;
    let [one, other] = [Uuid::now_v7(), Uuid::now_v7()];
    let issued_at = Timestamp::from_micros(1_772_366_400_123_457);
    bus.dispatch(open("a")).command_id(one).await?;
    bus.dispatch(add("a", 1))
        .command_id(other)
        .correlation_id("request-1")
        .causation_id("event-7")
        .user("Zoë")
        .header("channel", "counter")
        .issued_at(issued_at)
        .await?;
    let events = events_of(&store, &stream_of("a")).await?;
    ensure_eq!(events.len(), 2, "the events of two commands");

    let alone = &events[0].metadata;
    let id = Some(one.to_string());
    ensure_eq!(alone.correlation_id, id, "the correlation where none was given");
    ensure_eq!(alone.causation_id, id, "the causation of an event");
    ensure!(alone.issued_at.is_some(), "the instant of issue is missing");

    let full = &events[1].metadata;
    ensure_eq!(full.correlation_id.as_deref(), Some("request-1"), "the correlation");
    ensure_eq!(full.causation_id, Some(other.to_string()), "the causation of an event");
    ensure_eq!(full.command_causation_id.as_deref(), Some("event-7"), "the command's causation");
    ensure_eq!(full.user.as_deref(), Some("Zoë"), "the user");
    ensure_eq!(full.issued_at, Some(issued_at), "the instant of issue");
    ensure_eq!(full.headers["channel"], "counter", "a header");
    Ok(())
}

pub(super) async fn a_long_stream_is_folded_across_pages<S>(store: S) -> Verdict
where
    S: EventStore + SnapshotStore + Clone,
{
    // The runtime reads pages of 1,024 events; a store may cut them shorter.
    const EVENTS: i64 = 3_100;
    store_history(&store, "a", 1..EVENTS).await?;
    ensure_tally(&store, "a", 1..EVENTS).await?;
    let tallies = Repository::<Tally>::new(store.clone());
    for around in [1_024, 2_048] {
        for version in around - 1..=around + 1 {
            let at = tallies.load("a").at_version(version).await?;
            let expected = folded(1..i64::try_from(version)?);
            ensure_eq!(at.map(|at| at.state), Some(expected), "the state at version {version}");
        }
    }
    for (number, events) in (0..).zip([1, 1_023, 1_024, 1_025, 2_047]) {
        let tally = format!("b-{number}");
        store_history(&store, &tally, 1..events).await?;
        tallies.snapshot(&tally).await?;
        let bus = bus(store.clone())?;
        bus.dispatch(add(&tally, events)).await?;
        ensure_tally(&store, &tally, 1..=events).await?;
    }
    Ok(())
}

pub(super) async fn a_state_is_told_as_of_a_version<S>(store: S) -> Verdict
where
    S: EventStore + SnapshotStore + Clone,
{
    store_history(&store, "a", [1, 2, 3, 4]).await?;
    let events = events_of(&store, &stream_of("a")).await?;
    let tallies = Repository::<Tally>::new(store.clone());
    for (version, event) in (1..).zip(&events) {
        let at = tallies.load("a").at_version(version).await?;
        let at = at.ok_or_else(|| Found(format!("no state at version {version}")))?;
        ensure_eq!(at.state, folded(1..i64::try_from(version)?), "the state at version {version}");
        let told = (at.stream_version, at.position, at.recorded_at);
        let stored = (event.stream_version, event.position, event.recorded_at);
        ensure_eq!(told, stored, "the event that the state at version {version} ends with");
    }
    let before = tallies.load("a").at_version(0).await?;
    ensure_eq!(before, None, "the state at version 0");
    for beyond in [6, 1 << 32, u64::MAX] {
        match tallies.load("a").at_version(beyond).await {
            Err(LoadError::NoSuchVersion { asked, actual, .. }) => {
                ensure_eq!((asked, actual), (beyond, 5), "the versions in the error");
            }
            other => return Err(Found(format!("version {beyond} of 5: {other:?}"))),
        }
    }
    Ok(())
}

pub(super) async fn a_state_is_told_as_of_an_instant<S>(store: S) -> Verdict
where
    S: EventStore + SnapshotStore + Clone,
{
    let bus = bus(store.clone())?;
    bus.dispatch(open("a")).await?;
    for amount in 1..=8 {
        bus.dispatch(add("a", amount)).await?;
    }
    bus.flush().await;
    let events = events_of(&store, &stream_of("a")).await?;
    let tallies = Repository::<Tally>::new(store.clone());
    let micro = std::time::Duration::from_micros(1);
    let instants = events.iter().flat_map(|event| {
        [event.recorded_at - micro, event.recorded_at, event.recorded_at + micro]
    });
    for instant in instants.chain([Timestamp::MIN, Timestamp::MAX]) {
        // Several events may have one instant: all of them are in.
        let stored = events.iter().take_while(|event| event.recorded_at <= instant).count();
        let expected = (stored > 0).then(|| folded(1..i64::try_from(stored).unwrap_or(i64::MAX)));
        let state = tallies.load("a").as_of(instant).await?.map(|loaded| loaded.state);
        ensure_eq!(state, expected, "the state as of {instant}, after {stored} events");
    }
    ensure!(load(&store, "a").await?.position > Position::START, "the state has no position");
    Ok(())
}
