//! Events as they are stored, and what they read as: tests of the way up from earlier versions.

use std::fmt::{self, Display};
use std::path::{Path, PathBuf};
use std::{fs, vec};

use annals::{Aggregate, Event, EventEnum, NewEvent, Payload, Stored};
use serde::Deserialize;
use uuid::Uuid;

use crate::report::{self, in_words};
use crate::schema::Sample;

/// An event as a store has it.
///
/// ```
/// # use annals::prelude::*;
/// # use serde::{Deserialize, Serialize};
/// # #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
/// # #[event(version = 2, oldest = 2)]
/// # struct PriceSet {
/// #     cents: i64,
/// # }
/// use annals_testing::stored;
/// use serde_json::json;
///
/// stored("PriceSet", 2, json!({ "cents": 5 })).reads_as(PriceSet { cents: 5 });
/// stored("PriceSet", 3, json!({ "cents": 5 })).fails_to_read_as::<PriceSet>(
///     "PriceSet: stored at version 3, this program knows up to version 2",
/// );
/// ```
///
/// A number of more digits than a `Value` holds is given as text: `r#"{"grains":18446744073709551616}"#.parse::<Sample>()?`, by
/// [`Sample`](crate::schema::Sample).
pub fn stored(
    event_type: impl Into<String>,
    schema_version: u32,
    data: impl Into<Sample>,
) -> StoredEvent {
    StoredEvent {
        event_type: event_type.into(),
        schema_version,
        readable_from: None,
        data: data.into(),
        place: String::new(),
    }
}

/// Events from a file of JSON, which is `{ "event_type": …, "schema_version": …, "data": … }` or a list of such.
///
/// The path is relative to the package's root, where cargo runs tests. What a release has stored, kept in such a file, is read
/// by each later one.
///
/// # Panics
///
/// If there is no such file.
#[track_caller]
pub fn stored_in(path: impl AsRef<Path>) -> StoredFile {
    let path = path.as_ref();
    let shown = path.display();
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) => {
            let folder = std::env::current_dir().unwrap_or_default();
            panic!("read stored events from `{shown}` in {}: {error}", folder.display())
        }
    };
    let events = if text.trim_start().starts_with('[') {
        serde_json::from_str::<Vec<StoredEvent>>(&text)
    } else {
        serde_json::from_str(&text).map(|event| vec![event])
    };
    let mut events = match events {
        Ok(events) => events,
        Err(error) => panic!("read stored events from `{shown}`: {error}"),
    };
    assert!(!events.is_empty(), "there is no event in `{shown}`");
    for (event, number) in events.iter_mut().zip(1..) {
        event.place = format!("event {number} of `{shown}`: ");
    }
    StoredFile { path: path.to_owned(), events }
}

/// An event as a store has it; [`stored`] makes it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
#[must_use = "it tests nothing until it is said what it reads as"]
pub struct StoredEvent {
    event_type: String,
    schema_version: u32,
    #[serde(default)]
    readable_from: Option<u32>,
    data: Sample,
    /// The file that it is from, and where in it.
    #[serde(skip)]
    place: String,
}

impl StoredEvent {
    /// Says that it was stored as readable for readers of a lower version, as `#[event(readable_from = …)]` does.
    pub fn readable_from(mut self, version: u32) -> Self {
        self.readable_from = Some(version);
        self
    }

    /// Checks that it reads as this event.
    ///
    /// # Panics
    ///
    /// If it does not.
    #[track_caller]
    #[expect(clippy::needless_pass_by_value, reason = "a test writes the event on the spot")]
    pub fn reads_as<E: Event + PartialEq>(self, expected: E) {
        let found = self.read::<E>();
        assert!(
            found == expected,
            "{}{self} reads as another event\n\n{}",
            self.place,
            report::diff(&format!("{expected:#?}"), &format!("{found:#?}"), "expected", "read")
        );
    }

    /// Checks that it cannot be read, and what the error says, with its causes.
    ///
    /// # Panics
    ///
    /// If it can be read, or the error says something else.
    #[track_caller]
    pub fn fails_to_read_as<E: Event>(self, message: &str) {
        self.check_name::<E>();
        let found = match self.with(E::decode) {
            Ok(event) => panic!("{}{self} can be read\n\n  {event:#?}", self.place),
            Err(error) => in_words(&error),
        };
        assert!(
            found == message,
            "{}{self} fails with another message\n\n{}",
            self.place,
            report::diff(message, &found, "expected", "found")
        );
    }

    /// Reads it as an event.
    #[track_caller]
    fn read<E: Event>(&self) -> E {
        self.check_name::<E>();
        match self.with(E::decode) {
            Ok(event) => event,
            Err(error) => {
                panic!("{}{self} cannot be read: {}", self.place, in_words(&error))
            }
        }
    }

    /// What is stored under another name, no store would give to this event.
    #[track_caller]
    fn check_name<E: Event>(&self) {
        let mut names = std::iter::once(&E::NAME).chain(E::ALIASES);
        assert!(
            names.any(|name| *name == self.event_type),
            "{}{self} is not stored as `{}`, nor as one of its aliases {:?}",
            self.place,
            E::NAME,
            E::ALIASES
        );
    }

    fn with<T>(&self, read: impl FnOnce(Stored<'_>) -> T) -> T {
        let stored = Stored::new(&self.event_type, self.schema_version, self.data.as_str());
        let readable_from = self.readable_from.unwrap_or(self.schema_version);
        read(stored.with_readable_from(readable_from))
    }

    pub(crate) fn to_new_event(&self, id: Uuid) -> NewEvent {
        let data = Payload::new(self.data.as_str());
        NewEvent::new(id, self.event_type.clone(), self.schema_version, data)
            .with_readable_from(self.readable_from.unwrap_or(self.schema_version))
    }
}

/// The event in a line.
impl Display for StoredEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` version {} {}", self.event_type, self.schema_version, self.data)
    }
}

/// Events from a file; [`stored_in`] reads it.
#[derive(Debug, Clone, PartialEq)]
#[must_use = "it tests nothing until it is said what it reads as"]
pub struct StoredFile {
    path: PathBuf,
    events: Vec<StoredEvent>,
}

impl StoredFile {
    /// Checks that its events read as these, one by one.
    ///
    /// # Panics
    ///
    /// If they do not, or are more or fewer.
    #[track_caller]
    pub fn reads_as<E: Event + PartialEq>(self, expected: impl IntoIterator<Item = E>) {
        let expected: Vec<E> = expected.into_iter().collect();
        assert!(
            self.events.len() == expected.len(),
            "`{}` has {} events, expected are {}",
            self.path.display(),
            self.events.len(),
            expected.len()
        );
        for (event, expected) in self.events.into_iter().zip(expected) {
            event.reads_as(expected);
        }
    }

    /// Checks that each of its events reads as an event of this type.
    ///
    /// # Panics
    ///
    /// If one does not.
    #[track_caller]
    pub fn all_read_as<E: Event>(self) {
        for event in &self.events {
            event.read::<E>();
        }
    }

    /// Checks that each of its events is read by an aggregate, as one of its events or as one that it ignores.
    ///
    /// # Panics
    ///
    /// If one is not.
    #[track_caller]
    pub fn all_read_by<A: Aggregate>(self) {
        for event in &self.events {
            match event.with(A::Event::decode) {
                Some(Ok(_)) => {}
                Some(Err(error)) => {
                    panic!("{}{event} cannot be read: {}", event.place, in_words(&error))
                }
                None => assert!(
                    A::IGNORED.contains(&event.event_type.as_str()),
                    "{}{event} is not an event of `{}`",
                    event.place,
                    std::any::type_name::<A>()
                ),
            }
        }
    }
}

/// The events, for `given_stored(stored_in(…))`.
impl IntoIterator for StoredFile {
    type Item = StoredEvent;
    type IntoIter = vec::IntoIter<StoredEvent>;

    fn into_iter(self) -> Self::IntoIter {
        self.events.into_iter()
    }
}
