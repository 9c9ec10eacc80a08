//! Process managers held against what was there: their names, the versions of their states, their deadlines.
//!
//! A process under another name is another process, and a deadline under another name is none that is kept: what is under way
//! stays where it is. What changes is told, and accepted.

use super::compare::Comparison;
use super::file::{KeptProcess, SchemaFile};

pub(super) fn compare(program: &SchemaFile, file: &SchemaFile, comparison: &mut Comparison) {
    let mut told = Vec::new();
    for (name, kept) in &file.processes {
        match program.processes.get(name) {
            None => told.push(format!(
                "process `{name}` is not there any more; if it was renamed, those that live go no further, unless its name \
                 stays: #[process_manager(name = {name:?})]"
            )),
            Some(now) => changed(name, kept, now, &mut told),
        }
    }
    let is_new = |name: &&String| !file.processes.contains_key(*name);
    told.extend(program.processes.keys().filter(is_new).map(|name| format!("process `{name}`")));
    if !told.is_empty() {
        comparison.additions.extend(told);
        comparison.accepted.processes.clone_from(&program.processes);
    }
}

fn changed(name: &str, kept: &KeptProcess, now: &KeptProcess, told: &mut Vec<String>) {
    if now.version != kept.version {
        told.push(format!(
            "process `{name}`: version {} of its state took the place of version {}",
            now.version, kept.version
        ));
    }
    for deadline in kept.deadlines.difference(&now.deadlines) {
        told.push(format!(
            "process `{name}`: the deadline `{deadline}` is not there any more; if it was renamed, a process that waits for it \
             is parked when it is due, unless its name stays: #[deadline(name = {deadline:?})]"
        ));
    }
    for deadline in now.deadlines.difference(&kept.deadlines) {
        told.push(format!("process `{name}`: the deadline `{deadline}`"));
    }
}
