//! Who may do and see what, and what becomes of those who try more.

use std::path::Path;

use reqwest::{Client, Method};
use serde_json::json;

use crate::program::Program;
use crate::scene::{ADA, Answer, BOB, STAFF, Scene, on_each_store};

on_each_store!(
    nobody_is_let_in_without_a_token,
    customers_see_their_own_orders_only,
    customers_change_their_own_orders_only,
    of_another_customers_order_only_its_id_is_known,
    some_things_are_for_staff,
);

async fn nobody_is_let_in_without_a_token(scene: Scene) {
    let url = format!("{}/orders/o-1", scene.url);
    let ask = |value: &str| scene.client.get(&url).header("Authorization", value);
    let mut requests =
        vec![scene.client.get(&url), ask("Bearer ada-token").header("Authorization", "x")];
    for value in
        ["", "Bearer", "Bearer ", "Bearer ada", "Bearer ada-token2", "Basic ada-token", "ada-token"]
    {
        requests.push(ask(value));
    }
    for request in requests {
        let refused = Answer::of(request).await.refused(401, "unauthenticated");
        assert_eq!(refused.header("WWW-Authenticate"), Some("Bearer"));
    }
    // Who it is comes before what it is about: nobody learns what there is.
    let body = "no json";
    let place = scene.client.put(&url).body(body);
    Answer::of(place).await.refused(401, "unauthenticated");
    // The scheme's name may be written as anybody likes.
    Answer::of(ask("bearer ada-token")).await.refused(404, "not-found");
}

async fn customers_see_their_own_orders_only(scene: Scene) {
    let placed = scene.place(ADA, "o-1", 1).await.is(202);
    let after = format!("?after={}", placed.token());
    scene.get(&format!("/orders/o-1{after}"), ADA).await.is(200);
    scene.get("/orders/o-1", STAFF).await.is(200);
    scene.get("/customers/ada/orders", STAFF).await.is(200);

    // Another's order looks as one that is not there: to whoever guesses ids, to whoever has got hold of a token.
    let unknown = scene.get("/orders/o-2", BOB).await.refused(404, "not-found");
    for path in ["/orders/o-1".to_owned(), format!("/orders/o-1{after}")] {
        let others = scene.get(&path, BOB).await.refused(404, "not-found");
        assert_eq!(others.body, unknown.body);
    }
    scene.get(&format!("/customers/ada/orders{after}"), BOB).await.refused(403, "forbidden");
    scene.get("/customers/ADA/orders", ADA).await.refused(403, "forbidden");
    scene.get("/customers/nobody/orders", BOB).await.refused(403, "forbidden");
    let behind = async |order: &str| {
        let path = format!("/customers/bob/orders{after}&behind={order}");
        scene.get(&path, BOB).await.refused(400, "bad-request").body
    };
    assert_eq!(behind("o-1").await, behind("o-2").await);
    // What the path says is one name, however it is written.
    scene.get("/customers/bob%2F..%2Fada/orders", BOB).await.refused(400, "bad-request");
    scene.get("/customers/bob/orders?customer=ada", BOB).await.refused(400, "bad-request");
    // One token is another's as well: it opens nothing.
    let own = scene.place(BOB, "o-3", 1).await.is(202);
    scene.get(&format!("/orders/o-3?after={}", own.token()), BOB).await.is(200);
    scene.get(&format!("/orders/o-3?after={}", placed.token()), BOB).await.is(200);
    let path = format!("/orders/o-1?after={}", own.token());
    scene.get(&path, BOB).await.refused(404, "not-found");
}

async fn customers_change_their_own_orders_only(scene: Scene) {
    scene.place(ADA, "o-1", 1).await.is(202);
    let unknown = scene.cancel(BOB, "o-2").await.refused(404, "not-found");
    for refused in [scene.cancel(BOB, "o-1").await, scene.pay(BOB, "o-1", "card-1").await] {
        assert_eq!(refused.refused(404, "not-found").body, unknown.body);
    }
    // Not under a key that the owner has used, either.
    let pay = json!({ "card": "card-1" });
    let keyed = |token| {
        let pay = scene.ask(Method::POST, "/orders/o-1/payment", token).json(&pay);
        Answer::of(pay.header("Idempotency-Key", "k-1"))
    };
    keyed(ADA).await.is(202);
    keyed(BOB).await.refused(404, "not-found");

    let for_ada = json!({ "product": "tea", "quantity": 1, "customer": "ada" });
    scene.put("/orders/o-2", BOB, for_ada.clone()).await.refused(403, "forbidden");
    scene.put("/orders/o-2", STAFF, for_ada).await.is(202);
    scene.cancel(STAFF, "o-2").await.is(202);
    let of_nobody = json!({ "product": "tea", "quantity": 1, "customer": "eve" });
    let refused = scene.put("/orders/o-3", STAFF, of_nobody).await.refused(422, "broken-rule");
    assert_eq!(refused.body["rule"], "unknown-customer");
    assert_eq!(scene.stream("order-o-3").await.len(), 0);
}

/// Ids are shared by all customers: that one is taken cannot be hidden from whoever wants it, and nothing else is told.
async fn of_another_customers_order_only_its_id_is_known(scene: Scene) {
    let body = json!({ "product": "tea", "quantity": 1 });
    let place = |token: &str, headers: &[(&str, &str)]| {
        let request = scene.ask(Method::PUT, "/orders/o-1", token).json(&body);
        Answer::of(
            headers.iter().fold(request, |request, (name, value)| request.header(*name, *value)),
        )
    };
    place(ADA, &[("Idempotency-Key", "k-1")]).await.is(202);
    let plain = place(BOB, &[]).await.refused(409, "already-exists");
    for member in ["expected_version", "actual_version"] {
        assert!(plain.body.get(member).is_none(), "{:#}", plain.body);
    }
    assert!(!plain.body.to_string().contains("ada"), "{:#}", plain.body);
    for headers in [
        &[("Expected-Version", "99")][..],
        &[("Expected-Version", "1")],
        &[("Expected-Version", "0")],
        &[("Idempotency-Key", "k-1")],
        &[("Idempotency-Key", "k-2")],
        &[("Idempotency-Key", "k-1"), ("Expected-Version", "99")],
    ] {
        let refused = place(BOB, headers).await.refused(409, "already-exists");
        assert_eq!(refused.body, plain.body, "{headers:?}");
    }
    // What would have been refused otherwise is refused in the same way.
    let nothing = scene.place(BOB, "o-1", 0).await.refused(409, "already-exists");
    assert_eq!(nothing.body, plain.body);
    // Of what they may see, they are told all.
    for (token, customer) in [(ADA, "ada"), (STAFF, "bob")] {
        let body = json!({ "product": "tea", "quantity": 1, "customer": customer });
        let request = scene.ask(Method::PUT, "/orders/o-1", token).json(&body);
        let request = request.header("Expected-Version", "99");
        let conflict = Answer::of(request).await.refused(409, "conflict").body;
        assert_eq!(
            (&conflict["expected_version"], &conflict["actual_version"]),
            (&json!(99), &json!(1))
        );
    }
    assert_eq!(scene.stream("order-o-1").await.len(), 1);
}

async fn some_things_are_for_staff(scene: Scene) {
    scene.place(ADA, "o-1", 1).await.is(202);
    scene.ship(ADA, "o-1").await.refused(403, "forbidden");
    let delivery = json!({ "quantity": 5 });
    let path = "/stock/tea/deliveries";
    scene.post(path, ADA, delivery).await.refused(403, "forbidden");
    scene.get("/revenue", ADA).await.refused(403, "forbidden");
    let fails = json!({ "fails": ["book"] });
    scene.put("/outside/carrier", ADA, fails.clone()).await.refused(403, "forbidden");
    scene.put("/outside/carriers", STAFF, fails.clone()).await.refused(404, "not-found");
    scene.put("/outside/carrier", STAFF, fails).await.is(200);
    scene.get("/outside/carrier", ADA).await.refused(403, "forbidden");
    scene.get("/shipments/parked", ADA).await.refused(403, "forbidden");
    scene.get("/stock", ADA).await.is(200);
}

/// Whom the file names that the program was given, and nobody else.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_program_knows_whom_its_file_names() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("users-of-a-program");
    std::fs::create_dir_all(&folder).expect("a folder");
    let file = folder.join("users.json");
    // Of `eve-secret`.
    let digest = "9bb1d11a48848bb9729b660525e7a72bbe1167644b65c5e69302b02e37d0869a";
    let users = json!([{ "name": "eve", "role": "customer", "token_sha256": digest }]);
    std::fs::write(&file, users.to_string()).expect("it is written");
    let file = file.to_str().expect("a path of text");
    let program = Program::run_with(None, &folder, &["--users", file]);
    let ask = |customer: &str, token: &str| {
        let url = format!("{}/customers/{customer}/orders", program.url);
        Answer::of(Client::new().get(url).bearer_auth(token))
    };
    assert_eq!(ask("eve", "eve-secret").await.is(200).body, json!([]));
    ask("ada", "eve-secret").await.refused(403, "forbidden");
    for token in [ADA, STAFF, "eve-token", digest] {
        ask("eve", token).await.refused(401, "unauthenticated");
    }
}
