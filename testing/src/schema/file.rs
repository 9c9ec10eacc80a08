//! The schema file: what every release so far has stored, by name and version.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::{fs, process};

use annals::shape::{Shape, StateShape, Traced};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::layout::indented;
use super::sample::Sample;
use super::{duplicates, opaque};

/// The format of the file. A reader of another refuses it.
const FORMAT: u32 = 1;

/// What a schema file keeps.
///
/// It is sorted, and written one thing a line, so that a pull request shows what changes in what is stored. It may be edited by
/// hand: samples that really were stored are better than those that were made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct SchemaFile {
    /// The format of the file.
    pub format: u32,
    /// Aggregates by their categories.
    pub aggregates: BTreeMap<String, KeptAggregate>,
    /// Commands by their names.
    pub commands: BTreeMap<String, KeptShape>,
    /// Events by their stored names.
    pub events: BTreeMap<String, KeptEvent>,
    /// Process managers by the names under which their steps are kept.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub processes: BTreeMap<String, KeptProcess>,
    /// Projections by the names under which their checkpoints are kept.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub projections: BTreeMap<String, KeptProjection>,
    /// The names of queries.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub queries: BTreeSet<String>,
    /// The names of reactors, under which their checkpoints are kept.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub reactors: BTreeSet<String>,
    /// Sagas by the names under which their logs are kept.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub sagas: BTreeMap<String, KeptSaga>,
}

/// What is kept of a saga.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct KeptSaga {
    /// The names of its steps, in their order.
    pub steps: Vec<String>,
    /// The version of its data.
    pub version: u32,
}

/// What is kept of a projection: nothing that breaks, since its rows come from events; but where they are.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct KeptProjection {
    /// The name of its table.
    pub table: String,
    /// Its version.
    pub version: u32,
}

/// What is kept of a process manager.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct KeptProcess {
    /// The names of its deadlines.
    pub deadlines: BTreeSet<String>,
    /// The version of its state.
    pub version: u32,
}

/// What is kept of an aggregate.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct KeptAggregate {
    /// The stored names of its events.
    pub events: BTreeSet<String>,
    /// Its snapshots, if it has any whose shape is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<KeptSnapshot>,
}

/// What is kept of an aggregate's snapshots.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct KeptSnapshot {
    /// The version of the state's shape.
    pub version: u32,
    /// The state's shape.
    pub shape: Shape,
    /// Where the shape says nothing, by path from `$`: a change there is not seen.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub opaque: BTreeSet<String>,
}

impl KeptSnapshot {
    /// What is kept of a state at a version.
    pub(super) fn of(version: u32, state: &StateShape) -> Self {
        let opaque = opaque::in_shape(&state.shape).into_keys().collect();
        Self { version, shape: state.shape.clone(), opaque }
    }
}

/// What is kept of an event.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct KeptEvent {
    /// Other names under which it is stored.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub aliases: BTreeSet<String>,
    /// Every version that was ever accepted.
    pub versions: BTreeMap<u32, KeptShape>,
}

/// What is kept of a version of an event, or of a command.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct KeptShape {
    /// Its shape.
    pub shape: Shape,
    /// Where the shape says nothing, by path from `$`: there the samples speak for it.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub opaque: BTreeSet<String>,
    /// JSON that every later release has to read: as it was really stored or sent, given by hand.
    pub samples: Vec<Sample>,
    /// The same, made of the shape. Where a step of the program refuses one, it gives way to one that is given.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub made: Vec<Sample>,
}

impl KeptShape {
    pub(super) fn of(traced: Traced) -> Self {
        let opaque = opaque::places(&traced).into_keys().collect();
        let made = made(&traced);
        Self { shape: traced.shape, opaque, samples: Vec::new(), made }
    }

    /// All samples: given, then made.
    pub(super) fn all_samples(&self) -> impl Iterator<Item = &Sample> {
        self.samples.iter().chain(&self.made)
    }

    /// Whether nothing shows what was stored.
    pub(super) const fn has_no_samples(&self) -> bool {
        self.samples.is_empty() && self.made.is_empty()
    }
}

impl Default for SchemaFile {
    fn default() -> Self {
        Self {
            format: FORMAT,
            aggregates: BTreeMap::new(),
            commands: BTreeMap::new(),
            events: BTreeMap::new(),
            processes: BTreeMap::new(),
            projections: BTreeMap::new(),
            queries: BTreeSet::new(),
            reactors: BTreeSet::new(),
            sagas: BTreeMap::new(),
        }
    }
}

impl SchemaFile {
    /// Reads a file; `None` if there is none.
    ///
    /// # Errors
    ///
    /// When the file cannot be read, or is no schema file.
    pub fn read(path: impl AsRef<Path>) -> Result<Option<Self>, FileError> {
        let path = path.as_ref();
        match fs::read_to_string(path) {
            Ok(text) => {
                Self::parse(&text).map(Some).map_err(|why| FileError::new("read", path, &why))
            }
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(FileError::new("read", path, &error)),
        }
    }

    /// Reads the text of a file.
    fn parse(text: &str) -> Result<Self, String> {
        if text.trim().is_empty() {
            return Err("it is empty; restore it from git".to_owned());
        }
        if text.starts_with('\u{feff}') {
            let mark =
                "it begins with a byte order mark, as some editors put it; restore it from git";
            return Err(mark.to_owned());
        }
        if let Some(line) = text.lines().position(|line| line.starts_with("<<<<<<<")) {
            return Err(format!(
                "a merge conflict is left at line {}; keep both sides, since each was accepted, and renumber a version that both have; or restore it from git",
                line + 1
            ));
        }
        let value: Value = serde_json::from_str(text).map_err(|error| no_json(&error))?;
        let format = value.get("format").and_then(Value::as_u64);
        if format != Some(FORMAT.into()) {
            let found = format.map_or_else(|| "none".to_owned(), |format| format.to_string());
            return Err(format!("this annals-testing reads format {FORMAT}, the file has {found}"));
        }
        duplicates::refuse(text).map_err(|error| error.to_string())?;
        // Once more from the text, so that an error names its line.
        serde_json::from_str(text).map_err(|error| error.to_string())
    }

    /// The text of the file.
    ///
    /// # Panics
    ///
    /// By a bug of annals-testing only.
    pub fn to_json(&self) -> String {
        let text = serde_json::to_string(self).unwrap_or_else(|error| {
            panic!("bug in annals-testing: a schema cannot be written: {error}")
        });
        indented(&text) + "\n"
    }

    /// Writes the file as a whole: who reads it at the same time sees the old one or the new one.
    ///
    /// # Errors
    ///
    /// When the file cannot be written.
    pub fn write(&self, path: impl AsRef<Path>) -> Result<(), FileError> {
        let path = path.as_ref();
        replace(path, &self.to_json()).map_err(|error| FileError::new("write", path, &error))
    }
}

/// What was made of a shape: also what a `Value` does not hold.
fn made(traced: &Traced) -> Vec<Sample> {
    let beyond = traced.beyond.iter().filter_map(|json| json.parse().ok());
    traced.samples.iter().cloned().map(Sample::from).chain(beyond).collect()
}

/// Says that a text is no JSON, and what to do.
fn no_json(error: &serde_json::Error) -> String {
    let advice = if error.is_eof() {
        "it was cut off: restore it from git"
    } else {
        "it is no JSON any more: restore it from git, or mend that line"
    };
    format!("{error}; {advice}")
}

/// Puts a new file in the place of what is there.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    static WRITTEN: AtomicU32 = AtomicU32::new(0);
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    // Beside it, since a rename does not cross file systems; of this writer alone, since tests run at the same time.
    let number = WRITTEN.fetch_add(1, Ordering::Relaxed);
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".{}-{number}.tmp", process::id()));
    let beside = PathBuf::from(beside);
    fs::write(&beside, text)
        .and_then(|()| fs::rename(&beside, path))
        .inspect_err(|_| drop(fs::remove_file(&beside)))
}

/// A schema file that could not be read or written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileError {
    message: String,
}

impl FileError {
    fn new(what: &str, path: &Path, why: &dyn fmt::Display) -> Self {
        Self { message: format!("{what} schema file `{}`: {why}", path.display()) }
    }
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for FileError {}
