//! Streams: names, expected versions, heads.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::aggregate::Aggregate;
use crate::position::Position;
use crate::timestamp::Timestamp;

/// The name of a stream: `{category}-{id}`.
///
/// A category contains no `-`, so the first one separates, and no two aggregates share a stream.
///
/// ```
/// use annals::StreamId;
///
/// let stream = StreamId::new("account", "ada-2");
/// assert_eq!(stream.as_str(), "account-ada-2");
/// assert_eq!((stream.category(), stream.id()), ("account", "ada-2"));
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StreamId(Arc<str>);

/// The longest id in a stream's name, in bytes.
pub(crate) const MAX_ID: usize = 1024;

/// The longest category in a stream's name, in bytes: that of all stored names.
const MAX_CATEGORY: usize = 255;

impl StreamId {
    /// Names the stream of an id in a category, which contains no `-`: the first `-` separates the two.
    pub fn new(category: &str, id: impl fmt::Display) -> Self {
        Self(format!("{category}-{id}").into())
    }

    /// Names the stream of one aggregate.
    pub fn of<A: Aggregate>(id: &A::Id) -> Self {
        Self::new(A::CATEGORY, id)
    }

    /// Takes a whole name, as stores keep it.
    pub fn from_name(name: impl Into<Arc<str>>) -> Self {
        Self(name.into())
    }

    /// The whole name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What stands before the first `-`.
    pub fn category(&self) -> &str {
        self.0.split_once('-').map_or(&*self.0, |(category, _)| category)
    }

    /// What stands after the first `-`.
    pub fn id(&self) -> &str {
        self.0.split_once('-').map_or("", |(_, id)| id)
    }

    /// Says what is wrong with the name, if a store could not keep it.
    pub(crate) fn fault(&self) -> Option<String> {
        let (category, id) = (self.category(), self.id());
        if category.is_empty() {
            Some("the category is empty".to_owned())
        } else if category.len() > MAX_CATEGORY {
            let length = category.len();
            Some(format!("the category is {length} bytes long, of at most {MAX_CATEGORY}"))
        } else if id.is_empty() {
            Some("the id is empty".to_owned())
        } else if id.len() > MAX_ID {
            Some(format!("the id is {} bytes long, of at most {MAX_ID}", id.len()))
        } else if self.0.contains('\0') {
            Some("the name contains a null character".to_owned())
        } else {
            None
        }
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

/// What an append expects of its stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// Nothing: the events go to the end, whatever is there.
    Any,
    /// That the stream has no event.
    NoStream,
    /// That the stream's last event has this version.
    Exact(u64),
}

impl Expected {
    /// Expects a stream at this version, 0 standing for no event.
    pub const fn at(version: u64) -> Self {
        if version == 0 { Self::NoStream } else { Self::Exact(version) }
    }

    /// Whether a stream at this version, 0 standing for no event, is what was expected.
    pub const fn allows(self, version: u64) -> bool {
        match self {
            Self::Any => true,
            Self::NoStream => version == 0,
            Self::Exact(expected) => version == expected,
        }
    }
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("any version"),
            Self::NoStream => f.write_str("no event"),
            Self::Exact(version) => write!(f, "version {version}"),
        }
    }
}

/// Where a stream ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct StreamHead {
    /// The version of the last event; 0 if there is none.
    pub version: u64,
    /// The position of the last event; [`Position::START`] if there is none.
    pub position: Position,
    /// The instant of the last event; the store's clock if there is none.
    pub recorded_at: Timestamp,
}

impl StreamHead {
    /// Makes a head.
    pub const fn new(version: u64, position: Position, recorded_at: Timestamp) -> Self {
        Self { version, position, recorded_at }
    }
}
