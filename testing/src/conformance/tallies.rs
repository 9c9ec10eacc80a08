//! Tallies as the rules use them: a bus, a stream of known events, and the state that they must lead to.

use annals::{
    Append, CommandBus, CommandBusBuilder, Event, EventStore, Expected, Loaded, NewEvent, Payload,
    Repository, RetryPolicy, SnapshotStore, StreamId,
};
use uuid::Uuid;

use super::broken::{Found, Verdict, ensure_eq};
use super::material::store_one;
use super::tally::{AddToTally, AmountAdded, OpenTally, Tally, TallyOpened};

/// A bus that knows nothing but tallies, and retries until it wins: how often that is needed is the machine's affair.
pub(super) fn builder<S: EventStore + SnapshotStore>(store: S) -> CommandBusBuilder {
    CommandBus::builder(store).register::<Tally>().retry(RetryPolicy::times(1_000))
}

/// As [`builder`], built.
pub(super) fn bus<S: EventStore + SnapshotStore>(store: S) -> Result<CommandBus, Found> {
    Ok(builder(store).build()?)
}

/// Opens a tally.
pub(super) fn open(tally: &str) -> OpenTally {
    OpenTally { tally: tally.to_owned() }
}

/// Adds to a tally.
pub(super) fn add(tally: &str, amount: i64) -> AddToTally {
    AddToTally { tally: tally.to_owned(), amount }
}

/// The stream of a tally.
pub(super) fn stream_of(tally: &str) -> StreamId {
    StreamId::of::<Tally>(&tally.to_owned())
}

/// An event of a tally, as it is stored.
pub(super) fn stored<E: Event>(says: &E) -> Result<NewEvent, Found> {
    Ok(NewEvent::new(Uuid::now_v7(), E::NAME, E::VERSION, Payload::new(says.encode()?)))
}

/// The events of a tally that was opened and added to.
pub(super) fn history(amounts: impl IntoIterator<Item = i64>) -> Result<Vec<NewEvent>, Found> {
    let added = amounts.into_iter().map(|amount| stored(&AmountAdded { amount }));
    std::iter::once(stored(&TallyOpened {})).chain(added).collect()
}

/// Stores the history of a tally.
pub(super) async fn store_history(
    store: &impl EventStore,
    tally: &str,
    amounts: impl IntoIterator<Item = i64>,
) -> Verdict {
    let events = history(amounts)?;
    store_one(store, Append::new(stream_of(tally), Expected::NoStream, events)).await?;
    Ok(())
}

/// The state that a history of these amounts leads to, folded here and nowhere else.
pub(super) fn folded(amounts: impl IntoIterator<Item = i64>) -> Tally {
    amounts.into_iter().fold(Tally { total: 0, added: 0, trail: 0 }, |tally, amount| Tally {
        total: tally.total + amount,
        added: tally.added + 1,
        trail: tally.trail.wrapping_mul(31).wrapping_add(amount),
    })
}

/// Loads a tally that has to be there.
pub(super) async fn load<S>(store: &S, tally: &str) -> Result<Loaded<Tally>, Found>
where
    S: EventStore + SnapshotStore + Clone,
{
    let loaded = Repository::<Tally>::new(store.clone()).load(tally).await?;
    loaded.ok_or_else(|| Found(format!("tally `{tally}` does not exist")))
}

/// Ends the rule unless a tally is what a history of these amounts leads to, at its version.
pub(super) async fn ensure_tally<S>(
    store: &S,
    tally: &str,
    amounts: impl IntoIterator<Item = i64>,
) -> Verdict
where
    S: EventStore + SnapshotStore + Clone,
{
    let expected = folded(amounts);
    let loaded = load(store, tally).await?;
    ensure_eq!(loaded.state, expected, "the state of tally `{tally}`");
    ensure_eq!(loaded.stream_version, expected.added + 1, "the version of tally `{tally}`");
    Ok(())
}
