//! What commands take beside their content: a key, a correlation, a trace, a version.

use reqwest::Method;
use serde_json::{Value, json};

use crate::scene::{ADA, Answer, STAFF, Scene, on_each_store};

on_each_store!(
    a_command_is_done_once_under_its_key,
    a_key_is_of_one_command,
    a_conflict_names_both_versions,
    correlation_and_trace_stay_with_all_that_follows,
);

async fn with(scene: &Scene, name: &str, value: &str, path: &str, body: &Value) -> Answer {
    let method = if path.ends_with("/payment") { Method::POST } else { Method::PUT };
    Answer::of(scene.ask(method, path, ADA).header(name, value).json(body)).await
}

async fn a_command_is_done_once_under_its_key(scene: Scene) {
    let body = json!({ "product": "tea", "quantity": 1 });
    let first = with(&scene, "Idempotency-Key", "k-1", "/orders/o-1", &body).await.is(202);
    let again = with(&scene, "Idempotency-Key", "k-1", "/orders/o-1", &body).await.is(202);
    assert_eq!(first.body, again.body);
    assert_eq!(scene.stream("order-o-1").await.len(), 1);
    // Without a key, it is another command.
    scene.place(ADA, "o-1", 1).await.refused(409, "already-exists");
}

async fn a_key_is_of_one_command(scene: Scene) {
    let body = |quantity: u32| json!({ "product": "tea", "quantity": quantity });
    with(&scene, "Idempotency-Key", "k-1", "/orders/o-1", &body(1)).await.is(202);
    let other = with(&scene, "Idempotency-Key", "k-1", "/orders/o-1", &body(2)).await;
    other.refused(422, "key-reused");
    let pay = json!({ "card": "card-1" });
    let other = with(&scene, "Idempotency-Key", "k-1", "/orders/o-1/payment", &pay).await;
    other.refused(422, "key-reused");
    // A key belongs to what it was used on.
    with(&scene, "Idempotency-Key", "k-1", "/orders/o-2", &body(2)).await.is(202);
}

async fn a_conflict_names_both_versions(scene: Scene) {
    let place = json!({ "product": "tea", "quantity": 1 });
    with(&scene, "Expected-Version", "0", "/orders/o-1", &place).await.is(202);
    let pay = json!({ "card": "card-1" });
    let conflict = with(&scene, "Expected-Version", "7", "/orders/o-1/payment", &pay).await;
    let conflict = conflict.refused(409, "conflict");
    assert_eq!(conflict.body["expected_version"], 7);
    assert_eq!(conflict.body["actual_version"], 1);
    assert_eq!(scene.stream("order-o-1").await.len(), 1);
    with(&scene, "Expected-Version", "1", "/orders/o-1/payment", &pay).await.is(202);
    let conflict = with(&scene, "Expected-Version", "0", "/orders/o-1", &place).await;
    assert_eq!(conflict.refused(409, "conflict").body["expected_version"], 0);
    // On a version that it has, it is there all the same.
    let version = scene.stream("order-o-1").await.len().to_string();
    let exists = with(&scene, "Expected-Version", &version, "/orders/o-1", &place).await;
    let expected = exists.body["expected_version"].as_u64();
    assert_eq!(expected.map(|expected| expected.to_string()), Some(version), "{:#}", exists.body);
    // Placed without a version, an order expects that there is none.
    for token in [ADA, STAFF] {
        let body = json!({ "product": "tea", "quantity": 1, "customer": "ada" });
        let exists = scene.put("/orders/o-1", token, body).await.refused(409, "already-exists");
        assert_eq!(exists.body["expected_version"], 0);
        assert!(exists.body["actual_version"].as_u64() >= Some(2), "{:#}", exists.body);
    }
}

async fn correlation_and_trace_stay_with_all_that_follows(scene: Scene) {
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    scene.restock("tea", 5).await;
    scene.place(ADA, "o-1", 2).await.is(202);
    let pay = scene.ask(Method::POST, "/orders/o-1/payment", ADA).json(&json!({ "card": "c" }));
    let paid = Answer::of(pay.header("Correlation-Id", "c-1").header("traceparent", trace)).await;
    assert_eq!(paid.is(202).header("Correlation-Id"), Some("c-1"));
    scene.becomes("o-1", "paid").await;

    let order = scene.stream("order-o-1").await;
    let mut followed = vec![&order[1], &order[2]];
    let (stock, payment) = (scene.stream("stock-tea").await, scene.stream("payment-o-1").await);
    followed.extend([&stock[1], &payment[0]]);
    for event in followed {
        let metadata = &event.metadata;
        assert_eq!(metadata.correlation_id.as_deref(), Some("c-1"), "{}", event.event_type);
        assert_eq!(metadata.user.as_deref(), Some("ada"), "{}", event.event_type);
        let kept = metadata.headers.get("traceparent").map(String::as_str);
        assert_eq!(kept, Some(trace), "{}", event.event_type);
    }
    // A shipping is a saga: what has it begun, its log bears, and what follows from its end.
    let ship = scene.ask(Method::POST, "/orders/o-1/shipment", STAFF);
    let ship = ship.header("Correlation-Id", "c-2").header("traceparent", trace);
    Answer::of(ship).await.is(202);
    scene.becomes("o-1", "shipped").await;
    let (saga, order) =
        (scene.stream("annals/saga/delivery-o-1.1").await, scene.stream("order-o-1").await);
    assert!(saga.len() > 6, "{saga:#?}");
    for event in saga.iter().chain(&order[3..]) {
        let metadata = &event.metadata;
        assert_eq!(metadata.correlation_id.as_deref(), Some("c-2"), "{}", event.event_type);
        assert_eq!(metadata.user.as_deref(), Some("staff"), "{}", event.event_type);
        let kept = metadata.headers.get("traceparent").map(String::as_str);
        assert_eq!(kept, Some(trace), "{}", event.event_type);
    }
    let id = |event: &annals::RecordedEvent| Some(event.id.to_string());
    let (ended, begun) = (saga.last().expect("it has ended"), &order[3]);
    assert_eq!(saga[0].metadata.causation_id, id(begun));
    assert_eq!(order[4].metadata.command_causation_id, id(ended));
    // One that is not sent is made; a trace that cannot be read is none.
    let body = json!({ "product": "tea", "quantity": 1 });
    let placed = with(&scene, "traceparent", "of another kind", "/orders/o-2", &body).await.is(202);
    let made = placed.header("Correlation-Id").expect("a correlation");
    let event = &scene.stream("order-o-2").await[0];
    assert_eq!(event.metadata.correlation_id.as_deref(), Some(made));
    assert!(event.metadata.headers.is_empty());
}
