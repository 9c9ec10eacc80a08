//! Names that are stored: of events, commands and categories.

use syn::LitStr;

use crate::errors::Errors;

/// The longest name that every store takes.
const LONGEST: usize = 255;

/// The longest name that a category may end in, of which annals writes the beginning.
const LONGEST_BEFORE_IDS: usize = 240;

/// Checks a stored name that the user gave; `what` says of what: "a stored name".
pub(crate) fn check(name: &LitStr, what: &str, errors: &Errors) {
    check_up_to(LONGEST, name, what, errors);
}

/// The same of a name that stands in the names of streams, between `annals/process/` or `annals/reactor/` and an id.
pub(crate) fn check_before_ids(name: &LitStr, what: &str, errors: &Errors) {
    // #[process_manager(name = "order-fulfilment")]
    if name.value().contains('-') {
        let message =
            format!("{what} cannot contain `-`, which ends it in the name of a stream; write `_`");
        errors.on(name, message);
    } else {
        check_up_to(LONGEST_BEFORE_IDS, name, what, errors);
    }
}

fn check_up_to(longest: usize, name: &LitStr, what: &str, errors: &Errors) {
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
