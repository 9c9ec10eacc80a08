//! A projection is paused, resumed, and led past an event, by another process than runs it.

use serde_json::{Value, json};

use crate::program::{Shelf, named};

fn state<'v>(statuses: &'v Value, name: &str) -> &'v Value {
    &named(&statuses["projections"], name)["state"]
}

#[tokio::test]
async fn a_projection_is_paused_and_resumed() {
    let shelf = Shelf::new().await;
    shelf.add("b-1", "Emma").await;
    let unknown = shelf.operate("projections pause readers").failed(1);
    assert_eq!(
        unknown,
        "error: projection `readers` is not in the store: no engine has begun it yet\n"
    );
    let serving = shelf.serve(&[]);
    let all = shelf.until("projections status", |all| all["level"] == "normal").await;
    assert_eq!((state(&all, "readers"), &all["head"]), (&json!("running"), &json!(1)));
    assert_eq!(named(&all["projections"], "titles")["owners"], json!(["shelf"]));
    let wrong = shelf.operate("projections pause reader").failed(1);
    assert!(wrong.contains("did you mean `readers`?"), "{wrong}");
    let paused = shelf.operate("projections pause readers").with(0);
    assert_eq!(paused, "projection `readers` (version 1) is paused\n");
    // What comes now waits.
    shelf.until("projections status readers", |all| state(all, "readers") == "paused").await;
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    shelf.lend("b-1", "Ada").await;
    let behind =
        shelf.until("projections status readers", |all| all["projections"][0]["behind"] != 0).await;
    assert_eq!(state(&behind, "readers"), "paused");
    let code = shelf.operate("projections status readers --warning 0s").code;
    assert_eq!(code, 3, "one that is behind is told by the exit code");
    let resumed = shelf.json("projections resume readers", 0);
    assert_eq!(
        resumed,
        json!({ "projection": "readers", "version": 1, "did": "resumed", "done": true })
    );
    shelf.until("projections status readers", |all| all["projections"][0]["behind"] == 0).await;
    serving.stop();
    let idle = shelf.json("projections status", 0);
    assert_eq!((state(&idle, "readers"), state(&idle, "titles")), (&json!("idle"), &json!("idle")));
    let alone = shelf.operate("projections resume readers --wait 0s").with(3);
    assert_eq!(alone, "projection `readers` (version 1) is resumed, but nobody runs it now\n");
}

#[tokio::test]
async fn a_projection_that_has_stopped_is_resumed_or_led_past_its_event() {
    let shelf = Shelf::new().await;
    shelf.add("b-1", "Untitled").await;
    shelf.add("b-2", "Emma").await;
    let serving = shelf.serve(&[]);
    let has_stopped =
        |all: &Value| state(all, "titles") == "stopped" && state(all, "readers") == "running";
    let all = shelf.until("projections status --shards", has_stopped).await;
    let titles = named(&all["projections"], "titles");
    assert_eq!((&titles["level"], &titles["owners"]), (&json!("critical"), &json!([])));
    let shard = &titles["each_shard"][0];
    assert_eq!((&shard["state"], &shard["level"]), (&json!("stopped"), &json!("critical")));
    assert_eq!(all["level"], "critical");
    shelf.operate("projections status titles").with(3);
    // Who has asked for rows is told why they do not come.
    shelf.operate("projections rebuild titles --key Emma --detach").with(0);
    let told = shelf.operate("projections status titles").with(3);
    assert!(told.contains("asked for of `titles` (version 1), and it has stopped: see"), "{told}");
    shelf.operate("projections cancel titles --key Emma").with(0);
    // It goes on, and stops there again.
    shelf
        .until("projections resume titles", |resumed| {
            resumed["done"] == true || resumed["done"] == false
        })
        .await;
    let refused = shelf.operate("projections skip titles 1").failed(2);
    assert!(refused.contains("pass over the event at position 1 for good"), "{refused}");
    let wrong = shelf.operate("projections skip titles 2 --yes --wait 0s").failed(1);
    assert!(wrong.contains("nobody has passed over position 2"), "{wrong}");
    let early = shelf.operate("projections skip readers 99 --yes").failed(1);
    assert_eq!(
        early,
        "error: the log ends at position 2: projection `readers` has not stopped at 99\n"
    );
    let skipped = shelf.json("projections skip titles 1 --yes", 0);
    assert_eq!((&skipped["did"], &skipped["done"]), (&json!("skipped"), &json!(true)));
    shelf.until("projections status titles", |all| all["projections"][0]["behind"] == 0).await;
    let verified = shelf.operate("verify").with(0);
    assert!(verified.contains("ok     read model `titles`: 2 rows"), "{verified}");
    // It stops at nothing any more.
    assert_eq!(state(&shelf.json("projections status", 0), "titles"), "running");
    serving.stop();
    assert_eq!(state(&shelf.json("projections status", 0), "titles"), "idle");
}
