//! Faults of what is appended: what is checked, what is kept of it, and what is one append.

use annals::{
    Append, EventStore, Expected, Payload, Receipt, UnitOfWork, UnitOfWorkStore, WriteError,
};
use annals_testing::conformance::faulty::Fault;
use async_trait::async_trait;
use uuid::Uuid;

/// No fault at all.
pub struct NoFault;

impl<S: Sync> Fault<S> for NoFault {}

/// Appends whatever version the stream has.
pub struct NoConcurrencyCheck;

#[async_trait]
impl<S: Sync> Fault<S> for NoConcurrencyCheck {
    fn appends(&self, mut appends: Vec<Append>) -> Vec<Append> {
        appends.iter_mut().for_each(|append| append.expected = Expected::Any);
        appends
    }

    async fn append(&self, store: &S, appends: Vec<Append>) -> Result<Vec<Receipt>, WriteError>
    where
        S: EventStore,
    {
        // As a round trip does, it lets others act between what was read and what is written.
        tokio::task::yield_now().await;
        store.append(appends).await
    }
}

/// Cuts expected versions to 32 bits.
pub struct NarrowVersions;

impl<S: Sync> Fault<S> for NarrowVersions {
    fn appends(&self, mut appends: Vec<Append>) -> Vec<Append> {
        for append in &mut appends {
            if let Expected::Exact(version) = &mut append.expected {
                *version &= u64::from(u32::MAX);
            }
        }
        appends
    }
}

/// Keeps the version of a shape, but not from which version on it can be read.
pub struct ForgottenReaders;

impl<S: Sync> Fault<S> for ForgottenReaders {
    fn appends(&self, mut appends: Vec<Append>) -> Vec<Append> {
        for event in appends.iter_mut().flat_map(|append| &mut append.events) {
            event.readable_from = event.schema_version;
        }
        appends
    }
}

/// Writes anew what is appended, as a column of another type would: the same JSON, but not the same text.
pub struct Rewritten;

impl<S: Sync> Fault<S> for Rewritten {
    fn appends(&self, mut appends: Vec<Append>) -> Vec<Append> {
        for event in appends.iter_mut().flat_map(|append| &mut append.events) {
            if let Ok(json) = serde_json::from_str::<serde_json::Value>(event.data.as_str()) {
                event.data = Payload::new(json.to_string());
            }
        }
        appends
    }
}

/// Commits units of work by a statement of its own, which forgets the versions.
pub struct UnitsOfOneVersion;

#[async_trait]
impl<S: Sync> Fault<S> for UnitsOfOneVersion {
    async fn commit(&self, store: &S, mut work: UnitOfWork) -> Result<Vec<Receipt>, WriteError>
    where
        S: UnitOfWorkStore,
    {
        for event in work.appends.iter_mut().flat_map(|append| &mut append.events) {
            (event.schema_version, event.readable_from) = (1, 1);
        }
        store.commit(work).await
    }
}

/// Forgets the idempotency keys.
pub struct ForgottenKey;

impl<S: Sync> Fault<S> for ForgottenKey {
    fn appends(&self, mut appends: Vec<Append>) -> Vec<Append> {
        appends.iter_mut().for_each(|append| append.key = None);
        appends
    }
}

/// Appends to one stream after the other, each by itself.
pub struct OneByOne;

#[async_trait]
impl<S: Sync> Fault<S> for OneByOne {
    async fn append(&self, store: &S, appends: Vec<Append>) -> Result<Vec<Receipt>, WriteError>
    where
        S: EventStore,
    {
        let mut receipts = Vec::with_capacity(appends.len());
        for append in appends {
            receipts.extend(store.append(vec![append]).await?);
            // As between two round trips, others come in between.
            tokio::task::yield_now().await;
        }
        Ok(receipts)
    }

    async fn commit(&self, store: &S, mut work: UnitOfWork) -> Result<Vec<Receipt>, WriteError>
    where
        S: UnitOfWorkStore,
    {
        let receipts = self.append(store, std::mem::take(&mut work.appends)).await?;
        store.commit(work).await?;
        Ok(receipts)
    }
}

/// Makes the ids of events itself, so that a second try is another append.
pub struct Doubles;

impl<S: Sync> Fault<S> for Doubles {
    fn appends(&self, mut appends: Vec<Append>) -> Vec<Append> {
        for event in appends.iter_mut().flat_map(|append| &mut append.events) {
            event.id = Uuid::now_v7();
        }
        appends
    }
}
