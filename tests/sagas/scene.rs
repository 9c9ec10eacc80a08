//! A store, runners on it, and what a test looks at.

use std::sync::Arc;
use std::time::{Duration, Instant};

use annals::prelude::*;
use annals::saga::SagaRunnerBuilder;
use annals::{PayloadCodec, PlainJson, ReadAll, UnitOfWorkStore};
use annals_postgres::PostgresStore;
use annals_postgres::testing::TestDatabase;
use futures::TryStreamExt;
use serde_json::Value;

use crate::trip::{Backends, Booking};

/// Longer than any runner needs, unless something is wrong.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// A store of events and of what has not ended.
pub trait Store: UnitOfWorkStore + SnapshotStore + Clone {}

impl<S: UnitOfWorkStore + SnapshotStore + Clone> Store for S {}

pub async fn postgres() -> (PostgresStore, TestDatabase) {
    postgres_with(PlainJson).await
}

pub async fn postgres_with(codec: impl PayloadCodec) -> (PostgresStore, TestDatabase) {
    let database = TestDatabase::create().await.expect("a database");
    let builder = PostgresStore::builder().max_connections(6).codec(codec);
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
                    super::$name(annals::MemoryStore::new()).await;
                }
            )+
        }

        mod postgres {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    let (store, _database) = $crate::scene::postgres().await;
                    super::$name(store).await;
                }
            )+
        }
    };
}

/// A runner as tests want it: its pauses are short, and nobody waits long for it when it dies.
pub fn runner(store: &impl Store, backends: &Arc<Backends>) -> SagaRunnerBuilder {
    SagaRunner::builder(store.clone(), backends.clone())
        .register::<Booking>()
        .backoff(Duration::from_millis(1))
        .polling(Duration::from_millis(5))
        .lease(Duration::from_millis(300))
}

pub async fn started(store: &impl Store, backends: &Arc<Backends>) -> SagaRunner {
    runner(store, backends).start().await.expect("the store is there")
}

/// Waits until something is so.
pub async fn until(is_so: impl AsyncFn() -> bool) {
    let began = Instant::now();
    while !is_so().await {
        assert!(began.elapsed() < PATIENCE, "it never was so");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

pub async fn log_of(store: &impl Store, saga: &str, id: &str) -> Vec<RecordedEvent> {
    let stream = StreamId::new(&format!("annals/saga/{saga}"), id);
    store.read_stream(&stream, 1..).try_collect().await.expect("the log is read")
}

pub async fn log_head(store: &impl Store) -> usize {
    let all: Vec<RecordedEvent> = store
        .read_all(ReadAll::after(Position::START))
        .try_collect()
        .await
        .expect("the log is read");
    all.len()
}

/// The records of a saga's log: of each its name, the step that it is of, and the data that it keeps.
pub async fn records(store: &impl Store, saga: &str, id: &str) -> Vec<(String, Value)> {
    let log = log_of(store, saga, id).await;
    log.iter()
        .map(|event| {
            let json: Value = serde_json::from_str(event.data.as_str()).expect("plain JSON");
            if event.event_type != "annals/saga" {
                return ("ended".to_owned(), json);
            }
            let (name, content) = json.as_object().and_then(|all| all.iter().next()).expect("one");
            (name.clone(), content.clone())
        })
        .collect()
}

/// Each record in a word or two: `called flight`, `done hotel`, `undo failed flight`.
pub async fn story(store: &impl Store, saga: &str, id: &str) -> Vec<String> {
    let told = |(name, content): (String, Value)| {
        let call = if content["call"].is_object() { &content["call"] } else { &content };
        let Some(step) = call["step"].as_str() else { return name };
        let undo = if call["direction"] == "undo" { "undo " } else { "" };
        format!("{undo}{name} {step}")
    };
    records(store, saga, id).await.into_iter().map(told).collect()
}

/// A runner in a runtime of its own, which takes all its tasks along when it dies.
pub struct Mortal {
    runtime: tokio::runtime::Runtime,
    pub sagas: SagaRunner,
}

impl Mortal {
    pub async fn start(builder: SagaRunnerBuilder) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let started = runtime.spawn(builder.start()).await.expect("it does not panic");
        Self { runtime, sagas: started.expect("the store is there") }
    }

    /// Runs something where the runner is.
    pub async fn within<T: Send + 'static>(
        &self,
        what: impl Future<Output = T> + Send + 'static,
    ) -> T {
        self.runtime.spawn(what).await.expect("it does not panic")
    }

    /// Ends all its tasks where they are; its lease runs out by itself.
    pub fn die(self) {
        self.runtime.shutdown_background();
        std::mem::forget(self.sagas);
    }
}
