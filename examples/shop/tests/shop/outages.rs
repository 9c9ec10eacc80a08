//! What clients are told when the store is away, or nobody knows what it did.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use annals::prelude::*;
use annals::{
    Append, LeaseHolder, LogPage, Page, ReadStream, StoreError, UnitOfWork, UnitOfWorkStore,
    WriteError,
};
use annals_testing::conformance::faulty::{Fault, Faulty};
use reqwest::Method;
use serde_json::{Value, json};

use crate::scene::{ADA, Answer, BOB, STAFF, Scene, eventually};

/// The log of the first shipment of `o-1`.
const SHIPMENT: &str = "annals/saga/delivery-o-1.1";

/// What becomes of the appends of callers, and of reads.
#[derive(Debug, Clone, Default)]
struct Outage(Arc<AtomicU8>);

const AWAY: u8 = 1;
const LOST: u8 = 2;
const BROKEN: u8 = 3;
const LATE: u8 = 4;
const RACED: u8 = 5;
const SILENT: u8 = 6;
const UNREAD: u8 = 7;
const UNWRITTEN: u8 = 8;

impl Outage {
    fn is(&self, now: u8) {
        self.0.store(now, Ordering::SeqCst);
    }

    /// Waits as long as it is so.
    async fn while_it_is(&self, what: u8) {
        while self.0.load(Ordering::SeqCst) == what {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

#[async_trait]
impl<S: Sync> Fault<S> for Outage {
    async fn append(&self, store: &S, appends: Vec<Append>) -> Result<Vec<Receipt>, WriteError>
    where
        S: EventStore,
    {
        let stream_id = appends[0].stream_id.clone();
        match self.0.load(Ordering::SeqCst) {
            AWAY => Err(StoreError::unavailable("connection refused by db-7").into()),
            LOST => {
                store.append(appends).await?;
                let source = StoreError::unavailable("connection reset by db-7");
                Err(WriteError::UnknownOutcome { stream_id, source })
            }
            _ => store.append(appends).await,
        }
    }

    async fn commit(&self, store: &S, work: UnitOfWork) -> Result<Vec<Receipt>, WriteError>
    where
        S: UnitOfWorkStore,
    {
        if work.appends.iter().any(|append| append.stream_id.as_str() == SHIPMENT) {
            self.while_it_is(UNWRITTEN).await;
        }
        store.commit(work).await
    }

    async fn leases(&self, store: &S, prefix: &str) -> Result<Vec<LeaseHolder>, StoreError>
    where
        S: ReadModelStore,
    {
        match self.0.load(Ordering::SeqCst) {
            SILENT => std::future::pending().await,
            _ => store.leases(prefix).await,
        }
    }

    async fn log_page(&self, store: &S, read: &ReadAll) -> Result<LogPage, StoreError>
    where
        S: EventStore,
    {
        match self.0.load(Ordering::SeqCst) {
            LATE => Err(StoreError::unavailable("the log of db-7 is not read")),
            _ => store.log_page(read).await,
        }
    }

    async fn stream_page(&self, store: &S, read: &ReadStream) -> Result<Page, StoreError>
    where
        S: EventStore,
    {
        if read.stream_id.as_str() == SHIPMENT {
            self.while_it_is(UNREAD).await;
        }
        match self.0.load(Ordering::SeqCst) {
            BROKEN => Err(StoreError::other("a page of db-7 is broken")),
            // Whoever reads the order first finds it not there yet.
            RACED if read.stream_id.as_str() == "order-o-1" => {
                self.is(0);
                Ok(Page::default())
            }
            _ => store.stream_page(read).await,
        }
    }
}

async fn scene() -> (Scene, Outage) {
    let outage = Outage::default();
    let store = Faulty::with_units(MemoryStore::new(), outage.clone());
    let scene = Scene::on_store_with(store, |settings| {
        settings.patience = Duration::from_millis(50);
    });
    (scene.await, outage)
}

async fn place(scene: &Scene, order: &str, key: &str) -> Answer {
    let body = json!({ "product": "tea", "quantity": 1 });
    let request = scene.ask(Method::PUT, &format!("/orders/{order}"), ADA).json(&body);
    Answer::of(request.header("Idempotency-Key", key)).await
}

#[tokio::test]
async fn a_store_that_is_away_is_said_so() {
    let (scene, outage) = scene().await;
    outage.is(AWAY);
    let away = place(&scene, "o-1", "k-1").await.refused(503, "unavailable");
    assert_eq!(away.header("Retry-After"), Some("1"));
    assert!(!away.body.to_string().contains("db-7"), "{:#}", away.body);
    outage.is(0);
    place(&scene, "o-1", "k-1").await.is(202);
}

#[tokio::test]
async fn an_unknown_outcome_is_said_so_and_safe_to_send_again() {
    let (scene, outage) = scene().await;
    outage.is(LOST);
    let unknown = place(&scene, "o-1", "k-1").await.refused(503, "unknown-outcome");
    assert_eq!(unknown.header("Retry-After"), Some("1"));
    let detail = unknown.body["detail"].as_str().expect("words");
    assert!(detail.contains("the same `Idempotency-Key`"), "{detail}");
    outage.is(0);
    let again = place(&scene, "o-1", "k-1").await.is(202);
    assert_eq!(again.body["version"], 1);
    assert_eq!(scene.stream("order-o-1").await.len(), 1);
    // Without its key, it is another command, which meets the first.
    scene.place(ADA, "o-1", 1).await.refused(409, "already-exists");
}

/// Two customers want one id at once: the second learns no more than if they had come later.
#[tokio::test]
async fn an_id_that_another_is_about_to_take_tells_nothing_of_their_order() {
    let (scene, outage) = scene().await;
    place(&scene, "o-1", "k-1").await.is(202);
    let body = json!({ "product": "tea", "quantity": 1 });
    let later = scene.place(BOB, "o-1", 1).await.refused(409, "already-exists");
    for (name, value) in
        [("Expected-Version", "99"), ("Idempotency-Key", "k-1"), ("Correlation-Id", "c-1")]
    {
        outage.is(RACED);
        let request = scene.ask(Method::PUT, "/orders/o-1", BOB).json(&body);
        let raced = Answer::of(request.header(name, value)).await.refused(409, "already-exists");
        assert_eq!(raced.body, later.body, "{name}");
    }
}

/// Of what is not stored, nobody is told that it is being done.
#[tokio::test]
async fn a_decision_that_is_not_stored_is_not_said_to_be() {
    for (silent, how) in
        [(UNREAD, "retry"), (UNREAD, "drop"), (UNWRITTEN, "retry"), (UNWRITTEN, "drop")]
    {
        let (scene, outage) = scene().await;
        scene.restock("tea", 5).await;
        scene.paid("o-1").await;
        let tell = async |service: &str, fails: &[&str]| {
            let path = format!("/outside/{service}");
            scene.put(&path, STAFF, json!({ "fails": fails })).await.is(200);
        };
        tell("warehouse", &["pick"]).await;
        tell("carrier", &["cancel"]).await;
        scene.ship(STAFF, "o-1").await.is(202);
        scene.until("/shipments/parked", |parked| parked[0].is_object()).await;
        tell("carrier", &[]).await;
        let log = scene.stream(SHIPMENT).await;

        outage.is(silent);
        let decide = || scene.ask(Method::POST, &format!("/shipments/o-1.1/{how}"), STAFF);
        let unknown = Answer::of(decide()).await.refused(503, "unknown-outcome");
        assert_eq!(unknown.header("Retry-After"), Some("1"));
        outage.is(0);
        if silent == UNREAD {
            assert_eq!(scene.stream(SHIPMENT).await.len(), log.len(), "{how}");
        }
        // Decided again, it is decided once.
        let is_known = async || match Answer::of(decide()).await {
            again if again.status == 503 => None,
            again => Some(again),
        };
        let again = eventually("it is decided", is_known).await;
        assert!([200, 202, 404].contains(&again.status), "{how}: {:#}", again.body);
        scene.until("/shipments/parked", |parked| *parked == json!([])).await;
        scene.until("/orders/o-1", |page| page["version"] == 5).await;
        let log = scene.stream(SHIPMENT).await;
        let retried = log.iter().filter(|event| event.data.as_str().starts_with("{\"retried\""));
        assert_eq!(retried.count(), usize::from(how == "retry"), "{how}");
    }
}

#[tokio::test]
async fn a_fault_tells_nothing_of_the_inside() {
    let (scene, outage) = scene().await;
    outage.is(BROKEN);
    let fault = scene.cancel(ADA, "o-1").await.refused(500, "fault");
    assert!(!fault.body.to_string().contains("db-7"), "{:#}", fault.body);
}

#[tokio::test]
async fn a_read_that_would_wait_too_long_says_when_to_come_again() {
    let (scene, outage) = scene().await;
    outage.is(LATE);
    let placed = place(&scene, "o-1", "k-1").await.is(202);
    for path in ["/orders/o-1", "/customers/ada/orders", "/stock"] {
        let late = scene.get(&format!("{path}?after={}", placed.token()), ADA).await;
        assert_eq!(late.refused(503, "not-yet").header("Retry-After"), Some("1"));
    }
    outage.is(0);
    let path = format!("/orders/o-1?after={}", placed.token());
    eventually("it is read", async || (scene.get(&path, ADA).await.status == 200).then_some(()))
        .await;
}

/// Probes have no token: they learn how bad it is, and staff learn why.
#[tokio::test]
async fn why_the_shop_is_not_well_is_for_staff() {
    let (scene, outage) = scene().await;
    for part in told(&scene, "all is well", |health| health["ready"] == true).await {
        assert!(part["state"].is_string() && part["events_behind"].is_u64(), "{part:#}");
    }
    outage.is(LATE);
    place(&scene, "o-1", "k-1").await.is(202);
    told(&scene, "the store is away", |health| health["error"].to_string().contains("db-7")).await;
}

/// A probe that waits for a store that is away would have the shop restarted, which brings no store back.
#[tokio::test]
async fn whether_the_shop_lives_is_told_at_once() {
    let (scene, outage) = scene().await;
    outage.is(SILENT);
    let url = format!("{}/health/live", scene.url);
    let begun = Instant::now();
    let live = Answer::of(scene.client.get(&url)).await.is(200);
    assert_eq!(live.body, json!({ "live": true }));
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    let ready = Answer::of(scene.client.get(format!("{}/health/ready", scene.url))).await;
    assert_eq!(ready.is(503).body["live"], true);
}

/// Waits until staff are told that the shop is as it should be, sees what others are told then, and gives the parts as staff
/// see them.
async fn told(scene: &Scene, what: &str, is_so: impl Fn(&Value) -> bool) -> Vec<Value> {
    let asked = async || Some(scene.get("/health/ready", STAFF).await.body).filter(&is_so);
    let staff = eventually(what, asked).await;
    let parts = staff["parts"].as_array().expect("a list");
    let url = format!("{}/health/ready", scene.url);
    for request in [
        scene.client.get(&url),
        scene.client.get(&url).bearer_auth("nobody-token"),
        scene.client.get(&url).bearer_auth(ADA),
    ] {
        let health = Answer::of(request).await.body;
        assert_eq!(names(&health), ["level", "live", "parts", "ready"]);
        for member in ["live", "ready", "level"] {
            assert_eq!(health[member], staff[member]);
        }
        let outline = health["parts"].as_array().expect("a list");
        assert_eq!(outline.len(), parts.len());
        for (part, whole) in outline.iter().zip(parts) {
            assert_eq!(names(part), ["level", "name"]);
            assert_eq!(part["name"], whole["name"]);
        }
    }
    parts.clone()
}

fn names(value: &Value) -> Vec<&str> {
    let members = value.as_object().expect("an object").keys();
    let mut names: Vec<_> = members.map(|name| &**name).collect();
    names.sort_unstable();
    names
}

/// The server of the store dies while orders are placed, and comes again: what was accepted is there, once, and the shop goes on by
/// itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_dies_loses_nothing_that_was_accepted() {
    let scene = Scene::on_postgres_of_its_own().await;
    scene.restock("tea", 5).await;
    let (accepted, is_back) = (AtomicUsize::new(0), AtomicBool::new(false));
    let clients = (0..4).map(async |client| {
        for number in 0.. {
            // One of each client is begun after the server is there again.
            let is_last = is_back.load(Ordering::SeqCst);
            let order = format!("{client}.{number}");
            // Sent again under its key, it is done once.
            let is_accepted = async || match place(&scene, &order, &order).await {
                answer if answer.status == 202 => Some(()),
                answer => {
                    answer.is(503);
                    None
                }
            };
            eventually("it is accepted", is_accepted).await;
            accepted.fetch_add(1, Ordering::SeqCst);
            if is_last {
                return number;
            }
        }
        0
    });
    let dies = async {
        let is_busy = async || (accepted.load(Ordering::SeqCst) >= 25).then_some(());
        eventually("orders are placed", is_busy).await;
        scene.has_its_server_die().await;
        is_back.store(true, Ordering::SeqCst);
    };
    let (last, ()) = futures::future::join(futures::future::join_all(clients), dies).await;
    for (client, last) in last.into_iter().enumerate() {
        for number in 0..=last {
            let stream = format!("order-{client}.{number}");
            assert_eq!(scene.stream(&stream).await.len(), 1, "{stream}");
        }
    }
    scene.paid("o-1").await;
    scene.ship(STAFF, "o-1").await.is(202);
    scene.becomes("o-1", "shipped").await;
    let ready = async || (scene.get("/health/ready", STAFF).await.status == 200).then_some(());
    eventually("it is ready", ready).await;
}
