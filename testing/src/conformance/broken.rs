//! What a broken rule says: its name, the promise it holds, and what was found instead.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use crate::report::in_words;

/// How long a rule may take, on a slow machine that does other work too. It bounds what would otherwise never end.
const LIMIT: Duration = Duration::from_mins(2);

/// A rule that a store does not keep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    rule: &'static str,
    promise: &'static str,
    found: String,
}

impl Broken {
    /// The name of the rule.
    pub fn rule(&self) -> &'static str {
        self.rule
    }

    /// What the rule promises.
    pub fn promise(&self) -> &'static str {
        self.promise.trim()
    }

    /// What was found instead.
    pub fn found(&self) -> &str {
        &self.found
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (rule, promise, found) = (self.rule(), self.promise(), self.found());
        write!(f, "the store breaks `{rule}`\n  promise: {promise}\n  found:   {found}")
    }
}

impl Error for Broken {}

/// What a rule found where its promise does not hold. Errors of the store convert into it.
#[derive(Debug)]
pub(super) struct Found(pub(super) String);

/// How a rule ends.
pub(super) type Verdict = Result<(), Found>;

impl<E: Error> From<E> for Found {
    fn from(error: E) -> Self {
        Self(format!("error: {}", in_words(&error)))
    }
}

/// Runs a rule within its limit in time, and names it where it is broken.
pub(super) async fn judge(
    rule: &'static str,
    promise: &'static str,
    verdict: impl Future<Output = Verdict>,
) -> Result<(), Broken> {
    let found = match tokio::time::timeout(LIMIT, verdict).await {
        Ok(Ok(())) => return Ok(()),
        Ok(Err(Found(found))) => found,
        Err(_) => format!("no end after {LIMIT:?}"),
    };
    Err(Broken { rule, promise, found })
}

/// Ends the rule with what was found, unless a condition holds.
macro_rules! ensure {
    ($condition:expr, $($found:tt)+) => {
        if !$condition {
            return Err($crate::conformance::broken::Found(format!($($found)+)));
        }
    };
}

/// Ends the rule with what was found, unless it is what was expected; the rest names it.
macro_rules! ensure_eq {
    ($found:expr, $expected:expr, $($what:tt)+) => {{
        let (found, expected) = (&$found, &$expected);
        $crate::conformance::broken::ensure!(
            found == expected,
            "{}: expected {:?}, found {:?}",
            format_args!($($what)+),
            expected,
            found
        );
    }};
}

pub(super) use {ensure, ensure_eq};
