//! Events: what happened, as a plain struct with a stored name and a version.
//!
//! This module knows how one event is named, written and read. It does not know who applies it: that is
//! [`Aggregate`]'s part.

use std::any::{TypeId, type_name};
use std::fmt::Debug;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::aggregate::Aggregate;
use crate::codec::{DecodeError, EncodeError};
use crate::upcast::{self, Previous, Renamed, Stored, UpcastError};

/// A fact that a stream keeps for ever.
///
/// `#[derive(Event)]` writes this impl; by hand it is the stored name and the version:
///
/// ```
/// use annals::{Event, Stored};
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
/// let event = MoneyDeposited::decode(Stored::new("MoneyDeposited", 1, r#"{"amount":5}"#))?;
/// assert_eq!(event.amount, 5);
/// # Ok::<(), annals::DecodeError>(())
/// ```
///
/// An event that changed shape says what each step changes:
///
/// ```
/// use annals::{Event, Previous, Stored, UpcastError};
/// use serde::{Deserialize, Serialize};
/// use serde_json::Value;
///
/// /// The shape of version 1.
/// #[derive(Debug, Clone, Serialize, Deserialize)]
/// struct PriceSetV1 {
///     price: f64,
/// }
///
/// impl Event for PriceSetV1 {
///     const NAME: &'static str = "PriceSet";
/// }
///
/// /// The shape of today: version 2 had no currency.
/// #[derive(Debug, PartialEq, Clone, Serialize, Deserialize)]
/// struct PriceSet {
///     cents: i64,
///     currency: String,
/// }
///
/// impl From<PriceSetV1> for PriceSet {
///     fn from(old: PriceSetV1) -> Self {
///         Self { cents: (old.price * 100.0).round() as i64, currency: "EUR".into() }
///     }
/// }
///
/// impl Event for PriceSet {
///     const NAME: &'static str = "PriceSet";
///     const VERSION: u32 = 3;
///     const PREVIOUS: Option<Previous<Self>> = Some(Previous::of::<PriceSetV1>());
///
///     fn upcast(from: u32, mut json: Value) -> Result<Value, UpcastError> {
///         match from {
///             2 => json["currency"] = "EUR".into(),
///             _ => return Err(UpcastError::new("no such step")),
///         }
///         Ok(json)
///     }
/// }
///
/// for (version, json) in [
///     (1, r#"{"price":12.34}"#),
///     (2, r#"{"cents":1234}"#),
///     (3, r#"{"cents":1234,"currency":"EUR"}"#),
/// ] {
///     let read = PriceSet::decode(Stored::new("PriceSet", version, json))?;
///     assert_eq!(read, PriceSet { cents: 1234, currency: "EUR".into() });
/// }
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

    /// The oldest version that may be stored. What is older is refused.
    const OLDEST: u32 = 1;

    /// The lowest version whose readers can read what is stored today, by leaving out what they do not know.
    ///
    /// It is stored with each event, so that the release before goes on reading during a rolling deploy.
    /// Whether it is so, the schema test of annals-testing proves: types alone do not tell what an earlier version had.
    const READABLE_FROM: u32 = Self::VERSION;

    /// The lowest version whose JSON the struct reads as it is: each step from there on needs nothing.
    const DIRECT_FROM: u32 = Self::VERSION;

    /// The fields that [`upcast`](Event::upcast) renames, from the lowest version on: where one is missing, the error names
    /// it as its version did, too.
    const RENAMED: &'static [Renamed] = &[];

    /// Whether no handler may return the event any more. It is read and applied all the same.
    const RETIRED: bool = false;

    /// The struct of an earlier version, under the same stored name: what is stored at its version or below goes through
    /// it.
    const PREVIOUS: Option<Previous<Self>> = None;

    /// Writes the event as JSON text.
    ///
    /// # Errors
    ///
    /// When the event's `Serialize` fails.
    fn encode(&self) -> Result<String, EncodeError> {
        serde_json::to_string(self).map_err(|error| EncodeError::new(Self::NAME, &error))
    }

    /// Reads a stored event.
    ///
    /// One at the present version goes straight into the struct. One at an older version takes the way that
    /// [`PREVIOUS`](Event::PREVIOUS) and [`upcast`](Event::upcast) lead; one at a newer version is read if it says that
    /// readers of this version can.
    ///
    /// # Errors
    ///
    /// When the stored version is newer than can be read or older than [`OLDEST`](Event::OLDEST), when a step fails, or
    /// when the text is not what the event's `Deserialize` wants. The error names the event, the versions and the step.
    #[inline]
    fn decode(stored: Stored<'_>) -> Result<Self, DecodeError> {
        if stored.schema_version == Self::VERSION {
            return serde_json::from_str(stored.json)
                .map_err(|error| DecodeError::content(stored.event_type, &error));
        }
        upcast::decode_other(stored)
    }

    /// Lifts the JSON of version `from` to version `from + 1`.
    ///
    /// It is called once for each step from the stored version on, unless [`PREVIOUS`](Event::PREVIOUS) or
    /// [`DIRECT_FROM`](Event::DIRECT_FROM) spare it.
    ///
    /// # Errors
    ///
    /// When the JSON is not what version `from` wrote.
    fn upcast(from: u32, json: Value) -> Result<Value, UpcastError> {
        let (_, _) = (from, json);
        Err(UpcastError::no_step())
    }
}

/// Events of one aggregate as one enum; `#[derive(Aggregate)]` writes it.
pub trait EventEnum: Debug + Clone + Send + Sync + Sized + 'static {
    /// Stored names and versions of the listed events, in the order of the list.
    const EVENTS: &'static [EventName];

    /// How the event inside is stored.
    fn stored(&self) -> &'static EventName;

    /// The stored name of the event inside.
    #[inline]
    fn event_type(&self) -> &'static str {
        self.stored().name
    }

    /// The version of the shape of the event inside.
    #[inline]
    fn schema_version(&self) -> u32 {
        self.stored().version
    }

    /// Writes the event inside as JSON text.
    ///
    /// # Errors
    ///
    /// As [`Event::encode`].
    fn encode(&self) -> Result<String, EncodeError>;

    /// Reads an event by its stored name; `None` for a name that is not of this aggregate.
    fn decode(stored: Stored<'_>) -> Option<Result<Self, DecodeError>>;

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
    /// The oldest version that is read.
    pub oldest: u32,
    /// The lowest version whose readers can read what is stored today.
    pub readable_from: u32,
    /// Whether no handler may return it any more.
    pub retired: bool,
    /// Earlier stored names.
    pub aliases: &'static [&'static str],
    /// The struct of an earlier version, under the same stored name.
    pub previous: Option<&'static EventName>,
    /// The name of its Rust type, with its path.
    pub type_name: fn() -> &'static str,
    /// Its Rust type.
    pub type_id: fn() -> TypeId,
}

impl EventName {
    /// Takes the names from the event's type.
    pub const fn of<E: Event>() -> Self {
        Self {
            oldest: E::OLDEST,
            readable_from: E::READABLE_FROM,
            previous: match E::PREVIOUS {
                Some(previous) => Some(previous.event),
                None => None,
            },
            ..Self::alone::<E>()
        }
    }

    /// Takes the names from the struct `P` of a version before that of `E`.
    ///
    /// One whose version is not lower leads no further: earlier structs that lead in a circle would have no end.
    pub(crate) const fn earlier<P: Event, E: Event>() -> &'static Self {
        // Two functions: a constant is evaluated with all of the function that names it.
        if P::VERSION < E::VERSION { Self::lasting::<P>() } else { Self::lasting_alone::<P>() }
    }

    const fn lasting<E: Event>() -> &'static Self {
        const { &Self::of::<E>() }
    }

    const fn lasting_alone<E: Event>() -> &'static Self {
        const { &Self::alone::<E>() }
    }

    /// Takes the names from the event's type, but asks for nothing that depends on an earlier struct.
    const fn alone<E: Event>() -> Self {
        Self {
            name: E::NAME,
            version: E::VERSION,
            oldest: E::VERSION,
            readable_from: E::VERSION,
            retired: E::RETIRED,
            aliases: E::ALIASES,
            previous: None,
            type_name: type_name::<E>,
            type_id: TypeId::of::<E>,
        }
    }

    /// Of two that share a stored name by right, the later; `None` if they are two events.
    ///
    /// They are one event if they are one type, or one is the [`PREVIOUS`](Event::PREVIOUS) of the other, or before it.
    pub(crate) fn later_of<'a>(&'a self, other: &'a Self) -> Option<&'a Self> {
        if self.leads_from(other) { Some(self) } else { other.leads_from(self).then_some(other) }
    }

    /// Whether `earlier` is this type or one of those before it.
    fn leads_from(&self, earlier: &Self) -> bool {
        let mut next = Some(self);
        while let Some(event) = next {
            if (event.type_id)() == (earlier.type_id)() {
                return true;
            }
            next = event.previous;
        }
        false
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
/// the event itself. Which of them a handler may return, [`ReturnedEvents`] says.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an event, or several, of `{A}`",
    label = "not events of `{A}`",
    note = "events are: an event listed in `#[aggregate(events(…))]`, the event enum, `()`, and `Option`, `Vec`, arrays and tuples of those"
)]
pub trait IntoEvents<A: Aggregate> {
    /// Appends the events to `events`, in their order.
    fn extend_into(self, events: &mut Vec<A::Event>);
}

/// Those [`IntoEvents`] that a handler may return: all but the retired events.
///
/// [`Event`]'s derive writes the impl for the event itself.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an event, or several, of `{A}`",
    label = "not events of `{A}`",
    note = "events are: an event listed in `#[aggregate(events(…))]`, the event enum, `()`, and `Option`, `Vec`, arrays and tuples of those"
)]
pub trait ReturnedEvents<A: Aggregate>: IntoEvents<A> {}

impl<A: Aggregate> ReturnedEvents<A> for () {}
impl<A: Aggregate, E: ReturnedEvents<A>> ReturnedEvents<A> for Option<E> {}
impl<A: Aggregate, E: ReturnedEvents<A>> ReturnedEvents<A> for Vec<E> {}
impl<A: Aggregate, E: ReturnedEvents<A>, const N: usize> ReturnedEvents<A> for [E; N] {}

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

        impl<A: Aggregate, $($name: ReturnedEvents<A>),+> ReturnedEvents<A> for ($($name,)+) {}

        impl<A: Aggregate, $($name: ReturnedEvents<A>),+> crate::Decision<A> for ($($name,)+) {
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
