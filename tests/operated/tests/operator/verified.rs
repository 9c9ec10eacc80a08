//! What is broken is found, and told by the exit code.

use serde_json::{Value, json};

use crate::program::Shelf;

/// Changes what is stored past all that guards it.
async fn sql(shelf: &Shelf, statements: &'static str) {
    let done = sqlx::raw_sql(statements).execute(shelf.store.pool()).await;
    done.expect("the statements are right");
}

/// The findings of the checks whose names begin so.
fn findings(verified: &Value, check: &str) -> Vec<String> {
    let checks = verified["checks"].as_array().expect("a list").iter();
    let found =
        checks.filter(|found| found["check"].as_str().is_some_and(|name| name.starts_with(check)));
    let findings = found.flat_map(|found| found["findings"].as_array().expect("a list"));
    findings.map(|finding| finding.as_str().expect("a sentence").to_owned()).collect()
}

/// A shelf with rows.
async fn filled() -> Shelf {
    let shelf = Shelf::new().await;
    for (book, title) in [("b-1", "Emma"), ("b-2", "Persuasion")] {
        shelf.add(book, title).await;
        shelf.lend(book, "Ada").await;
    }
    let serving = shelf.serve(&["--mended"]);
    shelf
        .until("projections status", |all| {
            all["projections"]
                .as_array()
                .is_some_and(|all| all.iter().all(|one| one["behind"] == 0) && all.len() == 2)
        })
        .await;
    let is_done = |all: &Value| {
        let recalls = &all["processes"][0];
        recalls["behind"] == 0 && recalls["unsent"] == 0 && all["head"] == 8
    };
    shelf.until("processes list", is_done).await;
    serving.stop();
    shelf
}

#[tokio::test]
async fn what_is_whole_is_told_so() {
    let shelf = filled().await;
    let verified = shelf.json("verify", 0);
    assert_eq!(verified["ok"], true, "{verified}");
    let checks: Vec<&str> = verified["checks"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|check| check["check"].as_str())
        .collect();
    assert_eq!(
        checks,
        [
            "streams",
            "checkpoints",
            "events",
            "parked",
            "read model `readers`",
            "read model `titles`"
        ]
    );
    let short = shelf.json("verify --skip-read-models", 0);
    assert_eq!(short["checks"].as_array().map(Vec::len), Some(4));
}

#[tokio::test]
async fn a_row_that_is_not_what_the_log_says_is_found() {
    let shelf = filled().await;
    sql(&shelf, "UPDATE annals.readers_v1 SET books = 7; DELETE FROM annals.titles_v1 WHERE title = 'Emma'; INSERT INTO annals.titles_v1 (title, copies) VALUES ('Ulysses', 1)").await;
    let verified = shelf.json("verify", 3);
    assert_eq!(
        findings(&verified, "read model `readers`"),
        ["row `Ada`: `books` is 7, and 2 by the log"]
    );
    assert_eq!(
        findings(&verified, "read model `titles`"),
        [
            "row `Emma`: the log has a row, the table has none",
            "row `Ulysses`: the table has a row, the log has none"
        ]
    );
    let text = shelf.operate("verify").with(3);
    assert!(text.contains("WRONG  read model `readers`"), "{text}");
}

#[tokio::test]
async fn a_gap_and_a_reader_ahead_of_the_log_are_found() {
    let shelf = filled().await;
    sql(&shelf, "ALTER TABLE annals.events DISABLE TRIGGER events_stay; DELETE FROM annals.events WHERE stream_id = 'book-b-2' AND stream_version = 1").await;
    sql(&shelf, "UPDATE annals.checkpoints SET position = 99 WHERE name LIKE '%titles%'").await;
    let verified = shelf.json("verify --skip-read-models", 3);
    assert_eq!(
        findings(&verified, "streams"),
        ["stream `book-b-2` has 2 events at versions 2 to 3"]
    );
    let head = shelf.json("events tail -n 1", 0)["position"].clone();
    let ahead = format!("projection `titles` stands at position 99, but the log ends at {head}");
    assert_eq!(findings(&verified, "checkpoints"), [ahead]);
}

#[tokio::test]
async fn an_event_that_this_program_cannot_read_is_found() {
    let shelf = filled().await;
    sql(&shelf, "ALTER TABLE annals.events DISABLE TRIGGER events_stay; UPDATE annals.events SET data = '{\"title\": 5}' WHERE position = 1").await;
    let verified = shelf.json("verify --skip-read-models", 3);
    let found = findings(&verified, "events");
    assert!(
        found.len() == 1 && found[0].starts_with("the event at position 1, in `book-b-1`: "),
        "{found:?}"
    );
    let shown = shelf.json("events show 1", 3);
    assert_eq!(shown["data"], json!({ "title": 5 }));
    assert!(shown["unreadable"].as_str().is_some_and(|why| why.contains("BookAdded")), "{shown}");
}

/// What cannot be checked is a finding, which says what to do, and the other checks are done.
#[tokio::test]
async fn a_table_that_is_not_what_it_was_is_found() {
    let shelf = filled().await;
    sql(&shelf, "ALTER TABLE annals.titles_v1_1 RENAME COLUMN copies TO other").await;
    let verified = shelf.json("verify", 3);
    let found = findings(&verified, "read model `titles`");
    assert!(found[0].contains("the columns of its table are not those"), "{found:?}");
    sql(&shelf, "DROP TABLE annals.readers_v1_1 CASCADE").await;
    let verified = shelf.json("verify", 3);
    assert_eq!(verified["checks"].as_array().map(Vec::len), Some(6), "{verified}");
    let found = findings(&verified, "read model `readers`");
    assert!(found[0].contains("the table has none"), "{found:?}");
    assert_eq!(findings(&verified, "streams"), [""; 0]);
}
