//! The stores on which each scenario runs, and what they are fed with.

use std::time::Duration;

use annals::prelude::*;
use annals::{CheckpointChange, RowChange, UnitOfWorkStore, WriteError};
use annals_postgres::PostgresStore;
use annals_postgres::testing::TestDatabase;
use annals_testing::conformance::faulty::Fault;

use crate::models::{Item, ItemListed, ItemRow, PriceChanged, Record, What};

/// Longer than any engine needs, unless something is wrong.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// A store of events and rows.
pub trait Store: UnitOfWorkStore + SnapshotStore + Clone {}

impl<S: UnitOfWorkStore + SnapshotStore + Clone> Store for S {}

/// A store that takes its time to write rows.
#[derive(Clone)]
pub struct Slow(pub Duration);

#[async_trait]
impl<S: UnitOfWorkStore + SnapshotStore> Fault<S> for Slow {
    async fn write_rows(
        &self,
        store: &S,
        rows: Vec<RowChange>,
        checkpoint: CheckpointChange,
    ) -> Result<(), WriteError> {
        tokio::time::sleep(self.0).await;
        store.write_rows(rows, checkpoint).await
    }
}

pub async fn postgres() -> (PostgresStore, TestDatabase) {
    let database = TestDatabase::create().await.expect("a database");
    let store = PostgresStore::connect(database.url()).await.expect("the server is there");
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
                    let (store, _database) = $crate::stores::postgres().await;
                    super::$name(store).await;
                }
            )+
        }
    };
}

/// A bus of the items, without the inline projections that this program links.
pub fn bus(store: &impl Store) -> CommandBus {
    CommandBus::builder(store.clone()).register::<Item>().build().expect("nothing clashes")
}

pub async fn record(bus: &CommandBus, item: &str, what: What) -> Receipt {
    let record = Record { item: item.into(), what };
    bus.dispatch(record).await.expect("the event is recorded")
}

pub fn listed(owner: &str, price: i64) -> What {
    What::Listed(ItemListed { owner: owner.into(), price, tags: vec!["new".into(), owner.into()] })
}

pub fn priced(price: i64) -> What {
    What::Price(PriceChanged { price })
}

/// Waits until what a receipt names is in the items' rows.
pub async fn wait(engine: &ProjectionEngine, receipt: &Receipt) {
    engine.wait_for::<ItemRow>(receipt, PATIENCE).await.expect("the projection comes there");
}
