//! A number of shards that somebody says, while somebody else says another.

use annals::prelude::*;
use annals::shards::{Division, Standing};
use annals::{CheckpointId, UnitOfWorkStore};
use annals_testing::conformance::faulty::{Fault, Faulty};

use crate::models::ItemRow;
use crate::on_each_store;
use crate::shards::{builder, here, shows};
use crate::stores::Store;

on_each_store!(whoever_is_outvoted_is_told_so);

/// A store at which somebody says three right after somebody else has said seven.
struct Three;

#[async_trait]
impl<S: UnitOfWorkStore + SnapshotStore> Fault<S> for Three {
    async fn divide(
        &self,
        store: &S,
        reader: &CheckpointId,
        division: Division,
    ) -> Result<Standing, StoreError> {
        let standing = store.divide(reader, division).await?;
        if standing.layout.shards == 7 {
            store.divide(reader, Division::FromNow(3)).await?;
        }
        Ok(standing)
    }
}

async fn whoever_is_outvoted_is_told_so(store: impl Store) {
    let engine = builder(&Faulty::new(store, Three)).register::<ItemRow>();
    let engine = engine.shards::<ItemRow>(4).start().await.expect("the engine starts");
    let outvoted = engine.set_shards::<ItemRow>(7).await.expect_err("there are three");
    let EngineError::OtherShards { projection, wished, shards } = &outvoted else {
        panic!("{outvoted:?}");
    };
    assert_eq!((projection.as_str(), *wished, *shards), (ItemRow::NAME, 7, 3));
    assert!(outvoted.to_string().contains("has 3 shards, and not 7"), "{outvoted}");
    shows(&engine, |status| here(status) == 3).await;
    engine.set_shards::<ItemRow>(2).await.expect("nobody says anything else");
    engine.shutdown().await.expect("nothing went wrong");
}
