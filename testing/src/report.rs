//! What a failing test shows: what was given, what was done, and where expected and actual differ.

use std::fmt::Write;

use annals::{Command, EventEnum, RecordedEvent};
use anstyle::{AnsiColor, Style};
use serde_json::Value;
use similar::{ChangeTag, TextDiff};

use crate::scenario::json_of;

const EXPECTED: Style = AnsiColor::Red.on_default();
const FOUND: Style = AnsiColor::Green.on_default();
const FAINT: Style = Style::new().dimmed();

/// A command as one line: its name and its JSON.
pub(crate) fn command<C: Command>(command: &C) -> String {
    match serde_json::to_string(command) {
        Ok(json) => format!("{} {json}", C::NAME),
        Err(error) => format!("{} <cannot be written: {error}>", C::NAME),
    }
}

/// An event as one line: its stored name and its JSON.
pub(crate) fn event<E: EventEnum>(event: &E) -> String {
    format!("{} {}", event.event_type(), json_of(event))
}

/// A recorded event as one line: its stream, its stored name and its JSON.
pub(crate) fn recorded(event: &RecordedEvent) -> String {
    let RecordedEvent { stream_id, event_type, data, .. } = event;
    format!("{stream_id}: {event_type} {}", data.as_str())
}

/// Commands as many lines, so that a difference shows field by field.
pub(crate) fn commands<'a>(commands: impl IntoIterator<Item = (&'a str, &'a Value)>) -> String {
    let text = commands.into_iter().fold(String::new(), |mut text, (name, content)| {
        let _ = writeln!(text, "{name} {content:#}");
        text
    });
    if text.is_empty() { "(no commands)\n".to_owned() } else { text }
}

/// Events as many lines, so that a difference shows field by field.
pub(crate) fn events<E: EventEnum>(events: &[E]) -> String {
    if events.is_empty() {
        return "(no events)\n".to_owned();
    }
    events.iter().fold(String::new(), |mut text, event| {
        let _ = writeln!(text, "{} {:#}", event.event_type(), json_of(event));
        text
    })
}

/// JSON as many lines.
pub(crate) fn pretty(json: &str) -> String {
    match serde_json::from_str::<Value>(json) {
        Ok(value) => format!("{value:#}"),
        Err(_) => json.to_owned(),
    }
}

/// What was given and done, a line each.
pub(crate) fn story(lines: &[String]) -> String {
    let lines = lines.iter().map(|line| format!("  {line}\n"));
    format!("\n{}", lines.collect::<String>().trim_end_matches('\n'))
}

/// The lines of two texts: `-` stands before those of the first only, `+` before those of the second only.
pub(crate) fn diff(expected: &str, found: &str, first: &str, second: &str) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "  {EXPECTED}- {first}{EXPECTED:#}   {FOUND}+ {second}{FOUND:#}");
    for change in TextDiff::from_lines(expected, found).iter_all_changes() {
        let (style, sign) = match change.tag() {
            ChangeTag::Delete => (EXPECTED, '-'),
            ChangeTag::Insert => (FOUND, '+'),
            ChangeTag::Equal => (FAINT, ' '),
        };
        let line = change.to_string();
        let _ = writeln!(text, "  {style}{sign} {}{style:#}", line.trim_end_matches('\n'));
    }
    in_terminal_style(text)
}

/// Keeps the colours where the test's output can show them.
fn in_terminal_style(text: String) -> String {
    match anstream::AutoStream::choice(&std::io::stderr()) {
        anstream::ColorChoice::Never => anstream::adapter::strip_str(&text).to_string(),
        _ => text,
    }
}

/// An error with its causes, in one line.
pub(crate) fn in_words(error: &dyn std::error::Error) -> String {
    annals::projection::chain(error)
}
