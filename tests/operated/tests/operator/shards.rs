//! A projection is divided into shards by another process than runs it, and asked for things as before.

use std::time::Duration;

use annals::CheckpointId;
use annals::prelude::*;
use serde_json::{Value, json};

use crate::program::{Shelf, named};

#[tokio::test]
async fn a_projection_is_divided_while_it_runs() {
    let shelf = Shelf::new().await;
    shelf.add("b-1", "Emma").await;
    let serving = shelf.serve(&[]);
    shelf.until("projections status", |all| all["level"] == "normal").await;
    let divided = shelf.json("projections shards readers 4", 0);
    assert_eq!(divided, json!({ "projection": "readers", "version": 1, "before": 1, "shards": 4 }));
    for reader in ["Ada", "Bob", "Eve", "Zoë"] {
        shelf.lend("b-1", reader).await;
    }
    let all = shelf
        .until("projections status readers", |all| {
            let readers = &all["projections"][0];
            readers["behind"] == 0 && readers["owners"] == json!(["shelf"])
        })
        .await;
    assert_eq!(all["projections"][0]["shards"], 4);
    let resumed = shelf.json("projections resume readers", 0);
    assert_eq!((&resumed["did"], &resumed["done"]), (&json!("resumed"), &json!(true)));
    let divided = shelf.operate("projections shards readers 1").with(0);
    assert_eq!(divided, "projection `readers` (version 1) has 1 shard; before: 4\n");
    shelf.lend("b-1", "Ada").await;
    shelf.until("projections status readers", |all| all["projections"][0]["behind"] == 0).await;
    let listed = shelf.json("projections list", 0);
    assert_eq!(named(&listed["projections"], "readers")["shards"], 1);
    let refused = shelf.operate("projections shards readers 0").failed(2);
    assert!(refused.contains("0 is not in 1..=1024"), "{refused}");
    let absent = shelf.operate("projections shards reader 2").failed(1);
    assert!(absent.contains("did you mean `readers`?"), "{absent}");
    let verified = shelf.operate("verify").with(0);
    assert!(verified.contains("ok     read model `readers`: 4 rows"), "{verified}");
    serving.stop();
}

#[tokio::test]
async fn each_shard_is_told() {
    let shelf = Shelf::new().await;
    shelf.add("b-1", "Emma").await;
    let serving = shelf.serve(&[]);
    shelf.until("projections status", |all| all["level"] == "normal").await;
    shelf.json("projections shards readers 2", 0);
    let all = shelf
        .until("projections status readers --shards", |all| {
            let each = all["projections"][0]["each_shard"].as_array();
            let is_done = |one: &serde_json::Value| one["state"] == "running" && one["behind"] == 0;
            each.is_some_and(|each| each.iter().all(is_done))
        })
        .await;
    let shard = |number: u32| {
        json!({
            "shard": number, "state": "running", "level": "normal", "position": 1, "behind": 0,
            "seconds_behind": 0.0, "owner": "shelf"
        })
    };
    assert_eq!(all["projections"][0]["each_shard"], json!([shard(0), shard(1)]));
    let summary = shelf.json("projections status readers", 0);
    assert_eq!(summary["projections"][0].get("each_shard"), None);
    shelf.json("processes shards recalls 2", 0);
    let is_run = |all: &serde_json::Value| {
        let each = named(&all["processes"], "recalls")["each_shard"].as_array().cloned();
        each.is_some_and(|each| each.len() == 2 && each.iter().all(|one| one["owner"] == "shelf"))
    };
    shelf.until("processes list --shards", is_run).await;
    serving.stop();
    // Of one that nobody runs, each shard is idle, and the one that is behind is told apart.
    let lag = sqlx::raw_sql(
        "UPDATE annals.checkpoints SET position = 0 WHERE name LIKE 'annals/projection/readers/%' AND shard = 1",
    );
    lag.execute(shelf.store.pool()).await.expect("the statement is right");
    shelf.lend("b-1", "Ada").await;
    let text = shelf.operate("projections status readers --shards").with(3);
    let lines: Vec<Vec<&str>> =
        text.lines().skip(4).map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[0][..4], ["NAME", "VERSION", "SHARD", "STATE"]);
    assert_eq!(lines[1][..7], ["readers", "1", "0", "idle", "warning", "1", "1"]);
    assert_eq!(lines[2][..7], ["readers", "1", "1", "idle", "warning", "0", "2"]);
    let text = shelf.operate("processes list --shards").out;
    let told: Vec<String> =
        text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    assert!(told.iter().any(|line| line.starts_with("recalls process 1 idle ")), "{text}");
}

#[tokio::test]
async fn a_projection_in_shards_is_led_past_an_event() {
    let shelf = Shelf::new().await;
    shelf.add("b-1", "Untitled").await;
    let serving = shelf.serve(&[]);
    let has_stopped = |all: &Value| all["projections"][0]["state"] == "stopped";
    shelf.until("projections status titles", has_stopped).await;
    shelf.json("projections shards titles 3", 0);
    for book in 2..10 {
        shelf.add(&format!("b-{book}"), "Emma").await;
    }
    let skipped = shelf
        .until("projections skip titles 1 --yes --wait 10s", |skipped| skipped["done"] == true)
        .await;
    assert_eq!(skipped["did"], "skipped");
    shelf.until("projections status titles", |all| all["projections"][0]["behind"] == 0).await;
    let verified = shelf.operate("verify").with(0);
    assert!(verified.contains("ok     read model `titles`: "), "{verified}");
    serving.stop();
}

#[tokio::test]
async fn one_shard_that_nobody_runs_is_told() {
    let shelf = Shelf::new().await;
    shelf.add("b-1", "Emma").await;
    shelf.lend("b-1", "Ada").await;
    let serving = shelf.serve(&[]);
    shelf.json("projections shards readers 2", 0);
    shelf.until("projections status", |all| all["level"] == "normal").await;
    serving.stop();
    // Another engine has one of two, and the other is at the end.
    let one = CheckpointId { name: "annals/projection/readers/1".to_owned(), version: 1, shard: 0 };
    let held = shelf.store.claim_lease(&one, "other", Duration::from_mins(1)).await;
    let held = held.expect("the store is there").expect("it is free");
    let status = |code| shelf.json("projections status readers", code)["projections"][0].clone();
    let fine = status(0);
    assert_eq!((&fine["state"], &fine["level"]), (&json!("running"), &json!("normal")));
    shelf.lend("b-1", "Bob").await;
    let behind = status(3);
    assert_eq!((&behind["state"], &behind["level"]), (&json!("running"), &json!("warning")));
    assert_eq!(behind.get("each_shard"), None);
    shelf.store.release_lease(&held).await.expect("it is held");
}
