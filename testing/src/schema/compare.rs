//! A program held against what earlier releases have stored.

use std::fmt;

use super::file::SchemaFile;
use super::finding::Finding;
use super::program::Schema;
use super::{aggregates, commands, events, names, processes, projections, reactors, sagas};

/// What a program has to say to its schema file.
///
/// It is empty, by [`is_unchanged`](Self::is_unchanged), if the two fit each other as they are.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct Comparison {
    /// What breaks history.
    pub findings: Vec<Finding>,
    /// What is new and breaks nothing, a line each: to be accepted.
    pub additions: Vec<String>,
    /// Where the shape of what is new says nothing, a line each: a change there is not seen, so that samples have to speak for
    /// it; of a state, nobody but who changes it.
    pub notes: Vec<String>,
    /// The file with the additions, and with all that it has kept.
    pub accepted: SchemaFile,
}

impl Comparison {
    /// Whether there is nothing to say.
    pub fn is_unchanged(&self) -> bool {
        self.findings.is_empty() && self.additions.is_empty()
    }

    /// Whether history breaks, or two shapes would stand under one version. What only waits for a sample breaks none.
    pub fn breaks_history(&self) -> bool {
        self.findings.iter().any(|finding| !finding.kind.waits_for_a_sample())
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, finding) in self.findings.iter().enumerate() {
            let gap = if index == 0 { "" } else { "\n\n" };
            write!(f, "{gap}{finding}")?;
        }
        let mut gap = if self.findings.is_empty() { "" } else { "\n\n" };
        let lists = [
            ("new, and not in the file:", &self.additions),
            ("what changes here is not seen:", &self.notes),
        ];
        for (heading, lines) in lists.into_iter().filter(|(_, lines)| !lines.is_empty()) {
            write!(f, "{gap}{heading}")?;
            for line in lines {
                write!(f, "\n    {line}")?;
            }
            gap = "\n\n";
        }
        Ok(())
    }
}

impl Schema {
    /// Holds the program against a file.
    ///
    /// ```
    /// use annals::prelude::*;
    /// use annals_testing::schema::{FindingKind, Schema};
    /// use serde::{Deserialize, Serialize};
    ///
    /// #[derive(Debug, Clone, Serialize, Deserialize, Event)]
    /// #[event(name = "MoneyDeposited")]
    /// struct BeforeTheChange {
    ///     amount: u32,
    /// }
    ///
    /// #[derive(Debug, Clone, Serialize, Deserialize, Event)]
    /// struct MoneyDeposited {
    ///     cents: u32,
    /// }
    ///
    /// let file = Schema::new().with_event::<BeforeTheChange>().to_file();
    /// let comparison = Schema::new().with_event::<MoneyDeposited>().held_against(&file);
    /// assert_eq!(comparison.findings[0].kind, FindingKind::ShapeChanged);
    /// assert_eq!(
    ///     comparison.findings[0].write,
    ///     [
    ///         "#[event(version = 2)] on `MoneyDeposited`",
    ///         "#[event(since = 2, renamed_from = \"amount\")] on the field `cents`",
    ///     ]
    /// );
    /// ```
    pub fn held_against(&self, file: &SchemaFile) -> Comparison {
        let mut comparison = Comparison { accepted: file.clone(), ..Comparison::default() };
        let program = self.to_file();
        names::compare(self, &mut comparison);
        events::compare(self, &program, file, &mut comparison);
        aggregates::compare(self, &program, file, &mut comparison);
        commands::compare(self, &program, file, &mut comparison);
        processes::compare(&program, file, &mut comparison);
        projections::compare(&program, file, &mut comparison);
        reactors::compare(&program, file, &mut comparison);
        sagas::compare(&program, file, &mut comparison);
        comparison
    }
}

/// The name of a type without its path: where an annotation goes.
pub(super) fn short(type_name: &str) -> &str {
    let path = type_name.split('<').next().unwrap_or(type_name);
    path.rsplit("::").next().unwrap_or(path)
}
