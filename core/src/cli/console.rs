//! Where answers go: text for people, JSON for programs.

use std::fmt::Write as _;
use std::io::{self, Write as _};

use serde::Serialize;

use super::app::Fault;

/// The answer to a command.
pub(super) trait Answer: Serialize {
    /// What a person reads.
    fn text(&self) -> String;
}

/// Where answers go.
pub(super) struct Console {
    is_json: bool,
    pub(super) says_yes: bool,
}

impl Console {
    pub(super) const fn new(is_json: bool, says_yes: bool) -> Self {
        Self { is_json, says_yes }
    }

    /// Writes the one answer of a command.
    pub(super) fn answer(&mut self, answer: &impl Answer) -> Result<(), Fault> {
        self.write(answer, |answer| serde_json::to_string_pretty(answer))
    }

    /// Writes one of many answers, each in a line of its own where it is JSON.
    pub(super) fn line(&mut self, answer: &impl Answer) -> Result<(), Fault> {
        self.write(answer, |answer| serde_json::to_string(answer))
    }

    /// Says why there is no answer: as an object in its place, or as text beside it.
    pub(super) fn fail(&mut self, code: u8, error: &str) {
        if !self.is_json
            || self.write(&Failed { error, code }, serde_json::to_string_pretty).is_err()
        {
            eprintln!("error: {}", safe(error));
        }
    }

    fn write<A: Answer>(
        &mut self,
        answer: &A,
        json: impl FnOnce(&A) -> serde_json::Result<String>,
    ) -> Result<(), Fault> {
        let mut text =
            if self.is_json { json(answer).map_err(io::Error::from)? } else { answer.text() };
        if !text.ends_with('\n') {
            text.push('\n');
        }
        let mut out = io::stdout().lock();
        out.write_all(text.as_bytes())?;
        Ok(out.flush()?)
    }
}

/// `{"error", "code"}`: why there is no answer, and the exit code.
#[derive(Serialize)]
struct Failed<'e> {
    error: &'e str,
    code: u8,
}

impl Answer for Failed<'_> {
    fn text(&self) -> String {
        safe(self.error)
    }
}

/// A text that does nothing to a terminal but stand there, in one line: control characters, and those that turn the direction
/// of a line, are written as escapes.
pub(super) fn safe(text: &str) -> String {
    escaped(text, |_| false)
}

/// The same, over several lines.
pub(super) fn safe_lines(text: &str) -> String {
    escaped(text, |letter| letter == '\n')
}

fn escaped(text: &str, stays: impl Fn(char) -> bool) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        let turns = matches!(letter, '\u{200e}' | '\u{200f}' | '\u{061c}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        let breaks = matches!(letter, '\u{2028}' | '\u{2029}');
        if (letter.is_control() || turns || breaks) && !stays(letter) {
            // Writing to a string does not fail.
            let _ = write!(safe, "{}", letter.escape_default());
        } else {
            safe.push(letter);
        }
    }
    safe
}

/// One line of at most so many letters.
pub(super) fn cut(text: &str, letters: usize) -> String {
    let safe = safe(text);
    match safe.char_indices().nth(letters) {
        Some((end, _)) => format!("{}…", &safe[..end]),
        None => safe,
    }
}

#[cfg(test)]
mod tests {
    use super::{cut, safe, safe_lines};

    #[test]
    fn no_control_character_reaches_a_terminal() {
        assert_eq!(
            safe("\u{1b}[2Jred\u{7}\n\u{9b}1m\u{202e}"),
            "\\u{1b}[2Jred\\u{7}\\n\\u{9b}1m\\u{202e}"
        );
        assert_eq!(safe_lines("one\ntwo\r\u{1b}"), "one\ntwo\\r\\u{1b}");
        assert_eq!(safe("Zoë 李 🦀"), "Zoë 李 🦀");
    }

    #[test]
    fn a_long_text_is_cut_between_letters() {
        assert_eq!(cut("äöü", 3), "äöü");
        assert_eq!(cut("äöü", 2), "äö…");
    }
}
