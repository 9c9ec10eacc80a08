//! `#[derive(ProcessManager)]`.

use crate::check::item::Refusals;
use crate::check::listing::Words;
use crate::check::{item, listing, stored_name, upcast_steps};
use crate::errors::Errors;
use crate::model::ProcessManager;

const REFUSALS: Refusals = Refusals {
    enums: None,
    unions: "a process is a struct or an enum",
    generics: "a process cannot be generic: its name stands for one state; write one type for each",
};

const COMMANDS: Words = Words {
    owner: "the process",
    noun: "command",
    example: "ReserveStock",
    option: "command_enum",
};

pub(crate) fn check(process: &mut ProcessManager, errors: &Errors) {
    item::check(&process.item, &REFUSALS, errors);
    check_missing(process, errors);
    if let Some(name) = &process.options.name {
        stored_name::check_before_ids(name, "a process's name", errors);
    }
    check_sends(process, errors);
    check_command_enum(process, errors);
    // #[process_manager(version = 0)]
    if let Some(version) = process.options.version.take_if(|version| version.value == 0) {
        errors.at(version.span, "versions begin at 1");
        process.versions_refused = true;
    }
    // After a mistake nothing of it is printed.
    let options = &process.options;
    let (upcasts, refused) = (&options.upcasts, process.versions_refused);
    process.versions_refused =
        !upcast_steps::check_state(upcasts, options.version, "process", refused, errors);
}

fn check_missing(process: &ProcessManager, errors: &Errors) {
    let missing = &process.missing;
    let known = [
        (missing.name, "name", "name = \"…\""),
        (missing.id, "id", "id = …"),
        (missing.sends, "commands", "sends(…)"),
    ];
    let missing: Vec<_> = known.into_iter().filter(|(missing, ..)| *missing).collect();
    let nouns: Vec<_> = missing.iter().map(|(_, noun, _)| *noun).collect();
    let options: Vec<_> = missing.iter().map(|(_, _, option)| *option).collect();
    let options = options.join(", ");
    let message = match &nouns[..] {
        [] => return,
        // #[process_manager(id = OrderId, sends(ReserveStock))]
        ["name"] => format!(
            "the process's name is missing, under which its steps are kept; write `#[process_manager({options})]`"
        ),
        // #[process_manager(name = "fulfilment", id = OrderId)]
        ["commands"] => format!(
            "the commands that the process sends are missing; write `#[process_manager({options})]` with their types"
        ),
        // #[process_manager(name = "fulfilment", sends(ReserveStock))]
        ["id"] => format!(
            "the process's id is missing; write `#[process_manager({options})]` with its type"
        ),
        // #[derive(ProcessManager)] struct Fulfilment { … }
        [others @ .., last] => format!(
            "the process's {} and {last} are missing; write `#[process_manager({options})]`",
            others.join(", ")
        ),
    };
    errors.on(&process.item.ident, message);
}

fn check_sends(process: &mut ProcessManager, errors: &Errors) {
    let Some(sends) = &mut process.options.sends else { return };
    // #[process_manager(name = "fulfilment", id = OrderId, sends())]
    if sends.listed.is_empty() {
        errors.at(sends.word, "a process sends at least one command; list their types");
    } else {
        listing::check(&mut sends.listed, &COMMANDS, errors);
    }
}

/// Checks that the enum of the commands has a name of its own.
fn check_command_enum(process: &mut ProcessManager, errors: &Errors) {
    let name = process.command_enum();
    let ProcessManager { item, options, .. } = process;
    let listed = options.sends.as_ref().map_or(&[][..], |sends| &sends.listed);
    let given = options.command_enum.as_ref();
    if let Some(other) = listing::check_name(&item.ident, &name, given, listed, &COMMANDS, errors) {
        options.command_enum = Some(other);
    }
}
