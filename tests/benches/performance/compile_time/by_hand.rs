//! The same item by hand, over the public traits: what the macros write of an aggregate is no more than this. Left out is what only
//! read models, projections and processes ask of an id, an event or a command. The marks are told in `by_macros.rs`.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;
use std::sync::OnceLock;

use annals::aggregate::Apply;
use annals::registry::{AggregateRegistration, CommandRegistration, EventRegistration};
use annals::shape::StateShape;
use annals::{
    Aggregate, AggregateId, Command, Context, Decision, DecodeError, EncodeError, Event,
    EventContext, EventEnum, EventName, EventOf, HandledBy, IdError, IntoEvents, Misfit,
    ReturnedEvents, SnapshotPolicy, Stored, Subject, Targets, ToId,
};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ItemId(String);

impl fmt::Display for ItemId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for ItemId {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.to_owned()))
    }
}

impl From<String> for ItemId {
    fn from(inner: String) -> Self {
        Self(inner)
    }
}

impl From<ItemId> for String {
    fn from(id: ItemId) -> Self {
        id.0
    }
}

impl From<&str> for ItemId {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl AggregateId for ItemId {}

impl ToId<ItemId> for str {
    fn to_id(&self) -> Result<ItemId, IdError> {
        Ok(self.into())
    }
}

impl ToId<ItemId> for String {
    fn to_id(&self) -> Result<ItemId, IdError> {
        Ok(self.as_str().into())
    }
}

#[derive(Debug, PartialEq, thiserror::Error)]
pub enum ItemError {
    #[error("a quantity must be more than zero")]
    Nothing,
    #[error("{asked} are more than the {left} that are left")]
    TooMany { left: u64, asked: u64 },
}

#[derive(Debug, Clone)]
pub enum ItemEvent {
    Listed(Listed),
    Picked(Picked), // each
}

impl ItemEvent {
    pub fn event_type(&self) -> &'static str {
        self.stored().name
    }
}

impl EventEnum for ItemEvent {
    const EVENTS: &'static [EventName] = &[
        EventName::of::<Listed>(),
        EventName::of::<Picked>(), // each
    ];

    fn stored(&self) -> &'static EventName {
        match self {
            Self::Listed(_) => &Self::EVENTS[0],
            Self::Picked(_) => &Self::EVENTS[1], // each
        }
    }

    fn encode(&self) -> Result<String, EncodeError> {
        match self {
            Self::Listed(event) => event.encode(),
            Self::Picked(event) => event.encode(), // each
        }
    }

    fn decode(stored: Stored<'_>) -> Option<Result<Self, DecodeError>> {
        Some(match stored.event_type {
            Listed::NAME => Event::decode(stored).map(Self::Listed),
            Picked::NAME => Event::decode(stored).map(Self::Picked), // each
            _ => return None,
        })
    }

    fn same_event(&self, other: &Self) -> Option<bool> {
        Some(match (self, other) {
            (Self::Listed(one), Self::Listed(other)) => one == other,
            (Self::Picked(one), Self::Picked(other)) => one == other, // each
            _ => false,
        })
    }
}

impl IntoEvents<Item> for ItemEvent {
    fn extend_into(self, events: &mut Vec<ItemEvent>) {
        events.push(self);
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Item {
    pub name: String,
    pub most: u64,
    pub picked: u64, // each
}

impl Item {
    fn ensure_left(&self, done: u64, asked: u64) -> Result<(), ItemError> {
        let left = self.most - done;
        match asked {
            0 => Err(ItemError::Nothing),
            asked if asked > left => Err(ItemError::TooMany { left, asked }),
            _ => Ok(()),
        }
    }
}

impl Subject for Item {
    type Key = ItemId;
}

impl Aggregate for Item {
    type Id = ItemId;
    type Event = ItemEvent;
    type Services = ();
    const CATEGORY: &'static str = "item";
    const SNAPSHOT: Option<SnapshotPolicy> = Some(SnapshotPolicy::every(100));
    const TAKES_CONTEXT: bool = false
        || <Self as Apply<Picked>>::TAKES_CONTEXT // each
        || <Self as Apply<Listed>>::TAKES_CONTEXT;

    fn apply(
        state: &mut Option<Self>,
        event: &ItemEvent,
        cx: &EventContext<Self>,
    ) -> Result<(), Misfit> {
        match event {
            ItemEvent::Listed(event) => Apply::apply(state, event, cx),
            ItemEvent::Picked(event) => Apply::apply(state, event, cx), // each
        }
    }

    fn encode_snapshot(&self) -> Option<Result<String, EncodeError>> {
        Some(serde_json::to_string(self).map_err(|error| EncodeError::new("Item", &error)))
    }

    fn decode_snapshot(json: &str) -> Option<Result<Self, DecodeError>> {
        Some(serde_json::from_str(json).map_err(|error| DecodeError::content("Item", &error)))
    }

    fn snapshot_shape() -> Option<&'static StateShape> {
        static SHAPE: OnceLock<StateShape> = OnceLock::new();
        Some(SHAPE.get_or_init(StateShape::of::<Self>))
    }

    fn same_state(&self, other: &Self) -> Option<bool> {
        Some(self == other)
    }

    fn shown(&self) -> Option<String> {
        Some(format!("{self:#?}"))
    }
}

inventory::submit!(AggregateRegistration::of::<Item>());

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Listed {
    pub name: String,
    pub most: u64,
}

impl Event for Listed {
    const NAME: &'static str = "Listed";
}

inventory::submit!(EventRegistration::of::<Listed>());

impl From<Listed> for ItemEvent {
    fn from(event: Listed) -> Self {
        Self::Listed(event)
    }
}

impl EventOf<Item> for Listed {
    fn into_event(self) -> ItemEvent {
        self.into()
    }
}

impl IntoEvents<Item> for Listed {
    fn extend_into(self, events: &mut Vec<ItemEvent>) {
        events.push(self.into());
    }
}

impl Decision<Item> for Listed {
    type Error = Infallible;

    fn decide(self) -> Result<Vec<ItemEvent>, Infallible> {
        Ok(vec![self.into()])
    }
}

impl Apply<Listed> for Item {
    const TAKES_CONTEXT: bool = false;

    fn apply(
        state: &mut Option<Self>,
        event: &Listed,
        _: &EventContext<Self>,
    ) -> Result<(), Misfit> {
        if state.is_some() {
            return Err(Misfit::Exists);
        }
        *state = Some(Self {
            name: event.name.clone(),
            most: event.most,
            picked: 0, // each
        });
        Ok(())
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct List {
    pub item: ItemId,
    pub name: String,
    pub most: u64,
}

impl Command for List {
    const NAME: &'static str = "List";
}

impl Targets<ItemId> for List {
    fn target(&self) -> &ItemId {
        &self.item
    }
}

impl HandledBy<Item> for List {
    type Output = Listed;

    async fn handle(
        state: Option<&Item>,
        command: Self,
        _: &Context<Item>,
    ) -> Result<Listed, Misfit> {
        match state {
            Some(_) => Err(Misfit::Exists),
            None => Ok(Listed { name: command.name, most: command.most }),
        }
    }
}

inventory::submit!(CommandRegistration::of::<Item, List>());

// Each:
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Picked {
    pub quantity: u64,
}

impl Event for Picked {
    const NAME: &'static str = "Picked";
}

inventory::submit!(EventRegistration::of::<Picked>());

impl From<Picked> for ItemEvent {
    fn from(event: Picked) -> Self {
        Self::Picked(event)
    }
}

impl EventOf<Item> for Picked {
    fn into_event(self) -> ItemEvent {
        self.into()
    }
}

impl IntoEvents<Item> for Picked {
    fn extend_into(self, events: &mut Vec<ItemEvent>) {
        events.push(self.into());
    }
}

impl ReturnedEvents<Item> for Picked {}

impl Apply<Picked> for Item {
    const TAKES_CONTEXT: bool = false;

    fn apply(
        state: &mut Option<Self>,
        event: &Picked,
        _: &EventContext<Self>,
    ) -> Result<(), Misfit> {
        state.as_mut().ok_or(Misfit::Missing)?.picked += event.quantity;
        Ok(())
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Pick {
    pub item: ItemId,
    pub quantity: u64,
}

impl Command for Pick {
    const NAME: &'static str = "Pick";
}

impl Targets<ItemId> for Pick {
    fn target(&self) -> &ItemId {
        &self.item
    }
}

impl HandledBy<Item> for Pick {
    type Output = Result<Picked, ItemError>;

    async fn handle(
        state: Option<&Item>,
        command: Self,
        _: &Context<Item>,
    ) -> Result<Self::Output, Misfit> {
        let item = state.ok_or(Misfit::Missing)?;
        if let Err(error) = item.ensure_left(item.picked, command.quantity) {
            return Ok(Err(error));
        }
        Ok(Ok(Picked { quantity: command.quantity }))
    }
}

inventory::submit!(CommandRegistration::of::<Item, Pick>());
// Once:
