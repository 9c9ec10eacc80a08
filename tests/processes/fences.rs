//! A program that stood still with a command, and wakes when another engine has gone on without it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use annals::prelude::*;
use annals::process::ParkedCause;
use annals::{Outcome, UnitOfWork};
use tokio::sync::watch;

use crate::scene::{Scene, Store, act, bus, engine, parked, settled, status, until};
use crate::script::{How, Script};
use crate::watched::{Fate, Watch, Watched};
use crate::works::{Passes, Works};

const LEASE: Duration = Duration::from_millis(300);

/// A program that stands still: its lease is not renewed, and nobody tells it.
#[derive(Default)]
struct Still(AtomicBool);

impl Watch for Still {
    fn fate(&self, call: &'static str, _: Option<&UnitOfWork>) -> Fate {
        match call {
            "claim_lease" if self.0.load(Ordering::SeqCst) => Fate::DiesBefore,
            _ => Fate::Passes,
        }
    }
}

/// What became of each work that a bus was asked for, in words.
#[derive(Clone)]
struct Outcomes(Arc<watch::Sender<Vec<String>>>);

impl Outcomes {
    fn all(&self) -> Vec<String> {
        self.0.borrow().clone()
    }

    /// Waits until there is one.
    async fn told(&self) -> Vec<String> {
        let mut told = self.0.subscribe();
        told.wait_for(|told| !told.is_empty()).await.expect("the test lives").clone()
    }
}

#[async_trait]
impl Interceptor for Outcomes {
    async fn after(&self, call: &CommandCall, outcome: Outcome<'_>) {
        let note = call.content()["note"].as_str().unwrap_or_default();
        let told = match outcome {
            Outcome::Done(_) => format!("{note} done"),
            Outcome::Failed { message, .. } => format!("{note} not done: {message}"),
            _ => note.to_owned(),
        };
        self.0.send_modify(|outcomes| outcomes.push(told));
    }
}

/// Refuses works of one note.
struct Refuses {
    note: &'static str,
    /// Lets the same work pass elsewhere first, and waits until it is done there.
    lets_pass: Option<(Passes, Outcomes)>,
}

#[async_trait]
impl Interceptor for Refuses {
    async fn before(&self, call: &mut CommandCall) -> Result<(), Refusal> {
        if call.content()["note"] != self.note {
            return Ok(());
        }
        if let Some((passes, elsewhere)) = &self.lets_pass {
            passes.pass(self.note);
            elsewhere.told().await;
        }
        Err(Refusal::new("not on my watch"))
    }
}

/// The engine that stands still with the work `one`, which it would do, and what became of it.
struct Asleep<S> {
    store: Watched<S, Still>,
    outcomes: Outcomes,
    engine: ProcessEngine,
}

impl<S: Store> Asleep<S> {
    async fn start(scene: &Scene<S>) -> Self {
        let store = Watched::new(scene.store.clone(), Still::default());
        let outcomes = Outcomes(Arc::new(watch::Sender::new(Vec::new())));
        let bus = bus(&store, &scene.passes).interceptor(outcomes.clone()).build().unwrap();
        let builder = engine(&bus).clock(scene.clock.clone()).lease(LEASE);
        let engine = builder.start().await.unwrap();
        until(async || status(&engine).await.runs_here).await;
        Self { store, outcomes, engine }
    }

    /// The work is on its way, beyond all that the engine asks itself before.
    async fn falls_asleep(&self, scene: &Scene<S>) {
        scene.passes.waits("one").await;
        self.store.watch.0.store(true, Ordering::SeqCst);
    }

    async fn wakes(&self, scene: &Scene<S>) -> Vec<String> {
        scene.passes.pass("one");
        self.outcomes.told().await
    }
}

async fn other<S: Store>(scene: &Scene<S>, lets_pass: Option<(Passes, Outcomes)>) -> ProcessEngine {
    let refuses = Refuses { note: "one", lets_pass };
    let bus = bus(&scene.store, &Passes::new()).interceptor(refuses).build().unwrap();
    engine(&bus).clock(scene.clock.clone()).lease(LEASE).start().await.unwrap()
}

const WITHDRAWN: &str = "was withdrawn";

/// The refusal that another engine was told holds, though whoever stood still would now have the command done.
async fn a_refusal_holds_that_was_taken(scene: Scene<impl Store>) {
    let asleep = Asleep::start(&scene).await;
    let step = act().sends("w", "one", How::Work(Works::Held)).or(act().works("instead"));
    scene.begin("a", "1", step.works("two")).await;
    asleep.falls_asleep(&scene).await;
    let other = other(&scene, None).await;
    settled(&other).await;
    assert_eq!(scene.worked().await, ["instead"]);
    let told = asleep.wakes(&scene).await;
    assert!(told[0].contains(WITHDRAWN), "{told:?}");
    assert_eq!(scene.worked().await, ["instead"]);
    assert_eq!(scene.saw("a").await, ["began 1", "one was refused: not on my watch"]);
    drop(asleep.engine);
    scene.tell("a", "3", act().works("three")).await;
    settled(&other).await;
    assert_eq!(scene.worked().await, ["instead", "three"]);
    other.shutdown().await.unwrap();
}

/// What a person gave up is not done, either.
async fn what_was_dropped_is_not_done(scene: Scene<impl Store>) {
    let asleep = Asleep::start(&scene).await;
    let step = act().sends("w", "one", How::Bare(Works::Held)).works("two");
    scene.begin("a", "1", step).await;
    asleep.falls_asleep(&scene).await;
    let other = other(&scene, None).await;
    until(async || status(&other).await.runs_here).await;
    let waiting = parked(&other, 1).await;
    assert_eq!(waiting[0].cause, ParkedCause::Command { name: "Bare".to_owned() });
    assert_eq!(other.drop_parked::<Script>("a").await.unwrap(), 1);
    let told = asleep.wakes(&scene).await;
    assert!(told[0].contains(WITHDRAWN), "{told:?}");
    drop(asleep.engine);
    settled(&other).await;
    assert_eq!(scene.worked().await, [""; 0]);
    other.shutdown().await.unwrap();
}

/// A command that was done while another engine was told that it is refused is done: the refusal is none.
async fn a_refusal_of_what_is_done_is_none(scene: Scene<impl Store>) {
    let asleep = Asleep::start(&scene).await;
    let step = act().sends("w", "one", How::Work(Works::Held)).or(act().works("instead"));
    scene.begin("a", "1", step.works("two")).await;
    asleep.falls_asleep(&scene).await;
    scene.tell("a", "3", act().works("three")).await;
    let other = other(&scene, Some((scene.passes.clone(), asleep.outcomes.clone()))).await;
    settled(&other).await;
    assert_eq!(scene.worked().await, ["one", "two", "three"]);
    assert_eq!(scene.saw("a").await, ["began 1", "told 3"]);
    drop(asleep.engine);
    other.shutdown().await.unwrap();
}

/// So it is when a person gives up what was done meanwhile: what came behind it is not done.
async fn what_was_done_meanwhile_is_not_dropped(scene: Scene<impl Store>) {
    let asleep = Asleep::start(&scene).await;
    let step = act().sends("w", "one", How::Bare(Works::Held)).works("two");
    scene.begin("a", "1", step).await;
    asleep.falls_asleep(&scene).await;
    let other = other(&scene, None).await;
    until(async || status(&other).await.runs_here).await;
    parked(&other, 1).await;
    assert_eq!(asleep.wakes(&scene).await, ["one done"]);
    drop(asleep.engine);
    assert_eq!(other.drop_parked::<Script>("a").await.unwrap(), 1);
    settled(&other).await;
    scene.tell("a", "2", act().works("three")).await;
    settled(&other).await;
    assert_eq!(scene.worked().await, ["one", "three"]);
    other.shutdown().await.unwrap();
}

/// A program that stood still sends nothing more until it knows that it is the owner, not even what would be done once.
async fn who_stood_still_sends_nothing_more(scene: Scene<impl Store>) {
    let asleep = Asleep::start(&scene).await;
    scene.begin("a", "1", act().held("one").works("two")).await;
    asleep.falls_asleep(&scene).await;
    let elsewhere = Passes::new();
    elsewhere.pass("one");
    let bus = bus(&scene.store, &elsewhere).build().unwrap();
    let other = engine(&bus).clock(scene.clock.clone()).lease(LEASE).start().await.unwrap();
    scene.has_worked("two").await;
    assert_eq!(asleep.wakes(&scene).await, ["one done"]);
    scene.tell("a", "3", act().works("three")).await;
    scene.has_worked("three").await;
    other.shutdown().await.unwrap();
    assert_eq!(asleep.outcomes.all(), ["one done"]);
    assert_eq!(scene.worked().await, ["one", "two", "three"]);
}

crate::on_each_store!(
    a_refusal_holds_that_was_taken,
    what_was_dropped_is_not_done,
    a_refusal_of_what_is_done_is_none,
    what_was_done_meanwhile_is_not_dropped,
    who_stood_still_sends_nothing_more,
);
