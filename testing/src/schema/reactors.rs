//! The names of reactors held against what was there.
//!
//! No history breaks here. But a reactor under another name is another reactor, with a checkpoint of its own: what changes is
//! told, and accepted.

use super::compare::Comparison;
use super::file::SchemaFile;

pub(super) fn compare(program: &SchemaFile, file: &SchemaFile, comparison: &mut Comparison) {
    if program.reactors == file.reactors {
        return;
    }
    let gone = file.reactors.difference(&program.reactors).map(|name| {
        format!(
            "reactor `{name}` is not there any more; if it was renamed, it starts anew, and misses events or takes them again, \
             unless its name is pinned: #[reactor(name = {name:?})]"
        )
    });
    let new = program.reactors.difference(&file.reactors).map(|name| format!("reactor `{name}`"));
    comparison.additions.extend(gone.chain(new));
    comparison.accepted.reactors.clone_from(&program.reactors);
}
