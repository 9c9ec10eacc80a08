//! The schema test: each thing that it finds, what it accepts, and the file that it keeps.
//!
//! Releases of one program are types of one stored name in several modules.

mod accepted;
mod advice;
mod aggregates;
mod aliases;
mod commands;
mod events;
mod file;
mod given_samples;
mod inside;
mod left_behind;
mod made_samples;
mod opaque;
mod processes;
mod program;
mod projections;
mod reactors;
mod readers;
mod sagas;
mod versions;

use annals_testing::schema::{FindingKind, Schema};

/// Holds one release against what an earlier one kept, and checks what is found.
#[track_caller]
fn check(before: &Schema, after: &Schema, kind: FindingKind, message: &str) {
    let comparison = after.held_against(&before.to_file());
    let found = comparison.to_string();
    assert_eq!(found, message, "\n{found}");
    let kinds: Vec<_> = comparison.findings.iter().map(|finding| finding.kind).collect();
    assert_eq!(kinds, [kind]);
    assert!(comparison.breaks_history());
}

/// Checks that one release adds to another, and breaks nothing; and that it says nothing once that is accepted.
#[track_caller]
fn check_adds(before: &Schema, after: &Schema, additions: &[&str]) {
    let comparison = after.held_against(&before.to_file());
    assert!(comparison.findings.is_empty(), "{comparison}");
    assert_eq!(comparison.additions, additions);
    assert!(after.held_against(&comparison.accepted).is_unchanged());
}
