//! Events: what happened, as a plain struct with a stored name and a version.
//!
//! This module knows how one event is named, written and read. It does not know who applies it: that is
//! [`Aggregate`]'s part.

use std::any::{TypeId, type_name};
use std::fmt::Debug;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::aggregate::Aggregate;
use crate::codec::{DecodeError, EncodeError};

/// A fact that a stream keeps for ever.
///
/// `#[derive(Event)]` writes this impl; by hand it is the stored name and the version:
///
/// ```
/// use annals::Event;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Debug, Clone, Serialize, Deserialize)]
/// struct MoneyDeposited {
///     amount: u64,
/// }
///
/// impl Event for MoneyDeposited {
///     const NAME: &'static str = "MoneyDeposited";
/// }
///
/// let event = MoneyDeposited::decode("MoneyDeposited", 1, r#"{"amount":5}"#)?;
/// assert_eq!(event.amount, 5);
/// # Ok::<(), annals::DecodeError>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an event",
    label = "not an event",
    note = "derive it: `#[derive(Debug, Clone, Serialize, Deserialize, Event)]`"
)]
pub trait Event: Debug + Clone + Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The name under which the event is stored. It outlives the name of the struct.
    const NAME: &'static str;

    /// The version of the event's shape, from 1.
    const VERSION: u32 = 1;

    /// Stored names of earlier releases that read as this event.
    const ALIASES: &'static [&'static str] = &[];

    /// Writes the event as JSON text.
    ///
    /// # Errors
    ///
    /// When the event's `Serialize` fails.
    fn encode(&self) -> Result<String, EncodeError> {
        serde_json::to_string(self).map_err(|error| EncodeError::new(Self::NAME, &error))
    }

    /// Reads an event that is stored as `event_type` with the shape of `schema_version` from its JSON text.
    ///
    /// # Errors
    ///
    /// When the stored version is newer than [`VERSION`](Event::VERSION), has no way up to it, or the text is not
    /// what the event's `Deserialize` wants. The error names the event.
    fn decode(event_type: &str, schema_version: u32, json: &str) -> Result<Self, DecodeError> {
        if schema_version != Self::VERSION {
            return Err(DecodeError::version(event_type, schema_version, Self::VERSION));
        }
        serde_json::from_str(json).map_err(|error| DecodeError::content(event_type, &error))
    }
}

/// Events of one aggregate as one enum; `#[derive(Aggregate)]` writes it.
pub trait EventEnum: Debug + Clone + Send + Sync + Sized + 'static {
    /// Stored names and versions of the listed events, in the order of the list.
    const EVENTS: &'static [EventName];

    /// The stored name of the event inside.
    fn event_type(&self) -> &'static str;

    /// The version of the shape of the event inside.
    fn schema_version(&self) -> u32;

    /// Writes the event inside as JSON text.
    ///
    /// # Errors
    ///
    /// As [`Event::encode`].
    fn encode(&self) -> Result<String, EncodeError>;

    /// Reads an event by its stored name; `None` for a name that is not of this aggregate.
    fn decode(
        event_type: &str,
        schema_version: u32,
        json: &str,
    ) -> Option<Result<Self, DecodeError>>;

    /// Compares two events; `None` if their type has no equality. Test harnesses ask.
    fn same_event(&self, other: &Self) -> Option<bool> {
        let _ = other;
        None
    }
}

/// How one type of event is stored.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct EventName {
    /// The stored name.
    pub name: &'static str,
    /// The version of its shape.
    pub version: u32,
    /// Earlier stored names.
    pub aliases: &'static [&'static str],
    /// The name of its Rust type, with its path.
    pub type_name: fn() -> &'static str,
    /// Its Rust type.
    pub type_id: fn() -> TypeId,
}

impl EventName {
    /// Takes the names from the event's type.
    pub const fn of<E: Event>() -> Self {
        Self {
            name: E::NAME,
            version: E::VERSION,
            aliases: E::ALIASES,
            type_name: type_name::<E>,
            type_id: TypeId::of::<E>,
        }
    }
}

/// An event that the aggregate `A` lists; `#[derive(Aggregate)]` writes one impl for each.
///
/// [`Event`] is not a supertrait: whether a listed type is an event, its aggregate asks once, where it is listed.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not in the events of `{A}`",
    label = "not listed in `#[aggregate(events(…))]` of `{A}`",
    note = "add `{Self}` to `#[aggregate(events(…))]` on `{A}`"
)]
pub trait EventOf<A: Aggregate>: Sized {
    /// Wraps the event in the aggregate's event enum.
    fn into_event(self) -> A::Event;
}

/// What stands for none, one or many events of the aggregate `A`.
///
/// An event, the event enum, `()`, `Option`, `Vec`, arrays and tuples of those. [`Event`]'s derive writes the impl for
/// the event itself.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an event, or several, of `{A}`",
    label = "not events of `{A}`",
    note = "events are: an event listed in `#[aggregate(events(…))]`, the event enum, `()`, and `Option`, `Vec`, arrays and tuples of those"
)]
pub trait IntoEvents<A: Aggregate> {
    /// Appends the events to `events`, in their order.
    fn extend_into(self, events: &mut Vec<A::Event>);
}

impl<A: Aggregate> IntoEvents<A> for () {
    fn extend_into(self, _: &mut Vec<A::Event>) {}
}

impl<A: Aggregate, E: IntoEvents<A>> IntoEvents<A> for Option<E> {
    fn extend_into(self, events: &mut Vec<A::Event>) {
        if let Some(event) = self {
            event.extend_into(events);
        }
    }
}

impl<A: Aggregate, E: IntoEvents<A>> IntoEvents<A> for Vec<E> {
    fn extend_into(self, events: &mut Vec<A::Event>) {
        for event in self {
            event.extend_into(events);
        }
    }
}

impl<A: Aggregate, E: IntoEvents<A>, const N: usize> IntoEvents<A> for [E; N] {
    fn extend_into(self, events: &mut Vec<A::Event>) {
        for event in self {
            event.extend_into(events);
        }
    }
}

macro_rules! tuples {
    ($($name:ident)+) => {
        impl<A: Aggregate, $($name: IntoEvents<A>),+> IntoEvents<A> for ($($name,)+) {
            fn extend_into(self, events: &mut Vec<A::Event>) {
                #[expect(non_snake_case, reason = "each variable is named after its type")]
                let ($($name,)+) = self;
                $($name.extend_into(events);)+
            }
        }

        impl<A: Aggregate, $($name: IntoEvents<A>),+> crate::Decision<A> for ($($name,)+) {
            type Error = std::convert::Infallible;

            fn decide(self) -> Result<Vec<A::Event>, Self::Error> {
                let mut events = Vec::new();
                self.extend_into(&mut events);
                Ok(events)
            }
        }
    };
}

tuples!(E1);
tuples!(E1 E2);
tuples!(E1 E2 E3);
tuples!(E1 E2 E3 E4);
tuples!(E1 E2 E3 E4 E5);
tuples!(E1 E2 E3 E4 E5 E6);
tuples!(E1 E2 E3 E4 E5 E6 E7);
tuples!(E1 E2 E3 E4 E5 E6 E7 E8);
