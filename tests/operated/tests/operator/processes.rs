//! A process manager that has stopped is resumed, or led past its event, by another process than runs it.

use annals::{CheckpointId, ReadModelStore as _};
use serde_json::json;

use crate::program::{Shelf, named};

/// A book that was lent by an event that no program reads.
async fn unreadable() -> Shelf {
    let shelf = Shelf::new().await;
    shelf.add("b-1", "Emma").await;
    shelf.lend("b-1", "Ada").await;
    let wrong = sqlx::raw_sql(
        "ALTER TABLE annals.events DISABLE TRIGGER events_stay;
         UPDATE annals.events SET data = '{\"to\": 5}' WHERE position = 2",
    );
    wrong.execute(shelf.store.pool()).await.expect("the statement is right");
    shelf.add("b-2", "Persuasion").await;
    shelf
}

#[tokio::test]
async fn a_process_manager_that_has_stopped_is_led_past_its_event() {
    let shelf = unreadable().await;
    let nobody = shelf.operate("processes skip recalls 2 --yes --wait 0s").failed(1);
    assert!(nobody.contains("no engine runs process `recalls`"), "{nobody}");
    let serving = shelf.serve(&[]);
    let asked = shelf.operate("processes skip recalls 2").failed(2);
    assert!(asked.contains("pass over the event at position 2 for good"), "{asked}");
    let skipped = shelf.operate("processes skip recalls 2 --yes").with(0);
    assert_eq!(skipped, "process `recalls` has passed over the event, and reads on\n");
    let is_past = |all: &serde_json::Value| named(&all["processes"], "recalls")["behind"] == 0;
    shelf.until("processes list", is_past).await;
    // Where it has not stopped, there is nothing to pass over.
    let behind = shelf.operate("processes skip recalls 1 --yes").failed(1);
    assert_eq!(
        behind,
        "error: process `recalls` is at position 3 already: it has not stopped at 1\n"
    );
    let ahead = shelf.operate("processes skip recalls 9 --yes --wait 0s").failed(1);
    assert!(ahead.contains("nobody has passed over position 9"), "{ahead}");
    serving.stop();
}

/// Nothing is passed over beforehand: neither the event that comes there, nor what came before it.
#[tokio::test]
async fn an_event_that_is_not_there_yet_is_not_passed_over() {
    let shelf = Shelf::new().await;
    shelf.add("b-1", "Emma").await;
    let serving = shelf.serve(&[]);
    shelf.until("processes list", |all| named(&all["processes"], "recalls")["behind"] == 0).await;
    let before = shelf.json("processes list", 0);
    let position = named(&before["processes"], "recalls")["position"].as_u64().expect("a position");
    // Whoever runs it hears of it, and has the time to come there.
    let next = position + 1;
    let ahead = shelf.operate(&format!("processes skip recalls {next} --yes --wait 2s")).failed(1);
    assert!(ahead.contains(&format!("nobody has passed over position {next}")), "{ahead}");
    shelf.lend("b-1", "Ada").await;
    shelf.lend("b-1", "Bob").await;
    let behind = |all: &serde_json::Value| named(&all["processes"], "recalls")["behind"] == 0;
    shelf.until("processes list", behind).await;
    let skips =
        CheckpointId { name: "annals/process/recalls/skipped".to_owned(), version: 1, shard: 0 };
    let skipped = shelf.store.parked(&skips, None).await;
    assert_eq!(skipped.expect("the store is there"), []);
    let recalled = |book: &serde_json::Value| book["state"]["recalls"].as_u64() > Some(0);
    shelf.until("aggregate show book-b-1", recalled).await;
    serving.stop();
}

#[tokio::test]
async fn a_process_manager_that_has_stopped_is_resumed() {
    let shelf = unreadable().await;
    let alone = shelf.operate("processes resume recalls --wait 0s").with(3);
    assert_eq!(alone, "nobody runs process `recalls` now: nothing was done\n");
    let wrong = shelf.operate("processes resume recall").failed(1);
    assert!(wrong.contains("did you mean `recalls`?"), "{wrong}");
    let serving = shelf.serve(&[]);
    let stands = |all: &serde_json::Value| named(&all["processes"], "recalls")["position"] == 1;
    shelf.until("processes list", stands).await;
    let is = |all: &serde_json::Value, state: &str| {
        let recalls = named(&all["processes"], "recalls");
        recalls["state"] == state && recalls["each_shard"][0]["state"] == state
    };
    shelf.until("processes list --shards", |all| is(all, "stopped")).await;
    let mended =
        sqlx::raw_sql("UPDATE annals.events SET data = '{\"to\": \"Ada\"}' WHERE position = 2");
    mended.execute(shelf.store.pool()).await.expect("the statement is right");
    let resumed = shelf.json("processes resume recalls", 0);
    let whole = json!({ "kind": "process", "name": "recalls", "did": "resumed", "done": true });
    assert_eq!(resumed, whole);
    let recalled = |book: &serde_json::Value| book["state"]["recalls"] == 1;
    shelf.until("aggregate show book-b-1", recalled).await;
    shelf.until("processes list --shards", |all| is(all, "running")).await;
    serving.stop();
    assert!(is(&shelf.json("processes list --shards", 0), "idle"));
}

#[tokio::test]
async fn what_is_parked_is_listed_in_part() {
    let shelf = Shelf::new().await;
    for book in ["b-1", "b-2", "b-3"] {
        shelf.add(book, "Emma").await;
        shelf.lend(book, "Nobody").await;
    }
    let serving = shelf.serve(&[]);
    let all = |all: &serde_json::Value| all["parked"].as_array().is_some_and(|all| all.len() == 3);
    shelf.until("processes parked", all).await;
    let some = shelf.json("processes parked --limit 1", 3);
    assert_eq!((some["parked"].as_array().map(Vec::len), &some["more"]), (Some(1), &json!(2)));
    let text = shelf.operate("processes parked --limit 2").with(3);
    assert!(text.ends_with("\nand 1 more: --limit shows them\n"), "{text}");
    let waits = |shown: &serde_json::Value| shown["more"] == 2;
    shelf.until("parked show readers Nobody --limit 1", waits).await;
    let text = shelf.operate("parked show readers Nobody --limit 1").with(3);
    assert!(text.ends_with("\n\nand 2 more: --limit shows them\n"), "{text}");
    assert_eq!(text.lines().filter(|line| line.starts_with("position")).count(), 1, "{text}");
    let text = shelf.operate("parked list --limit 1").with(3);
    assert!(text.ends_with("\nand 3 more: --limit shows them\n"), "{text}");
    serving.stop();
}
