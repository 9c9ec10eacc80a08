//! What becomes of an order: it is paid, declined, cancelled, refunded.

use reqwest::Method;
use serde_json::{Value, json};

use crate::scene::{ADA, Answer, STAFF, Scene, on_each_store};

on_each_store!(
    an_order_is_placed_paid_and_shipped,
    a_declined_card_cancels_the_order,
    a_paid_order_that_is_cancelled_is_refunded,
    an_order_of_more_than_there_is_is_cancelled,
    a_customer_sees_all_orders_page_by_page,
    mails_are_sent_once,
    what_was_written_can_be_read_at_once,
);

async fn stock(scene: &Scene) -> Value {
    scene.get("/stock", ADA).await.is(200).body
}

async fn an_order_is_placed_paid_and_shipped(scene: Scene) {
    let restocked = scene.restock("tea", 5).await;
    let members: Vec<_> = restocked.body.as_object().expect("an object").keys().collect();
    assert_eq!(members, ["stream", "token", "version"]);
    assert_eq!(restocked.body["stream"], "stock-tea");

    let placed = scene.place(ADA, "o-1", 2).await.is(202);
    assert_eq!((&placed.body["stream"], &placed.body["version"]), (&json!("order-o-1"), &json!(1)));
    let page = scene.get(&format!("/orders/o-1?after={}", placed.token()), ADA).await.is(200).body;
    assert_eq!(page["status"], "placed");
    assert_eq!((&page["customer"], &page["cents"]), (&json!("ada"), &json!(900)));

    scene.pay(ADA, "o-1", "card-1").await.is(202);
    scene.becomes("o-1", "paid").await;
    let level = json!([{ "product": "tea", "available": 3, "taken": 2 }]);
    scene.until("/stock", |stock| *stock == level).await;
    let charged = |revenue: &Value| revenue[0]["charged_cents"] == 900;
    let revenue = scene.until("/revenue", charged).await;
    assert_eq!((&revenue[0]["payments"], &revenue[0]["refunded_cents"]), (&json!(1), &json!(0)));
    let day = revenue[0]["day"].as_str().expect("a day");
    let of = async |question: &str| scene.get(&format!("/revenue?{question}"), STAFF).await.body;
    assert_eq!(of(&format!("from={day}&to={day}")).await, revenue);
    assert_eq!(of("from=2999-01-01").await, json!([]));
    assert_eq!(of("to=1999-01-01").await, json!([]));

    scene.ship(STAFF, "o-1").await.is(202);
    let page = scene.becomes("o-1", "shipped").await;
    let parcel = page["tracking"].as_str().expect("a parcel");
    let history: Vec<_> = page["history"].as_array().expect("a list").iter().collect();
    let said: Vec<_> = history.iter().map(|entry| entry["what"].as_str().expect("words")).collect();
    assert_eq!(said, ["placed", "confirmed", "paid", "shipping, attempt 1", "shipped"]);
    assert_eq!(page["version"], 5);

    let mails = scene.mailed(2).await;
    assert_eq!(mails[0], format!("To: ada\n\nOrder o-1 is on its way: parcel {parcel}.\n"));
    assert_eq!(mails[1], "To: ada\n\nOrder o-1 is paid.\n");
    let late = scene.cancel(ADA, "o-1").await.refused(422, "broken-rule");
    assert_eq!(late.body["rule"], "not-now");
}

async fn a_declined_card_cancels_the_order(scene: Scene) {
    scene.restock("tea", 5).await;
    scene.place(ADA, "o-1", 2).await.is(202);
    scene.pay(ADA, "o-1", "declined-1").await.is(202);
    let page = scene.becomes("o-1", "cancelled").await;
    assert_eq!(page["history"][2]["what"], "cancelled: payment declined");
    assert_eq!(page["refunded"], false);
    let level = json!([{ "product": "tea", "available": 5, "taken": 0 }]);
    // Nothing was taken, or it was given back: the reservation shows in the stream.
    scene.until("/stock", |stock| *stock == level).await;
    assert_eq!(scene.stream("stock-tea").await.len(), 3);
    assert_eq!(scene.get("/revenue", STAFF).await.is(200).body, json!([]));
    let mails = scene.mailed(1).await;
    assert_eq!(mails[0], "To: ada\n\nOrder o-1 is cancelled: payment declined.\n");
}

async fn a_paid_order_that_is_cancelled_is_refunded(scene: Scene) {
    scene.restock("tea", 5).await;
    scene.paid("o-1").await;
    scene.cancel(ADA, "o-1").await.is(202);
    let page = scene.until("/orders/o-1", |page| page["refunded"] == true).await;
    assert_eq!(page["status"], "cancelled");
    let refunded = |revenue: &Value| revenue[0]["refunded_cents"] == 900;
    let revenue = scene.until("/revenue", refunded).await;
    assert_eq!(revenue[0]["charged_cents"], 900);
    let level = json!([{ "product": "tea", "available": 5, "taken": 0 }]);
    scene.until("/stock", |stock| *stock == level).await;
    let refused = scene.ship(STAFF, "o-1").await.refused(422, "broken-rule");
    assert_eq!(refused.body["rule"], "not-now");
    assert_eq!(refused.body["detail"], "an order that is cancelled cannot be shipped");
    // Cancelling twice changes nothing, and is no error.
    let again = scene.cancel(ADA, "o-1").await.is(202);
    assert_eq!(again.body["version"], 4);
}

async fn an_order_of_more_than_there_is_is_cancelled(scene: Scene) {
    scene.restock("tea", 1).await;
    scene.place(ADA, "o-1", 2).await.is(202);
    scene.pay(ADA, "o-1", "card-1").await.is(202);
    let page = scene.becomes("o-1", "cancelled").await;
    assert_eq!(page["history"][2]["what"], "cancelled: only 1 left");
    // Of a product that never was in stock, too.
    let mug = json!({ "product": "mug", "quantity": 1 });
    scene.put("/orders/o-2", ADA, mug).await.is(202);
    scene.pay(ADA, "o-2", "card-1").await.is(202);
    scene.becomes("o-2", "cancelled").await;
    assert_eq!(stock(&scene).await, json!([{ "product": "tea", "available": 1, "taken": 0 }]));
}

async fn a_customer_sees_all_orders_page_by_page(scene: Scene) {
    let mut token = String::new();
    for order in 1..=5 {
        let placed = scene.place(ADA, &format!("o-{order}"), 1).await.is(202);
        placed.token().clone_into(&mut token);
    }
    let page = async |question: &str| {
        let path = format!("/customers/ada/orders?after={token}&limit=2{question}");
        let orders = scene.get(&path, ADA).await.is(200).body;
        let orders = orders.as_array().expect("a list").iter();
        let orders: Vec<_> =
            orders.map(|order| order["order"].as_str().expect("an id").to_owned()).collect();
        orders
    };
    assert_eq!(page("").await, ["o-5", "o-4"]);
    assert_eq!(page("&behind=o-4").await, ["o-3", "o-2"]);
    assert_eq!(page("&behind=o-2").await, ["o-1"]);
    assert_eq!(page("&behind=o-1").await, [""; 0]);
}

async fn mails_are_sent_once(scene: Scene) {
    scene.restock("tea", 50).await;
    for order in 1..=5 {
        scene.paid(&format!("o-{order}")).await;
    }
    scene.mailed(5).await;
    // Under one key, an order is not paid twice, and not mailed twice.
    let place = json!({ "product": "tea", "quantity": 1 });
    let pay = json!({ "card": "card-1" });
    for _ in 0..3 {
        for (method, path, key, body) in [
            (Method::PUT, "/orders/o-6", "k-1", &place),
            (Method::POST, "/orders/o-6/payment", "k-2", &pay),
        ] {
            let request = scene.ask(method, path, ADA).header("Idempotency-Key", key).json(body);
            Answer::of(request).await.is(202);
        }
    }
    scene.becomes("o-6", "paid").await;
    scene.mailed(6).await;
    // An engine that begins anew does not begin at the beginning.
    let scene = scene.restart().await;
    scene.paid("o-7").await;
    scene.mailed(7).await;
}

async fn what_was_written_can_be_read_at_once(scene: Scene) {
    for order in 0..20 {
        let order = format!("o-{order}");
        let placed = scene.place(ADA, &order, 1).await.is(202);
        let path = format!("/orders/{order}?after={}", placed.token());
        scene.get(&path, ADA).await.is(200);
        let path = format!("/customers/ada/orders?after={}&limit=1", placed.token());
        assert_eq!(scene.get(&path, ADA).await.is(200).body[0]["order"], order);
    }
}
