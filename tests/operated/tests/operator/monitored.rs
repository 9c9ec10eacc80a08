//! What a check of a monitor says of a projection that is not as it should be, and of one that is.

use std::process::Stdio;
use std::time::Duration;

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
