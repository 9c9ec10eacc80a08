//! Holds the program against a real municipality's log, where that is there: `$ANNALS_PERMITS_LOG`, or
//! `../shared/data/permit_receipts.csv` beside the workspace. The log is no part of the project.

mod program;

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

use annals_postgres::testing::TestDatabase;
use jiff::Timestamp;
use program::{permits, permits_of};
use serde_json::{Value, json};

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

/// When a row happened, by the reader of another crate than the program's.
fn instant(row: &Row) -> Timestamp {
    row["time:timestamp"].parse().expect("an instant")
}

/// One row for each case, those first that took longest, then by their names.
fn cases(rows: &[Row]) -> Vec<Value> {
    let mut cases: BTreeMap<&str, Vec<&Row>> = BTreeMap::new();
    for row in rows {
        cases.entry(&row["case:concept:name"]).or_default().push(row);
    }
    let mut cases: Vec<_> = (cases.into_iter())
        .map(|(case, mut rows)| {
            rows.sort_by_key(|row| instant(row));
            let (first, last) = (rows[0], rows[rows.len() - 1]);
            let micros = instant(last).as_microsecond() - instant(first).as_microsecond();
            let row = json!({
                "case": case,
                "activities": rows.len(),
                "first": instant(first).to_string(),
                "last": instant(last).to_string(),
                "micros": micros,
                "last_activity": last["concept:name"],
            });
            (micros, row)
        })
        .collect();
    cases.sort_by_key(|(micros, _)| Reverse(*micros));
    cases.into_iter().map(|(_, row)| row).collect()
}

/// One row for each activity and month, those first that were done most, then by their names.
fn activities(rows: &[Row]) -> Vec<Value> {
    let mut counts: BTreeMap<(String, &str), u64> = BTreeMap::new();
    for row in rows {
        let month = instant(row).strftime("%Y-%m").to_string();
        *counts.entry((month, &row["concept:name"])).or_default() += 1;
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by_key(|((month, _), count)| (month.clone(), Reverse(*count)));
    (counts.into_iter())
        .map(|((month, activity), count)| {
            json!({ "month": month, "activity": activity, "count": count })
        })
        .collect()
}

/// One row for each resource, those first that did most, then by their names.
fn resources(rows: &[Row]) -> Vec<Value> {
    let mut resources: BTreeMap<&str, Vec<&Row>> = BTreeMap::new();
    for row in rows.iter().filter(|row| !row["org:resource"].is_empty()) {
        resources.entry(&row["org:resource"]).or_default().push(row);
    }
    let mut resources: Vec<_> = resources.into_iter().collect();
    resources.sort_by_key(|(_, rows)| Reverse(rows.len()));
    (resources.into_iter())
        .map(|(resource, rows)| {
            let instants = || rows.iter().map(|row| instant(row));
            let rows: Vec<Row> = rows.iter().map(|row| (*row).clone()).collect();
            json!({
                "resource": resource,
                "count": rows.len(),
                "first": instants().min().expect("a row").to_string(),
                "last": instants().max().expect("a row").to_string(),
                "activities": count(&rows, "concept:name"),
            })
        })
        .collect()
}

/// Asks all three read models, and holds their rows against those that the test makes from the file itself.
fn check_rows(log: &PathBuf, database: &[&str]) {
    let rows = rows(log);
    let path = log.to_string_lossy();
    let ask = |options: &[&str]| {
        let options = [&[&*path, "--json"], database, options].concat();
        let (code, text, errors) = permits(&options);
        assert_eq!((code, &*errors), (0, ""));
        summary(&text)
    };
    let expected = |name: &str, rows: Vec<Value>| json!({ "total": rows.len(), name: rows });
    let cases = expected("cases", cases(&rows));
    assert_eq!(cases["total"], CASES);
    assert_eq!(ask(&["--cases", "--limit", "10000"]), cases);
    assert_eq!(ask(&["--activities"]), expected("activities", activities(&rows)));
    assert_eq!(ask(&["--resources"]), expected("resources", resources(&rows)));
}

#[test]
fn its_read_models_in_memory_are_what_the_file_says() {
    let Some(log) = real_log() else { return };
    check_rows(&log, &[]);
}

/// Each question replays the log again: that the rows stay as they are says that nothing is recorded twice.
#[tokio::test]
async fn its_read_models_in_a_database_are_what_the_file_says() {
    let Some(log) = real_log() else { return };
    let database = TestDatabase::create().await.expect("a database");
    check_rows(&log, &["--database", database.url()]);
    let (_, text, _) = permits(&[&*log.to_string_lossy(), "--json", "--database", database.url()]);
    assert_eq!(summary(&text)["events"], EVENTS);
}

/// Pages of 300 cases, of which many took no time at all, leave none out and tell none twice.
#[test]
fn its_cases_come_in_pages() {
    let Some(log) = real_log() else { return };
    let expected = cases(&rows(&log));
    let path = log.to_string_lossy();
    let mut found: Vec<Value> = Vec::new();
    while found.len() < expected.len() {
        let mut options = vec![&*path, "--json", "--cases", "--limit", "300"];
        if let Some(last) = found.last() {
            options.extend(["--after", last["case"].as_str().expect("a name")]);
        }
        let (_, text, _) = permits(&options);
        let page = summary(&text)["cases"].as_array().expect("a page").clone();
        assert!(!page.is_empty(), "{} of {} cases", found.len(), expected.len());
        found.extend(page);
    }
    assert_eq!(found, expected);
}
