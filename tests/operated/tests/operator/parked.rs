//! What is parked is listed, tried again and given up, by whoever runs it.

use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};

use crate::program::{Shelf, named};

fn count(parked: &Value) -> usize {
    parked["parked"].as_array().expect("a list").len()
}

#[tokio::test]
async fn a_parked_row_is_listed_and_tried_again() {
    let shelf = Shelf::new().await;
    assert_eq!(shelf.operate("parked list").with(0), "nothing is parked\n");
    shelf.add("b-1", "Emma").await;
    shelf.lend("b-1", "Nobody").await;
    shelf.lend("b-1", "Nobody").await;
    let serving = shelf.serve(&[]);
    let found = shelf.until("parked list readers", |found| found["parked"][0]["events"] == 2).await;
    let first = &found["parked"][0];
    assert_eq!(
        (&first["kind"], &first["key"], &first["position"], &first["error"], &first["retry_at"]),
        (
            &json!("projection"),
            &json!("Nobody"),
            &json!(2),
            &json!("nobody is no reader"),
            &Value::Null
        )
    );
    let shown = shelf.operate("parked show readers Nobody").with(3);
    for line in [
        "projection `readers` (version 1), row `Nobody`",
        "tried 1 time: nobody is no reader",
        "waits behind the first",
    ] {
        assert!(shown.contains(line), "{shown}");
    }
    // It is tried, and fails again.
    let again = shelf.json("parked retry readers Nobody", 3);
    assert_eq!(again, json!({ "did": "retried", "keys": 1, "done": true, "left": 1 }));
    serving.stop();
    // Nobody runs it: nothing happens, now or later.
    let alone = shelf.json("parked retry readers Nobody --wait 0s", 3);
    let nothing =
        json!({ "did": "retried", "keys": 1, "done": false, "left": 1, "undone": ["Nobody"] });
    assert_eq!(alone, nothing);
    let serving = shelf.serve(&["--mended"]);
    let done = shelf.operate("parked retry readers Nobody").with(0);
    assert_eq!(done, "retried: nothing is parked any more for 1 key\n");
    assert_eq!(count(&shelf.json("parked list readers", 0)), 0);
    let verified = shelf.operate("verify").out;
    assert!(verified.contains("ok     read model `readers`: 1 row "), "{verified}");
    serving.stop();
}

#[tokio::test]
async fn a_parked_row_is_given_up_after_a_question() {
    let shelf = Shelf::new().await;
    shelf.add("b-1", "Emma").await;
    shelf.lend("b-1", "Nobody").await;
    let serving = shelf.serve(&[]);
    shelf.until("parked list readers", |found| count(found) == 1).await;
    let refused = shelf.operate("parked drop readers Nobody").failed(2);
    assert_eq!(
        refused,
        "error: this cannot be undone: gives up 1 event for 1 key of `readers`; add --yes if that is what you want\n"
    );
    let wrong = shelf.operate("parked drop readers Noboby --yes").failed(1);
    assert!(wrong.contains("did you mean `Nobody`?"), "{wrong}");
    let wrong = shelf.operate("parked drop reader --all --yes").failed(1);
    assert!(wrong.contains("did you mean `readers`?"), "{wrong}");
    let dropped = shelf.json("parked drop readers --all --yes", 0);
    assert_eq!(dropped, json!({ "did": "dropped", "keys": 1, "done": true, "left": 0 }));
    assert_eq!(count(&shelf.json("parked list readers", 0)), 0);
    serving.stop();
}

#[tokio::test]
async fn a_process_that_waits_is_listed_tried_again_and_given_up() {
    let shelf = Shelf::new().await;
    for book in ["b-1", "b-2"] {
        shelf.add(book, "Emma").await;
        shelf.lend(book, "Nobody").await;
    }
    let serving = shelf.serve(&[]);
    shelf.until("processes parked", |found| count(found) == 2).await;
    let list = shelf.json("processes list", 3);
    let recalls = named(&list["processes"], "recalls");
    assert_eq!(
        (&recalls["state"], &recalls["parked"], &recalls["owner"]),
        (&json!("running"), &json!(2), &json!("shelf"))
    );
    let shown = shelf.json("processes show recalls b-1", 0);
    assert_eq!((&shown["state"], &shown["ended"]), (&json!({ "to": "Nobody" }), &json!(false)));
    assert_eq!(shown["deadlines"][0]["name"], "overdue");
    assert_eq!(shown["steps"][0]["commands"], json!(["RecallBook"]));
    assert_eq!(shown["unsent"][0]["command"], "RecallBook");
    let dropped = shelf.json("parked drop recalls b-2 --yes", 0);
    assert_eq!(dropped, json!({ "did": "dropped", "keys": 1, "done": true, "left": 0 }));
    serving.stop();
    let serving = shelf.serve(&["--mended"]);
    shelf.operate("parked retry recalls b-1").with(0);
    shelf.until("processes parked", |found| count(found) == 0).await;
    let book = shelf.until("aggregate show book-b-1", |book| book["state"]["recalls"] == 1).await;
    assert_eq!(book["version"], 3);
    serving.stop();
    let absent = shelf.operate("processes show recalls b-9").failed(1);
    assert_eq!(absent, "error: process manager `recalls` has no process `b-9`\n");
    let absent = shelf.operate("processes show recall b-1").failed(1);
    assert!(absent.contains("did you mean `recalls`?"), "{absent}");
}

#[tokio::test]
async fn a_process_is_divided_by_who_runs_it() {
    let shelf = Shelf::new().await;
    let serving = shelf.serve(&[]);
    for book in ["b-1", "b-2"] {
        shelf.add(book, "Emma").await;
        shelf.lend(book, "Nobody").await;
    }
    shelf.until("processes parked", |found| count(found) == 2).await;
    let shards = |list: &serde_json::Value| named(&list["processes"], "recalls")["shards"].clone();
    assert_eq!(shards(&shelf.json("processes list", 3)), 1);
    let divided = shelf.json("processes shards recalls 4", 0);
    let so_many = |shards: u32, now: u32| json!({ "kind": "process", "name": "recalls", "shards": shards, "now": now, "done": shards == now });
    assert_eq!(divided, so_many(4, 4));
    let list = shelf.json("processes list", 3);
    assert_eq!(shards(&list), 4);
    assert_eq!(named(&list["processes"], "recalls")["parked"], 2);
    serving.stop();
    // Nobody runs it: whoever does next sees to it.
    let divided = shelf.json("processes shards recalls 2 --wait 1s", 3);
    assert_eq!(divided, so_many(2, 4));
    assert_eq!(shards(&shelf.json("processes list", 3)), 4);
    let serving = shelf.serve(&["--mended"]);
    shelf.until("processes list", |list| shards(list) == 2).await;
    for book in ["b-1", "b-2"] {
        shelf.operate(&format!("parked retry recalls {book}")).with(0);
    }
    shelf.until("processes parked", |found| count(found) == 0).await;
    serving.stop();
    let absent = shelf.operate("processes shards recall 2").failed(1);
    assert!(absent.contains("did you mean `recalls`?"), "{absent}");
    let absent = shelf.operate("processes shards recalls 1025").failed(2);
    assert!(absent.contains("1025 is not in 1..=1024"), "{absent}");
}

#[tokio::test]
async fn all_that_is_parked_is_tried_again() {
    let shelf = Shelf::new().await;
    assert_eq!(shelf.operate("parked retry recalls --all").with(0), "nothing is parked\n");
    for book in ["b-1", "b-2", "b-3"] {
        shelf.add(book, "Emma").await;
        shelf.lend(book, "Nobody").await;
    }
    let serving = shelf.serve(&[]);
    shelf.until("parked list", |found| count(found) == 4).await;
    // Each is tried, and fails again; what is parked of others is not.
    let again = shelf.json("parked retry recalls --all", 3);
    assert_eq!(again, json!({ "did": "retried", "keys": 3, "done": true, "left": 3 }));
    let others = shelf.json("parked list readers", 3);
    assert_eq!(others["parked"][0]["attempts"], 1, "{others}");
    shelf.operate("parked retry recalls b-1 --all").failed(2);
    serving.stop();
    let alone = shelf.operate("parked retry recalls --all --wait 0s").with(3);
    assert_eq!(alone, "nobody runs it now: nothing was done\n");
    let serving = shelf.serve(&["--mended"]);
    let done = shelf.operate("parked retry recalls --all").with(0);
    assert_eq!(done, "retried: nothing is parked any more for 3 keys\n");
    let done = shelf.json("parked retry readers --all", 0);
    assert_eq!(done, json!({ "did": "retried", "keys": 1, "done": true, "left": 0 }));
    assert_eq!(count(&shelf.json("parked list", 0)), 0);
    serving.stop();
}

/// How many requests are kept.
async fn requests(shelf: &Shelf) -> i64 {
    let open = "SELECT count(*) FROM annals.parked WHERE name = 'annals/requests'";
    let open = sqlx::query_scalar::<_, i64>(open).fetch_one(shelf.store.pool()).await;
    open.expect("the statement is right")
}

#[tokio::test]
async fn a_drop_that_comes_too_late_says_so() {
    let shelf = Shelf::new().await;
    shelf.add("b-1", "Emma").await;
    shelf.lend("b-1", "Nobody").await;
    let serving = shelf.serve(&[]);
    shelf.until("parked list", |found| count(found) == 2).await;
    serving.stop();
    for (of, name) in [("readers", "projection/readers/1"), ("recalls", "process/recalls")] {
        let mut asking = shelf.command();
        let drop = ["operate", "parked", "drop", of, "--all", "--yes", "--wait", "1m"];
        let asking = asking.args(drop).stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
        let asking = asking.expect("the program starts");
        for _ in 0..600 {
            if requests(&shelf).await == 1 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        // As it is once somebody has had it tried again in between.
        let applied = sqlx::query("DELETE FROM annals.parked WHERE name = 'annals/' || $1");
        let applied = applied.bind(name).execute(shelf.store.pool()).await;
        assert_eq!(applied.expect("the statement is right").rows_affected(), 1, "{of}");
        let serving = shelf.serve(&["--mended"]);
        let told = asking.wait_with_output().expect("it ends");
        assert_eq!(
            (told.status.code(), &*String::from_utf8_lossy(&told.stdout)),
            (
                Some(3),
                "not dropped: nothing is parked any more for 1 key; for 1 key there was nothing to drop: it was tried again meanwhile and applied, or dropped by another\n"
            ),
            "{of}"
        );
        assert_eq!(requests(&shelf).await, 0, "it takes back what it has asked");
        serving.stop();
    }
}

/// How many events are parked of a generation of the readers' rows.
async fn parked_of(shelf: &Shelf, generation: u32) -> i64 {
    let parked = "SELECT count(*) FROM annals.parked WHERE name = $1";
    let parked = sqlx::query_scalar::<_, i64>(parked);
    let parked = parked.bind(format!("annals/projection/readers/{generation}"));
    parked.fetch_one(shelf.store.pool()).await.expect("the statement is right")
}

/// Waits until a rebuild that rests after each event has done one.
async fn half_rebuilt(shelf: &Shelf) {
    let slowly = "projections rebuild readers --yes --detach --batch 1 --pause 10m";
    shelf.operate(slowly).with(0);
    shelf.until("projections rebuilds", |all| all["rebuilds"][0]["events"] == 1).await;
}

#[tokio::test]
async fn what_is_parked_of_rows_that_are_built_is_not_of_those_that_answer() {
    let shelf = Shelf::new().await;
    shelf.add("b-1", "Emma").await;
    shelf.lend("b-1", "Nobody").await;
    shelf.lend("b-1", "Ada").await;
    let serving = shelf.serve(&["--mended"]);
    let is_there = |all: &Value| all["projections"][0]["behind"] == 0;
    shelf.until("projections status readers", is_there).await;
    serving.stop();
    // An older release parks in the new rows what is in the old ones.
    let serving = shelf.serve(&[]);
    half_rebuilt(&shelf).await;
    assert_eq!((parked_of(&shelf, 1).await, parked_of(&shelf, 2).await), (0, 1));
    assert_eq!(count(&shelf.json("parked list readers", 0)), 0);
    assert_eq!(shelf.json("projections status readers", 0)["projections"][0]["parked"], 0);
    assert_eq!(shelf.operate("parked retry readers --all").with(0), "nothing is parked\n");
    let absent = shelf.operate("parked drop readers Nobody --yes").failed(1);
    assert!(absent.contains("Nobody"), "{absent}");
    assert_eq!(parked_of(&shelf, 2).await, 1, "it is left to the rebuild");
    // Once those answer, it is theirs.
    shelf.operate("projections set-load readers").with(0);
    shelf.until("projections rebuilds", |all| all["rebuilds"][0]["state"] == "done").await;
    let found = shelf.until("parked list readers", |found| count(found) == 1).await;
    assert_eq!(
        (&found["parked"][0]["key"], &found["parked"][0]["generation"]),
        (&json!("Nobody"), &json!(2))
    );
    serving.stop();
    // And the other way round: what is parked of the old ones is, while the new ones are built without it.
    let serving = shelf.serve(&["--mended"]);
    half_rebuilt(&shelf).await;
    assert_eq!((parked_of(&shelf, 2).await, parked_of(&shelf, 3).await), (1, 0));
    let found = shelf.json("parked list readers", 3);
    assert_eq!((count(&found), &found["parked"][0]["generation"]), (1, &json!(2)));
    shelf.operate("projections set-load readers").with(0);
    shelf.until("projections rebuilds", |all| all["rebuilds"][0]["state"] == "done").await;
    shelf.until("parked list readers", |found| count(found) == 0).await;
    serving.stop();
}

#[tokio::test]
async fn what_an_interrupted_command_has_asked_is_not_done_later() {
    let shelf = Shelf::new().await;
    shelf.add("b-1", "Untitled").await;
    shelf.lend("b-1", "Nobody").await;
    shelf.borrow("l-1", "Nobody").await;
    let serving = shelf.serve(&[]);
    shelf.until("parked list", |found| count(found) == 2).await;
    let is_stopped = |all: &Value| named(&all["projections"], "titles")["state"] == "stopped";
    shelf.until("projections status", is_stopped).await;
    serving.stop();
    let open = async || {
        let open = "SELECT count(*) FROM annals.parked WHERE name = 'annals/requests'";
        let open = sqlx::query_scalar::<_, i64>(open).fetch_one(shelf.store.pool()).await;
        open.expect("the statement is right")
    };
    for (number, wish) in
        ["parked drop readers --all", "parked drop recalls --all", "sagas drop interloans l-1"]
            .into_iter()
            .enumerate()
    {
        let mut asking = shelf.command();
        asking.arg("operate").args(wish.split_whitespace()).args(["--yes", "--wait", "10m"]);
        let asking = asking.stdin(Stdio::null()).stdout(Stdio::null()).spawn();
        let mut asking = asking.expect("the program starts");
        let asked = i64::try_from(number).expect("a few") + 1;
        for _ in 0..600 {
            if open().await == asked {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        asking.kill().expect("it waits");
        asking.wait().expect("it has ended");
        assert_eq!(open().await, asked, "{wish}");
    }
    // It was long ago.
    let ago = sqlx::raw_sql(
        "UPDATE annals.parked SET parked_at = parked_at - interval '1 hour', retry_at = retry_at - interval '1 hour'
         WHERE name = 'annals/requests'",
    );
    ago.execute(shelf.store.pool()).await.expect("the statement is right");
    let serving = shelf.serve(&[]);
    shelf.until("projections status", is_stopped).await;
    for _ in 0..600 {
        if open().await == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(open().await, 0, "what it is too late for goes");
    assert_eq!(count(&shelf.json("parked list", 3)), 2);
    assert_eq!(shelf.json("sagas show interloans l-1", 3)["state"], "parked");
    // Asked again, it is done.
    for name in ["readers", "recalls"] {
        shelf.operate(&format!("parked drop {name} --all --yes")).with(0);
    }
    shelf.operate("sagas drop interloans l-1 --yes").with(0);
    serving.stop();
}
