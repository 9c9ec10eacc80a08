//! How a parcel is shipped, by two services that may fail.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

use crate::program::Program;
use crate::scene::{ADA, Answer, STAFF, Scene, eventually, on_each_store};

on_each_store!(
    a_shipping_that_fails_is_undone_and_can_be_tried_again,
    what_failed_can_be_cancelled_instead,
    what_cannot_be_undone_waits_for_a_person,
    an_order_with_the_longest_id_can_be_retried,
    a_shipping_goes_on_after_a_restart,
    an_undo_after_a_restart_is_of_no_other_order,
    who_decides_on_a_shipment_is_kept,
    a_retry_that_takes_long_is_answered_before_it_ends,
    a_service_is_told_of_calls_that_it_has,
);

async fn tell(scene: &Scene, service: &str, fails: &[&str]) {
    scene.put(&format!("/outside/{service}"), STAFF, json!({ "fails": fails })).await.is(200);
}

async fn jobs(scene: &Scene, service: &str) -> Value {
    let shown = scene.get(&format!("/outside/{service}"), STAFF).await.is(200);
    shown.body["jobs"].clone()
}

/// Waits until the shipping of an order has failed, and gives what its page says of that.
async fn failed(scene: &Scene) -> String {
    let page = scene.until("/orders/o-1", |page| page["version"] == 5).await;
    assert_eq!(page["status"], "paid");
    page["history"][4]["what"].as_str().expect("words").to_owned()
}

async fn a_shipping_that_fails_is_undone_and_can_be_tried_again(scene: Scene) {
    scene.restock("tea", 5).await;
    scene.paid("o-1").await;
    tell(&scene, "carrier", &["hand_over"]).await;
    scene.ship(STAFF, "o-1").await.is(202);
    assert_eq!(failed(&scene).await, "not shipped: hand_over: `hand_over` is not answered");
    assert_eq!(jobs(&scene, "carrier").await, json!([]));
    assert_eq!(jobs(&scene, "warehouse").await, json!([]));

    tell(&scene, "carrier", &[]).await;
    scene.ship(STAFF, "o-1").await.is(202);
    let page = scene.becomes("o-1", "shipped").await;
    assert_eq!(page["history"][5]["what"], "shipping, attempt 2");
    assert_eq!(jobs(&scene, "carrier").await, json!([page["tracking"]]));
    assert_eq!(jobs(&scene, "warehouse").await.as_array().map(Vec::len), Some(1));
    // Two mails: that it is paid, and that it is on its way.
    scene.mailed(2).await;
}

async fn what_failed_can_be_cancelled_instead(scene: Scene) {
    scene.restock("tea", 5).await;
    scene.paid("o-1").await;
    tell(&scene, "carrier", &["book"]).await;
    scene.ship(STAFF, "o-1").await.is(202);
    assert_eq!(failed(&scene).await, "not shipped: book: `book` is not answered");
    scene.cancel(ADA, "o-1").await.is(202);
    scene.until("/orders/o-1", |page| page["refunded"] == true).await;
}

async fn what_cannot_be_undone_waits_for_a_person(scene: Scene) {
    scene.restock("tea", 5).await;
    scene.paid("o-1").await;
    tell(&scene, "warehouse", &["pick"]).await;
    tell(&scene, "carrier", &["cancel"]).await;
    scene.ship(STAFF, "o-1").await.is(202);
    let parked = scene.until("/shipments/parked", |parked| parked[0].is_object()).await;
    let expected = json!([{
        "shipment": "o-1.1",
        "failed_step": "pick",
        "error": "`pick` is not answered",
        "not_undone": ["book"],
    }]);
    assert_eq!(parked, expected);
    assert_eq!(jobs(&scene, "carrier").await.as_array().map(Vec::len), Some(1));
    // It has not ended: nobody ships or cancels the order meanwhile.
    scene.cancel(ADA, "o-1").await.refused(422, "broken-rule");
    let retry = |shipment: &str, token| {
        Answer::of(scene.ask(Method::POST, &format!("/shipments/{shipment}/retry"), token))
    };
    retry("o-1.1", ADA).await.refused(403, "forbidden");
    retry("o-2.1", STAFF).await.refused(404, "not-found");

    tell(&scene, "carrier", &[]).await;
    let retried = retry("o-1.1", STAFF).await.is(200);
    assert_eq!(retried.body, json!({ "parked": false }));
    assert_eq!(failed(&scene).await, "not shipped: pick: `pick` is not answered");
    assert_eq!(jobs(&scene, "carrier").await, json!([]));
    assert_eq!(scene.get("/shipments/parked", STAFF).await.is(200).body, json!([]));
    retry("o-1.1", STAFF).await.refused(404, "not-found");
}

async fn an_order_with_the_longest_id_can_be_retried(scene: Scene) {
    let order = "o".repeat(128);
    scene.restock("tea", 5).await;
    scene.paid(&order).await;
    tell(&scene, "warehouse", &["pick"]).await;
    tell(&scene, "carrier", &["cancel"]).await;
    scene.ship(STAFF, &order).await.is(202);
    let parked = scene.until("/shipments/parked", |parked| parked[0].is_object()).await;
    let shipment = parked[0]["shipment"].as_str().expect("an id");
    assert_eq!(shipment, format!("{order}.1"));
    tell(&scene, "carrier", &[]).await;
    let retry = |shipment: &str| {
        Answer::of(scene.ask(Method::POST, &format!("/shipments/{shipment}/retry"), STAFF))
    };
    assert_eq!(retry(shipment).await.is(200).body, json!({ "parked": false }));
    // The last attempt that can be counted has the longest id of all.
    retry(&format!("{order}.{}", u32::MAX)).await.refused(404, "not-found");
    retry(&format!("{order}.{}0", u32::MAX)).await.refused(400, "bad-request");
}

/// Whatever the moment at which the shop stopped, the parcel is shipped once.
async fn a_shipping_goes_on_after_a_restart(scene: Scene) {
    scene.restock("tea", 5).await;
    scene.paid("o-1").await;
    scene.ship(STAFF, "o-1").await.is(202);
    let scene = scene.restart().await;
    scene.becomes("o-1", "shipped").await;
    scene.mailed(2).await;
    assert_eq!(scene.get("/shipments/parked", STAFF).await.is(200).body, json!([]));
}

fn is(record: &str, what: &str, step: &str) -> bool {
    record.starts_with(&format!("{{\"{what}\"")) && record.contains(&format!("\"{step}\""))
}

async fn log_of(scene: &Scene, shipment: &str) -> Vec<String> {
    let log = scene.stream(&format!("annals/saga/delivery-{shipment}")).await;
    log.iter().map(|event| event.data.as_str().to_owned()).collect()
}

/// Has a program killed while it asks the warehouse for the parcel of `o-1`, which its carrier has taken; and a shop that
/// begins again. Until the program's lease is over, nobody goes on with it.
async fn killed() -> (Scene, Vec<String>) {
    let mut scene = Scene::on_postgres().await;
    // Only the program is to run anything.
    scene.stop();
    scene.ended().await.expect("it ends well");
    let program = Program::run(Some(scene.database()), scene.folder());
    scene.url.clone_from(&program.url);
    scene.restock("tea", 5).await;
    scene.paid("o-1").await;
    let hangs = json!({ "fails": [], "hangs": ["pick"] });
    scene.put("/outside/warehouse", STAFF, hangs).await.is(200);
    scene.ship(STAFF, "o-1").await.is(202);
    let asked = async || {
        let log = log_of(&scene, "o-1.1").await;
        log.last().is_some_and(|last| is(last, "called", "pick")).then_some(())
    };
    eventually("the warehouse is asked", asked).await;
    program.kill();
    let before = log_of(&scene, "o-1.1").await;
    (scene.begin_again().await, before)
}

/// Another program goes on, with what the carrier has taken already.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shipping_goes_on_after_a_kill() {
    let (scene, before) = killed().await;
    let count = |log: &[String], what: &str, step: &str| {
        log.iter().filter(|record| is(record, what, step)).count()
    };
    let page = scene.becomes("o-1", "shipped").await;
    let log = log_of(&scene, "o-1.1").await;
    let tracking = page["tracking"].as_str().expect("a parcel");
    assert!(before.iter().any(|record| record.contains(tracking)), "it was booked: {before:#?}");
    assert!(log.starts_with(&before), "{log:#?}");
    for (what, step) in [("called", "book"), ("done", "book"), ("called", "pick"), ("done", "pick")]
    {
        assert_eq!(count(&log, what, step), 1, "{what} {step}: {log:#?}");
    }
    assert!(log[before.len()].starts_with("{\"taken\""), "{log:#?}");
    scene.mailed(2).await;
    assert_eq!(scene.get("/revenue", STAFF).await.is(200).body[0]["payments"], 1);
}

/// A shop undoes what it did before its restart, and nothing of another order: services outside know jobs by their names.
async fn an_undo_after_a_restart_is_of_no_other_order(scene: Scene) {
    scene.restock("tea", 5).await;
    scene.paid("o-1").await;
    tell(&scene, "warehouse", &["pick"]).await;
    tell(&scene, "carrier", &["cancel"]).await;
    scene.ship(STAFF, "o-1").await.is(202);
    scene.until("/shipments/parked", |parked| parked[0].is_object()).await;
    // The services begin anew with the shop that plays them.
    let scene = scene.restart().await;
    scene.paid("o-2").await;
    scene.ship(STAFF, "o-2").await.is(202);
    let page = scene.becomes("o-2", "shipped").await;
    let retry = Answer::of(scene.ask(Method::POST, "/shipments/o-1.1/retry", STAFF)).await;
    assert_eq!(retry.is(200).body, json!({ "parked": false }));
    assert_eq!(jobs(&scene, "carrier").await, json!([page["tracking"]]));
}

async fn who_decides_on_a_shipment_is_kept(scene: Scene) {
    scene.restock("tea", 5).await;
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    for order in ["o-1", "o-2"] {
        scene.paid(order).await;
        tell(&scene, "warehouse", &["pick"]).await;
        tell(&scene, "carrier", &["cancel"]).await;
        scene.ship(STAFF, order).await.is(202);
        scene.until("/shipments/parked", |parked| parked[0].is_object()).await;
        tell(&scene, "carrier", &[]).await;
        let how = if order == "o-1" { "retry" } else { "drop" };
        let path = format!("/shipments/{order}.1/{how}");
        Answer::of(scene.ask(Method::POST, &path, ADA)).await.refused(403, "forbidden");
        let decide = scene.ask(Method::POST, &path, STAFF);
        let decide = decide.header("Correlation-Id", "c-9").header("traceparent", trace);
        assert_eq!(Answer::of(decide).await.is(200).body, json!({ "parked": false }));
        let log = scene.stream(&format!("annals/saga/delivery-{order}.1")).await;
        let metadata = &log.last().expect("it has ended").metadata;
        assert_eq!(metadata.user.as_deref(), Some("staff"), "{how}");
        assert_eq!(metadata.correlation_id.as_deref(), Some("c-9"), "{how}");
        assert_eq!(metadata.headers.get("traceparent").map(String::as_str), Some(trace), "{how}");
        // Its order may be shipped again.
        scene.until(&format!("/orders/{order}"), |page| page["version"] == 5).await;
        Answer::of(scene.ask(Method::POST, &path, STAFF)).await.refused(404, "not-found");
    }
    // What was dropped is not undone.
    assert_eq!(jobs(&scene, "carrier").await.as_array().map(Vec::len), Some(1));
}

/// Nobody waits at the desk while a service outside takes its time.
async fn a_retry_that_takes_long_is_answered_before_it_ends(scene: Scene) {
    let scene = scene.restart_with(|settings| settings.patience = Duration::from_secs(1)).await;
    scene.restock("tea", 5).await;
    scene.paid("o-1").await;
    tell(&scene, "warehouse", &["pick"]).await;
    tell(&scene, "carrier", &["cancel"]).await;
    scene.ship(STAFF, "o-1").await.is(202);
    scene.until("/shipments/parked", |parked| parked[0].is_object()).await;
    let hangs = json!({ "fails": [], "hangs": ["cancel"] });
    scene.put("/outside/carrier", STAFF, hangs).await.is(200);
    let told = Instant::now();
    let retry = Answer::of(scene.ask(Method::POST, "/shipments/o-1.1/retry", STAFF)).await;
    assert_eq!(retry.is(202).body, json!({ "parked": false }));
    assert!(told.elapsed() < Duration::from_secs(8), "{:?}", told.elapsed());
    assert!(log_of(&scene, "o-1.1").await.iter().any(|record| record.starts_with("{\"retried\"")));
}

async fn a_service_is_told_of_calls_that_it_has(scene: Scene) {
    for (service, faults, field) in [
        ("carrier", json!({ "fails": ["hand_ovr"] }), "fails"),
        ("carrier", json!({ "fails": [], "hangs": ["pick"] }), "hangs"),
        ("warehouse", json!({ "fails": ["book"] }), "fails"),
    ] {
        let told = scene.put(&format!("/outside/{service}"), STAFF, faults).await;
        assert_eq!(told.refused(400, "bad-request").body["field"], field);
    }
    let shown = scene.get("/outside/carrier", STAFF).await.is(200).body;
    assert_eq!((&shown["fails"], &shown["hangs"]), (&json!([]), &json!([])));
}
