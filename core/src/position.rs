//! The place of an event among all events of a store.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The place of an event among all events of a store.
///
/// Positions are ordered as the events are, and opaque otherwise: they may have gaps, and a store may bound them.
///
/// ```
/// use annals::Position;
///
/// assert!(Position::START < Position::from(1));
/// assert_eq!(Position::from(7).to_string(), "7");
/// ```
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Position(u64);

impl Position {
    /// Before the first event.
    pub const START: Self = Self(0);

    /// The position as a number, as stores keep it.
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl From<u64> for Position {
    fn from(position: u64) -> Self {
        Self(position)
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
