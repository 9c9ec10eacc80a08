//! What is wrong with a request, as a document says it.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use annals::stream::StreamHead;
use annals::{Position, Receipt, StreamId, Timestamp};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::scene::{ADA, Answer, STAFF, Scene, on_each_store};

on_each_store!(
    a_body_that_cannot_be_read_names_the_field,
    a_body_of_another_kind_or_size_is_refused,
    a_broken_rule_is_named,
    what_nobody_can_read_is_no_card_and_no_reason,
    each_answer_names_its_correlation,
    what_is_not_there_is_said_so,
    headers_and_questions_that_cannot_be_read_are_refused,
    a_question_that_nobody_takes_is_refused,
    lists_come_in_pages,
    a_token_that_nobody_has_answered_is_refused_at_once,
);

async fn what_nobody_can_read_is_no_card_and_no_reason(scene: Scene) {
    scene.place(ADA, "o-1", 1).await.is(202);
    let long = "x".repeat(501);
    for text in ["", "  ", "a\u{0}b", "line\nline", "\u{1b}[31m", &long] {
        let paid = scene.pay(ADA, "o-1", text).await.refused(422, "broken-rule");
        assert_eq!(paid.body["rule"], "text", "{text:?}");
        let body = json!({ "reason": text });
        let cancelled = scene.post("/orders/o-1/cancellation", ADA, body).await;
        assert_eq!(cancelled.refused(422, "broken-rule").body["rule"], "text", "{text:?}");
    }
    scene.pay(ADA, "o-1", "Karte \u{e4} 1").await.is(202);
}

async fn each_answer_names_its_correlation(scene: Scene) {
    let ask = |path: &str, token: &str| {
        Answer::of(scene.ask(Method::GET, path, token).header("Correlation-Id", "request-7"))
    };
    for (path, token, status) in [
        ("/orders/o-1", ADA, 404),
        ("/orders/o-1", "nobody", 401),
        ("/revenue", ADA, 403),
        ("/nowhere", ADA, 404),
        ("/stock?after=x", STAFF, 400),
        ("/stock", STAFF, 200),
    ] {
        let answer = ask(path, token).await.is(status);
        assert_eq!(answer.header("correlation-id"), Some("request-7"), "{path}");
    }
    let refused = scene.place(ADA, "o-1", 0).await.refused(422, "broken-rule");
    let made = refused.header("correlation-id").expect("one is made");
    assert_eq!(made.len(), 36, "{made}");
    let long = "x".repeat(200);
    let request = scene.ask(Method::GET, "/stock", STAFF).header("Correlation-Id", long);
    assert_eq!(Answer::of(request).await.header("correlation-id").map(str::len), Some(36));
}

async fn sent(scene: &Scene, media_type: &str, body: impl Into<reqwest::Body>) -> Answer {
    let request = scene.ask(Method::PUT, "/orders/o-1", ADA).header("Content-Type", media_type);
    Answer::of(request.body(body)).await
}

async fn a_body_that_cannot_be_read_names_the_field(scene: Scene) {
    for (body, field, detail) in [
        (json!({ "product": "tea", "quantity": "two" }), json!("quantity"), "invalid type: string"),
        (json!({ "product": "tea", "quantity": -1 }), json!("quantity"), "invalid value"),
        (json!({ "product": 7, "quantity": 1 }), json!("product"), "invalid type: integer"),
        (json!({ "product": "tea" }), json!("quantity"), "missing field `quantity`"),
        (json!({}), json!("product"), "missing field `product`"),
        (json!({ "product": "tea", "qty": 1 }), json!("qty"), "unknown field `qty`"),
        (json!(["tea", 2, null]), Value::Null, "the body is a list"),
        (json!("tea"), Value::Null, "invalid type"),
    ] {
        let refused = sent(&scene, "application/json", body.to_string()).await;
        let refused = refused.refused(400, "bad-request").body;
        assert_eq!(refused["field"], field, "{refused:#}");
        let said = refused["detail"].as_str().expect("words");
        assert!(said.contains(detail), "{said}");
    }
    let twice = r#"{"product": "tea", "quantity": 1, "quantity": 2}"#;
    let refused = sent(&scene, "application/json", twice).await.refused(400, "bad-request");
    assert_eq!(refused.body["field"], "quantity", "{:#}", refused.body);
    for broken in ["", "{", "no json", r#"{"product": "tea", "quantity": 1} x"#, "\u{feff}{}"] {
        sent(&scene, "application/json", broken).await.refused(400, "bad-request");
    }
    sent(&scene, "application/json", b"{\"product\": \"\xff\"}".to_vec())
        .await
        .refused(400, "bad-request");
    assert_eq!(scene.stream("order-o-1").await.len(), 0);
    sent(&scene, "Application/JSON; charset=utf-8", r#"{"product": "tea", "quantity": 1}"#)
        .await
        .is(202);
}

async fn a_body_of_another_kind_or_size_is_refused(scene: Scene) {
    let body = r#"{"product": "tea", "quantity": 1}"#;
    for media_type in ["text/plain", "application/x-www-form-urlencoded", "application/jsonp", ""] {
        sent(&scene, media_type, body).await.refused(415, "unsupported-media-type");
    }
    let request = scene.ask(Method::PUT, "/orders/o-1", ADA).body(body);
    Answer::of(request).await.refused(415, "unsupported-media-type");

    let large = json!({ "product": "x".repeat(16 * 1024), "quantity": 1 }).to_string();
    sent(&scene, "application/json", large).await.refused(413, "too-large");
    assert!(chunked(&scene, 5).await.starts_with("HTTP/1.1 413 "));
    assert!(chunked(&scene, 1).await.starts_with("HTTP/1.1 422 "));
    let long = json!({ "product": "x".repeat(16 * 1024 - 100), "quantity": 1 }).to_string();
    let refused = sent(&scene, "application/json", long).await.refused(422, "broken-rule");
    assert_eq!(refused.body["rule"], "unknown-product");
}

/// Sends a body whose length nobody has said before: so many chunks of 4,000 bytes of a product's name. Gives the answer.
async fn chunked(scene: &Scene, chunks: usize) -> String {
    let address = scene.url.strip_prefix("http://").expect("an address");
    let mut stream = TcpStream::connect(address).await.expect("it listens");
    let mut request = format!(
        "PUT /orders/o-1 HTTP/1.1\r\nHost: shop\r\nAuthorization: Bearer {ADA}\r\n\
         Content-Type: application/json\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    );
    let name = "x".repeat(4_000);
    let parts = std::iter::once(r#"{"quantity": 1, "product": ""#)
        .chain(std::iter::repeat_n(&*name, chunks))
        .chain([r#""}"#, ""]);
    for part in parts {
        write!(request, "{:x}\r\n{part}\r\n", part.len()).expect("it fits");
    }
    stream.write_all(request.as_bytes()).await.expect("it listens");
    let mut answer = Vec::new();
    // What is refused is not read to its end, so that the connection may be reset behind the answer.
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

async fn a_broken_rule_is_named(scene: Scene) {
    let place = |product: &str, quantity: u32| {
        let body = json!({ "product": product, "quantity": quantity });
        scene.put("/orders/o-1", ADA, body)
    };
    for (answer, rule, detail) in [
        (place("tea", 0).await, "quantity", "an order is of 1 to 1000 pieces, not of 0"),
        (place("tea", 1_001).await, "quantity", "an order is of 1 to 1000 pieces, not of 1001"),
        (place("gin", 1).await, "unknown-product", "the shop does not sell `gin`"),
    ] {
        let refused = answer.refused(422, "broken-rule").body;
        assert_eq!((&refused["rule"], &refused["detail"]), (&json!(rule), &json!(detail)));
    }
    let gin = scene.post("/stock/gin/deliveries", STAFF, json!({ "quantity": 1 })).await;
    assert_eq!(gin.refused(422, "broken-rule").body["rule"], "unknown-product");
    let nothing = scene.post("/stock/tea/deliveries", STAFF, json!({ "quantity": 0 })).await;
    assert_eq!(nothing.refused(422, "broken-rule").body["rule"], "quantity");
    scene.place(ADA, "o-1", 1).await.is(202);
    let early = scene.ship(STAFF, "o-1").await.refused(422, "broken-rule");
    assert_eq!(early.body["detail"], "an order that is placed cannot be shipped");
}

async fn what_is_not_there_is_said_so(scene: Scene) {
    scene.get("/order/o-1", ADA).await.refused(404, "not-found");
    scene.get("/orders/o-1", STAFF).await.refused(404, "not-found");
    for question in ["", "?behind=o-1"] {
        let path = format!("/customers/nobody/orders{question}");
        scene.get(&path, STAFF).await.refused(404, "not-found");
    }
    scene.get("/customers/staff/orders", STAFF).await.refused(404, "not-found");
    // One who has ordered nothing yet is there.
    assert_eq!(scene.get("/customers/bob/orders", STAFF).await.is(200).body, json!([]));
    scene.ship(STAFF, "o-1").await.refused(404, "not-found");
    scene.cancel(ADA, "o-1").await.refused(404, "not-found");
    let delete = scene.ask(Method::DELETE, "/orders/o-1", ADA);
    let refused = Answer::of(delete).await.refused(405, "method-not-allowed");
    assert!(refused.headers.contains_key("allow"));
    for path in ["/orders/o%2F1", "/orders/o%00", "/orders/%ff", "/orders/%F0%9F%8D%B5"] {
        scene.get(path, ADA).await.refused(400, "bad-request");
    }
    let long = format!("/orders/{}", "o".repeat(129));
    scene.get(&long, ADA).await.refused(400, "bad-request");
    scene.get(&long[..long.len() - 1], ADA).await.refused(404, "not-found");
}

async fn headers_and_questions_that_cannot_be_read_are_refused(scene: Scene) {
    let body = json!({ "product": "tea", "quantity": 1 });
    for (name, value) in [
        ("Expected-Version", "one"),
        ("Expected-Version", "-1"),
        ("Idempotency-Key", ""),
        ("Correlation-Id", "\u{e9}"),
    ] {
        let request = scene.ask(Method::PUT, "/orders/o-1", ADA).header(name, value).json(&body);
        let refused = Answer::of(request).await.refused(400, "bad-request").body;
        assert!(refused["detail"].as_str().expect("words").contains(name), "{refused:#}");
    }
    let long = "k".repeat(129);
    let twice = scene.ask(Method::PUT, "/orders/o-1", ADA).json(&body);
    let twice = twice.header("Idempotency-Key", "k-1").header("Idempotency-Key", "k-2");
    let long =
        scene.ask(Method::PUT, "/orders/o-1", ADA).json(&body).header("Idempotency-Key", long);
    for request in [twice, long] {
        Answer::of(request).await.refused(400, "bad-request");
    }
    assert_eq!(scene.stream("order-o-1").await.len(), 0);
    for question in ["after=x", "after=e30", "limit=many", "limit=-1", "behind=%00"] {
        let path = format!("/customers/ada/orders?{question}");
        scene.get(&path, ADA).await.refused(400, "bad-request");
    }
}

/// A question that is misspelt is not answered as if it had not been asked.
async fn a_question_that_nobody_takes_is_refused(scene: Scene) {
    scene.place(ADA, "o-1", 1).await.is(202);
    for (path, field) in [
        ("/customers/ada/orders?limt=1", "limt"),
        ("/stock?from=2026-03-01", "from"),
        ("/orders/o-1?limit=1", "limit"),
        ("/revenue?from=yesterday", "from"),
        ("/revenue?to=2026-02-30", "to"),
        ("/revenue?behind=2026-03-1", "behind"),
        ("/customers/ada/orders?behind=o-2", "behind"),
        ("/customers/ada/orders?behind=o%20", "behind"),
        ("/stock?behind=t%20", "behind"),
    ] {
        let refused = scene.get(path, STAFF).await.refused(400, "bad-request");
        assert_eq!(refused.body["field"], field, "{path}: {:#}", refused.body);
    }
    scene.get("/revenue?from=2026-03-01&to=2026-03-01&limit=1", STAFF).await.is(200);
}

async fn lists_come_in_pages(scene: Scene) {
    let mut token = String::new();
    for product in ["tea", "mug", "coffee"] {
        scene.restock(product, 1).await.token().clone_into(&mut token);
    }
    let page = async |question: &str| {
        let page = scene.get(&format!("/stock?after={token}{question}"), ADA).await.is(200).body;
        let products = page.as_array().expect("a list").iter().map(|row| row["product"].clone());
        Value::from(products.collect::<Vec<_>>())
    };
    assert_eq!(page("").await, json!(["coffee", "mug", "tea"]));
    assert_eq!(page("&limit=2").await, json!(["coffee", "mug"]));
    assert_eq!(page("&limit=2&behind=mug").await, json!(["tea"]));
    scene.restock("tea", 5).await;
    scene.paid("o-1").await;
    let days = scene.until("/revenue", |days| days[0].is_object()).await;
    let day = days[0]["day"].as_str().expect("a day");
    let behind = scene.get(&format!("/revenue?behind={day}"), STAFF).await.is(200);
    assert_eq!(behind.body, json!([]));
}

/// A read waits for what its token names: one that nobody has answered is told so at once.
async fn a_token_that_nobody_has_answered_is_refused_at_once(scene: Scene) {
    let placed = scene.place(ADA, "o-1", 1).await.is(202);
    let token = placed.token().to_owned();
    // Of what is not stored, as somebody would write it who has seen what is in a token.
    let head = StreamHead::new(9, Position::from(1_000_000), Timestamp::from_micros(0));
    let receipt = Receipt::new(StreamId::from_name("order-o-1"), head, 1);
    let content = serde_json::to_vec(&receipt).expect("JSON");
    let bytes = URL_SAFE_NO_PAD.decode(&token).expect("it is of letters");
    let sealed = |seal: &[u8]| URL_SAFE_NO_PAD.encode([seal, &content].concat());
    // Another shop's, too.
    let other = Scene::in_memory().await.place(ADA, "o-1", 1).await.is(202);
    let forged = [
        URL_SAFE_NO_PAD.encode(&content),
        sealed(&[0; 16]),
        sealed(&bytes[..16]),
        token[..token.len() - 1].to_owned(),
        token[..8].to_owned(),
        other.token().to_owned(),
        String::new(),
    ];
    let began = Instant::now();
    for (path, token_of) in
        [("/orders/o-1", ADA), ("/customers/ada/orders", ADA), ("/stock", ADA), ("/revenue", STAFF)]
    {
        for token in &forged {
            let refused = scene.get(&format!("{path}?after={token}"), token_of).await;
            let refused = refused.refused(400, "bad-request").body;
            assert_eq!(refused["detail"], "`after` is no token that a command has answered");
        }
        scene.get(&format!("{path}?after={token}"), token_of).await.is(200);
    }
    // Less than one read's patience.
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}
