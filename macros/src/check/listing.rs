//! Lists of types that become the variants of an enum.

use quote::{ToTokens, format_ident};
use syn::{Ident, Type};

use crate::errors::Errors;
use crate::model::listing::Listed;

/// How messages speak of a list.
pub(crate) struct Words {
    /// What the enum belongs to: "the aggregate".
    pub(crate) owner: &'static str,
    /// What is listed: "event".
    pub(crate) noun: &'static str,
    pub(crate) example: &'static str,
    /// The option that names the enum.
    pub(crate) option: &'static str,
}

/// Leaves the entries in the list that are sound.
pub(crate) fn check(listed: &mut Vec<Listed>, words: &Words, errors: &Errors) {
    let mut sound: Vec<Listed> = Vec::new();
    for entry in listed.drain(..) {
        if check_entry(&entry, &sound, words, errors) {
            sound.push(entry);
        }
    }
    *listed = sound;
}

/// Checks one entry of the list against those before it; `false` leaves it out.
fn check_entry(entry: &Listed, before: &[Listed], words: &Words, errors: &Errors) -> bool {
    let Words { noun, example, .. } = words;
    let Some(variant) = &entry.variant else {
        // events((AccountOpened, MoneyDeposited))
        errors.on(&entry.ty, format_args!("expected the type of {}, as in `{example}`", a(noun)));
        return false;
    };
    let written = entry.ty.to_token_stream().to_string();
    if before.iter().any(|other| other.ty.to_token_stream().to_string() == written) {
        // events(AccountOpened, AccountOpened)
        errors.on(&entry.ty, format_args!("`{variant}` is listed twice; leave one out"));
        return false;
    }
    if before.iter().any(|other| other.variant.as_ref() == Some(variant)) {
        // events(billing::Issued, shipping::Issued)
        let path = written.replace(' ', "");
        let message = format!(
            "two {noun}s are called `{variant}`; name one of them, as in `{path} as Other{variant}`"
        );
        errors.on(variant, message);
        return false;
    }
    true
}

/// Checks that the enum has a name of its own; returns another one where it does not, so that one mistake stays one error.
pub(crate) fn check_name(
    item: &Ident,
    name: &Ident,
    given: Option<&Ident>,
    listed: &[Listed],
    words: &Words,
    errors: &Errors,
) -> Option<Ident> {
    let Words { owner, noun, option, .. } = words;
    if name == item {
        // #[aggregate(event_enum = Account)] struct Account { … }
        errors
            .on(given, format_args!("{owner} itself is called `{name}`; name the enum otherwise"));
    } else {
        let namesake = listed.iter().find(|entry| is_called(&entry.ty, name))?;
        // #[aggregate(events(AccountEvent))] struct Account { … }
        let message = format!(
            "the enum of the {noun}s is called `{name}` too; name it otherwise by `{option} = …`"
        );
        errors.on(&namesake.ty, message);
    }
    Some(format_ident!("{name}__", span = name.span()))
}

/// Whether a type is this one, of the item's own module.
fn is_called(ty: &Type, name: &Ident) -> bool {
    matches!(ty, Type::Path(path) if path.path.is_ident(name))
}

fn a(noun: &str) -> String {
    let article = if noun.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
    format!("{article} {noun}")
}
