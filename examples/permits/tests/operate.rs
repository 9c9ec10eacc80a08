//! The operations guide's commands, as this program does them on what the shipped log leaves in a database.

#[path = "../../../tests/operated/guide.rs"]
mod guide;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};

use annals_postgres::testing::TestDatabase;
use guide::{Guide, Step};

fn permits(arguments: &[&str], url: &str) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_permits"))
        .args(arguments)
        .env("DATABASE_URL", url)
        .stdin(Stdio::null())
        .output()
        .expect("the program starts");
    let text = |bytes| String::from_utf8(bytes).expect("the program writes UTF-8");
    text(output.stdout) + &text(output.stderr)
}

/// Replays the shipped log case by case, so that each event has the same position each time.
fn record_in_order(url: &str) {
    let log = include_str!("../log.csv");
    let (head, rows) = log.split_once('\n').expect("a head");
    let mut cases: BTreeMap<&str, String> = BTreeMap::new();
    for row in rows.lines() {
        let (case, _) = row.split_once(',').expect("the case comes first");
        let part = cases.entry(case).or_insert_with(|| format!("{head}\n"));
        part.push_str(row);
        part.push('\n');
    }
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("operated.csv");
    for log in cases.into_values() {
        std::fs::write(&path, log).expect("the log is kept");
        let path = path.to_str().expect("a path in UTF-8");
        // Each question has its read model complete before it is answered.
        for question in ["--cases", "--activities", "--resources"] {
            permits(&[path, "--database", url, question], url);
        }
    }
}

#[tokio::test]
async fn the_guide_shows_what_is_printed() {
    let database = TestDatabase::create().await.expect("a database");
    record_in_order(database.url());
    let guide = Guide::read("operations.md");
    let mut printed = Vec::new();
    for step in guide.steps() {
        match step {
            Step::Do(what) => panic!("nobody knows how to do `{what}`"),
            Step::Run(command) => {
                let words: Vec<&str> = command.split_whitespace().collect();
                let ["permits", arguments @ ..] = &words[..] else {
                    panic!("`{command}` is no command of this program");
                };
                printed.push(permits(arguments, database.url()));
            }
        }
    }
    guide.compare(printed);
}

#[tokio::test]
async fn a_database_that_is_not_named_is_asked_for() {
    let output = Command::new(env!("CARGO_BIN_EXE_permits"))
        .args(["operate", "verify"])
        .env_remove("DATABASE_URL")
        .output()
        .expect("the program starts");
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).expect("text");
    assert_eq!(said, "error: no database is named: add --database, or set DATABASE_URL\n");
}
