//! A tiny aggregate written by hand, without a macro: what the rules about commands, loads and snapshots run.
//!
//! It is all that `#[derive(Aggregate)]`, `#[handlers]`, `#[derive(Event)]` and `#[derive(Command)]` would write, but for
//! the registration: nothing here is seen by the program's registry, its schema file or a bus that takes all.
//!
//! A tally is opened, then added to:
//!
//! ```
//! use annals::{CommandBus, MemoryStore, Repository};
//! use annals_testing::conformance::tally::{AddToTally, OpenTally, Tally};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
//! let store = MemoryStore::new();
//! let bus = CommandBus::builder(store.clone()).register::<Tally>().build()?;
//! bus.dispatch(OpenTally { tally: "a".to_owned() }).await?;
//! bus.dispatch(AddToTally { tally: "a".to_owned(), amount: 3 }).await?;
//! let tally = Repository::<Tally>::new(store).load("a").await?.expect("it was opened");
//! assert_eq!((tally.state.total, tally.stream_version), (3, 2));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::error::Error;
use std::fmt;
use std::sync::OnceLock;

use annals::shape::StateShape;
use annals::{
    Aggregate, Apply, Command, Context, DecodeError, EncodeError, Event, EventContext, EventEnum,
    EventName, EventOf, HandledBy, IntoEvents, Misfit, ReturnedEvents, SnapshotPolicy, Stored,
    Subject, Targets,
};
use serde::{Deserialize, Serialize};

// The state, and when snapshots of it are taken: `#[derive(Aggregate)]`.

/// The sum of what was added, in its order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// The sum.
    pub total: i64,
    /// How many amounts it is the sum of.
    pub added: u64,
    /// A number that depends on the order of the amounts: an event applied twice, or too early, shows.
    pub trail: i64,
}

impl Subject for Tally {
    type Key = String;
}

impl Aggregate for Tally {
    type Id = String;
    type Event = TallyEvent;
    type Services = ();

    const CATEGORY: &'static str = "conformance_tally";
    const SNAPSHOT: Option<SnapshotPolicy> = Some(SnapshotPolicy::every(5));

    fn apply(
        state: &mut Option<Self>,
        event: &TallyEvent,
        cx: &EventContext<Self>,
    ) -> Result<(), Misfit> {
        match event {
            TallyEvent::Opened(event) => <Self as Apply<TallyOpened>>::apply(state, event, cx),
            TallyEvent::Added(event) => <Self as Apply<AmountAdded>>::apply(state, event, cx),
        }
    }

    fn encode_snapshot(&self) -> Option<Result<String, EncodeError>> {
        let json = serde_json::to_string(self);
        Some(json.map_err(|error| EncodeError::new("Tally", &error)))
    }

    fn decode_snapshot(json: &str) -> Option<Result<Self, DecodeError>> {
        let state = serde_json::from_str(json);
        Some(state.map_err(|error| DecodeError::content("Tally", &error)))
    }

    fn snapshot_shape() -> Option<&'static StateShape> {
        static SHAPE: OnceLock<StateShape> = OnceLock::new();
        Some(SHAPE.get_or_init(StateShape::of::<Self>))
    }

    fn same_state(&self, other: &Self) -> Option<bool> {
        Some(self == other)
    }
}

// The events: `#[derive(Event)]` on each, and the enum of them that `#[derive(Aggregate)]` writes.

/// A tally was opened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TallyOpened {}

impl Event for TallyOpened {
    const NAME: &'static str = "ConformanceTallyOpened";
}

/// An amount was added to a tally.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AmountAdded {
    /// The amount.
    pub amount: i64,
}

impl Event for AmountAdded {
    const NAME: &'static str = "ConformanceAmountAdded";
    const VERSION: u32 = 2;
    const OLDEST: u32 = 2;
}

/// The events of a [`Tally`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TallyEvent {
    /// It was opened.
    Opened(TallyOpened),
    /// An amount was added.
    Added(AmountAdded),
}

impl EventEnum for TallyEvent {
    const EVENTS: &'static [EventName] =
        &[EventName::of::<TallyOpened>(), EventName::of::<AmountAdded>()];

    fn stored(&self) -> &'static EventName {
        match self {
            Self::Opened(_) => &Self::EVENTS[0],
            Self::Added(_) => &Self::EVENTS[1],
        }
    }

    fn encode(&self) -> Result<String, EncodeError> {
        match self {
            Self::Opened(event) => event.encode(),
            Self::Added(event) => event.encode(),
        }
    }

    fn decode(stored: Stored<'_>) -> Option<Result<Self, DecodeError>> {
        match stored.event_type {
            TallyOpened::NAME => Some(TallyOpened::decode(stored).map(Self::Opened)),
            AmountAdded::NAME => Some(AmountAdded::decode(stored).map(Self::Added)),
            _ => None,
        }
    }
}

impl From<TallyOpened> for TallyEvent {
    fn from(event: TallyOpened) -> Self {
        Self::Opened(event)
    }
}

impl From<AmountAdded> for TallyEvent {
    fn from(event: AmountAdded) -> Self {
        Self::Added(event)
    }
}

// `do_not_recommend`: what the compiler says of a user's mistake shall not list these.
#[diagnostic::do_not_recommend]
impl EventOf<Tally> for TallyOpened {
    fn into_event(self) -> TallyEvent {
        self.into()
    }
}

#[diagnostic::do_not_recommend]
impl EventOf<Tally> for AmountAdded {
    fn into_event(self) -> TallyEvent {
        self.into()
    }
}

impl IntoEvents<Tally> for TallyOpened {
    fn extend_into(self, events: &mut Vec<TallyEvent>) {
        events.push(self.into());
    }
}

impl IntoEvents<Tally> for AmountAdded {
    fn extend_into(self, events: &mut Vec<TallyEvent>) {
        events.push(self.into());
    }
}

impl ReturnedEvents<Tally> for TallyOpened {}

impl ReturnedEvents<Tally> for AmountAdded {}

// How the events change the state: `#[apply]`.

impl Apply<TallyOpened> for Tally {
    fn apply(
        state: &mut Option<Self>,
        _: &TallyOpened,
        _: &EventContext<Self>,
    ) -> Result<(), Misfit> {
        if state.is_some() {
            return Err(Misfit::Exists);
        }
        *state = Some(Self { total: 0, added: 0, trail: 0 });
        Ok(())
    }
}

impl Apply<AmountAdded> for Tally {
    fn apply(
        state: &mut Option<Self>,
        event: &AmountAdded,
        _: &EventContext<Self>,
    ) -> Result<(), Misfit> {
        let state = state.as_mut().ok_or(Misfit::Missing)?;
        state.total += event.amount;
        state.added += 1;
        state.trail = state.trail.wrapping_mul(31).wrapping_add(event.amount);
        Ok(())
    }
}

// The commands, and what is decided: `#[derive(Command)]` and `#[handle]`.

/// Opens a tally.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct OpenTally {
    /// The id of the tally.
    pub tally: String,
}

impl Command for OpenTally {
    const NAME: &'static str = "ConformanceOpenTally";
}

impl Targets<String> for OpenTally {
    fn target(&self) -> &String {
        &self.tally
    }
}

#[diagnostic::do_not_recommend]
impl HandledBy<Tally> for OpenTally {
    type Output = [TallyOpened; 1];

    async fn handle(
        state: Option<&Tally>,
        _: Self,
        _: &Context<Tally>,
    ) -> Result<Self::Output, Misfit> {
        if state.is_some() {
            return Err(Misfit::Exists);
        }
        Ok([TallyOpened {}])
    }
}

/// Adds an amount to a tally; nothing happens for an amount of 0.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AddToTally {
    /// The id of the tally.
    pub tally: String,
    /// The amount, at least 0.
    pub amount: i64,
}

impl Command for AddToTally {
    const NAME: &'static str = "ConformanceAddToTally";
}

impl Targets<String> for AddToTally {
    fn target(&self) -> &String {
        &self.tally
    }
}

#[diagnostic::do_not_recommend]
impl HandledBy<Tally> for AddToTally {
    type Output = Result<Option<AmountAdded>, NegativeAmount>;

    async fn handle(
        state: Option<&Tally>,
        command: Self,
        _: &Context<Tally>,
    ) -> Result<Self::Output, Misfit> {
        state.ok_or(Misfit::Missing)?;
        Ok(match command.amount {
            ..0 => Err(NegativeAmount(command.amount)),
            0 => Ok(None),
            amount => Ok(Some(AmountAdded { amount })),
        })
    }
}

/// An amount that a tally does not take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NegativeAmount(pub i64);

impl fmt::Display for NegativeAmount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is below zero", self.0)
    }
}

impl Error for NegativeAmount {}
