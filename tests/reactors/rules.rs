//! What reactors promise, on any store.

use std::sync::Arc;
use std::time::Duration;

use annals::prelude::*;
use annals::process::{ParkedCause, ProcessError};
use annals::{ReadModelStore, SnapshotStore, UnitOfWorkStore};

use crate::mailer::{Asks, Confirms, History, Mailer, Mails, Restocks, until};
use crate::shop::{ConfirmOrder, Order, PlaceOrder, ShipOrder, Stock};

/// A store of everything.
pub trait Store: UnitOfWorkStore + SnapshotStore + ReadModelStore + Clone {}

impl<S: UnitOfWorkStore + SnapshotStore + ReadModelStore + Clone> Store for S {}

pub const PATIENCE: Duration = Duration::from_mins(1);

pub async fn engine<S: Store>(bus: &CommandBus, mailer: &Arc<Mailer>, _: &S) -> ProcessEngine {
    let once = RetryPolicy::times(2).with_pause(Duration::from_millis(1));
    let builder = ProcessEngine::builder(bus.clone()).retry(once).polling(PATIENCE / 100);
    let builder = builder.lease(Duration::from_secs(2));
    let builder = builder.register_reactor::<Mails>().shared_services::<Mails>(mailer.clone());
    builder.start().await.expect("it starts")
}

pub async fn place(bus: &CommandBus, order: &str) {
    let place = PlaceOrder { order: order.into(), product: "p".into(), quantity: 1 };
    bus.dispatch(place).await.expect("it is placed");
}

pub async fn confirm(bus: &CommandBus, order: &str) {
    bus.dispatch(ConfirmOrder { order: order.into() }).await.expect("it is confirmed");
}

pub async fn ship(bus: &CommandBus, order: &str) {
    bus.dispatch(ShipOrder { order: order.into() }).await.expect("it is shipped");
}

pub async fn calls_for_one_key_go_in_order_and_those_for_others_go_on<S: Store>(store: S) {
    let (bus, mailer) = (CommandBus::new(store.clone()), Arc::new(Mailer::default()));
    let engine = engine(&bus, &mailer, &store).await;
    let gate = mailer.hold("slow");
    for order in ["slow", "quick"] {
        place(&bus, order).await;
        confirm(&bus, order).await;
        ship(&bus, order).await;
    }
    until("the quick order's mails", || mailer.sent_for("quick").len() == 3).await;
    assert_eq!(mailer.sent_for("quick"), ["placed", "confirmed", "shipped"]);
    assert_eq!(mailer.sent_for("slow"), [""; 0], "the first of them is under way");
    let settled = engine.settle(Duration::from_millis(50)).await;
    assert!(matches!(settled, Err(ProcessError::Late { .. })), "{settled:?}");
    gate.add_permits(3);
    engine.settle(PATIENCE).await.expect("all is done");
    assert_eq!(mailer.sent_for("slow"), ["placed", "confirmed", "shipped"]);
    assert_eq!(mailer.tries().len(), 6, "each was called once");
    engine.shutdown().await.expect("nothing stopped");
}

pub async fn a_call_that_fails_is_made_again_and_then_waits_for_a_person<S: Store>(store: S) {
    let (bus, mailer) = (CommandBus::new(store.clone()), Arc::new(Mailer::default()));
    let running = engine(&bus, &mailer, &store).await;
    mailer.fail("bad", Some("no such address"));
    for order in ["bad", "good"] {
        place(&bus, order).await;
        confirm(&bus, order).await;
    }
    let settled = running.settle(PATIENCE).await.expect_err("one waits");
    assert!(settled.to_string().contains("1 of `mails` wait"), "{settled}");
    assert!(settled.to_string().contains("no such address"), "{settled}");
    assert_eq!(mailer.sent_for("good"), ["placed", "confirmed"]);
    let tries = mailer.tries().iter().filter(|mail| mail.order == "order-bad").count();
    assert_eq!(tries, 3, "once, and twice again");
    let parked = running.parked().await.expect("the store answers");
    assert_eq!(parked.len(), 1);
    assert_eq!((parked[0].id.as_str(), parked[0].waiting), ("order-bad", 1));
    let is_event = matches!(&parked[0].cause, ParkedCause::Event { event_type, .. } if event_type == "OrderPlaced");
    assert!(is_event, "{parked:?}");

    // What waits outlives the engine, and what comes later waits behind it.
    running.shutdown().await.expect("nothing stopped");
    let running = engine(&bus, &mailer, &store).await;
    ship(&bus, "bad").await;
    running.settle(PATIENCE).await.expect_err("it still waits");
    assert_eq!(mailer.sent_for("bad"), [""; 0]);
    assert_eq!(running.parked().await.expect("the store answers")[0].waiting, 2);

    let mails = running.reactor::<Mails>().expect("it runs");
    mails.retry_parked("order-bad").await.expect("it is tried");
    running.settle(PATIENCE).await.expect_err("it fails again");
    assert_eq!(running.parked().await.expect("the store answers")[0].attempts, 6);
    mailer.fail("bad", None);
    mails.retry_parked("order-bad").await.expect("it is tried");
    running.settle(PATIENCE).await.expect("all is done");
    assert_eq!(mailer.sent_for("bad"), ["placed", "confirmed", "shipped"]);
    assert_eq!(running.parked().await.expect("the store answers"), []);
    running.shutdown().await.expect("nothing stopped");
}

pub async fn a_call_that_panics_waits_like_one_that_fails<S: Store>(store: S) {
    let (bus, mailer) = (CommandBus::new(store.clone()), Arc::new(Mailer::default()));
    let engine = engine(&bus, &mailer, &store).await;
    mailer.fail("bad", Some("panic"));
    place(&bus, "bad").await;
    place(&bus, "good").await;
    let settled = engine.settle(PATIENCE).await.expect_err("one waits");
    assert!(settled.to_string().contains("panicked: the mailer broke"), "{settled}");
    assert_eq!(mailer.sent_for("good"), ["placed"]);
    engine.shutdown().await.expect("nothing stopped");
}

pub async fn what_waits_can_be_dropped<S: Store>(store: S) {
    let (bus, mailer) = (CommandBus::new(store.clone()), Arc::new(Mailer::default()));
    let running = engine(&bus, &mailer, &store).await;
    mailer.fail("bad", Some("no such address"));
    place(&bus, "bad").await;
    confirm(&bus, "bad").await;
    running.settle(PATIENCE).await.expect_err("it waits");
    let mails = running.reactor::<Mails>().expect("it runs");
    assert_eq!(mails.drop_parked("order-bad").await.expect("it is dropped"), 2);
    mailer.fail("bad", None);
    ship(&bus, "bad").await;
    running.settle(PATIENCE).await.expect("nothing waits");
    assert_eq!(mailer.sent_for("bad"), ["shipped"]);
    running.shutdown().await.expect("nothing stopped");
    let running = engine(&bus, &mailer, &store).await;
    running.settle(PATIENCE).await.expect("nothing waits");
    assert_eq!(mailer.sent_for("bad"), ["shipped"], "what was dropped does not come back");
    running.shutdown().await.expect("nothing stopped");
}

pub async fn a_call_that_was_cut_off_is_made_again_under_the_same_key<S: Store>(store: S) {
    let (bus, mailer) = (CommandBus::new(store.clone()), Arc::new(Mailer::default()));
    let running = engine(&bus, &mailer, &store).await;
    let gate = mailer.hold("o");
    place(&bus, "o").await;
    until("the call", || mailer.tries().len() == 1).await;
    drop(running);
    gate.add_permits(10);
    let running = engine(&bus, &mailer, &store).await;
    running.settle(PATIENCE).await.expect("all is done");
    assert!(mailer.sent_for("o").contains(&"placed"));
    let tries = mailer.tries();
    assert!(tries.iter().all(|mail| mail.key == tries[0].key), "{tries:?}");
    running.shutdown().await.expect("nothing stopped");
}

pub async fn the_past_is_nothing_to_react_to_unless_it_asks<S: Store>(store: S) {
    let (bus, mailer) = (CommandBus::new(store.clone()), Arc::new(Mailer::default()));
    place(&bus, "before").await;
    let builder = ProcessEngine::builder(bus.clone());
    let builder = builder.register_reactor::<Mails>().shared_services::<Mails>(mailer.clone());
    let past = Arc::new(Mailer::default());
    let builder = builder.register_reactor::<History>().shared_services::<History>(past.clone());
    let running = builder.start().await.expect("it starts");
    place(&bus, "after").await;
    running.settle(PATIENCE).await.expect("all is done");
    assert_eq!(mailer.sent_for("before"), [""; 0]);
    assert_eq!(mailer.sent_for("after"), ["placed"]);
    assert_eq!(past.sent_for("before"), ["placed"]);
    assert_eq!(past.sent_for("after"), ["placed"]);
    running.shutdown().await.expect("nothing stopped");
    // Later it goes on where it was.
    place(&bus, "meanwhile").await;
    let running = engine(&bus, &mailer, &store).await;
    running.settle(PATIENCE).await.expect("all is done");
    assert_eq!(mailer.sent_for("meanwhile"), ["placed"]);
    running.shutdown().await.expect("nothing stopped");
}

pub async fn the_commands_of_a_call_go_out_once<S: Store>(store: S) {
    let bus = CommandBus::new(store.clone());
    let running = ProcessEngine::builder(bus.clone()).register_reactor::<Confirms>();
    let running = running.start().await.expect("it starts");
    for number in 0..20 {
        place(&bus, &format!("o-{number}")).await;
    }
    running.settle(PATIENCE).await.expect("all is done");
    let orders = Repository::<Order>::new(store.clone());
    for number in 0..20 {
        let order = orders.load(&*format!("o-{number}")).await.expect("it reads");
        let order = order.expect("it was placed");
        assert!(matches!(order.state, Order::Confirmed { .. }), "{order:?}");
        assert_eq!(order.stream_version, 2);
    }
    running.shutdown().await.expect("nothing stopped");
}

pub async fn each_command_of_a_call_is_done<S: Store>(store: S) {
    let bus = CommandBus::new(store.clone());
    let running = ProcessEngine::builder(bus.clone()).register_reactor::<Restocks>();
    let running = running.start().await.expect("it starts");
    place(&bus, "o").await;
    running.settle(PATIENCE).await.expect("all is done");
    let stock = Repository::<Stock>::new(store.clone()).load("p").await.expect("it reads");
    let stock = stock.expect("it was restocked");
    assert_eq!((stock.state.available, stock.stream_version), (3, 2));
    running.shutdown().await.expect("nothing stopped");
}

/// A person is faster, so that a reactor's own confirmation is refused.
async fn confirmed_by_hand<S: Store>(store: &S, order: &str) {
    let event = |name: &'static str| {
        let data = annals::Payload::new(r#"{"product":"p","quantity":1}"#);
        annals::NewEvent::new(uuid::Uuid::now_v7(), name, 1, data)
    };
    let events = vec![event("OrderPlaced"), event("OrderConfirmed")];
    let stream_id = StreamId::of::<Order>(&order.into());
    let append = annals::Append::new(stream_id, annals::Expected::at(0), events);
    store.append(vec![append]).await.expect("it is stored");
}

pub async fn a_command_that_is_refused_waits_for_a_person<S: Store>(store: S) {
    let bus = CommandBus::new(store.clone());
    let running = ProcessEngine::builder(bus.clone()).register_reactor::<Confirms>();
    let running = running.start().await.expect("it starts");
    confirmed_by_hand(&store, "o").await;
    let settled = running.settle(PATIENCE).await.expect_err("its command is refused");
    assert!(settled.to_string().contains("command `ConfirmOrder` was refused"), "{settled}");
    let parked = running.parked().await.expect("the store answers");
    assert_eq!(parked[0].cause, ParkedCause::Command { name: "ConfirmOrder".to_owned() });
    let confirms = running.reactor::<Confirms>().expect("it runs");
    assert_eq!(confirms.drop_parked("o").await.expect("it is dropped"), 1);
    running.settle(PATIENCE).await.expect("nothing waits");
    running.shutdown().await.expect("nothing stopped");
}

/// Another key holds the checkpoint below an event whose command was refused, and given up: the event is read again.
pub async fn a_command_that_was_dropped_stays_so_when_its_call_is_made_again<S: Store>(store: S) {
    let (bus, mailer) = (CommandBus::new(store.clone()), Arc::new(Mailer::default()));
    let asks = || {
        let often = RetryPolicy::times(10_000).with_pause(Duration::from_millis(1));
        let builder = ProcessEngine::builder(bus.clone()).retry(often).polling(PATIENCE / 100);
        builder.register_reactor::<Asks>().shared_services::<Asks>(mailer.clone()).start()
    };
    let running = asks().await.expect("it starts");
    mailer.fail("slow", Some("not now"));
    place(&bus, "slow").await;
    confirmed_by_hand(&store, "o").await;
    while running.parked().await.expect("the store answers").is_empty() {
        tokio::task::yield_now().await;
    }
    let reactor = running.reactor::<Asks>().expect("it runs");
    assert_eq!(reactor.drop_parked("order-o").await.expect("it is dropped"), 1);
    running.shutdown().await.expect("nothing stopped");

    mailer.fail("slow", None);
    let running = asks().await.expect("it starts");
    nothing_waits(&running).await;
    let calls = mailer.sent_for("o").len();
    assert_eq!(calls, 2, "it was called again, since the checkpoint was below");
    running.shutdown().await.expect("nothing stopped");
}

/// Nothing waits, neither for a person nor for an answer.
async fn nothing_waits(running: &ProcessEngine) {
    running.settle(PATIENCE).await.expect("all is done");
    assert_eq!(running.parked().await.expect("the store answers"), []);
    let status = running.status().await.expect("the store answers");
    assert!(status.processes.iter().all(|status| status.unsent == 0), "{status:?}");
}

pub async fn two_engines_share_the_work<S: Store>(store: S) {
    let (bus, mailer) = (CommandBus::new(store.clone()), Arc::new(Mailer::default()));
    let first = engine(&bus, &mailer, &store).await;
    let second = engine(&bus, &mailer, &store).await;
    for number in 0..10 {
        place(&bus, &format!("o-{number}")).await;
    }
    first.settle(PATIENCE).await.expect("one of them does it");
    second.settle(PATIENCE).await.expect("one of them has done it");
    assert_eq!(mailer.sent().len(), 10);
    first.shutdown().await.expect("nothing stopped");
    place(&bus, "later").await;
    second.settle(PATIENCE).await.expect("the other goes on");
    assert_eq!(mailer.sent_for("later"), ["placed"]);
    second.shutdown().await.expect("nothing stopped");
}
