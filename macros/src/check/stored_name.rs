//! Names that are stored: of events, commands and categories.

use syn::LitStr;

use crate::errors::Errors;

/// The longest name that every store takes.
const LONGEST: usize = 255;

/// Checks a stored name that the user gave; `what` says of what: "a stored name".
pub(crate) fn check(name: &LitStr, what: &str, errors: &Errors) {
    let text = name.value();
    if text.is_empty() {
        // #[event(name = "")]
        errors.on(name, format_args!("{what} cannot be empty"));
    } else if text.len() > LONGEST {
        // #[event(name = "Aaaa…")]
        let length = text.len();
        errors.on(name, format_args!("{what} has at most {LONGEST} bytes, this one has {length}"));
    } else if text.contains('\0') {
        // #[event(name = "Money\0Deposited")]
        errors.on(name, format_args!("{what} cannot contain a null character"));
    }
}
