//! What a check of a monitor says of a projection that is not as it should be, and of one that is.

use std::process::Stdio;
use std::time::Duration;

use annals::{CheckpointId, ReadModelStore as _};
use serde_json::{Value, json};

use crate::program::{Shelf, named};

async fn sql(shelf: &Shelf, statements: &'static str) {
    let done = sqlx::raw_sql(statements).execute(shelf.store.pool()).await;
    done.expect("the statements are right");
}

/// The titles have stopped at the first event, and two more come.
async fn stopped() -> (Shelf, crate::program::Serving) {
    let shelf = Shelf::new().await;
    shelf.add("b-1", "Untitled").await;
    let serving = shelf.serve(&[]);
    let has_stopped = |all: &Value| named(&all["projections"], "titles")["state"] == "stopped";
    shelf.until("projections status", has_stopped).await;
    shelf.add("b-2", "Emma").await;
    shelf.lend("b-2", "Ada").await;
    (shelf, serving)
}

#[tokio::test]
async fn a_stop_is_told_of_though_it_is_paused() {
    let (shelf, serving) = stopped().await;
    shelf.operate("projections pause titles").with(0);
    let all = shelf.json("projections status titles --shards", 3);
    let titles = &all["projections"][0];
    assert_eq!((&titles["state"], &titles["level"]), (&json!("stopped"), &json!("critical")));
    let shard = &titles["each_shard"][0];
    assert_eq!((&shard["state"], &shard["level"]), (&json!("stopped"), &json!("critical")));
    // Whoever wonders what a rebuild would change is told how far that goes.
    let told = shelf.operate("projections rebuild titles --dry-run").with(3);
    assert!(told.contains("it has stopped, and its rows end at position 0: nothing"), "{told}");
    assert_eq!(shelf.json("projections rebuild titles --dry-run", 3)["stopped"], true);
    serving.stop();
    assert_eq!(shelf.json("projections rebuild titles --dry-run", 0)["stopped"], false);
}

#[tokio::test]
async fn an_event_is_passed_over_only_where_one_has_stopped() {
    let (shelf, serving) = stopped().await;
    let requests = async || -> i64 {
        let open = "SELECT count(*) FROM annals.parked WHERE name = 'annals/requests'";
        let open = sqlx::query_scalar(open).fetch_one(shelf.store.pool()).await;
        open.expect("the statement is right")
    };
    let beyond = shelf.operate("projections skip titles 99 --yes").failed(1);
    let text = "projection `titles` has not stopped at 99";
    assert!(beyond.contains("the log ends at position") && beyond.contains(text), "{beyond}");
    // One that runs is at its end, or has yet to come there: nothing is left for it to do later.
    shelf.until("projections status readers", |all| all["projections"][0]["behind"] == 0).await;
    sql(&shelf, "UPDATE annals.projections SET paused = true WHERE projection = 'readers'").await;
    shelf
        .until("projections status readers", |all| all["projections"][0]["state"] == "paused")
        .await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    shelf.add("b-3", "Persuasion").await;
    let head = shelf.json("projections status readers --warning 1h --critical 1d", 0);
    let head = head["head"].as_u64().expect("a position");
    let mut asking = shelf.command();
    let skip = format!("operate projections skip readers {head} --yes --wait 10m");
    let asking = asking.args(skip.split(' ')).stdin(Stdio::null()).stderr(Stdio::null()).spawn();
    let mut asking = asking.expect("the program starts");
    for _ in 0..20 {
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert_eq!(requests().await, 0);
    }
    asking.kill().expect("it waits");
    asking.wait().expect("it has ended");
    shelf.operate("projections skip titles 1 --yes").with(0);
    serving.stop();
}

#[tokio::test]
async fn a_version_that_is_kept_to_go_back_to_is_no_fault() {
    let shelf = Shelf::new().await;
    let serving = shelf.serve(&["--mended"]);
    shelf.until("projections status readers", |all| all["level"] == "normal").await;
    sql(
        &shelf,
        "CREATE TABLE annals.readers_v0_1 (LIKE annals.readers_v1_1 INCLUDING ALL);
         INSERT INTO annals.projections (projection, version, model, generation, paused, definition)
         SELECT projection, 0, model, 1, paused, definition FROM annals.projections WHERE projection = 'readers';
         INSERT INTO annals.checkpoints (name, version, shard, position, epoch, held_until)
         VALUES ('annals/projection/readers/1', 0, 0, 0, 1, now())",
    )
    .await;
    shelf.add("b-1", "Emma").await;
    shelf.lend("b-1", "Ada").await;
    let is_there = |all: &Value| all["projections"][1]["behind"] == 0;
    shelf.until("projections status readers", is_there).await;
    let all = shelf.json("projections status readers", 0);
    let old = &all["projections"][0];
    assert_eq!(
        (&old["version"], &old["state"], &old["level"]),
        (&json!(0), &json!("idle"), &json!("normal"))
    );
    assert!(old["behind"].as_u64() > Some(0), "{old}");
    serving.stop();
    // Who drops it has only what is behind.
    shelf.lend("b-1", "Bob").await;
    let asked = shelf.operate("projections prune readers --version 0").failed(2);
    assert!(asked.contains("; version 1 of `readers`, which stays, is "), "{asked}");
}

#[tokio::test]
async fn numbers_that_are_too_large_are_refused_or_count_as_all() {
    let shelf = Shelf::new().await;
    shelf.add("b-1", "Emma").await;
    shelf.serve(&[]).stop();
    for long in ["18446744073709551615s", "200000000000000d"] {
        let refused = shelf.operate(&format!("projections resume readers --wait {long}")).failed(2);
        assert!(refused.contains("is too long; the longest time is `36500d`"), "{refused}");
    }
    let most = u64::MAX;
    shelf.operate(&format!("snapshots list --limit {most}")).with(0);
    shelf.operate(&format!("parked list --limit {most}")).with(0);
    shelf.operate(&format!("processes parked --limit {most}")).with(0);
    shelf.operate(&format!("events tail -n {most}")).with(0);
    shelf.operate(&format!("streams stats --limit {most} --window {most}")).with(0);
    shelf.operate(&format!("streams show book-b-1 --events {most}")).with(0);
    shelf.operate(&format!("verify --events {most}")).with(0);
}

#[tokio::test]
async fn a_name_that_nothing_has_is_no_answer() {
    let shelf = Shelf::new().await;
    shelf.add("b-1", "Emma").await;
    let check = |command: &str, told: &str| {
        let wrong = shelf.operate(command).failed(1);
        assert!(wrong.contains(told), "{wrong}");
    };
    let reader = "no projection, process manager or reactor is named `reader`; did you mean";
    check("parked list reader", reader);
    check("parked list interloans", "`interloans` is a saga: see `sagas list interloans`");
    check("streams stats --category boo", "no category is named `boo`; did you mean `book`?");
    check("snapshots list --stream book-b-9", "no stream is named `book-b-9`");
    shelf.operate("parked list readers").with(0);
    shelf.operate("parked list recalls").with(0);
    shelf.operate("streams stats --category book").with(0);
    shelf.operate("snapshots list --stream book-b-1").with(0);
}

#[tokio::test]
async fn a_saga_that_is_parked_is_told_of_wherever_one_looks() {
    let shelf = Shelf::new().await;
    shelf.borrow("l-1", "Nobody").await;
    let told = shelf.operate("parked list").with(3);
    assert_eq!(told, "1 saga is parked: see `sagas list`\n");
    assert_eq!(shelf.json("parked list", 3)["sagas"], 1);
    let verified = shelf.operate("verify --skip-read-models").with(3);
    assert!(
        verified.contains("1 saga `interloans` is parked: `sagas list interloans`"),
        "{verified}"
    );
}

#[tokio::test]
async fn a_rebuild_that_nobody_is_at_any_more_is_left() {
    let shelf = Shelf::new().await;
    shelf.add("b-1", "Emma").await;
    for reader in ["Ada", "Bob", "Cyd"] {
        shelf.lend("b-1", reader).await;
    }
    let serving = shelf.serve(&["--mended"]);
    shelf.until("projections status readers", |all| all["projections"][0]["behind"] == 0).await;
    shelf.operate("projections rebuild readers --yes --detach --batch 1 --pause 10m").with(0);
    let first = |all: &Value| all["rebuilds"][0].clone();
    shelf.until("projections rebuilds", |all| first(all)["events"] == 1).await;
    let status = shelf.json("projections status readers --warning 1h --critical 1d", 0);
    assert_eq!(status["projections"][0]["rebuilds_asked"], 0);
    serving.kill();
    let left = shelf.until("projections rebuilds", |all| first(all)["left"] == true).await;
    assert_eq!(
        (&first(&left)["state"], &first(&left)["seconds_left"]),
        (&json!("building"), &Value::Null)
    );
    let text = shelf.operate("projections rebuilds").with(0);
    assert!(text.contains("  left  "), "{text}");
    let is_idle = |all: &Value| all["projections"][0]["state"] == "idle";
    let status = "projections status readers --warning 1h --critical 1d";
    let told = shelf.until(status, is_idle).await;
    assert_eq!(told["projections"][0]["rebuilds_asked"], 1);
    let told = shelf.operate(status).with(3);
    assert!(
        told.contains("1 rebuild is asked for of `readers` (version 1), and nobody runs it"),
        "{told}"
    );
    // Of one that is only asked for, nobody knows how long it takes.
    shelf.operate("projections cancel readers --yes").with(0);
    let asked = shelf.operate("projections rebuild readers --yes --wait 0s").with(3);
    assert!(asked.contains("is to be rebuilt, as soon as somebody runs it"), "{asked}");
    let asked = shelf.json("projections rebuilds", 0);
    assert_eq!(
        (&first(&asked)["state"], &first(&asked)["seconds_left"]),
        (&json!("asked"), &Value::Null)
    );
}

/// What is parked of rows, as a release has left it.
async fn parked(shelf: &Shelf, version: u32, keys: &[&str]) {
    for key in keys {
        let statement = "INSERT INTO annals.parked (name, version, shard, key_hash, key, position, stream_id, event_type, error, attempts, parked_at)
            VALUES ('annals/projection/readers/1', $1, 0, sha256(convert_to($2, 'UTF8')), $2, 2, 'book-b-1', 'BookLent', 'wrong', 1, now())";
        let insert = sqlx::query(statement).bind(i32::try_from(version).expect("it is small"));
        insert.bind(*key).execute(shelf.store.pool()).await.expect("the statement is right");
    }
}

#[tokio::test]
async fn a_row_that_is_parked_in_two_versions_is_meant_in_one() {
    let shelf = Shelf::new().await;
    shelf.add("b-1", "Emma").await;
    shelf.lend("b-1", "Nobody").await;
    let serving = shelf.serve(&[]);
    let readers = "parked list readers";
    let versions = |found: &Value| -> Vec<Value> {
        let items = found["parked"].as_array().into_iter().flatten();
        items.map(|item| item["version"].clone()).collect()
    };
    shelf.until(readers, |found| versions(found) == [1]).await;
    sql(
        &shelf,
        "INSERT INTO annals.projections (projection, version, model, generation, paused, definition)
         SELECT projection, 0, model, 1, paused, definition FROM annals.projections WHERE projection = 'readers'",
    )
    .await;
    parked(&shelf, 0, &["Nobody"]).await;
    let mut found = versions(&shelf.json(readers, 3));
    found.sort_by_key(Value::as_u64);
    assert_eq!(found, [0, 1]);
    let shown = shelf.operate("parked show readers Nobody").with(3);
    assert!(shown.starts_with("projection `readers` (version 1), row `Nobody`\n"), "{shown}");
    let shown = shelf.operate("parked show readers Nobody --version 0").with(3);
    assert!(shown.starts_with("projection `readers` (version 0), row `Nobody`\n"), "{shown}");
    let dropped = shelf.operate("parked drop readers Nobody --yes --wait 1m").with(0);
    assert_eq!(dropped, "dropped: nothing is parked any more for 1 key\n");
    let of_another = shelf.operate("parked drop readers Nobody --yes").failed(1);
    assert!(
        of_another.contains("for `Nobody` of `readers` is of version 0, not 1; add --version 0"),
        "{of_another}"
    );
    let nobody = shelf.operate("parked drop readers Nobody --yes --version 0 --wait 0s").with(3);
    assert_eq!(nobody, "nobody runs it now: nothing was done\n");
    serving.stop();
}

#[tokio::test]
async fn of_what_is_done_in_part_each_key_is_told() {
    let shelf = Shelf::new().await;
    shelf.add("b-1", "Emma").await;
    shelf.lend("b-1", "Ada").await;
    let serving = shelf.serve(&["--mended"]);
    shelf.json("projections shards readers 2", 0);
    shelf.until("projections status", |all| all["level"] == "normal").await;
    serving.stop();
    // Another engine has one of two, and does nothing.
    let one = CheckpointId { name: "annals/projection/readers/1".to_owned(), version: 1, shard: 0 };
    let held = shelf.store.claim_lease(&one, "other", Duration::from_mins(10)).await;
    held.expect("the store is there").expect("it is free");
    parked(&shelf, 1, &["k-1", "k-2", "k-3", "k-4", "k-5", "k-6", "k-7", "k-8"]).await;
    let serving = shelf.serve(&["--mended"]);
    let two = |all: &Value| all["projections"][0]["owners"] == json!(["other", "shelf"]);
    shelf.until("projections status readers", two).await;
    let told = shelf.operate("parked drop readers --all --yes --wait 20s").with(3);
    let left = shelf.json("parked list readers", 3);
    let left = left["parked"].as_array().expect("a list").iter();
    let left: Vec<&str> = left.filter_map(|item| item["key"].as_str()).collect();
    assert!((1..8).contains(&left.len()), "{left:?}");
    let done = 8 - left.len();
    assert!(told.starts_with(&format!("dropped: {done} of 8 keys; nothing was done")), "{told}");
    assert!(left.iter().all(|key| told.contains(&format!("`{key}`"))), "{told} {left:?}");
    serving.stop();
}
