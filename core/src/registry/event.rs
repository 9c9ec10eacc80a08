//! Events that the program links.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::LazyLock;

#[cfg(feature = "schema")]
use serde_json::Value;

#[cfg(feature = "schema")]
use super::schema;
#[cfg(any(feature = "schema", feature = "cli"))]
use crate::codec::DecodeError;
use crate::event::{Event, EventName};
#[cfg(feature = "schema")]
use crate::shape::Traced;
#[cfg(any(feature = "schema", feature = "cli"))]
use crate::upcast::Stored;
#[cfg(feature = "schema")]
use crate::upcast::UpcastError;

/// A type of event that the program links.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct EventRegistration {
    /// How it is stored.
    pub event: EventName,
    /// Finds its shape.
    #[cfg(feature = "schema")]
    pub trace: fn() -> Traced,
    /// Reads it, and says only whether it can be read.
    #[cfg(any(feature = "schema", feature = "cli"))]
    pub read: fn(Stored<'_>) -> Result<(), DecodeError>,
    /// Reads it, and writes what it read.
    #[cfg(feature = "schema")]
    pub write_again: fn(Stored<'_>) -> Result<String, DecodeError>,
    /// Leads its JSON up from a version to the next.
    #[cfg(feature = "schema")]
    pub upcast: fn(u32, Value) -> Result<Value, UpcastError>,
}

impl EventRegistration {
    /// All events that the program links, in any order.
    pub fn all() -> impl Iterator<Item = &'static Self> {
        inventory::iter::<Self>.into_iter()
    }

    /// A stored name: without a copy if an event of the program is, or was, stored under it.
    ///
    /// ```
    /// # use std::borrow::Cow;
    /// use annals::registry::EventRegistration;
    ///
    /// assert_eq!(EventRegistration::name_of("NobodysEvent"), Cow::<str>::Owned("NobodysEvent".to_owned()));
    /// ```
    pub fn name_of(stored: &str) -> Cow<'static, str> {
        static NAMES: LazyLock<HashSet<&str>> = LazyLock::new(|| {
            let names = |event: &EventRegistration| {
                let EventName { name, aliases, .. } = event.event;
                aliases.iter().copied().chain([name])
            };
            EventRegistration::all().flat_map(names).collect()
        });
        NAMES.get(stored).map_or_else(|| stored.to_owned().into(), |name| (*name).into())
    }

    /// Makes the entry of an event.
    pub const fn of<E: Event>() -> Self {
        Self {
            event: EventName::of::<E>(),
            #[cfg(feature = "schema")]
            trace: schema::trace_event::<E>,
            #[cfg(any(feature = "schema", feature = "cli"))]
            read: |stored| E::decode(stored).map(drop),
            #[cfg(feature = "schema")]
            write_again: schema::write_event_again::<E>,
            #[cfg(feature = "schema")]
            upcast: E::upcast,
        }
    }
}

inventory::collect!(EventRegistration);
