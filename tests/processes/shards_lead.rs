//! Whoever leads a change of the number of shards: it dies in the middle of it, or has to tell why it hangs.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, Once, PoisonError};
use std::time::{Duration, Instant};

use annals::{CheckpointId, UnitOfWork};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Level, Metadata, Subscriber};

use crate::scene::{Scene, Store, act, bus, engine, settled, status, until};
use crate::script::Script;
use crate::shards::{ids, reader, sorted};
use crate::watched::{Fate, Watch, Watched};

const LEASE: Duration = Duration::from_millis(400);

/// A program that ends where it divides.
struct Divides {
    fate: Fate,
    is_armed: AtomicBool,
    has_died: AtomicBool,
}

impl Watch for Divides {
    fn fate(&self, call: &'static str, _: Option<&UnitOfWork>) -> Fate {
        if self.has_died.load(Ordering::SeqCst) {
            return Fate::DiesBefore;
        }
        if call != "divide" || !self.is_armed.load(Ordering::SeqCst) {
            return Fate::Passes;
        }
        self.has_died.store(true, Ordering::SeqCst);
        self.fate
    }
}

async fn wishes(store: &impl Store) -> usize {
    let requests = CheckpointId { name: "annals/requests".into(), version: 1, shard: 0 };
    store.parked(&requests, None).await.unwrap().len()
}

async fn count(store: &impl Store) -> u32 {
    store.standing(&reader()).await.unwrap().layout.shards
}

/// With the leases of all shards, or when they are others and whoever wished it is still to be told: the next one sees to it.
async fn a_lead_that_dies_with_the_change_leaves_it_to_the_next(scene: Scene<impl Store>) {
    let ids = ids();
    let mut wanted = Vec::new();
    for (fate, before, shards) in [(Fate::DiesBefore, 4, 7), (Fate::DiesAfter, 7, 2)] {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let (is_armed, has_died) = (AtomicBool::new(false), AtomicBool::new(false));
        let store = Watched::new(scene.store.clone(), Divides { fate, is_armed, has_died });
        let of_dead = bus(&store, &scene.passes).build().unwrap();
        let dead = engine(&of_dead).clock(scene.clock.clone()).lease(LEASE);
        let dead = runtime.spawn(dead.shards::<Script>(before).start()).await.unwrap().unwrap();
        assert_eq!(count(&scene.store).await, before);
        let note = |when: &str| format!("{when} {shards}");
        for id in &ids {
            scene.begin(&format!("{id} of {shards}"), "1", act().works(&note("before"))).await;
        }
        store.watch.is_armed.store(true, Ordering::SeqCst);
        let asks = runtime.spawn({
            let dead = dead.clone();
            async move { dead.set_shards::<Script>(shards).await }
        });
        let is_divided = if fate == Fate::DiesAfter { shards } else { before };
        until(async || {
            store.watch.has_died.load(Ordering::SeqCst) && count(&scene.store).await == is_divided
        })
        .await;
        assert_eq!(wishes(&scene.store).await, 1, "nobody has taken it back");
        runtime.shutdown_background();
        assert!(asks.await.is_err(), "it was told that it is done");
        drop(dead);
        for id in &ids {
            scene.tell(&format!("{id} of {shards}"), "2", act().works(&note("after"))).await;
        }
        let next = scene.engine().lease(LEASE).start().await.unwrap();
        until(async || wishes(&scene.store).await == 0).await;
        assert_eq!(count(&scene.store).await, shards);
        until(async || status(&next).await.shards.iter().all(|shard| shard.runs_here)).await;
        settled(&next).await;
        wanted.extend(ids.iter().flat_map(|_| [note("before"), note("after")]));
        assert_eq!(sorted(scene.worked().await), sorted(wanted.clone()));
        next.shutdown().await.unwrap();
    }
}

/// What the program has warned of, in all of its tests.
static WARNED: Mutex<Vec<String>> = Mutex::new(Vec::new());

struct Warnings;

struct Fields(String);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.0.push_str(&format!(" {}={value:?}", field.name()));
    }
}

impl Subscriber for Warnings {
    fn enabled(&self, meta: &Metadata<'_>) -> bool {
        meta.target().starts_with("annals") && *meta.level() <= Level::WARN
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn event(&self, event: &tracing::Event<'_>) {
        let mut fields = Fields(String::new());
        event.record(&mut fields);
        WARNED.lock().unwrap_or_else(PoisonError::into_inner).push(fields.0);
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

/// The warnings of a change that hangs, in which a name is.
fn warned(name: &str) -> Vec<String> {
    let warned = WARNED.lock().unwrap_or_else(PoisonError::into_inner);
    let of_it = |told: &&String| told.contains("the change hangs") && told.contains(name);
    warned.iter().filter(of_it).cloned().collect()
}

/// Each that leads says so: the one that is the owner, and the one that waits for it.
async fn a_change_that_hangs_is_told(scene: Scene<impl Store>) {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| tracing::subscriber::set_global_default(Warnings).unwrap());
    let slow = format!("slow in {}", scene.name);
    let first = scene.engine().name(&slow).lease(LEASE).shards::<Script>(1);
    let first = first.start().await.unwrap();
    scene.begin("a", "1", act().held("a")).await;
    scene.passes.waits("a").await;
    let second = scene.engine().name("second").lease(LEASE).start().await.unwrap();
    let began = Instant::now();
    let asks = tokio::spawn({
        let second = second.clone();
        async move { second.set_shards::<Script>(6).await }
    });
    let (here, there) = ("still under way in this engine", "has shard 0");
    until(async || {
        let warned = warned(&slow);
        [here, there].iter().all(|part| warned.iter().any(|told| told.contains(part)))
    })
    .await;
    let told = warned(&slow).remove(0);
    for part in ["process=\"script\"", "before=1", "shards=6", slow.as_str()] {
        assert!(told.contains(part), "{told}");
    }
    until(async || warned(&slow).len() >= 4).await;
    // Not more than each of two says in that time.
    let (told, took) = (warned(&slow), began.elapsed());
    let most = 2 * usize::try_from(took.as_millis() / LEASE.as_millis()).unwrap();
    assert!(told.len() <= most, "{told:?} in {took:?}");
    scene.passes.pass("a");
    asks.await.unwrap().unwrap();
    settled(&first).await;
    settled(&second).await;
    first.shutdown().await.unwrap();
    second.shutdown().await.unwrap();
}

crate::on_each_store!(
    a_lead_that_dies_with_the_change_leaves_it_to_the_next,
    a_change_that_hangs_is_told,
);
