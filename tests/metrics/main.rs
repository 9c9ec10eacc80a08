//! What is measured, by name and label; each test has a recorder and a thread of its own.

mod commands;
mod loads;
mod measured;
mod projections;
mod statements;
mod subscriptions;

#[path = "../contract/bank.rs"]
mod bank;

use annals::metrics as names;

/// Where somebody looks a name up: one row for each.
#[test]
fn the_docs_list_each_name_once() {
    let docs = include_str!("../../core/src/metrics.rs");
    for name in names::ALL {
        let row = format!("//! | `{name}` | ");
        assert_eq!(docs.matches(&row).count(), 1, "{name}");
    }
    assert_eq!(docs.matches("//! | `annals_").count(), names::ALL.len());
}
