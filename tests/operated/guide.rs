//! The commands in a guide, with what they are said to print.
//!
//! In a block that begins with `console`, a line that begins with `$ ` is a command, and what follows it is what it prints.
//! What has to happen in between stands in a comment: `<!-- do: serve -->`. With `UPDATE_GUIDE=1`, what is printed is written
//! into the guide.

use std::path::{Path, PathBuf};

/// A guide, in its parts.
pub(crate) struct Guide {
    path: PathBuf,
    parts: Vec<Part>,
}

enum Part {
    /// A line that is only text.
    Text(String),
    /// Something that has to happen.
    Do(String),
    /// A command, and what it prints.
    Run(String, String),
}

/// What a part of a guide asks for.
pub(crate) enum Step {
    Do(String),
    Run(String),
}

impl Guide {
    /// Reads a guide of the project.
    pub(crate) fn read(name: &str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(name);
        let text = std::fs::read_to_string(&path)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let mut parts = Vec::new();
        let mut is_inside = false;
        for line in text.lines() {
            let asked = line.strip_prefix("<!-- do: ").and_then(|rest| rest.strip_suffix(" -->"));
            match (is_inside, asked, line.strip_prefix("$ "), parts.last_mut()) {
                (false, Some(what), ..) => parts.push(Part::Do(what.to_owned())),
                (true, _, Some(command), _) => {
                    parts.push(Part::Run(command.to_owned(), String::new()));
                }
                (true, _, None, Some(Part::Run(_, printed))) if line != "```" => {
                    printed.push_str(line);
                    printed.push('\n');
                }
                _ => {
                    is_inside = line.starts_with("```console") || is_inside && line != "```";
                    parts.push(Part::Text(line.to_owned()));
                }
            }
        }
        Self { path, parts }
    }

    /// What it asks for, one after the other.
    pub(crate) fn steps(&self) -> Vec<Step> {
        let step = |part: &Part| match part {
            Part::Text(_) => None,
            Part::Do(what) => Some(Step::Do(what.clone())),
            Part::Run(command, _) => Some(Step::Run(command.clone())),
        };
        self.parts.iter().filter_map(step).collect()
    }

    /// Holds what the commands have printed against what they are said to print.
    pub(crate) fn compare(mut self, printed: Vec<String>) {
        let is_update = std::env::var_os("UPDATE_GUIDE").is_some();
        let runs = self.parts.iter_mut().filter_map(|part| match part {
            Part::Run(command, said) => Some((command, said)),
            _ => None,
        });
        let (mut all, mut count) = (printed.into_iter(), 0);
        for (command, said) in runs {
            let found = all.next().expect("each command was run");
            count += 1;
            if normal(said) != normal(&found) {
                assert!(
                    is_update,
                    "{}: {command}\n--- it says\n{said}--- it prints\n{found}",
                    self.path.display()
                );
                *said = found;
            }
        }
        assert!(count > 0 && all.next().is_none(), "a guide shows commands");
        if is_update {
            let text: String = self
                .parts
                .iter()
                .map(|part| match part {
                    Part::Text(line) => format!("{line}\n"),
                    Part::Do(what) => format!("<!-- do: {what} -->\n"),
                    Part::Run(command, said) => format!("$ {command}\n{said}"),
                })
                .collect();
            std::fs::write(&self.path, text).expect("the guide is written");
        }
    }
}

/// A text without what differs from one run to the next: instants, ids, times and sizes, and the gaps between columns.
fn normal(text: &str) -> String {
    let lines = text.lines().map(|line| {
        let words: Vec<String> = line.split_whitespace().map(word).collect();
        // The server lays its tables out as it likes.
        if line.contains(" KiB") { "… KiB".to_owned() } else { words.join(" ") }
    });
    let mut lines: Vec<String> = lines.collect();
    lines.dedup();
    lines.join("\n")
}

fn word(word: &str) -> String {
    let core = word.trim_matches(|letter: char| !letter.is_ascii_alphanumeric());
    let is_hex = |letter: char| letter.is_ascii_hexdigit() || letter == '-';
    let is_id = core.len() == 36 && core.chars().all(is_hex);
    let is_instant =
        core.len() >= 20 && core.contains('T') && core.ends_with('Z') && core.starts_with("20");
    let digits = core.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let is_time = digits.chars().all(|letter| letter.is_ascii_digit())
        && matches!(&core[digits.len()..], "ms" | "s" | "m" | "h" | "d")
        && !digits.is_empty();
    if is_id || is_instant || is_time { word.replace(core, "…") } else { without_ids(word) }
}

/// A word without the ids inside of it.
fn without_ids(word: &str) -> String {
    let is_hex = |letter: char| letter.is_ascii_hexdigit() || letter == '-';
    let (mut text, mut run) = (String::new(), String::new());
    for letter in word.chars().chain(['\n']) {
        if is_hex(letter) {
            run.push(letter);
            continue;
        }
        text.push_str(if run.len() >= 32 { "…" } else { &run });
        run.clear();
        text.push(letter);
    }
    text.trim_end().to_owned()
}
