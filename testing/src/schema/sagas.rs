//! Sagas held against what was there: their names, those of their steps, the versions of their data.
//!
//! A saga under another name is another saga, and a step under another name another step: what is under way stays where it is.
//! What changes is told, and accepted.

use super::compare::Comparison;
use super::file::{KeptSaga, SchemaFile};

pub(super) fn compare(program: &SchemaFile, file: &SchemaFile, comparison: &mut Comparison) {
    let mut told = Vec::new();
    for (name, kept) in &file.sagas {
        match program.sagas.get(name) {
            None => told.push(format!(
                "saga `{name}` is not there any more; if it was renamed, those under way go no further, unless its name stays: \
                 #[saga(name = {name:?})]"
            )),
            Some(now) => changed(name, kept, now, &mut told),
        }
    }
    let is_new = |name: &&String| !file.sagas.contains_key(*name);
    told.extend(program.sagas.keys().filter(is_new).map(|name| format!("saga `{name}`")));
    if !told.is_empty() {
        comparison.additions.extend(told);
        comparison.accepted.sagas.clone_from(&program.sagas);
    }
}

fn changed(name: &str, kept: &KeptSaga, now: &KeptSaga, told: &mut Vec<String>) {
    if now.version != kept.version {
        told.push(format!(
            "saga `{name}`: version {} of its data took the place of version {}",
            now.version, kept.version
        ));
    }
    let before = told.len();
    for step in kept.steps.iter().filter(|step| !now.steps.contains(step)) {
        told.push(format!(
            "saga `{name}`: the step `{step}` is not there any more; if it was renamed, sagas that have done it do it again and \
             cannot undo it, unless its name stays: #[step(name = {step:?})]"
        ));
    }
    for step in now.steps.iter().filter(|step| !kept.steps.contains(step)) {
        told.push(format!("saga `{name}`: the step `{step}`"));
    }
    if told.len() == before && now.steps != kept.steps {
        told.push(format!("saga `{name}`: its steps are done in another order"));
    }
}
