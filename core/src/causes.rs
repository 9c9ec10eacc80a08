//! Why something failed, in one line: an error and what it comes from.

use std::error::Error;

/// An error with all its causes, in one line. Some errors of other crates, such as sqlx's, say their cause already.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let said = cause.to_string();
        if !text.ends_with(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        next = cause.source();
    }
    text
}
