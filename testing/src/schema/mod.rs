//! The schema test: what the program stores, held against a file in git.
//!
//! ```no_run
//! #[test]
//! fn the_schema_is_what_history_needs() {
//!     annals_testing::schema::assert_unchanged("schema.json");
//! }
//! ```
//!
//! The file keeps every stored name and the shape of every version of every event that was ever accepted, with samples of
//! its JSON. The test fails, with all that it found at once and what to write, where an event changed shape under the same
//! version, a version has no way up, or a stored name is gone. What is new and breaks nothing is taken into the file by
//! `ANNALS_SCHEMA=accept cargo test`, and shows in the pull request.
//!
//! Shapes come from what `Deserialize` asks for ([`annals::shape`]), so that a `#[serde(rename)]` counts and the name of a
//! Rust type does not. Where a type takes no value that could be made up, or a step refuses what was made, a sample has to be
//! given by hand, once: the file keeps what is given as `samples`, beside what is `made`. Places of which nothing can be seen
//! are told when they are new, and listed as `opaque`.
//!
//! Only what the test's program links is seen: have one such test in a crate that uses all others, and one file for it.

mod aggregates;
mod commands;
mod compare;
mod difference;
mod duplicates;
mod events;
mod file;
mod finding;
mod fit;
mod kept_event;
mod layout;
mod left_behind;
mod names;
mod opaque;
mod processes;
mod program;
mod projections;
mod proof;
mod reactors;
mod readers;
mod reading;
mod sagas;
mod sample;
mod successor;

use std::env;
use std::path::Path;

pub use self::compare::Comparison;
pub use self::file::{
    FileError, KeptAggregate, KeptEvent, KeptProcess, KeptProjection, KeptSaga, KeptShape,
    KeptSnapshot, SchemaFile,
};
pub use self::finding::{Finding, FindingKind};
pub use self::program::Schema;
pub use self::sample::Sample;

/// The environment variable that says whether a schema test accepts what is new.
const VARIABLE: &str = "ANNALS_SCHEMA";

/// Fails the test unless the file says what the program stores.
///
/// The path is relative to the package's root, where cargo runs tests. With `ANNALS_SCHEMA=accept` in the environment, it
/// writes the file anew, unless that would break history: what breaks it is refused even then. What was accepted by
/// mistake, or was never stored, has to be taken out of the file by hand.
///
/// # Panics
///
/// If the two differ, the file cannot be read or written, or `ANNALS_SCHEMA` says anything but `accept`.
#[track_caller]
pub fn assert_unchanged(path: impl AsRef<Path>) {
    let mode = match env::var(VARIABLE) {
        Ok(word) if word == "accept" => Mode::Accept,
        Ok(word) if word.is_empty() => Mode::Check,
        Ok(word) => panic!("unknown {VARIABLE}=`{word}`; it may be `accept`, or not set"),
        Err(env::VarError::NotPresent) => Mode::Check,
        Err(error) => panic!("{VARIABLE}: {error}; it may be `accept`, or not set"),
    };
    if let Err(message) = Schema::of_program().check(path, mode) {
        panic!("{message}");
    }
}

/// Whether a check of a schema writes the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Whatever differs is an error.
    Check,
    /// What is new is written to the file.
    Accept,
}

impl Schema {
    /// Holds the program against the file at a path, which may be missing where what is new is accepted.
    ///
    /// # Errors
    ///
    /// The whole message, if the two differ and the difference was not accepted.
    pub fn check(&self, path: impl AsRef<Path>, mode: Mode) -> Result<(), String> {
        let path = path.as_ref();
        let shown = path.display();
        let file = SchemaFile::read(path).map_err(|error| error.to_string())?;
        let Some(file) = file.or_else(|| (mode == Mode::Accept).then(SchemaFile::default)) else {
            let folder = env::current_dir().unwrap_or_default();
            return Err(format!(
                "there is no schema file `{shown}` in {}; make it: {VARIABLE}=accept cargo test",
                folder.display()
            ));
        };
        let comparison = self.held_against(&file);
        if mode == Mode::Accept && !comparison.breaks_history() {
            if comparison.accepted != file || !path.exists() {
                comparison.accepted.write(path).map_err(|error| error.to_string())?;
            }
            if comparison.findings.is_empty() {
                return Ok(());
            }
        }
        if comparison.is_unchanged() {
            return Ok(());
        }
        Err(format!(
            "the program differs from the schema file `{shown}`\n\n{comparison}\n\n{}",
            advice(&comparison, mode)
        ))
    }
}

/// What to do about a comparison as a whole.
fn advice(comparison: &Comparison, mode: Mode) -> String {
    if comparison.breaks_history() {
        if comparison.findings.iter().all(|finding| finding.is_harmless) {
            let so = match mode {
                Mode::Check => "no history breaks",
                Mode::Accept => "nothing was accepted",
            };
            return format!("{so}: write what is said, then run {VARIABLE}=accept cargo test");
        }
        let refused = match mode {
            Mode::Check => "",
            Mode::Accept => "nothing was accepted: ",
        };
        return format!(
            "{refused}history would break. Where nothing of it was ever stored, before a first release, say, delete its entry \
             from the file by hand, and run {VARIABLE}=accept cargo test"
        );
    }
    match (mode, comparison.additions.is_empty()) {
        (Mode::Accept, _) => "the rest was accepted".to_owned(),
        (Mode::Check, true) => "the file waits for samples".to_owned(),
        (Mode::Check, false) => {
            format!("nothing breaks; take it into the file: {VARIABLE}=accept cargo test")
        }
    }
}
