//! A shop that stops: whatever it has answered with 202 is stored, and whatever it has begun it answers.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use annals::prelude::*;
use annals_postgres::PostgresStore;
use reqwest::Client;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::program::Program;
use crate::scene::{ADA, STAFF, Scene, eventually, on_each_store};

on_each_store!(
    what_was_accepted_is_stored,
    what_is_under_way_is_answered,
    a_request_that_takes_too_long_does_not_hold_the_end_up,
);

/// How many clients send commands at once.
const CLIENTS: usize = 8;

/// How many commands are accepted before the shop is to stop.
const BEFORE: usize = 200;

/// The token of each order that was accepted.
type Accepted = BTreeMap<String, String>;

/// Sends commands until nobody takes them any more.
async fn storm(url: &str, accepted: &Arc<AtomicUsize>) -> Accepted {
    let clients = (0..CLIENTS).map(|client| {
        let (url, accepted) = (url.to_owned(), accepted.clone());
        tokio::spawn(async move { place_until_it_ends(&url, client, &accepted).await })
    });
    let mut all = Accepted::new();
    for client in clients.collect::<Vec<_>>() {
        all.extend(client.await.expect("a client does not panic"));
    }
    all
}

async fn place_until_it_ends(url: &str, number: usize, accepted: &AtomicUsize) -> Accepted {
    let client = Client::new();
    let mut orders = Accepted::new();
    for order in 0.. {
        let order = format!("{number}.{order}");
        let body = json!({ "product": "tea", "quantity": 1 });
        let request = client.put(format!("{url}/orders/{order}")).bearer_auth(ADA).json(&body);
        // Nobody listens any more, or the connection was closed before an answer began.
        let Ok(answer) = request.header("Idempotency-Key", &order).send().await else { break };
        assert_eq!(answer.status(), 202);
        // An answer that has begun is whole.
        let body: Value = answer.json().await.expect("a whole answer");
        assert_eq!(body["version"], 1);
        orders.insert(order, body["token"].as_str().expect("a token").to_owned());
        accepted.fetch_add(1, Ordering::SeqCst);
    }
    orders
}

/// Waits until so many commands are accepted that the shop is busy.
async fn busy(accepted: &AtomicUsize) {
    let is_busy = async || (accepted.load(Ordering::SeqCst) >= BEFORE).then_some(());
    eventually("commands are accepted", is_busy).await;
}

async fn what_was_accepted_is_stored(mut scene: Scene) {
    let accepted = Arc::new(AtomicUsize::new(0));
    let url = scene.url.clone();
    let counted = accepted.clone();
    let storming = tokio::spawn(async move { storm(&url, &counted).await });
    busy(&accepted).await;
    scene.stop();
    scene.ended().await.expect("it ends well");
    let orders = storming.await.expect("the storm does not panic");
    assert!(orders.len() >= BEFORE);
    for order in orders.keys() {
        assert_eq!(scene.stream(&format!("order-{order}")).await.len(), 1, "{order}");
    }
    let scene = scene.begin_again().await;
    for (order, token) in orders.iter().take(20) {
        scene.get(&format!("/orders/{order}?after={token}"), ADA).await.is(200);
    }
}

/// A request whose body has not come yet but for its beginning.
struct Slow {
    stream: TcpStream,
    rest: String,
}

impl Slow {
    async fn begin(scene: &Scene) -> Self {
        let address = scene.url.strip_prefix("http://").expect("an address");
        let mut stream = TcpStream::connect(address).await.expect("it listens");
        let body = json!({ "product": "tea", "quantity": 1 }).to_string();
        let length = body.len();
        let head = format!(
            "PUT /orders/o-1 HTTP/1.1\r\nHost: shop\r\nAuthorization: Bearer {ADA}\r\n\
             Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
        );
        let (begun, rest) = body.split_at(1);
        stream.write_all(format!("{head}{begun}").as_bytes()).await.expect("it listens");
        Self { stream, rest: rest.to_owned() }
    }

    /// Sends the rest, and reads the answer up to the end of the connection.
    async fn end(mut self) -> String {
        self.stream.write_all(self.rest.as_bytes()).await.expect("it is under way");
        let mut answer = String::new();
        self.stream.read_to_string(&mut answer).await.expect("an answer");
        answer
    }
}

async fn what_is_under_way_is_answered(mut scene: Scene) {
    let slow = Slow::begin(&scene).await;
    scene.requested().await;
    scene.stop();
    let (ended, answer) = tokio::join!(scene.ended(), slow.end());
    ended.expect("it ends well");
    assert!(answer.starts_with("HTTP/1.1 202 "), "{answer}");
    assert_eq!(scene.stream("order-o-1").await.len(), 1);
}

/// Whoever sends half a request takes no time from the engines: another instance goes on at once.
async fn a_request_that_takes_too_long_does_not_hold_the_end_up(scene: Scene) {
    let mut scene = scene.restart_with(|settings| settings.drain = Duration::from_secs(4)).await;
    let held = async || (!scene.leases().await.is_empty()).then_some(());
    eventually("leases are held", held).await;
    let slow = Slow::begin(&scene).await;
    scene.requested().await;
    scene.stop();
    let error = scene.ended().await.expect_err("it was not answered");
    assert_eq!(error.to_string(), "some requests were not answered within 2s and are given up");
    assert_eq!(scene.leases().await, Vec::<String>::new());
    drop(slow);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_that_is_told_to_end_loses_no_command() {
    let scene = Scene::on_postgres().await;
    let program = Program::run(Some(scene.database()), scene.folder());
    let accepted = Arc::new(AtomicUsize::new(0));
    let (url, counted) = (program.url.clone(), accepted.clone());
    let storming = tokio::spawn(async move { storm(&url, &counted).await });
    busy(&accepted).await;
    tokio::task::spawn_blocking(|| program.end("-TERM")).await.expect("it ends well");
    let orders = storming.await.expect("the storm does not panic");

    let store = PostgresStore::connect(scene.database()).await.expect("a connection");
    for order in orders.keys() {
        let stream = StreamId::new("order", order);
        assert_eq!(store.stream_head(&stream).await.expect("a head").version, 1, "{order}");
    }
    // Another instance shows them.
    for (order, token) in orders.iter().take(20) {
        scene.get(&format!("/orders/{order}?after={token}"), ADA).await.is(200);
    }
}

/// Whatever a service outside does, the program ends when it was told to; another goes on with the shipment.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_step_that_hangs_does_not_hold_the_end_up() {
    let mut scene = Scene::on_postgres().await;
    // Only the program is to run anything.
    scene.stop();
    scene.ended().await.expect("it ends well");
    let program = Program::run_with(Some(scene.database()), scene.folder(), &["--drain", "1"]);
    scene.url.clone_from(&program.url);
    scene.restock("tea", 5).await;
    scene.paid("o-1").await;
    let hangs = json!({ "fails": [], "hangs": ["pick"] });
    scene.put("/outside/warehouse", STAFF, hangs).await.is(200);
    scene.ship(STAFF, "o-1").await.is(202);
    let asked = async || {
        let log = scene.stream("annals/saga/delivery-o-1.1").await;
        let last = log.last()?.data.as_str().to_owned();
        (last.starts_with("{\"called\"") && last.contains("\"pick\"")).then_some(())
    };
    eventually("the warehouse is asked", asked).await;
    let told = Instant::now();
    tokio::task::spawn_blocking(|| program.end("-TERM")).await.expect("it ends well");
    // Less than the step may take.
    assert!(told.elapsed() < Duration::from_secs(8), "{:?}", told.elapsed());
    let scene = scene.begin_again().await;
    scene.becomes("o-1", "shipped").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_in_memory_ends_at_an_interrupt() {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("mail-of-a-program");
    let program = Program::run(None, &folder);
    let ready = format!("{}/health/ready", program.url);
    let is_ready = async || {
        let answer = reqwest::get(&ready).await.ok()?;
        answer.status().is_success().then_some(())
    };
    eventually("ready", is_ready).await;
    tokio::task::spawn_blocking(|| program.end("-INT")).await.expect("it ends well");
}
