//! What a monitor, or a person in a hurry, is not to miss.

use annals::{CheckpointId, ReadModelStore as _};
use serde_json::{Value, json};

use crate::program::{Shelf, named};

async fn sql(shelf: &Shelf, statements: &'static str) {
    let done = sqlx::raw_sql(statements).execute(shelf.store.pool()).await;
    done.expect("the statements are right");
}

/// One more version of `readers`, as another release has left it: its rows are those of a short log.
async fn other_version(shelf: &Shelf, position: u64) {
    let statements = format!(
        "CREATE TABLE annals.readers_v2_1 (LIKE annals.readers_v1_1 INCLUDING ALL);
         CREATE VIEW annals.readers_v2 AS SELECT * FROM annals.readers_v2_1;
         INSERT INTO annals.projections (projection, version, model, generation, paused, definition)
         SELECT projection, 2, model, 1, paused, definition FROM annals.projections WHERE projection = 'readers';
         INSERT INTO annals.checkpoints (name, version, shard, position, epoch, held_until)
         VALUES ('annals/projection/readers/1', 2, 0, {position}, 1, now())"
    );
    let made = sqlx::raw_sql(sqlx::AssertSqlSafe(statements)).execute(shelf.store.pool()).await;
    made.expect("the statements are right");
}

#[tokio::test]
async fn a_version_that_is_behind_is_shown_after_a_question() {
    let shelf = Shelf::new().await;
    shelf.add("b-1", "Emma").await;
    shelf.lend("b-1", "Ada").await;
    let serving = shelf.serve(&["--mended"]);
    let is_done = |all: &Value| {
        let recalls = named(&all["processes"], "recalls");
        recalls["behind"] == 0 && recalls["unsent"] == 0 && all["head"] == 4
    };
    shelf.until("processes list", is_done).await;
    let is_there = |all: &Value| all["projections"][0]["position"] == 4;
    shelf.until("projections status readers", is_there).await;
    serving.stop();
    // Of the version that answers, nobody is asked.
    shelf.operate("projections show-version readers 1").with(0);
    other_version(&shelf, 1).await;
    let rows = async || -> i64 {
        let count = sqlx::query_scalar("SELECT count(*) FROM readers");
        count.fetch_one(shelf.store.pool()).await.expect("the view is there")
    };
    let asked = shelf.operate("projections show-version readers 2").failed(2);
    assert!(asked.contains("is 3 behind the log's end"), "{asked}");
    assert_eq!(rows().await, 1);
    let shown = shelf.json("projections show-version readers 2 --yes", 0);
    assert_eq!((&shown["did"], &shown["done"]), (&json!("shown"), &json!(true)));
    assert_eq!(rows().await, 0);
    shelf.operate("projections show-version readers 1").with(0);
    assert_eq!(rows().await, 1);
    // At the log's end, with a row whose events wait.
    sql(
        &shelf,
        "UPDATE annals.checkpoints SET position = 4 WHERE name = 'annals/projection/readers/1' AND version = 2;
         INSERT INTO annals.parked (name, version, shard, key_hash, key, position, stream_id, event_type, error, attempts, parked_at)
         VALUES ('annals/projection/readers/1', 2, 0, 'x', 'Ada', 2, 'book-b-1', 'BookLent', 'wrong', 1, now())",
    )
    .await;
    let asked = shelf.operate("projections show-version readers 2").failed(2);
    assert!(asked.contains("has 1 row with parked events"), "{asked}");
    assert_eq!(rows().await, 1);
    sql(&shelf, "DELETE FROM annals.parked WHERE version = 2").await;
    shelf.operate("projections show-version readers 2").with(0);
    assert_eq!(rows().await, 0);
}

#[tokio::test]
async fn what_is_parked_is_told_by_the_checks_of_a_monitor() {
    let shelf = Shelf::new().await;
    shelf.add("b-1", "Emma").await;
    shelf.lend("b-1", "Nobody").await;
    let serving = shelf.serve(&[]);
    let is_parked = |found: &Value| found["parked"].as_array().is_some_and(|all| all.len() == 2);
    shelf.until("parked list", is_parked).await;
    let status = shelf.until("projections status readers", |all| all["level"] != "normal").await;
    let readers = &status["projections"][0];
    assert_eq!((&readers["level"], &readers["parked"]), (&json!("warning"), &json!(1)));
    shelf.operate("projections status readers").with(3);
    shelf.operate("projections status titles").with(0);
    let verified = shelf.json("verify", 3);
    let parked = verified["checks"].as_array().expect("a list");
    let parked = parked.iter().find(|check| check["check"] == "parked").expect("it is looked at");
    assert_eq!(
        parked["findings"],
        json!([
            "of process `recalls`, 1 key has parked events: `parked list recalls`",
            "of projection `readers`, 1 key has parked events: `parked list readers`"
        ])
    );
    let processes = shelf.json("processes list", 3);
    let recalls = named(&processes["processes"], "recalls");
    assert_eq!((&recalls["level"], &recalls["parked"]), (&json!("warning"), &json!(1)));
    // A row that is built anew may be parked again.
    let again = shelf.operate("projections rebuild readers --key Nobody").with(3);
    assert!(again.contains("is parked") && again.contains("nobody is no reader"), "{again}");
    let again = shelf.json("projections rebuild readers --key Nobody", 3);
    assert_eq!((&again["state"], &again["parked"]), (&json!("done"), &json!(1)));
    serving.stop();
}

#[tokio::test]
async fn tables_that_nobody_has_made_are_told_of() {
    let shelf = Shelf::new().await;
    shelf.add("b-1", "Emma").await;
    let all = shelf.json("projections status", 3);
    let readers = named(&all["projections"], "readers");
    assert_eq!(
        (&readers["state"], &readers["level"], &readers["generation"]),
        (&json!("unprepared"), &json!("warning"), &Value::Null)
    );
    let one = shelf.operate("projections status titles").with(3);
    assert!(one.contains("`titles` (version 1) waits for its tables"), "{one}");
    shelf.operate("projections plan --apply").with(0);
    let one = shelf.json("projections status titles --warning 1h --critical 2h", 3);
    assert_eq!(one["projections"][0]["state"], "idle");
}

#[tokio::test]
async fn a_process_that_is_behind_is_told_by_its_level() {
    let shelf = Shelf::new().await;
    shelf.add("b-1", "Emma").await;
    shelf.lend("b-1", "Ada").await;
    let serving = shelf.serve(&["--mended"]);
    let is_done = |all: &Value| {
        let recalls = named(&all["processes"], "recalls");
        recalls["behind"] == 0 && recalls["unsent"] == 0 && recalls["level"] == "normal"
    };
    shelf.until("processes list", is_done).await;
    shelf.json("processes list", 0);
    serving.stop();
    shelf.lend("b-1", "Bob").await;
    let all = shelf.json("processes list --warning 0s --critical 1h", 3);
    let recalls = named(&all["processes"], "recalls");
    assert_eq!((&recalls["level"], &recalls["state"]), (&json!("warning"), &json!("idle")));
    assert!(recalls["seconds_behind"].as_f64().is_some_and(|time| time > 0.0), "{recalls}");
    assert_eq!(all["level"], "warning");
    // Some of its shards are run, and not all.
    let divided = shelf.serve(&["--mended"]);
    shelf.until("processes list", is_done).await;
    shelf.json("processes shards recalls 2 --wait 50s", 0);
    divided.stop();
    let shard = CheckpointId { name: "annals/process/recalls".to_owned(), version: 1, shard: 0 };
    let held = shelf.store.claim_lease(&shard, "alone", std::time::Duration::from_mins(1)).await;
    held.expect("the store is there").expect("it is free");
    shelf.lend("b-1", "Cyd").await;
    let told = shelf.operate("processes list").with(3);
    assert!(told.contains("1 of 2 shards of `recalls` is run by nobody"), "{told}");
}

#[tokio::test]
async fn the_last_rows_of_a_name_are_not_dropped_without_a_word() {
    let shelf = Shelf::new().await;
    shelf.serve(&[]).stop();
    sql(
        &shelf,
        "UPDATE annals.projections SET version = 0 WHERE projection = 'readers';
         UPDATE annals.checkpoints SET version = 0, held_until = now() WHERE name LIKE '%/readers/%'",
    )
    .await;
    let asked = shelf.operate("projections prune readers --version 0").failed(2);
    assert!(asked.contains("no other version of `readers` is kept"), "{asked}");
}

#[tokio::test]
async fn a_scratch_table_that_stays_for_a_while_is_told_of() {
    let shelf = Shelf::new().await;
    sql(
        &shelf,
        "INSERT INTO annals.checkpoints (name, version, shard, epoch, owner, held_until)
         VALUES ('annals/scratch/readers/2147483690', 1, 0, 1, 'dead', now() + interval '10 minutes');
         CREATE UNLOGGED TABLE annals.scratch_8000002a (name text)",
    )
    .await;
    let told = shelf.operate("projections prune").with(0);
    assert!(told.contains("scratch tables that stay: 1; one whose program died"), "{told}");
    assert_eq!(shelf.json("projections prune", 0)["scratch_kept"], 1);
}

#[tokio::test]
async fn a_paused_projection_that_is_rebuilt_says_that_it_moves() {
    let shelf = Shelf::new().await;
    shelf.add("b-1", "Emma").await;
    shelf.lend("b-1", "Ada").await;
    let serving = shelf.serve(&["--mended"]);
    shelf.until("projections status readers", |all| all["projections"][0]["behind"] == 0).await;
    shelf.operate("projections pause readers").with(0);
    let asked = shelf.operate("projections rebuild readers").failed(2);
    assert!(asked.contains("it is paused: the new rows are those of the log's end"), "{asked}");
    let rebuilt = shelf.operate("projections rebuild readers --yes").with(0);
    assert!(rebuilt.contains("it is paused still"), "{rebuilt}");
    serving.stop();
}

#[tokio::test]
async fn who_is_asked_for_a_rebuild_and_does_not_begin_is_told_of() {
    let shelf = Shelf::new().await;
    shelf.add("b-1", "Emma").await;
    let serving = shelf.serve(&[]);
    shelf
        .until("projections status readers", |all| all["projections"][0]["state"] == "running")
        .await;
    let asked = shelf.operate("projections rebuild readers --yes --detach").with(0);
    assert!(asked.contains("is asked for; `shelf` runs it"), "{asked}");
    serving.stop();
}

#[tokio::test]
async fn names_that_nothing_has_are_told_of_rather_than_nothing() {
    let shelf = Shelf::new().await;
    shelf.add("b-1", "Emma").await;
    let wrong = shelf.operate("events tail --type BookAddet").failed(1);
    assert_eq!(wrong, "error: no event is named `BookAddet`; did you mean `BookAdded`?\n");
    let wrong = shelf.operate("events tail --category boo").failed(1);
    assert_eq!(wrong, "error: no category is named `boo`; did you mean `book`?\n");
    let wrong = shelf.operate("events tail --stream book-b-9").failed(1);
    assert_eq!(wrong, "error: no stream is named `book-b-9`\n");
    // What is known, and has no events.
    shelf.operate("events tail --type BookLent").with(0);
    shelf.operate("events tail --category book").with(0);
}

#[tokio::test]
async fn arguments_are_shown_in_their_order_and_checked_before_anything_is_done() {
    let shelf = Shelf::new().await;
    for command in ["retry", "drop"] {
        let help = shelf.operate(&format!("parked {command} --help")).with(0);
        assert!(help.contains("[OPTIONS] <NAME> [KEY]"), "{help}");
        shelf.operate(&format!("parked {command} readers")).failed(2);
        shelf.operate(&format!("parked {command} readers Ada --all")).failed(2);
    }
    for number in ["0", "1025"] {
        shelf.operate(&format!("projections shards readers {number}")).failed(2);
        shelf.operate(&format!("processes shards recalls {number}")).failed(2);
    }
    let asked = shelf.operate("snapshots drop --older-than 30d").failed(2);
    assert!(asked.contains("older than 30d;"), "{asked}");
}

#[tokio::test]
async fn an_error_is_an_object_too() {
    let shelf = Shelf::new().await;
    let answered = shelf.operate("projections pause reader --json");
    assert_eq!((answered.code, &*answered.errors), (1, ""));
    let error: Value = serde_json::from_str(&answered.out).expect("one object");
    let text = "no projection is named `reader`: there is none";
    assert_eq!(error, json!({ "error": text, "code": 1 }));
    let answered = shelf.operate("snapshots drop --older-than 30d --json");
    let error: Value = serde_json::from_str(&answered.out).expect("one object");
    assert_eq!((answered.code, &error["code"]), (2, &json!(2)));
}

#[tokio::test]
async fn a_plan_with_nothing_to_do_does_nothing() {
    let shelf = Shelf::new().await;
    let first = shelf.operate("projections plan").with(3);
    assert!(
        first.ends_with("\nengines that may make no tables go on after `plan --apply`\n"),
        "{first}"
    );
    shelf.operate("projections plan --apply").with(0);
    assert_eq!(shelf.operate("projections plan --apply").with(0), "there is nothing to do\n");
}

#[tokio::test]
async fn a_row_that_no_event_explains_goes() {
    let shelf = Shelf::new().await;
    shelf.add("b-1", "Emma").await;
    let serving = shelf.serve(&[]);
    shelf.until("projections status readers", |all| all["projections"][0]["behind"] == 0).await;
    sql(&shelf, "INSERT INTO annals.readers_v1 (name, books) VALUES ('ghost', 1)").await;
    shelf.operate("verify").with(3);
    let gone = shelf.operate("projections rebuild readers --key ghost").with(0);
    assert_eq!(
        gone,
        "row `ghost` of projection `readers` (version 1) is gone: no event of the log goes to it\n"
    );
    shelf.operate("verify").with(0);
    let none = shelf.json("projections rebuild readers --key ghost", 3);
    assert_eq!(none["state"], "failed");
    serving.stop();
}
