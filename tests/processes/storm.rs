//! Orders by the hundred, with refusals, declined payments and customers who change their minds, while engines are killed.
//!
//! `ANNALS_ORDERS` says how many, `ANNALS_STORM_SEED` which.

use std::collections::BTreeMap;
use std::env;
use std::io::{self, Read};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use annals::prelude::*;
use annals::{CheckpointId, CommandBusBuilder, ReadAll};
use annals_postgres::PostgresStore;
use fastrand::Rng;
use futures::{StreamExt, TryStreamExt};

use crate::fulfilment::Fulfilment;
use crate::scene::{PATIENCE, Store, json_of, postgres, until};
use crate::shop::*;

const URL: &str = "ANNALS_STORM_PROCESSES_URL";
pub(crate) const LEASE: Duration = Duration::from_millis(500);
const PRODUCTS: u32 = 5;
/// Another one, of which there is always enough.
const PLENTY: &str = "plenty";
/// How many orders are on their way at once.
const CUSTOMERS: usize = 8;

fn number(name: &str, default: u64) -> u64 {
    env::var(name).ok().and_then(|number| number.parse().ok()).unwrap_or(default)
}

fn bus(store: &impl Store) -> CommandBus {
    builder(store).build().expect("nothing clashes")
}

fn builder(store: &impl Store) -> CommandBusBuilder {
    let bus = CommandBus::builder(store.clone());
    let bus = bus.register::<Order>().register::<Stock>().register::<Payment>();
    bus.retry(RetryPolicy::times(100))
}

/// The bus of an engine, which ships nothing of which it is known that it will be cancelled, until that is so.
fn patient(store: &impl Store) -> CommandBus {
    builder(store).interceptor(Patient(store.clone())).build().expect("nothing clashes")
}

struct Patient<S>(S);

#[async_trait]
impl<S: Store> Interceptor for Patient<S> {
    async fn before(&self, call: &mut CommandCall) -> Result<(), Refusal> {
        let is_late = call.stream_id().id().starts_with(LATE);
        while is_late && call.name() == "ShipOrder" && !is_over(&self.0, call.stream_id()).await {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        Ok(())
    }
}

/// With which the names of orders begin that are cancelled when they have been charged.
const LATE: &str = "late";

/// One order in so many is.
const EVERY: u64 = 8;

/// Whether an order has been shipped or cancelled, after it was placed and confirmed.
async fn is_over(store: &impl Store, order: &StreamId) -> bool {
    store.stream_head(order).await.expect("it is read").version > 2
}

pub(crate) fn engine(store: &impl Store) -> annals::ProcessEngineBuilder {
    let engine = ProcessEngine::builder(patient(store)).register::<Fulfilment>().workers(4);
    engine.lease(LEASE).polling(Duration::from_millis(50))
}

pub(crate) async fn started(store: &impl Store) -> ProcessEngine {
    let engine = engine(store).start().await;
    engine.expect("the store is there")
}

/// What a customer ordered.
pub(crate) struct Wish {
    order: OrderId,
    product: ProductId,
    quantity: u32,
    regrets: Option<Regrets>,
}

/// When a customer cancels.
enum Regrets {
    /// At once, or when it may be too late.
    After(Duration),
    /// When the order has been charged.
    OnceCharged,
}

fn wishes(count: u64, longest: Duration, rng: &mut Rng) -> Vec<Wish> {
    let wish = |number| {
        let quantity = rng.u32(1..4);
        if number % EVERY == 0 {
            let (order, product) = (format!("{LATE}-{number}").into(), PLENTY.into());
            return Wish { order, product, quantity, regrets: Some(Regrets::OnceCharged) };
        }
        let kind = if rng.u8(..) < 40 { "declined" } else { "order" };
        let regrets = (rng.u8(..) < 90).then(|| Regrets::After(longest.mul_f64(rng.f64())));
        let product = format!("p-{}", rng.u32(..PRODUCTS)).into();
        Wish { order: format!("{kind}-{number}").into(), product, quantity, regrets }
    };
    (0..count).map(wish).collect()
}

/// Orders, confirms, and cancels what is regretted.
async fn wished(bus: &CommandBus, store: &impl Store, wish: &Wish) {
    let Wish { order, product, quantity, regrets } = wish;
    let (order, product, quantity) = (order.clone(), product.clone(), *quantity);
    bus.dispatch(PlaceOrder { order: order.clone(), product, quantity }).await.expect("placed");
    bus.dispatch(ConfirmOrder { order: order.clone() }).await.expect("confirmed");
    match regrets {
        None => return,
        Some(Regrets::After(time)) => tokio::time::sleep(*time).await,
        Some(Regrets::OnceCharged) => {
            let payment = StreamId::new("payment", &order);
            until(async || store.stream_head(&payment).await.expect("it is read").version > 0)
                .await;
        }
    }
    let cancelled = bus.dispatch(CancelOrder { order, reason: "regrets".into() }).await;
    // It may have shipped meanwhile.
    assert!(matches!(cancelled, Ok(_) | Err(DispatchError::Rejected(_))), "{cancelled:?}");
}

/// How much there is of each product.
fn restocked(orders: u64) -> BTreeMap<String, u32> {
    let orders = u32::try_from(orders).expect("not so many");
    let scarce = (0..PRODUCTS).map(|product| (format!("p-{product}"), orders * 9 / 10 / PRODUCTS));
    scarce.chain([(PLENTY.to_owned(), orders * 3)]).collect()
}

/// Has everything ordered, and what is regretted cancelled, after the longest time at most; `half_way` is done when half of it is.
pub(crate) async fn storm(
    store: &impl Store,
    longest: Duration,
    half_way: impl AsyncFnOnce(),
) -> Vec<Wish> {
    let (count, seed) = (number("ANNALS_ORDERS", 150), number("ANNALS_STORM_SEED", 7));
    println!("storm of {count} orders: ANNALS_STORM_SEED={seed}");
    let wishes = wishes(count, longest, &mut Rng::with_seed(seed));
    let bus = bus(store);
    for (product, quantity) in restocked(count) {
        bus.dispatch(Restock { product: product.into(), quantity }).await.expect("restocked");
    }
    let (first, second) = wishes.split_at(wishes.len() / 2);
    let all = async |wishes: &[Wish]| {
        let each = futures::stream::iter(wishes.iter().map(|wish| wished(&bus, store, wish)));
        each.buffer_unordered(CUSTOMERS).collect::<Vec<()>>().await;
    };
    all(first).await;
    half_way().await;
    all(second).await;
    wishes
}

/// How often each event is in the log, by the order that it is of.
type Tally = BTreeMap<String, BTreeMap<String, u32>>;

/// Holds the log against what was wished; tells how it went.
pub(crate) async fn judged(store: &impl Store, wishes: &[Wish]) {
    let log: Result<Vec<RecordedEvent>, _> =
        store.read_all(ReadAll::after(Position::START)).try_collect().await;
    let mut tally = Tally::new();
    for event in log.expect("the log is read") {
        let order = match event.stream_id.category() {
            "order" | "payment" => event.stream_id.id().to_owned(),
            "stock" => json_of(&event)["order"].as_str().unwrap_or("nobody").to_owned(),
            _ => continue,
        };
        *tally.entry(order).or_default().entry(event.event_type.into_owned()).or_default() += 1;
    }
    let (mut shipped, mut cancelled, mut refunded, mut refused) = (0, 0, 0, 0);
    let mut sold: BTreeMap<String, u32> = BTreeMap::new();
    for Wish { order, product, quantity, .. } in wishes {
        let events = &tally[&order.to_string()];
        let of = |name: &str| events.get(name).copied().unwrap_or(0);
        assert!(events.values().all(|count| *count == 1), "{order}: done once each: {events:?}");
        assert_eq!(of("OrderShipped") + of("OrderCancelled"), 1, "{order}: {events:?}");
        let is_cancelled = of("OrderCancelled");
        assert_eq!(
            of("PaymentRefunded"),
            of("PaymentCharged") * is_cancelled,
            "{order}: {events:?}"
        );
        assert_eq!(of("StockReleased"), of("StockReserved") * is_cancelled, "{order}: {events:?}");
        assert!(is_cancelled == 1 || of("PaymentCharged") == 1, "{order}: {events:?}");
        *sold.entry(product.to_string()).or_default() += quantity * of("OrderShipped");
        shipped += of("OrderShipped");
        cancelled += is_cancelled;
        refunded += of("PaymentRefunded");
        refused += 1 - of("StockReserved");
    }
    let restocked = restocked(wishes.len() as u64);
    for (product, sold) in sold {
        let id = ProductId::from(&*product);
        let stock = Repository::<Stock>::new(store.clone()).load(&id).await;
        let stock = stock.expect("it is read").expect("it was restocked").state;
        assert_eq!(stock.available, restocked[&product] - sold, "{product}");
    }
    let waiting = store.outgoing("annals/process/fulfilment", 0, 1).await.expect("it is read");
    assert_eq!(waiting, []);
    println!(
        "{shipped} shipped, {cancelled} cancelled, {refunded} refunded, {refused} not in stock"
    );
    assert!(
        shipped > 0 && cancelled > refused && refused > 0,
        "a storm in which nothing happens proves nothing"
    );
    // Each of those was charged, then cancelled, and then its shipping was refused.
    let late = wishes.iter().filter(|wish| matches!(wish.regrets, Some(Regrets::OnceCharged)));
    let late = u32::try_from(late.count()).expect("not so many");
    assert!(late > 0 && refunded >= late, "{refunded} refunded, and {late} cancelled once charged");
}

/// A process that runs an engine until it is killed.
pub(crate) struct EngineProcess(Child);

impl EngineProcess {
    pub(crate) fn start(url: &str) -> Self {
        let program = env::current_exe().expect("the test is a program");
        let mut command = Command::new(program);
        command.args(["--exact", "storm::an_engine_of_a_storm", "--nocapture"]);
        // It ends with its input, however this process ends.
        command.env(URL, url).stdin(Stdio::piped()).stdout(Stdio::null());
        Self(command.spawn().expect("a process can be started"))
    }

    /// Stands still until it is woken.
    pub(crate) fn stop(&self) {
        self.send("STOP");
    }

    pub(crate) fn wake(&self) {
        self.send("CONT");
    }

    fn send(&self, signal: &str) {
        let sent = Command::new("sh")
            .args(["-c", "kill -s \"$0\" \"$1\"", signal, &self.0.id().to_string()])
            .status();
        assert!(sent.is_ok_and(|sent| sent.success()), "SIG{signal} cannot be sent");
    }
}

impl Drop for EngineProcess {
    fn drop(&mut self) {
        // SIGKILL; it may have ended by itself.
        _ = self.0.kill();
        _ = self.0.wait();
    }
}

/// By itself, it does nothing.
#[test]
fn an_engine_of_a_storm() {
    let Ok(url) = env::var(URL) else { return };
    std::thread::spawn(|| {
        _ = io::stdin().read(&mut [0]);
        std::process::exit(0);
    });
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let builder = PostgresStore::builder().max_connections(6);
        let store = builder.connect(&url).await.expect("the server is there");
        let _engine = started(&store).await;
        std::future::pending::<()>().await;
    });
}

pub(crate) async fn settled(store: &impl Store, began: Instant, wishes: &[Wish]) {
    let engine = started(store).await;
    engine.settle(PATIENCE * 6).await.expect("all is done");
    let took = began.elapsed();
    let rate = wishes.len() as f64 / took.as_secs_f64();
    println!("{} orders in {took:?}: {rate:.0} a second", wishes.len());
    engine.shutdown().await.expect("it has not stopped");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_engine_process_is_killed_on_postgres() {
    let (store, database) = postgres().await;
    let first = EngineProcess::start(database.url());
    has_begun(&store).await;
    let second = EngineProcess::start(database.url());
    let began = Instant::now();
    // The first is the owner.
    let wishes = storm(&store, Duration::from_millis(400), async || drop(first)).await;
    settled(&store, began, &wishes).await;
    drop(second);
    judged(&store, &wishes).await;
}

/// Waits until the process manager has begun.
pub(crate) async fn has_begun(store: &impl Store) {
    let name = "annals/process/fulfilment".to_owned();
    let id = CheckpointId { name, version: 1, shard: 0 };
    until(async || store.checkpoint(&id).await.expect("it is read").is_some()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_engine_is_killed_on_memory() {
    let store = MemoryStore::new();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    let of_first = store.clone();
    let first = runtime.spawn(async move { started(&of_first).await });
    let first = first.await.expect("it starts");
    let second = started(&store).await;
    let began = Instant::now();
    let wishes = storm(&store, Duration::from_millis(30), async || {
        // All of its tasks at once, wherever they are.
        runtime.shutdown_background();
        drop(first);
    })
    .await;
    settled(&store, began, &wishes).await;
    second.shutdown().await.expect("it has not stopped");
    judged(&store, &wishes).await;
}

/// Nothing goes wrong: it tells how many orders a second go through from end to end.
async fn all_orders_ship(store: impl Store) {
    let engine = started(&store).await;
    let bus = bus(&store);
    let count = number("ANNALS_ORDERS", 150);
    let restock =
        Restock { product: "p".into(), quantity: u32::try_from(count).expect("not so many") };
    bus.dispatch(restock).await.expect("restocked");
    let wish = |number| Wish {
        order: format!("order-{number}").into(),
        product: "p".into(),
        quantity: 1,
        regrets: None,
    };
    let wishes: Vec<Wish> = (0..count).map(wish).collect();
    let began = Instant::now();
    let each = futures::stream::iter(wishes.iter().map(|wish| wished(&bus, &store, wish)));
    each.buffer_unordered(CUSTOMERS).collect::<Vec<()>>().await;
    settled(&store, began, &wishes).await;
    engine.shutdown().await.expect("it has not stopped");
    let log: Vec<RecordedEvent> =
        store.read_all(ReadAll::after(Position::START)).try_collect().await.expect("it is read");
    let shipped = log.iter().filter(|event| event.event_type == "OrderShipped").count();
    assert_eq!(shipped, wishes.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_orders_ship_on_memory() {
    all_orders_ship(MemoryStore::new()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_orders_ship_on_postgres() {
    let (store, _database) = postgres().await;
    all_orders_ship(store).await;
}
