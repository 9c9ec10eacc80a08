//! Rows are built anew by whoever runs them, and versions that nobody runs go.

use std::time::Duration;

use annals::{CheckpointId, ReadModelStore as _};
use serde_json::{Value, json};

use crate::program::{Shelf, named};

#[tokio::test]
async fn rows_that_are_wrong_are_built_anew() {
    let shelf = Shelf::new().await;
    shelf.add("b-1", "Emma").await;
    shelf.lend("b-1", "Ada").await;
    let serving = shelf.serve(&["--mended"]);
    shelf.until("projections status readers", |all| all["projections"][0]["position"] != 0).await;
    let wrong = sqlx::raw_sql("UPDATE annals.readers_v1 SET books = 7");
    wrong.execute(shelf.store.pool()).await.expect("the statement is right");
    shelf.operate("verify").with(3);
    let rebuilt = shelf.json("projections rebuild readers --yes", 0);
    assert_eq!((&rebuilt["state"], &rebuilt["by"]), (&json!("done"), &json!("shelf")), "{rebuilt}");
    shelf.operate("verify").with(0);
    let listed = shelf.json("projections rebuilds", 0);
    assert_eq!(listed["rebuilds"][0]["state"], "done");
    assert_eq!(listed["rebuilds"][0]["key"], serde_json::Value::Null);
    let list = shelf.json("projections list", 0);
    assert_eq!(named(&list["projections"], "readers")["generation"], 2);
    serving.stop();
}

#[tokio::test]
async fn what_a_rebuild_would_change_is_told_and_not_done() {
    let shelf = Shelf::new().await;
    shelf.add("b-1", "Emma").await;
    for reader in ["Ada", "Bob", "Cyd", "Ada"] {
        shelf.lend("b-1", reader).await;
    }
    let serving = shelf.serve(&[]);
    shelf.until("projections status readers", |all| all["projections"][0]["behind"] == 0).await;
    let same = shelf.operate("projections rebuild readers --dry-run").with(0);
    assert!(
        same.starts_with("projection `readers` (version 1): a rebuild would change none of 3 rows, up to position "),
        "{same}"
    );
    let wrong = sqlx::raw_sql(
        "UPDATE annals.readers_v1 SET books = 7 WHERE name = 'Ada';
         DELETE FROM annals.readers_v1 WHERE name = 'Bob';
         INSERT INTO annals.readers_v1 (name, books) VALUES ('\u{1b}[2J', 1)",
    );
    wrong.execute(shelf.store.pool()).await.expect("the statements are right");
    let told = shelf.json("projections rebuild readers --dry-run", 3);
    let numbers =
        ["rows", "same", "only_old", "only_new", "different", "parked"].map(|name| &told[name]);
    assert_eq!(numbers, [&json!(3), &json!(1), &json!(1), &json!(1), &json!(1), &json!(0)]);
    let kinds: Vec<_> =
        told["first"].as_array().expect("a list").iter().map(|row| &row["kind"]).collect();
    let column = json!({ "columns": [{ "column": "books", "old": "7", "new": "2" }] });
    assert_eq!(kinds, [&json!("only_old"), &column, &json!("only_new")]);
    let text = shelf.operate("projections rebuild readers --dry-run").with(3);
    let lines: Vec<Vec<&str>> =
        text.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[2], ["ROW", "COLUMN", "NOW", "REBUILT"]);
    assert_eq!(lines[4], ["Ada", "books", "7", "2"]);
    assert!(!text.contains('\u{1b}'), "{text:?}");
    // It has written nothing: it would be the same again.
    assert_eq!(shelf.json("projections rebuild readers --dry-run", 3)["different"], 1);
    let refused = shelf.operate("projections rebuild readers --dry-run --key Ada").failed(2);
    assert!(refused.contains("a dry run compares all rows, and knows no --key"), "{refused}");
    let load = "--events-per-second 1000 --batch 1 --pause 1ms --connections 1";
    shelf.operate(&format!("projections rebuild readers --dry-run {load}")).with(3);
    let left = "SELECT count(*) FROM annals.checkpoints WHERE name LIKE 'annals/scratch/%'";
    let left = sqlx::query_scalar::<_, i64>(left).fetch_one(shelf.store.pool()).await;
    assert_eq!(left.expect("the statement is right"), 0);
    serving.stop();
}

#[tokio::test]
async fn one_row_is_built_anew() {
    let shelf = Shelf::new().await;
    shelf.add("b-1", "Emma").await;
    for reader in ["Ada", "Bob", "Ada"] {
        shelf.lend("b-1", reader).await;
    }
    let serving = shelf.serve(&["--mended"]);
    shelf.until("projections status readers", |all| all["projections"][0]["behind"] == 0).await;
    let wrong = sqlx::raw_sql("UPDATE annals.readers_v1 SET books = 7");
    wrong.execute(shelf.store.pool()).await.expect("the statement is right");
    let rebuilt = shelf.operate("projections rebuild readers --key Ada").with(0);
    assert_eq!(rebuilt, "row `Ada` of projection `readers` (version 1) is rebuilt of 2 events\n");
    let left = shelf.json("projections rebuild readers --dry-run", 3);
    assert_eq!((&left["different"], &left["first"][0]["key"]), (&json!(1), &json!("Bob")));
    let listed = shelf.json("projections rebuilds", 0);
    assert_eq!(
        (&listed["rebuilds"][0]["key"], &listed["rebuilds"][0]["by"]),
        (&json!("Ada"), &json!("shelf"))
    );
    let none = shelf.json("projections rebuild readers --key Zoë", 3);
    assert_eq!((&none["state"], &none["key"]), (&json!("failed"), &json!("Zoë")));
    serving.stop();
    let alone = shelf.operate("projections rebuild readers --key Bob --wait 0s").with(3);
    assert_eq!(
        alone,
        "row `Bob` of projection `readers` (version 1) is to be rebuilt, as soon as somebody runs it\n"
    );
    // What nobody does stays in sight, until somebody cancels it.
    let asked = shelf.json("projections status readers", 3);
    let readers = &asked["projections"][0];
    assert_eq!((&readers["rebuilds_asked"], &readers["level"]), (&json!(1), &json!("warning")));
    let told = shelf.operate("projections status readers").with(3);
    let nobody = "1 rebuild is asked for of `readers` (version 1), and nobody runs it: see `projections rebuilds`\n";
    assert!(told.contains(nobody), "{told}");
    let cancelled = shelf.json("projections cancel readers --key Bob", 0);
    assert_eq!((&cancelled["state"], &cancelled["key"]), (&json!("cancelled"), &json!("Bob")));
    let all = shelf.json("projections status readers", 0);
    assert_eq!(all["projections"][0]["rebuilds_asked"], 0);
    let again = shelf.operate("projections cancel readers --key Bob").failed(1);
    assert!(again.contains("is not being rebuilt"), "{again}");
    // It stays as it was, though somebody runs it.
    let serving = shelf.serve(&["--mended"]);
    shelf.json("projections rebuild readers --key Ada", 0);
    let left = shelf.json("projections rebuild readers --dry-run", 3);
    assert_eq!(left["first"][0]["key"], "Bob");
    serving.stop();
    // As many as are asked for: first what is under way, then what was told of last.
    let asked = shelf.json("projections rebuild readers --key Cyd --detach", 0);
    shelf.operate("projections cancel readers --key Cyd").with(0);
    shelf.operate("projections rebuild readers --key Dan --detach").with(0);
    let keys = |all: &Value| -> Vec<Value> {
        all["rebuilds"].as_array().expect("a list").iter().map(|one| one["key"].clone()).collect()
    };
    let few = shelf.json("projections rebuilds --limit 2", 0);
    assert_eq!((keys(&few), &few["more"]), (vec![json!("Dan"), asked["key"].clone()], &json!(3)));
    let few = shelf.operate("projections rebuilds --limit 2").with(0);
    assert!(few.ends_with("and 3 more: --limit shows them\n"), "{few}");
    assert_eq!(shelf.json("projections rebuilds", 0)["more"], 0);
}

#[tokio::test]
async fn the_public_name_shows_another_version() {
    let shelf = Shelf::new().await;
    shelf.add("b-1", "Emma").await;
    shelf.lend("b-1", "Ada").await;
    let absent = shelf.operate("projections show-version readers 1").failed(1);
    assert!(absent.contains("no engine has begun it yet"), "{absent}");
    let serving = shelf.serve(&["--mended"]);
    shelf.until("projections status readers", |all| all["projections"][0]["behind"] == 0).await;
    serving.stop();
    let absent = shelf.operate("projections show-version readers 9").failed(1);
    assert!(absent.contains("is kept at version 1, not 9"), "{absent}");
    // As a newer release has left it.
    let newer = sqlx::raw_sql(
        "INSERT INTO annals.projections (projection, version, model, generation, paused, definition)
         SELECT projection, 2, model, generation, paused, definition FROM annals.projections WHERE projection = 'readers';
         CREATE VIEW annals.readers_v2 AS SELECT name, books + 100 AS books FROM annals.readers_v1",
    );
    newer.execute(shelf.store.pool()).await.expect("the statements are right");
    let books = async || {
        let row = sqlx::query_scalar::<_, i64>("SELECT books FROM readers");
        row.fetch_one(shelf.store.pool()).await.expect("the view is there")
    };
    assert_eq!(books().await, 1);
    let shown = shelf.json("projections show-version readers 2 --yes", 0);
    assert_eq!(
        shown,
        json!({ "projection": "readers", "version": 2, "did": "shown", "done": true })
    );
    assert_eq!(books().await, 101);
    let shown = shelf.operate("projections show-version readers 1 --yes").with(0);
    assert_eq!(shown, "projection `readers` (version 1) is what the public name shows\n");
    assert_eq!(books().await, 1);
}

#[tokio::test]
async fn a_rebuild_that_nobody_takes_up_is_told_and_cancelled() {
    let shelf = Shelf::new().await;
    shelf.add("b-1", "Emma").await;
    assert_eq!(shelf.operate("projections rebuilds").with(0), "nothing was ever rebuilt\n");
    shelf.serve(&[]).stop();
    let asked = shelf.operate("projections rebuild readers --yes --wait 0s").with(3);
    assert_eq!(
        asked,
        "projection `readers` (version 1) is to be rebuilt, as soon as somebody runs it\n"
    );
    let twice = shelf.operate("projections rebuild readers --yes --detach").failed(1);
    assert!(twice.contains("readers"), "{twice}");
    // Whoever means one that is over cancels no other.
    let before = "projections cancel readers --asked-at 2026-03-01T09:00:00Z --yes";
    let other = shelf.operate(before).failed(1);
    assert!(other.contains("another one is under way, asked for at "), "{other}");
    let asked = shelf.json("projections rebuilds", 0)["rebuilds"][0]["asked_at"].clone();
    let asked = asked.as_str().expect("an instant");
    assert!(other.contains(asked), "{other}");
    let question = shelf.operate("projections cancel readers").failed(2);
    assert!(question.contains(&format!("asked for at {asked}")), "{question}");
    let cancelled = shelf.json(&format!("projections cancel readers --asked-at {asked} --yes"), 0);
    assert_eq!(cancelled["state"], "cancelled");
    shelf.operate("projections cancel readers --yes").failed(1);
    // What is asked for and left is done by the next who runs it.
    let asked = shelf.json("projections rebuild readers --yes --detach", 0);
    assert_eq!(asked["state"], "asked");
    let serving = shelf.serve(&[]);
    shelf.until("projections rebuilds", |all| all["rebuilds"][0]["state"] == "done").await;
    serving.stop();
}

#[tokio::test]
async fn rows_go_after_a_question() {
    let shelf = Shelf::new().await;
    shelf.add("b-1", "Emma").await;
    shelf.serve(&[]).stop();
    let asked = shelf.operate("projections rebuild readers").failed(2);
    assert!(asked.contains("drops those that answer now; add --yes"), "{asked}");
    assert_eq!(shelf.operate("projections rebuilds").with(0), "nothing was ever rebuilt\n");
    let none = shelf.operate("projections cancel readers").failed(1);
    assert!(none.contains("readers"), "{none}");
    shelf.operate("projections rebuild readers --yes --detach").with(0);
    let asked = shelf.operate("projections cancel readers").failed(2);
    assert!(asked.contains("0 of 0 events are done; add --yes"), "{asked}");
    let still = shelf.json("projections rebuilds", 0);
    assert_eq!(still["rebuilds"][0]["state"], "asked");
    // One row takes the place of one row.
    shelf.operate("projections rebuild readers --key Ada --wait 0s").with(3);
}

#[tokio::test]
async fn a_rebuild_takes_no_more_than_it_may() {
    let shelf = Shelf::new().await;
    shelf.add("b-1", "Emma").await;
    shelf.serve(&[]).stop();
    let load = "--events-per-second 5000 --batch 100 --pause 20ms --connections 1";
    let asked = shelf.json(&format!("projections rebuild readers --yes --detach {load}"), 0);
    let wanted = json!({ "events_per_second": 5000, "batch": 100, "pause": 20, "connections": 1 });
    assert_eq!(asked["load"], wanted);
    for wrong in ["--connections 0", "--batch 0", "--pause soon"] {
        shelf.operate(&format!("projections rebuild readers --yes --detach {wrong}")).failed(2);
        shelf.operate(&format!("projections set-load readers {wrong}")).failed(2);
    }
    // What was asked for is kept at once, whoever comes to do it.
    let changed = shelf.json("projections set-load readers --batch 7", 0);
    let capped = |batch: u32| json!({ "events_per_second": null, "batch": batch, "pause": 0, "connections": null });
    assert_eq!((&changed["state"], &changed["load"]), (&json!("asked"), &capped(7)));
    let row = shelf.json("projections rebuild readers --key Ada --batch 5 --detach", 0);
    assert_eq!((&row["key"], &row["load"]), (&json!("Ada"), &capped(5)));
    let changed = shelf.json("projections set-load readers --key Ada --batch 6", 0);
    assert_eq!((&changed["key"], &changed["load"]), (&json!("Ada"), &capped(6)));
    let absent = shelf.operate("projections set-load readers --key Bob --batch 6").failed(1);
    assert!(absent.contains("is not being rebuilt"), "{absent}");
    let absent = shelf.operate("projections set-load titles --batch 6").failed(1);
    assert!(absent.contains("projection `titles` is not being rebuilt"), "{absent}");
}

#[tokio::test]
async fn a_rebuild_that_is_too_slow_is_hastened() {
    let shelf = Shelf::new().await;
    shelf.add("b-1", "Emma").await;
    for reader in ["Ada", "Bob", "Cyd"] {
        shelf.lend("b-1", reader).await;
    }
    let serving = shelf.serve(&["--mended"]);
    shelf.until("projections status readers", |all| all["projections"][0]["behind"] == 0).await;
    // Each would rest for hours.
    for of in ["", "--key Ada"] {
        let slowly = "--yes --detach --batch 1 --pause 1h";
        shelf.operate(&format!("projections rebuild readers {of} {slowly}")).with(0);
        let begun = |all: &Value| {
            let is_it = |one: &&Value| one["key"].is_null() == of.is_empty();
            all["rebuilds"].as_array().expect("a list").iter().find(is_it).cloned()
        };
        let is_resting = |all: &Value| begun(all).is_some_and(|one| one["events"] == 1);
        shelf.until("projections rebuilds", is_resting).await;
        let told = shelf.operate(&format!("projections set-load readers {of}")).with(0);
        assert!(told.contains("is being rebuilt: 1 of 3 events"), "{told}");
        let is_done = |all: &Value| begun(all).is_some_and(|one| one["state"] == "done");
        shelf.until("projections rebuilds", is_done).await;
        let over = shelf.operate(&format!("projections set-load readers {of}")).failed(1);
        assert!(over.contains("is not being rebuilt"), "{over}");
    }
    shelf.operate("verify").with(0);
    serving.stop();
}

#[tokio::test]
async fn a_version_that_nobody_runs_goes_after_a_question() {
    let shelf = Shelf::new().await;
    shelf.serve(&[]).stop();
    assert_eq!(shelf.operate("projections prune").with(0), "there is no version to prune\n");
    let linked = shelf.operate("projections prune readers --version 1 --yes").failed(2);
    assert!(linked.contains("is what this program links"), "{linked}");
    let absent = shelf.operate("projections prune readers --version 9 --yes").failed(1);
    assert_eq!(absent, "error: projection `readers` is not kept at version 9\n");
    // As an older release has left it.
    let older = sqlx::raw_sql(
        "INSERT INTO annals.projections (projection, version, model, generation, paused, definition)
         SELECT projection, 0, model, generation, paused, definition FROM annals.projections WHERE projection = 'readers'",
    );
    older.execute(shelf.store.pool()).await.expect("the statement is right");
    // Somebody runs it who has stopped, and has no lease of the rows: nobody is asked, and it stays.
    let mark = CheckpointId {
        name: "annals/projection/readers/seats".to_owned(),
        version: 0,
        shard: 1024,
    };
    let held = shelf.store.claim_lease(&mark, "older", Duration::from_mins(1)).await;
    let held = held.expect("the store is there").expect("it is free");
    let stays = shelf.operate("projections prune").with(3);
    assert_eq!(stays, "projection `readers` at version 0 is run by somebody, and stays\n");
    shelf.store.release_lease(&held).await.expect("it is held");
    let asked = shelf.operate("projections prune").failed(2);
    assert!(asked.contains("drops the rows and checkpoints of `readers` at version 0"), "{asked}");
    let pruned = shelf.json("projections prune --yes", 0);
    assert_eq!(
        pruned,
        json!({ "pruned": [{ "projection": "readers", "version": 0, "became": "gone" }], "scratch": 0, "scratch_kept": 0 })
    );
    // As a dry run has left it whose program died.
    let died = sqlx::raw_sql(
        "INSERT INTO annals.checkpoints (name, version, shard, epoch, owner, held_until)
         VALUES ('annals/scratch/readers/2147483690', 1, 0, 1, 'dead', now() - interval '1 minute');
         CREATE UNLOGGED TABLE annals.scratch_8000002a (name text)",
    );
    died.execute(shelf.store.pool()).await.expect("the statements are right");
    let pruned = shelf.operate("projections prune").with(0);
    assert_eq!(
        pruned,
        "there is no version to prune\nscratch tables that were left and are gone: 1\n"
    );
    let there = "SELECT to_regclass('annals.scratch_8000002a') IS NOT NULL";
    let there = sqlx::query_scalar::<_, bool>(there).fetch_one(shelf.store.pool()).await;
    assert!(!there.expect("the statement is right"), "it is there still");
    // A newer one is of a release that comes, or has gone: it goes by its name alone.
    let newer = sqlx::raw_sql(
        "INSERT INTO annals.projections (projection, version, model, generation, paused, definition)
         SELECT projection, 2, model, generation, paused, definition FROM annals.projections WHERE projection = 'readers'",
    );
    newer.execute(shelf.store.pool()).await.expect("the statement is right");
    assert_eq!(shelf.operate("projections prune --yes").with(0), "there is no version to prune\n");
    let pruned = shelf.operate("projections prune readers --version 2 --yes").with(0);
    assert_eq!(pruned, "projection `readers` at version 2 is gone\n");
    let list = shelf.json("projections list", 0);
    assert_eq!(list["projections"].as_array().map(Vec::len), Some(2));
}

#[tokio::test]
async fn what_a_release_will_make_is_told_and_made() {
    let shelf = Shelf::new().await;
    shelf.add("b-1", "Emma").await;
    let plan = shelf.json("projections plan", 3);
    let steps = plan["steps"].as_array().expect("a list");
    let made: Vec<_> = steps.iter().map(|step| (&step["projection"], &step["action"])).collect();
    let verb = json!("make");
    assert_eq!(made, [(&json!("readers"), &verb), (&json!("titles"), &verb)]);
    assert_eq!(plan["awaited"], true);
    let sql = shelf.operate("projections plan --sql").with(3);
    assert!(sql.contains("CREATE TABLE"), "{sql}");
    let applied = shelf.json("projections plan --apply", 0);
    assert_eq!((&applied["applied"], &applied["awaited"]), (&json!(true), &json!(false)));
    assert_eq!(shelf.operate("projections plan").with(0), "there is nothing to do\n");
}
