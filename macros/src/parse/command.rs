//! `#[derive(Command)]`.

use syn::DeriveInput;

use crate::errors::Errors;
use crate::model::command::{Id, Options};
use crate::model::{Command, CratePath};
use crate::parse::item;
use crate::parse::options::{Place, Spec, Table};

const TABLE: Table<Options> = Table {
    attribute: "command",
    options: &[
        Spec::once(
            "name",
            Place::Item,
            "a string, as in `name = \"Deposit\"`",
            |options, value| {
                options.name = Some(value.text()?);
                Ok(())
            },
        ),
        Spec::once("crate", Place::Item, "a path, as in `crate = my::annals`", |options, value| {
            options.crate_path = CratePath::new(value.path()?);
            Ok(())
        }),
        Spec::once("id", Place::Field, "no value, as in `#[command(id)]`", |options, value| {
            value.flag()?;
            options.id = Some(value.name.span());
            Ok(())
        }),
    ],
};

pub(crate) fn parse(input: DeriveInput, errors: &Errors) -> Command {
    let (item, attributes) = item::parse(input);
    let mut options = Options::default();
    let mut refused = TABLE.read(Place::Item, &attributes.item, &mut options, errors);
    let mut ids = Vec::new();
    for (field, above_field) in attributes.fields.iter().enumerate() {
        let mut on_field = Options::default();
        refused.and(TABLE.read(Place::Field, above_field, &mut on_field, errors));
        ids.extend(on_field.id.map(|mark| Id { field, mark }));
    }
    Command { item, options, ids, id_refused: refused.may_be("id") }
}
