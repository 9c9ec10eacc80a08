//! The deadlines of a process: what a step sets and cancels.

use std::time::Duration;

use crate::timestamp::Timestamp;

/// A deadline of a process by its name. `#[process]` writes a constant for each `#[deadline]`, so that a step names none that
/// is not there.
///
/// ```
/// use std::time::Duration;
///
/// use annals::process::{DeadlineMove, DeadlineName};
///
/// const REMINDER: DeadlineName = DeadlineName::new("reminder");
/// let moved = REMINDER.after(Duration::from_hours(1));
/// assert_eq!(moved.name(), "reminder");
/// assert_ne!(moved, REMINDER.cancel());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DeadlineName(&'static str);

impl DeadlineName {
    /// Takes the name under which the deadline is kept.
    pub const fn new(name: &'static str) -> Self {
        Self(name)
    }

    /// The name under which it is kept.
    pub const fn as_str(self) -> &'static str {
        self.0
    }

    /// Sets the deadline, or moves it, to this long after what the step saw.
    pub const fn after(self, time: Duration) -> DeadlineMove {
        DeadlineMove { name: self.0, due: Due::After(time) }
    }

    /// Sets the deadline, or moves it, to an instant. One that has passed already fires as soon as the step is done.
    pub const fn at(self, instant: Timestamp) -> DeadlineMove {
        DeadlineMove { name: self.0, due: Due::At(instant) }
    }

    /// Takes the deadline back. One that is not set is nothing to take back.
    pub const fn cancel(self) -> DeadlineMove {
        DeadlineMove { name: self.0, due: Due::Never }
    }
}

impl AsRef<str> for DeadlineName {
    fn as_ref(&self) -> &str {
        self.0
    }
}

/// What a step does with a deadline: it stands among the commands that the step returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[must_use = "a deadline changes only if the step returns the change"]
pub struct DeadlineMove {
    name: &'static str,
    due: Due,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Due {
    After(Duration),
    At(Timestamp),
    Never,
}

impl DeadlineMove {
    /// The name of the deadline.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// When it is due, of a step that saw something of this instant; `None` if it is taken back.
    pub fn due(&self, seen: Timestamp) -> Option<Timestamp> {
        match self.due {
            Due::After(time) => Some(seen + time),
            Due::At(instant) => Some(instant),
            Due::Never => None,
        }
    }
}
