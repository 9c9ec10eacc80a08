//! Crashes at every point, found by enumeration: each call of an engine to its store, failing or being the last one, before it
//! has an effect and after. At the end the same commands are done once each, and the processes are what they are undisturbed.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use annals::prelude::*;
use annals::{Append, LogPage, ManualClock, ReadAll, UnitOfWork};
use futures::{FutureExt, TryStreamExt};
use serde_json::Value;

use crate::fulfilment::Fulfilment;
use crate::scene::{PATIENCE, Store, act, engine, json_of, postgres, until};
use crate::script::{Act, How, Kind, Move, Script, ScriptId, Signal};
use crate::shop::*;
use crate::watched::{Fate, Watch, Watched};
use crate::works::{Passes, Works};

/// What becomes of the call at which a run is disturbed.
const FATES: [Fate; 4] = [Fate::FailsBefore, Fate::FailsAfter, Fate::DiesBefore, Fate::DiesAfter];

/// What is wrong with a store, or with what an engine tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flaw {
    None,
    /// A command that is sent again has another key.
    KeysAnew,
    /// The checkpoint is where the log was read, not where all is done.
    CheckpointAhead,
    /// Commands are written after the step, in a transaction of their own.
    OutgoingApart,
}

/// Disturbs one call of a store.
struct Disturbed {
    calls: AtomicUsize,
    at: usize,
    fate: Fate,
    flaw: Flaw,
    read: AtomicU64,
}

impl Disturbed {
    fn is_reached(&self) -> bool {
        self.calls.load(Ordering::SeqCst) >= self.at
    }
}

impl Watch for Disturbed {
    fn fate(&self, _: &'static str, _: Option<&UnitOfWork>) -> Fate {
        let call = self.calls.fetch_add(1, Ordering::SeqCst) + 1;
        match self.fate {
            // Nobody is there any more.
            Fate::DiesBefore | Fate::DiesAfter if call > self.at => Fate::DiesBefore,
            fate if call == self.at => fate,
            _ => Fate::Passes,
        }
    }

    fn appends(&self, mut appends: Vec<Append>) -> Vec<Append> {
        if self.flaw == Flaw::KeysAnew {
            for key in appends.iter_mut().filter_map(|append| append.key.as_mut()) {
                key.key = uuid::Uuid::now_v7().to_string();
            }
        }
        appends
    }

    fn changed(&self, mut work: UnitOfWork) -> (UnitOfWork, Option<UnitOfWork>) {
        if let Some(checkpoint) = &mut work.checkpoint
            && self.flaw == Flaw::CheckpointAhead
        {
            let read = Position::from(self.read.load(Ordering::SeqCst));
            checkpoint.position = checkpoint.position.max(read);
        }
        if self.flaw != Flaw::OutgoingApart || work.outgoing.is_empty() {
            return (work, None);
        }
        let mut apart = UnitOfWork::new();
        apart.outgoing = std::mem::take(&mut work.outgoing);
        (work, Some(apart))
    }

    fn read(&self, page: &LogPage) {
        self.read.fetch_max(page.reached.get(), Ordering::SeqCst);
    }
}

/// What a run left: of each stream that is its own the events, of each process the state, without what is new in each run.
type Left = BTreeMap<String, Vec<String>>;

/// Runs the same story again and again, each time under names of its own.
struct Story<S> {
    store: S,
    passes: Passes,
    clock: ManualClock,
    runs: usize,
    flaw: Flaw,
}

impl<S: Store> Story<S> {
    fn new(store: S, flaw: Flaw) -> Self {
        let passes = Passes::new();
        passes.pass("mended");
        Self { store, passes, clock: ManualClock::at(Timestamp::now()), runs: 0, flaw }
    }

    fn bus(&self, store: &impl Store) -> CommandBus {
        let bus = crate::scene::bus(store, &self.passes);
        let bus = bus.register::<Order>().register::<Stock>().register::<Payment>();
        bus.retry(RetryPolicy::times(3)).build().expect("nothing clashes")
    }

    /// An engine that nobody waits long for when it dies.
    fn engine(&self, bus: &CommandBus) -> annals::ProcessEngineBuilder {
        let engine = engine(bus).register::<Fulfilment>().lease(Duration::from_millis(150));
        engine.polling(Duration::from_millis(5)).clock(self.clock.clone())
    }

    /// Has everything happen that the processes are to react to.
    async fn happens(&self, run: &str) {
        let bus = self.bus(&self.store);
        let id = |name: &str| format!("{name}.{run}");
        let to =
            |name: &str, note: &str, act: Act| act.sends(&id(name), note, How::Work(Works::Done));
        let refused = |note: &str, act: Act, instead: Act| {
            act.sends(&id("a"), note, How::Work(Works::Refused)).or(instead)
        };
        let bare = act().sends(&id("d"), "parked", How::Bare(Works::Refused));
        let soon = act().moves(Move::Second(Duration::from_mins(1)));
        let signals: [(Kind, &[&str], Act); 9] = [
            (Kind::Begin, &["a"], to("a", "2", to("a", "1", act()))),
            (
                Kind::Tell,
                &["a"],
                to("a", "gone", refused("no", to("a", "3", act()), to("a", "4", act()))),
            ),
            (Kind::Begin, &["b"], soon.at_deadline(to("b", "late", act()))),
            (Kind::Tell, &["a", "b", "nobody"], to("c", "both", act())),
            (Kind::Begin, &["d"], bare.at_deadline(act())),
            (Kind::Tell, &["d"], to("d", "behind", act())),
            (Kind::Tell, &["a"], refused("no", act(), to("a", "revived", act())).ends()),
            (Kind::Join, &["a", "e"], act().ends()),
            (Kind::Begin, &["a"], to("a", "again", act())),
        ];
        for (number, (kind, names, act)) in signals.into_iter().enumerate() {
            let to = names.iter().map(|name| ScriptId::from(id(name))).collect();
            let signal = id("signals").into();
            let signal = Signal { signal, kind, to, note: number.to_string(), act };
            bus.dispatch(signal).await.expect("recorded");
        }
        let product = ProductId::from(id("p"));
        let restock = Restock { product: product.clone(), quantity: 5 };
        bus.dispatch(restock).await.expect("recorded");
        for (name, quantity) in [("shipped", 2), ("declined", 1), ("too-much", 9), ("cancelled", 1)]
        {
            let order = OrderId::from(id(name));
            let place = PlaceOrder { order: order.clone(), product: product.clone(), quantity };
            bus.dispatch(place).await.expect("recorded");
            bus.dispatch(ConfirmOrder { order: order.clone() }).await.expect("recorded");
            if name == "cancelled" {
                let reason = "by the customer".into();
                bus.dispatch(CancelOrder { order, reason }).await.expect("recorded");
            }
        }
    }

    /// One run of the story, disturbed or not; tells whether the point was reached, and what is left.
    async fn run(&mut self, disturbed: Option<(usize, Fate)>) -> (bool, Left) {
        self.runs += 1;
        let run = self.runs.to_string();
        self.happens(&run).await;
        self.clock.set(Timestamp::now() + Duration::from_mins(2));
        let mut is_reached = true;
        if let Some((at, fate)) = disturbed {
            let (calls, read, flaw) = (AtomicUsize::new(0), AtomicU64::new(0), self.flaw);
            let watch = Disturbed { calls, at, fate, flaw, read };
            let store = Watched::new(self.store.clone(), watch);
            is_reached = self.disturbed(&store).await;
        }
        let engine = self.engine(&self.bus(&self.store)).start().await.expect("the store is there");
        let parked = async |count| {
            until(async || {
                matches!(engine.settle(PATIENCE).await, Err(ProcessError::Parked { count: told, .. }) if told == count)
            })
            .await;
        };
        parked(1).await;
        let left = self.left(&run).await;
        until(async || {
            engine.drop_parked::<Script>(&ScriptId::from(format!("d.{run}"))).await.is_ok()
        })
        .await;
        engine.settle(PATIENCE).await.expect("nothing is parked any more");
        engine.shutdown().await.expect("it has not stopped");
        (is_reached, left)
    }

    /// Runs an engine until all is done, or it dies; tells whether the point was reached.
    async fn disturbed(&self, store: &Watched<S, Disturbed>) -> bool {
        let builder = self.engine(&self.bus(store));
        let dies = matches!(store.watch.fate, Fate::DiesBefore | Fate::DiesAfter);
        // A runtime of its own: it takes all tasks along.
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let watch = store.watch.clone();
        let works = runtime.spawn(async move {
            // Where the first call fails, it does not start.
            let Ok(engine) = builder.start().await else { return };
            // Whether it settles or says what is parked, all is done.
            while let Err(ProcessError::Store(_)) = engine.settle(PATIENCE).await {}
            if dies {
                std::mem::forget(engine);
            } else {
                engine.shutdown().await.expect("an outage stops nobody");
            }
        });
        let died = until(async || dies && watch.is_reached());
        tokio::select! {
            ended = works => ended.expect("it does not panic"),
            () = died, if dies => {}
        }
        runtime.shutdown_background();
        store.watch.is_reached()
    }

    async fn left(&self, run: &str) -> Left {
        let log: Result<Vec<RecordedEvent>, _> =
            self.store.read_all(ReadAll::after(Position::START)).try_collect().await;
        let mut left = Left::new();
        let end = format!(".{run}");
        for event in log.expect("the log is read") {
            let Some(name) = event.stream_id.as_str().strip_suffix(&end) else { continue };
            let mut content = json_of(&event);
            if event.event_type == "annals/step" {
                content = step(&content);
            }
            // Why it is cancelled may tell how much was left just then.
            if event.event_type == "OrderCancelled" {
                content = Value::Null;
            }
            let line = format!("{} {content}", event.event_type).replace(&end, "");
            left.entry(name.to_owned()).or_default().push(line);
        }
        // Several processes work on these.
        for shared in ["stock-p", "working-c"] {
            left.get_mut(shared).expect("it was worked").sort();
        }
        left
    }
}

/// What is the same in each run.
fn step(record: &Value) -> Value {
    let commands = record["commands"].as_array().expect("a list");
    let names: Vec<_> = commands.iter().map(|sent| &sent["name"]).collect();
    let saw =
        if record["state"]["saw"].is_null() { &record["state"] } else { &record["state"]["saw"] };
    let deadlines = record["deadlines"].as_object().expect("an object");
    serde_json::json!({
        "saw": saw,
        "ends": record["ends"],
        "incarnation": record["incarnation"],
        "commands": names,
        "deadlines": deadlines.keys().collect::<Vec<_>>(),
    })
}

/// Goes through the points, one in so many, until a run ends before it comes there.
async fn enumerated(store: impl Store, fate: Fate, every: usize, flaw: Flaw) -> usize {
    let began = Instant::now();
    let mut story = Story::new(store, flaw);
    // The processes begin before anything happens.
    let engine = story.engine(&story.bus(&story.store)).start().await.expect("the store is there");
    engine.shutdown().await.expect("it has not stopped");
    let (_, undisturbed) = story.run(None).await;
    assert!(undisturbed.len() > 15, "{undisturbed:#?}");
    let (mut at, mut points) = (1, 0);
    loop {
        let (is_reached, left) = story.run(Some((at, fate))).await;
        for (name, lines) in &undisturbed {
            assert_eq!(Some(lines), left.get(name), "{fate:?} at call {at}: {name}");
        }
        assert_eq!(undisturbed.len(), left.len(), "{fate:?} at call {at}: {left:#?}");
        points += usize::from(is_reached);
        if !is_reached {
            println!("{fate:?}: {points} points, up to call {at}, in {:?}", began.elapsed());
            return points;
        }
        at += every;
    }
}

async fn on_memory(fate: Fate) {
    let points = enumerated(MemoryStore::new(), fate, 1, Flaw::None).await;
    assert!(points > 60, "{points}");
}

async fn on_postgres(fate: Fate) {
    let (store, _database) = postgres().await;
    let every = std::env::var("ANNALS_CRASH_EVERY").ok().and_then(|every| every.parse().ok());
    let points = enumerated(store, fate, every.unwrap_or(13), Flaw::None).await;
    assert!(points > 5, "{points}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_fails_before() {
    on_memory(FATES[0]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_fails_after() {
    on_memory(FATES[1]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_dies_before() {
    on_memory(FATES[2]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_dies_after() {
    on_memory(FATES[3]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_fails_before() {
    on_postgres(FATES[0]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_fails_after() {
    on_postgres(FATES[1]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_dies_before() {
    on_postgres(FATES[2]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_dies_after() {
    on_postgres(FATES[3]).await;
}

/// The enumeration finds what is wrong.
async fn finds(flaw: Flaw, fate: Fate) {
    let points = AssertUnwindSafe(enumerated(MemoryStore::new(), fate, 1, flaw));
    assert!(points.catch_unwind().await.is_err(), "{flaw:?} was not found");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_that_are_made_anew_are_found() {
    finds(Flaw::KeysAnew, Fate::DiesAfter).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_checkpoint_ahead_of_what_is_done_is_found() {
    finds(Flaw::CheckpointAhead, Fate::DiesAfter).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_beside_the_transaction_are_found() {
    finds(Flaw::OutgoingApart, Fate::DiesBefore).await;
}
