//! Holds the program against a real municipality's log, where that is there: `$ANNALS_PERMITS_LOG`, or
//! `../shared/data/permit_receipts.csv` beside the workspace. The log is no part of the project.

mod program;

use std::collections::HashMap;
use std::path::PathBuf;

use program::{permits, permits_of};
use serde_json::Value;

const CASES: u64 = 1434;
const EVENTS: u64 = 8577;

/// The log's path; `None`, with a line that says so, where it is not there.
fn real_log() -> Option<PathBuf> {
    if let Some(path) = std::env::var_os("ANNALS_PERMITS_LOG") {
        let path = PathBuf::from(path);
        assert!(path.is_file(), "`ANNALS_PERMITS_LOG` names no file: {}", path.display());
        // The program runs in another folder than the tests.
        return Some(std::path::absolute(path).expect("a path"));
    }
    let beside = "../../../shared/data/permit_receipts.csv";
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(beside);
    if path.is_file() {
        return Some(path);
    }
    println!("skipped: the real log is not there; `ANNALS_PERMITS_LOG` may name it");
    None
}

/// One row as the plain reader gives it.
type Row = HashMap<String, String>;

/// Reads the log without any of the program: each row a map from its columns.
fn rows(log: &PathBuf) -> Vec<Row> {
    let mut reader = csv::Reader::from_path(log).expect("the log opens");
    reader.deserialize().collect::<Result<_, _>>().expect("the log reads")
}

fn count(rows: &[Row], column: &str) -> HashMap<String, u64> {
    let mut counts = HashMap::new();
    for row in rows {
        *counts.entry(row[column].clone()).or_default() += 1;
    }
    counts
}

fn summary(text: &str) -> Value {
    serde_json::from_str(text).expect("a summary in JSON")
}

#[test]
fn all_of_it_is_recorded() {
    let Some(log) = real_log() else { return };
    let rows = rows(&log);
    let (code, text, errors) = permits(&[&*log.to_string_lossy(), "--json"]);
    assert_eq!((code, &*errors), (0, ""));

    let summary = summary(&text);
    assert_eq!(summary["cases"], CASES);
    assert_eq!(summary["cases"], count(&rows, "case:concept:name").len());
    assert_eq!(summary["events"], EVENTS);
    assert_eq!(summary["events"], rows.len());
    assert_eq!((&summary["refusals"], &summary["errors"]), (&0.into(), &0.into()));
    let activities = summary["activities"].as_array().expect("a table").iter();
    let activities: HashMap<String, u64> = activities
        .map(|row| {
            let name = row["activity"].as_str().expect("a name").to_owned();
            (name, row["count"].as_u64().expect("a count"))
        })
        .collect();
    assert_eq!(activities, count(&rows, "concept:name"));
    assert_eq!(activities.len(), 27);
}

/// Of the longest case, at the instant of one of its rows, exactly that row and those before it are known.
#[test]
fn what_was_known_of_a_case_is_what_had_happened() {
    let Some(log) = real_log() else { return };
    let rows = rows(&log);
    let cases = count(&rows, "case:concept:name");
    let (longest, _) =
        cases.iter().max_by_key(|(name, rows)| (**rows, (*name).clone())).expect("a case");
    let history: Vec<&Row> =
        rows.iter().filter(|row| row["case:concept:name"] == *longest).collect();
    for known in [1, history.len() / 2, history.len() - 1, history.len()] {
        let instant = &*history[known - 1]["time:timestamp"];
        let path = log.to_string_lossy();
        let options = [&*path, "--json", "--case", longest, "--as-of", instant];
        let (code, text, errors) = permits(&options);
        assert_eq!((code, &*errors), (0, ""));
        let entries = summary(&text)["entries"].as_array().expect("entries").clone();
        let found: Vec<_> =
            entries.iter().map(|entry| (&entry["activity"], &entry["by"])).collect();
        let expected: Vec<_> = history[..known]
            .iter()
            .map(|row| (Value::from(&*row["concept:name"]), Value::from(&*row["org:resource"])))
            .collect();
        assert_eq!(found, expected.iter().map(|(what, who)| (what, who)).collect::<Vec<_>>());
    }
}

/// The log with one mistake of each kind in lines far apart: each is named, and all else is recorded.
#[test]
fn damage_to_it_is_named_and_the_rest_is_kept() {
    let Some(log) = real_log() else { return };
    let text = std::fs::read_to_string(&log).expect("the log reads");
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    // Line 100 is element 99, and so on.
    lines[99] = lines[99].replace("+0", "?0");
    let activity = rows(&log)[1998]["concept:name"].clone();
    lines[1999] = lines[1999].replace(&activity, "Dance");
    let twice = lines[2999].clone();
    lines.insert(4999, twice);
    let last = lines.len();
    lines[last - 1].truncate(30);

    let (code, text, errors) = permits_of("damaged.csv", lines.join("\n"), &["--json"]);
    let summary = summary(&text);
    assert_eq!(summary["events"], EVENTS - 3);
    assert_eq!((&summary["refusals"], &summary["errors"]), (&1.into(), &3.into()));
    let named: Vec<_> = errors.lines().map(|line| line.split(": ").next()).collect();
    let expected = [100, 2000, 5000, last].map(|line| format!("damaged.csv, line {line}"));
    assert_eq!(named, expected.each_ref().map(|line| Some(&**line)));
    assert_eq!(code, 1);
}
