//! Projections and queries held against what was there: their names, versions and tables.
//!
//! No history breaks here, since rows come from events. But a projection under another name is another projection, whose rows are
//! written from the beginning of the log, and callers know queries by their names: what changes is told, and accepted.

use super::compare::Comparison;
use super::file::SchemaFile;

pub(super) fn compare(program: &SchemaFile, file: &SchemaFile, comparison: &mut Comparison) {
    let mut told = Vec::new();
    for (name, kept) in &file.projections {
        match program.projections.get(name) {
            None => told.push(format!(
                "projection `{name}` is not there any more; if it was renamed, it reads the log from the beginning, unless its \
                 name is pinned: #[projection(name = {name:?})]"
            )),
            Some(now) if now.table != kept.table => told.push(format!(
                "projection `{name}`: its rows are in the table `{}`, and not in `{}` any more; to keep the table, write \
                 #[read_model(table = {:?})]",
                now.table, kept.table, kept.table
            )),
            Some(now) if now.version != kept.version => told.push(format!(
                "projection `{name}`: version {} took the place of version {}",
                now.version, kept.version
            )),
            Some(_) => {}
        }
    }
    let is_new = |name: &&String| !file.projections.contains_key(*name);
    told.extend(
        program.projections.keys().filter(is_new).map(|name| format!("projection `{name}`")),
    );
    for name in file.queries.difference(&program.queries) {
        told.push(format!(
            "query `{name}` is not there any more; if it was renamed, callers do not find it, unless its name is pinned: \
             #[query(name = {name:?})]"
        ));
    }
    let new = program.queries.difference(&file.queries);
    told.extend(new.map(|name| format!("query `{name}`")));
    if !told.is_empty() {
        comparison.additions.extend(told);
        comparison.accepted.projections.clone_from(&program.projections);
        comparison.accepted.queries.clone_from(&program.queries);
    }
}
