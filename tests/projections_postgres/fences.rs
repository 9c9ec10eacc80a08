//! Who has lost the lease writes nothing.

use annals::{Position, ReadModelStore, WriteError};

use crate::tables::{ACCOUNTS, account};
use crate::{Error, begin, definition, drop_built, fresh, lease, switch, upsert, write};

fn is_fenced<T: std::fmt::Debug>(answer: Result<T, WriteError>, epoch: u64) {
    match answer {
        Err(WriteError::Fenced { held, current, .. }) => {
            assert_eq!(held, epoch);
            assert_ne!(current, epoch);
        }
        other => panic!("not fenced: {other:?}"),
    }
}

#[tokio::test]
async fn an_owner_of_before_writes_and_switches_nothing() -> Result<(), Error> {
    let (store, _database) = fresh().await?;
    let definition = definition(ACCOUNTS, 1);
    store.prepare(&definition).await?;
    let first = lease(&store, &definition, 1).await?;
    write(&store, &first, 1, vec![upsert(&definition, 1, account("ada", 1))]).await?;
    store.release_lease(&first).await?;
    lease(&store, &definition, 1).await?;
    let late = vec![upsert(&definition, 1, account("ada", 2))];
    is_fenced(write(&store, &first, 2, late).await, first.epoch);
    assert_eq!(store.checkpoint(&first.id).await?, Some(Position::from(1)));
    let generation = begin(&store, &definition).await?;
    let late = lease(&store, &definition, generation).await?;
    store.release_lease(&late).await?;
    lease(&store, &definition, generation).await?;
    is_fenced(switch(&store, &definition, &late).await, late.epoch);
    let balance: i64 =
        sqlx::query_scalar("SELECT balance FROM accounts").fetch_one(store.pool()).await?;
    assert_eq!(balance, 1);
    Ok(())
}

#[tokio::test]
async fn the_owner_of_a_generation_that_is_gone_is_told_so() -> Result<(), Error> {
    let (store, _database) = fresh().await?;
    let definition = definition(ACCOUNTS, 1);
    store.prepare(&definition).await?;
    let fence = lease(&store, &definition, 1).await?;
    let generation = begin(&store, &definition).await?;
    switch(&store, &definition, &lease(&store, &definition, generation).await?).await?;
    let late = || vec![upsert(&definition, 1, account("ada", 2))];
    is_fenced(write(&store, &fence, 2, late()).await, fence.epoch);
    is_fenced(write(&store, &fence, 2, Vec::new()).await, fence.epoch);
    assert!(store.rows(&definition.table_of(1).expect("one"), &[], &[]).await?.is_empty());
    assert_eq!(store.checkpoint(&fence.id).await?, None);

    // Who built a generation that was dropped is not who builds it anew, though it has the same number.
    let dropped = begin(&store, &definition).await?;
    let builder = lease(&store, &definition, dropped).await?;
    drop_built(&store, &definition, dropped).await?;
    assert_eq!(begin(&store, &definition).await?, dropped);
    let late = vec![upsert(&definition, dropped, account("ada", 2))];
    is_fenced(write(&store, &builder, 2, late).await, builder.epoch);
    lease(&store, &definition, dropped).await?;
    let late = vec![upsert(&definition, dropped, account("ada", 2))];
    is_fenced(write(&store, &builder, 2, late).await, builder.epoch);
    Ok(())
}
