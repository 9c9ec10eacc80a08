//! `#[derive(Command)]`.

use crate::check::item::Refusals;
use crate::check::{item, stored_name};
use crate::errors::Errors;
use crate::model::Command;
use crate::model::item::Kind;

const REFUSALS: Refusals = Refusals {
    enums: Some("a command is a struct; write one for each variant"),
    unions: "a command is a struct; serde cannot write a union",
    generics: "a command cannot be generic: its name stands for one shape; write one struct for each type",
};

pub(crate) fn check(command: &mut Command, errors: &Errors) {
    item::check(&command.item, &REFUSALS, errors);
    if let Some(name) = &command.options.name {
        stored_name::check(name, "a command's name", errors);
    }
    // struct Deposit { account: AccountId, amount: u64 }
    if command.ids.is_empty() && !command.id_refused && command.item.kind == Kind::Struct {
        let message = "the command does not say which aggregate it is for; write `#[command(id)]` above the field with its id";
        errors.on(&command.item.ident, message);
    }
    // struct Transfer { #[command(id)] from: AccountId, #[command(id)] to: AccountId }
    for second in command.ids.iter().skip(1) {
        errors.at(second.mark, "a command is for one aggregate; another field is the `id` already");
    }
    command.ids.truncate(1);
}
