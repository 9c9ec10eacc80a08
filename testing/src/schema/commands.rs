//! Commands held against what callers, queues and processes send.

use annals::registry::CommandRegistration;

use super::compare::Comparison;
use super::difference::differences;
use super::file::{KeptShape, SchemaFile};
use super::finding::{Finding, FindingKind};
use super::fit::fits;
use super::program::Schema;
use super::proof::Unshown;
use super::sample::Sample;
use super::successor::{Gone, Named, tell_gone};
use super::{opaque, reading};

pub(super) fn compare(
    schema: &Schema,
    program: &SchemaFile,
    file: &SchemaFile,
    comparison: &mut Comparison,
) {
    let mut vanished = Vec::new();
    for (name, kept) in &file.commands {
        match schema.commands.iter().find(|command| command.command == name) {
            Some(command) => compare_one(command, kept, &program.commands[name], comparison),
            None => vanished.push((name.as_str(), kept)),
        }
    }
    let is_new = |command: &&CommandRegistration| !file.commands.contains_key(command.command);
    let new: Vec<_> = schema.commands.iter().filter(is_new).collect();
    let looks_like = |kept: &KeptShape, command: &CommandRegistration| {
        program.commands[command.command].shape == kept.shape
    };
    let (findings, renamed) = tell_gone(&vanished, &new, looks_like, gone);
    comparison.findings.extend(findings);
    for (name, now) in &program.commands {
        if !file.commands.contains_key(name) && !renamed.contains(name.as_str()) {
            comparison.additions.push(format!("command `{name}`"));
            comparison.accepted.commands.insert(name.clone(), now.clone());
            let command = schema.commands.iter().find(|command| command.command == name);
            let unproven = command.filter(|_| now.has_no_samples());
            comparison.findings.extend(unproven.map(no_sample));
            comparison.notes.extend(command.map(notes).into_iter().flatten());
        }
    }
}

fn gone(name: &str) -> Gone<'_> {
    Gone {
        name,
        what: format!("command `{name}` is not there any more"),
        vanished: format!("nothing handles command `{name}` any more"),
        word: "name",
        pin: format!("#[command(name = {name:?})]"),
        again: "a #[handle] for it again, with",
        breaks: format!("who sends `{name}` is refused; so is what waits in a queue"),
        kinds: [FindingKind::CommandRenamed, FindingKind::CommandVanished],
    }
}

impl Named for &CommandRegistration {
    fn stored_name(self) -> &'static str {
        self.command
    }

    fn type_name(self) -> &'static str {
        (self.type_name)()
    }
}

/// A command has no version: it has to read what it read before.
fn compare_one(
    command: &CommandRegistration,
    kept: &KeptShape,
    now: &KeptShape,
    comparison: &mut Comparison,
) {
    let name = command.command;
    if kept.has_no_samples() {
        compare_unproven(command, kept, now, comparison);
        return;
    }
    let failure = |sample| reading::of_command(command, sample).err();
    let given = kept.samples.iter().find_map(failure);
    let is_picky = given.is_none() && fits(&kept.shape, &now.shape);
    if let Some(failure) = given.or_else(|| kept.made.iter().find_map(failure)) {
        let replace = format!(
            "or, if the like was never sent, replace the made sample in the schema file at `commands` / `{name}` / `made` by one \
             as it was really sent, in `samples` beside it"
        );
        comparison.findings.push(
            Finding::new(
                FindingKind::CommandChanged,
                format!("command `{name}` does not read what it read before"),
            )
            .changed(differences(&kept.shape, &now.shape))
            .breaks(failure.said)
            .write([
                "#[serde(default)] on a field that is new, #[serde(alias = \"…\")] on one that is renamed".to_owned(),
                "or a new command beside it, under another name".to_owned(),
            ])
            .write(is_picky.then_some(replace)),
        );
    } else if kept.shape != now.shape || kept.opaque != now.opaque {
        comparison.additions.push(format!("command `{name}`: what it reads"));
        comparison.notes.extend(notes(command));
        let mut accepted = KeptShape { samples: kept.samples.clone(), ..now.clone() };
        accepted.made.clone_from(&kept.made);
        if kept.shape != now.shape {
            let known = |made: &&Sample| kept.samples.contains(made) || kept.made.contains(made);
            accepted.made.extend(now.made.iter().filter(|made| !known(made)).cloned());
        }
        comparison.accepted.commands.insert(name.to_owned(), accepted);
    }
}

/// Without a sample of what was sent, nothing proves that a command reads it.
fn compare_unproven(
    command: &CommandRegistration,
    kept: &KeptShape,
    now: &KeptShape,
    comparison: &mut Comparison,
) {
    let name = command.command;
    if kept.shape != now.shape {
        // What it read stays in the file until there is a sample of it: today's samples say nothing of yesterday's callers.
        let headline = format!(
            "command `{name}`: what it reads changed, and no sample is kept of what it read before"
        );
        let mut finding = no_sample(command);
        finding.headline = headline;
        finding.changed = differences(&kept.shape, &now.shape);
        finding.breaks =
            "nothing that is kept here, but nothing proves that it reads what is sent".into();
        comparison.findings.push(finding);
    } else if now.has_no_samples() {
        comparison.findings.push(no_sample(command));
    } else {
        comparison.additions.push(format!("command `{name}`: samples of what it reads"));
        comparison.accepted.commands.insert(name.to_owned(), now.clone());
    }
}

fn no_sample(command: &CommandRegistration) -> Finding {
    let name = command.command;
    Unshown {
        headline: format!("command `{name}`: no sample can be made of what it reads"),
        opaque: (command.trace)().opaque,
        proves: "it reads what is sent",
        json: "JSON as it is sent",
        place: format!("`commands` / `{name}`"),
    }
    .finding()
}

/// What cannot be seen of a command, a line each.
fn notes(command: &CommandRegistration) -> Vec<String> {
    opaque::notes(&format!("command `{}`", command.command), &opaque::places(&(command.trace)()))
}
