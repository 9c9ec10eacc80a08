//! The vocabulary: what an office can do in the receipt phase of a permit application.

use std::fmt;
use std::str::FromStr;

use annals::prelude::*;
use annals::read_model::{ColumnError, ColumnKind, KeyColumn, Value};
use serde::{Deserialize, Serialize};

/// How like a known name an unknown one must be to be taken for a slip, from 0 to 1.
const LIKENESS: f64 = 0.9;

const CONFIRMATION: &str = "Confirmation of receipt";

/// The tasks by the names that the logs of the offices give them, spelling included.
const TASKS: [&str; 26] = [
    "T02 Check confirmation of receipt",
    "T03 Adjust confirmation of receipt",
    "T04 Determine confirmation of receipt",
    "T05 Print and send confirmation of receipt",
    "T06 Determine necessity of stop advice",
    "T07-1 Draft intern advice aspect 1",
    "T07-2 Draft intern advice aspect 2",
    "T07-3 Draft intern advice hold for aspect 3",
    "T07-4 Draft internal advice to hold for type 4",
    "T07-5 Draft intern advice aspect 5",
    "T08 Draft and send request for advice",
    "T09-1 Process or receive external advice from party 1",
    "T09-2 Process or receive external advice from party 2",
    "T09-3 Process or receive external advice from party 3",
    "T09-4 Process or receive external advice from party 4",
    "T10 Determine necessity to stop indication",
    "T11 Create document X request unlicensed",
    "T12 Check document X request unlicensed",
    "T13 Adjust document X request unlicensed",
    "T14 Determine document X request unlicensed",
    "T15 Print document X request unlicensed",
    "T16 Report reasons to hold request",
    "T17 Check report Y to stop indication",
    "T18 Adjust report Y to stop indicition",
    "T19 Determine report Y to stop indication",
    "T20 Print report Y to stop indication",
];

/// One of the numbered tasks that may follow the confirmation: a place in [`TASKS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "&str")]
pub(crate) struct Task(usize);

/// What can be done in a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "&str")]
pub(crate) enum Activity {
    /// The applicant is told that the application has come.
    Confirmation,
    /// A task is done.
    Task(Task),
}

impl Activity {
    /// Its name in the logs.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Confirmation => CONFIRMATION,
            Self::Task(task) => task.into(),
        }
    }
}

/// A name that stands for nothing that an office does.
#[derive(Debug, PartialEq, thiserror::Error)]
#[error("unknown activity `{}`{}", .name.escape_debug(), nearest.map(|nearest| format!("; did you mean `{nearest}`?")).unwrap_or_default())]
pub(crate) struct UnknownActivity {
    name: String,
    nearest: Option<&'static str>,
}

impl FromStr for Activity {
    type Err = UnknownActivity;

    fn from_str(name: &str) -> Result<Self, UnknownActivity> {
        if name == CONFIRMATION { Ok(Self::Confirmation) } else { name.parse().map(Self::Task) }
    }
}

impl FromStr for Task {
    type Err = UnknownActivity;

    fn from_str(name: &str) -> Result<Self, UnknownActivity> {
        match TASKS.iter().position(|known| *known == name) {
            Some(place) => Ok(Self(place)),
            None => Err(UnknownActivity { name: name.to_owned(), nearest: nearest(name) }),
        }
    }
}

impl TryFrom<String> for Activity {
    type Error = UnknownActivity;

    fn try_from(name: String) -> Result<Self, UnknownActivity> {
        name.parse()
    }
}

impl TryFrom<String> for Task {
    type Error = UnknownActivity;

    fn try_from(name: String) -> Result<Self, UnknownActivity> {
        name.parse()
    }
}

impl From<Task> for &str {
    fn from(task: Task) -> Self {
        TASKS[task.0]
    }
}

impl From<Activity> for &str {
    fn from(activity: Activity) -> Self {
        activity.name()
    }
}

impl fmt::Display for Activity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// In a column it is its name.
impl ColumnType for Activity {
    const KIND: ColumnKind = ColumnKind::Text;

    fn to_value(&self) -> Result<Value, ColumnError> {
        self.name().to_owned().to_value()
    }

    fn from_value(value: Value) -> Result<Self, ColumnError> {
        let name = String::from_value(value)?;
        name.parse().map_err(|error: UnknownActivity| ColumnError::new(error.to_string()))
    }
}

impl KeyColumn for Activity {}

fn nearest(name: &str) -> Option<&'static str> {
    let known = std::iter::once(CONFIRMATION).chain(TASKS);
    known
        .map(|known| (strsim::normalized_levenshtein(known, name), known))
        .filter(|(likeness, _)| *likeness >= LIKENESS)
        .max_by(|one, other| one.0.total_cmp(&other.0))
        .map(|(_, known)| known)
}
