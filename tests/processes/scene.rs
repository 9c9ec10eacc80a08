//! A store, a bus, and what a test looks at.

use std::time::{Duration, Instant};

use annals::prelude::*;
use annals::process::{ParkedProcess, ProcessStatus};
use annals::{CommandBusBuilder, ManualClock, ReadAll, UnitOfWorkStore};
use annals_postgres::PostgresStore;
use annals_postgres::testing::TestDatabase;
use futures::TryStreamExt;
use serde_json::Value;

use crate::script::{Act, How, Kind, Script, Sent, Signal, Signals};
use crate::works::{Passes, Working, Works};

/// Longer than any engine needs, unless something is wrong.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// A store of events and what processes have to do.
pub trait Store: UnitOfWorkStore + SnapshotStore + Clone {}

impl<S: UnitOfWorkStore + SnapshotStore + Clone> Store for S {}

pub async fn postgres() -> (PostgresStore, TestDatabase) {
    let database = TestDatabase::create().await.expect("a database");
    let builder = PostgresStore::builder().max_connections(6);
    let store = builder.connect(database.url()).await.expect("the server is there");
    store.migrate().await.expect("the tables are made");
    (store, database)
}

/// Runs a scenario on each store.
#[macro_export]
macro_rules! on_each_store {
    ($($name:ident),+ $(,)?) => {
        mod memory {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    super::$name($crate::scene::Scene::new(annals::MemoryStore::new())).await;
                }
            )+
        }

        mod postgres {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    let (store, _database) = $crate::scene::postgres().await;
                    super::$name($crate::scene::Scene::new(store)).await;
                }
            )+
        }
    };
}

pub struct Scene<S> {
    pub store: S,
    pub bus: CommandBus,
    pub passes: Passes,
    pub clock: ManualClock,
    /// Nobody else's: what is mended is the program's.
    pub name: String,
}

impl<S: Store> Scene<S> {
    pub fn new(store: S) -> Self {
        let passes = Passes::new();
        let bus = bus(&store, &passes).build().expect("nothing clashes");
        let clock = ManualClock::at(Timestamp::now());
        Self { store, bus, passes, clock, name: uuid::Uuid::now_v7().simple().to_string() }
    }

    /// An engine of scripts, as tests want it.
    pub fn engine(&self) -> annals::ProcessEngineBuilder {
        engine(&self.bus).clock(self.clock.clone())
    }

    pub async fn started(&self) -> ProcessEngine {
        let engine = self.engine().start().await.expect("the store is there");
        until(async || status(&engine).await.runs_here).await;
        engine
    }

    pub async fn signal(&self, kind: Kind, to: &[&str], note: &str, act: Act) -> Receipt {
        let to = to.iter().map(|id| (*id).into()).collect();
        let signal = Signal { signal: self.name.as_str().into(), kind, to, note: note.into(), act };
        self.bus.dispatch(signal).correlation_id(format!("about {note}")).await.expect("recorded")
    }

    pub async fn begin(&self, id: &str, note: &str, act: Act) -> Receipt {
        self.signal(Kind::Begin, &[id], note, act).await
    }

    pub async fn tell(&self, id: &str, note: &str, act: Act) -> Receipt {
        self.signal(Kind::Tell, &[id], note, act).await
    }

    pub async fn log(&self) -> Vec<RecordedEvent> {
        let log: Result<_, _> =
            self.store.read_all(ReadAll::after(Position::START)).try_collect().await;
        log.expect("the log is read")
    }

    /// The notes of what was worked, in the order of the log.
    pub async fn worked(&self) -> Vec<String> {
        let log = self.log().await;
        let worked = log.iter().filter(|event| event.event_type == "Worked");
        worked.map(|event| json_of(event)["note"].as_str().expect("a note").to_owned()).collect()
    }

    /// The steps of a process, as they are stored.
    pub async fn steps(&self, id: &str) -> Vec<RecordedEvent> {
        let stream = StreamId::new("annals/process/script", id);
        let steps: Result<_, _> = self.store.read_stream(&stream, 1..).try_collect().await;
        steps.expect("the steps are read")
    }

    /// The state of a process that lives.
    pub async fn state(&self, id: &str) -> Option<Script> {
        let steps = self.steps(id).await;
        let last = json_of(steps.last()?);
        if last["ends"] == Value::Bool(true) {
            return None;
        }
        Some(serde_json::from_value(last["state"].clone()).expect("it is its state"))
    }

    /// What a process that lives saw.
    pub async fn saw(&self, id: &str) -> Vec<String> {
        self.state(id).await.map(|script| script.saw).unwrap_or_default()
    }

    /// Waits until a step, the last of a process, is of such an instant of seeing.
    pub async fn has_seen(&self, id: &str, saw: &str) {
        until(async || {
            let steps = self.steps(id).await;
            steps.iter().any(|step| step.data.as_str().contains(saw))
        })
        .await;
    }

    pub async fn has_worked(&self, note: &str) {
        until(async || self.worked().await.iter().any(|worked| worked == note)).await;
    }
}

/// A bus of scripts and works.
pub fn bus(store: &impl Store, passes: &Passes) -> CommandBusBuilder {
    CommandBus::builder(store.clone())
        .register::<Signals>()
        .register::<Working>()
        .services::<Working>(passes.clone())
}

/// An engine of scripts that tries little and looks often.
pub fn engine(bus: &CommandBus) -> annals::ProcessEngineBuilder {
    quick(ProcessEngine::builder(bus.clone()).register::<Script>())
}

/// One that tries little and looks often.
pub fn quick(engine: annals::ProcessEngineBuilder) -> annals::ProcessEngineBuilder {
    engine
        .polling(Duration::from_millis(20))
        .lease(Duration::from_secs(2))
        .retry(RetryPolicy::times(1).with_pause(Duration::from_millis(1)))
}

pub fn json_of(event: &RecordedEvent) -> Value {
    serde_json::from_str(event.data.as_str()).expect("it is JSON")
}

/// Waits until it is so.
#[track_caller]
pub fn until(mut is_so: impl AsyncFnMut() -> bool) -> impl Future<Output = ()> {
    let caller = std::panic::Location::caller();
    async move {
        let end = Instant::now() + PATIENCE;
        while !is_so().await {
            assert!(Instant::now() < end, "{caller}: it does not come to be so");
            tokio::time::sleep(Duration::from_millis(3)).await;
        }
    }
}

pub async fn settled(engine: &ProcessEngine) {
    engine.settle(PATIENCE).await.expect("all is done");
}

/// Waits until so many processes wait for a person, and nothing else is to be done.
pub async fn parked(engine: &ProcessEngine, count: usize) -> Vec<ParkedProcess> {
    until(async || engine.parked().await.expect("the store is there").len() == count).await;
    let settled = engine.settle(PATIENCE).await;
    assert!(
        matches!(settled, Err(ProcessError::Parked { count: told, .. }) if told == count),
        "{settled:?}"
    );
    engine.parked().await.expect("the store is there")
}

pub async fn status(engine: &ProcessEngine) -> ProcessStatus {
    let status = engine.status().await.expect("the store is there");
    status.of::<Script>().expect("it is registered").clone()
}

pub fn act() -> Act {
    Act::default()
}

impl Act {
    #[must_use]
    pub fn sends(mut self, to: &str, note: &str, how: How) -> Self {
        self.sends.push(Sent { to: to.into(), note: note.into(), how, refused: act() });
        self
    }

    /// Sends a work that is done.
    #[must_use]
    pub fn works(self, note: &str) -> Self {
        self.sends("w", note, How::Work(Works::Done))
    }

    /// Sends a work that waits until its note is let pass.
    #[must_use]
    pub fn held(self, note: &str) -> Self {
        self.sends("held", note, How::Work(Works::Held))
    }

    /// What is done when the command before is refused.
    #[must_use]
    pub fn or(mut self, refused: Act) -> Self {
        self.sends.last_mut().expect("a command").refused = refused;
        self
    }

    #[must_use]
    pub fn moves(mut self, moved: crate::script::Move) -> Self {
        self.moves.push(moved);
        self
    }

    #[must_use]
    pub fn ends(mut self) -> Self {
        self.ends = true;
        self
    }

    #[must_use]
    pub fn broken(mut self, key: &str) -> Self {
        self.broken = Some(key.to_owned());
        self
    }

    #[must_use]
    pub fn at_deadline(mut self, act: Act) -> Self {
        self.at_deadline = Some(Box::new(act));
        self
    }
}
