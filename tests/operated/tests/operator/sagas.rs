//! Sagas are listed and shown; one that is parked is tried again, or left as it is, by whoever runs it.

use std::sync::Arc;
use std::time::Duration;

use annals::prelude::*;
use annals::saga::SagaStep;
use serde_json::{Value, json};

use crate::program::Shelf;
use crate::shelf::Interloan;

/// One that is parked, and one that has ended.
async fn borrowed() -> Shelf {
    let shelf = Shelf::new().await;
    shelf.borrow("l-1", "Nobody").await;
    shelf.borrow("l-2", "Ada").await;
    shelf
}

fn counts(listed: &Value) -> [u64; 4] {
    let counts = &listed["sagas"][0];
    ["running", "left", "parked", "ended"].map(|name| counts[name].as_u64().expect("a number"))
}

#[tokio::test]
async fn sagas_are_counted_listed_and_shown() {
    let shelf = Shelf::new().await;
    let none = shelf.operate("sagas list").with(0);
    assert_eq!(
        none,
        "SAGA        RUNNING  LEFT  PARKED  ENDED\ninterloans        0     0       0      0\n"
    );
    let shelf = borrowed().await;
    // One whose runner dies in the middle of a step.
    let serving = shelf.serve(&["--borrow", "l-3"]);
    shelf.until("sagas list", |listed| counts(listed) == [1, 0, 1, 1]).await;
    assert_eq!(shelf.json("sagas show interloans l-3", 0)["runner"], "shelf");
    serving.kill();
    let listed =
        shelf.until("sagas list interloans", |listed| counts(listed) == [0, 1, 1, 1]).await;
    let first = &listed["unfinished"][0];
    assert_eq!(
        [&first["id"], &first["state"], &first["failed_step"], &first["error"]],
        ["l-1", "parked", "fetch", "nobody is no reader"]
    );
    assert_eq!((&first["not_undone"], &first["runner"]), (&json!(["order"]), &Value::Null));
    let second = &listed["unfinished"][1];
    assert_eq!((&second["id"], &second["state"]), (&json!("l-3"), &json!("left")));
    assert_eq!(listed["more"], 0);
    let text = shelf.operate("sagas list --limit 1").with(3);
    assert!(text.contains("  l-1  parked  "), "{text}");
    assert!(text.ends_with("\nand 1 more: --limit shows them\n"), "{text}");
    let wrong = shelf.operate("sagas list interloan").failed(1);
    assert!(wrong.contains("did you mean `interloans`?"), "{wrong}");

    let shown = shelf.json("sagas show interloans l-1", 3);
    assert_eq!(shown["data"], json!({ "reader": "Nobody" }));
    let why = "the other library does not answer";
    assert_eq!(shown["not_undone"], json!([{ "step": "order", "error": why }]));
    let log = shown["log"].as_array().expect("a list");
    assert_eq!(
        (&log[0]["record"], &log[log.len() - 1]["record"]),
        (&json!("begun"), &json!("parked"))
    );
    let mut failed = log.iter().filter(|record| record["record"] == "failed");
    let last = failed.next_back().expect("it failed");
    assert_eq!(
        (failed.count() + 1, &last["step"], &last["attempt"]),
        (7, &json!("undo order"), &json!(6))
    );
    let text = shelf.operate("sagas show interloans l-1 --records 1").with(3);
    assert!(text.starts_with("saga `l-1` of `interloans`: parked\n"), "{text}");
    assert!(text.contains("\nstep order is not undone: the other library"), "{text}");
    assert_eq!(text.lines().filter(|line| line.contains("undo order")).count(), 0, "{text}");
    assert_eq!(shelf.json("sagas show interloans l-2", 0)["state"], "completed");
    let absent = shelf.operate("sagas show interloans l-9").failed(1);
    assert_eq!(absent, "error: saga `interloans` was never begun under the id `l-9`\n");
}

#[tokio::test]
async fn one_that_cannot_be_read_hides_none_that_is_parked() {
    let shelf = Shelf::new().await;
    shelf.borrow("l-1", "Nobody").await;
    shelf.borrow("l-2", "Nobody").await;
    // A later release has written to the first one.
    let later = "ALTER TABLE annals.events DISABLE TRIGGER events_stay; UPDATE annals.events SET schema_version = 99 WHERE stream_id = 'annals/saga/interloans-l-1'";
    let done = sqlx::raw_sql(later).execute(shelf.store.pool()).await;
    done.expect("the statements are right");
    let listed = shelf.json("sagas list", 3);
    let [first, second] = [0, 1].map(|at| &listed["unfinished"][at]);
    assert_eq!((&first["id"], &first["failed_step"]), (&json!("l-1"), &Value::Null));
    let error = first["error"].as_str().expect("it says why");
    assert!(error.contains("version 99 of `annals/saga` is no record of a saga"), "{error}");
    assert_eq!((&second["id"], &second["failed_step"]), (&json!("l-2"), &json!("fetch")));
    let text = shelf.operate("sagas list").with(3);
    assert!(text.contains("the log of saga `interloans` of the id `l-1` cannot be read"), "{text}");
}

#[tokio::test]
async fn a_parked_saga_is_tried_again_by_whoever_runs_it() {
    let shelf = borrowed().await;
    let alone = shelf.operate("sagas retry interloans l-1 --wait 0s").with(3);
    assert_eq!(
        alone,
        "saga `l-1` of `interloans` is parked: no runner has taken it up, and nothing was done\n"
    );
    let serving = shelf.serve(&[]);
    let again = shelf.json("sagas retry interloans l-1", 3);
    assert_eq!(
        again,
        json!({ "saga": "interloans", "id": "l-1", "did": "retried", "done": true, "state": "parked", "not_undone": ["order"] })
    );
    serving.stop();
    let serving = shelf.serve(&["--mended"]);
    let done = shelf.operate("sagas retry interloans l-1").with(0);
    assert_eq!(done, "saga `l-1` of `interloans` was tried again, and is compensated\n");
    let over = shelf.operate("sagas retry interloans l-1").failed(1);
    assert_eq!(over, "error: saga `l-1` of `interloans` is not parked: it is compensated\n");
    assert_eq!(shelf.json("sagas list", 0)["sagas"][0]["parked"], 0);
    serving.stop();
}

#[tokio::test]
async fn a_parked_saga_is_left_as_it_is_after_a_question() {
    let shelf = Shelf::new().await;
    shelf.borrow("l-1", "Nobody").await;
    let serving = shelf.serve(&[]);
    let asked = shelf.operate("sagas drop interloans l-1").failed(2);
    assert_eq!(
        asked,
        "error: this cannot be undone: ends saga `l-1` of `interloans` as it is: nobody undoes order any more; add --yes if that is what you want\n"
    );
    let dropped = shelf.json("sagas drop interloans l-1 --yes", 0);
    assert_eq!((&dropped["state"], &dropped["done"]), (&json!("dropped"), &json!(true)));
    assert_eq!(
        shelf.operate("sagas show interloans l-1").with(0).lines().next(),
        Some("saga `l-1` of `interloans`: dropped")
    );
    serving.stop();
}

/// Interloans of a later release, with data that this one cannot read.
struct LaterInterloan;

impl Saga for LaterInterloan {
    type Data = u64;
    type Services = ();
    const NAME: &'static str = "interloans";
    const VERSION: u32 = 2;

    fn steps() -> Vec<SagaStep<Self>> {
        let down = SagaStep::new("order", |_, (), _| Box::pin(async { Err("it is down".into()) }));
        vec![down.with_retries(9)]
    }
}

#[tokio::test]
async fn a_saga_with_which_no_program_goes_on_is_dropped() {
    let shelf = Shelf::new().await;
    let later = SagaRunner::builder(shelf.store.clone(), Arc::new(()))
        .register::<LaterInterloan>()
        .backoff(Duration::from_mins(1));
    let later = later.start().await.expect("the store is there");
    later.begin::<LaterInterloan>("l-1", 7).await.expect("it begins");
    let has_failed = |shown: &Value| shown["log"].to_string().contains("\"failed\"");
    shelf.until("sagas show interloans l-1", has_failed).await;
    let runs = shelf.operate("sagas drop interloans l-1 --yes").failed(1);
    assert_eq!(runs, "error: saga `l-1` of `interloans` is not parked: it is running\n");
    later.shutdown().await;

    let serving = shelf.serve(&[]);
    let asked = shelf.operate("sagas drop interloans l-1").failed(2);
    assert_eq!(
        asked,
        "error: this cannot be undone: ends saga `l-1` of `interloans` as it is: if the runner cannot go on with it, nobody does any more; add --yes if that is what you want\n"
    );
    let dropped = shelf.json("sagas drop interloans l-1 --yes", 0);
    assert_eq!((&dropped["state"], &dropped["done"]), (&json!("dropped"), &json!(true)));
    let outcome = shelf.sagas().outcome::<Interloan>("l-1").await.expect("it has ended");
    // It was between two tries.
    assert!(
        matches!(&outcome, SagaOutcome::Dropped { failed_step, .. } if failed_step == "order"),
        "{outcome:?}"
    );
    serving.stop();
}
