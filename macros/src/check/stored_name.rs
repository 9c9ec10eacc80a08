//! Names that are stored: of events, commands and categories.

use syn::LitStr;

use crate::errors::Errors;

/// The longest name that every store takes.
const LONGEST: usize = 255;

/// Checks a stored name that the user gave; `what` says of what: "a stored name".
pub(crate) fn check(name: &LitStr, what: &str, errors: &Errors) {
    check_up_to(LONGEST, name, what, errors);
}

/// The same of a name that is stored with more before it.
pub(crate) fn check_up_to(longest: usize, name: &LitStr, what: &str, errors: &Errors) {
    let text = name.value();
    if text.is_empty() {
        // #[event(name = "")]
        errors.on(name, format_args!("{what} cannot be empty"));
    } else if text.len() > longest {
        // #[event(name = "Aaaa…")]
        let length = text.len();
        errors.on(name, format_args!("{what} has at most {longest} bytes, this one has {length}"));
    } else if text.contains('\0') {
        // #[event(name = "Money\0Deposited")]
        errors.on(name, format_args!("{what} cannot contain a null character"));
    }
}
