//! Commands held against what callers, queues and processes send.

use std::collections::BTreeSet;

use annals::registry::CommandRegistration;

use super::compare::{Comparison, short};
use super::difference::differences;
use super::file::{KeptCommand, SchemaFile};
use super::finding::{Finding, FindingKind};
use super::program::Schema;

pub(super) fn compare(
    schema: &Schema,
    program: &SchemaFile,
    file: &SchemaFile,
    comparison: &mut Comparison,
) {
    let mut renamed = BTreeSet::new();
    for (name, kept) in &file.commands {
        if let Some(command) = schema.commands.iter().find(|command| command.command == name) {
            compare_one(command, kept, &program.commands[name], comparison);
        } else {
            let successor = schema.commands.iter().find(|command| {
                let is_new = !file.commands.contains_key(command.command);
                is_new && program.commands[command.command].shape == kept.shape
            });
            renamed.extend(successor.map(|command| command.command));
            comparison.findings.push(gone(name, successor));
        }
    }
    for (name, now) in &program.commands {
        if !file.commands.contains_key(name) && !renamed.contains(name.as_str()) {
            comparison.additions.push(format!("command `{name}`"));
            comparison.accepted.commands.insert(name.clone(), now.clone());
            let command = schema.commands.iter().find(|command| command.command == name);
            let unproven = command.filter(|_| now.samples.is_empty());
            comparison.findings.extend(unproven.map(no_sample));
        }
    }
}

fn gone(name: &str, successor: Option<&CommandRegistration>) -> Finding {
    let finding = match successor {
        Some(command) => {
            let type_name = (command.type_name)();
            Finding::new(
                FindingKind::CommandRenamed,
                format!("command `{name}` is not there any more; `{type_name}` looks like it"),
            )
            .changed([format!("the name was `{name}`, is `{}`", command.command)])
            .write([format!("#[command(name = {name:?})] on `{}`", short(type_name))])
        }
        None => Finding::new(
            FindingKind::CommandVanished,
            format!("nothing handles command `{name}` any more"),
        )
        .write([format!("a #[handle] for it again, with #[command(name = {name:?})]")]),
    };
    finding.breaks(format!("who sends `{name}` is refused; so is what waits in a queue"))
}

/// A command has no version: it has to read what it read before.
fn compare_one(
    command: &CommandRegistration,
    kept: &KeptCommand,
    now: &KeptCommand,
    comparison: &mut Comparison,
) {
    let name = command.command;
    if kept.samples.is_empty() {
        compare_unproven(command, kept, now, comparison);
        return;
    }
    let failure = kept.samples.iter().find_map(|sample| {
        let error = (command.read)(sample).err()?;
        Some(format!("{sample} does not read: {error}"))
    });
    if let Some(failure) = failure {
        comparison.findings.push(
            Finding::new(
                FindingKind::CommandChanged,
                format!("command `{name}` does not read what it read before"),
            )
            .changed(differences(&kept.shape, &now.shape))
            .breaks(failure)
            .write([
                "#[serde(default)] on a field that is new, #[serde(alias = \"…\")] on one that is renamed".to_owned(),
                "or a new command beside it, under another name".to_owned(),
            ]),
        );
    } else if kept.shape != now.shape {
        comparison.additions.push(format!("command `{name}`: what it reads"));
        let mut accepted = KeptCommand { shape: now.shape.clone(), samples: kept.samples.clone() };
        let made = now.samples.iter().filter(|made| !kept.samples.contains(made));
        accepted.samples.extend(made.cloned());
        comparison.accepted.commands.insert(name.to_owned(), accepted);
    }
}

/// Without a sample of what was sent, nothing proves that a command reads it.
fn compare_unproven(
    command: &CommandRegistration,
    kept: &KeptCommand,
    now: &KeptCommand,
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
    } else if now.samples.is_empty() {
        comparison.findings.push(no_sample(command));
    } else {
        comparison.additions.push(format!("command `{name}`: samples of what it reads"));
        comparison.accepted.commands.insert(name.to_owned(), now.clone());
    }
}

fn no_sample(command: &CommandRegistration) -> Finding {
    let name = command.command;
    let opaque = (command.trace)().opaque;
    let places = opaque.iter().map(|(path, why)| format!("`{path}` takes no made-up value: {why}"));
    Finding::new(
        FindingKind::NoSample,
        format!("command `{name}`: no sample can be made of what it reads"),
    )
    .changed(places)
    .breaks("nothing, but nothing proves that it reads what is sent")
    .write([format!(
        "JSON as it is sent into `commands` / `{name}` / `samples` of the schema file"
    )])
}
