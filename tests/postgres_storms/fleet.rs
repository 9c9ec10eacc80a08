//! Several stores on one database, as several processes have them.

use std::sync::Arc;

use annals::{
    Append, EventStore, KeyEntry, LogPage, Page, Position, ReadAll, ReadStream, Receipt,
    StoreError, StreamHead, StreamId, UnitOfWorkStore, WriteError,
};
use annals_postgres::PostgresStore;
use async_trait::async_trait;

/// Several stores on one database. Each call goes to any of them: what one has told, the others must not contradict.
#[derive(Clone)]
pub struct Fleet {
    stores: Arc<[PostgresStore]>,
}

impl Fleet {
    pub fn new(stores: impl IntoIterator<Item = PostgresStore>) -> Self {
        Self { stores: stores.into_iter().collect() }
    }

    fn any(&self) -> &PostgresStore {
        &self.stores[fastrand::usize(..self.stores.len())]
    }
}

#[async_trait]
impl EventStore for Fleet {
    async fn append(&self, appends: Vec<Append>) -> Result<Vec<Receipt>, WriteError> {
        self.any().append(appends).await
    }

    async fn stream_page(&self, read: &ReadStream) -> Result<Page, StoreError> {
        self.any().stream_page(read).await
    }

    async fn log_page(&self, read: &ReadAll) -> Result<LogPage, StoreError> {
        self.any().log_page(read).await
    }

    async fn stream_head(&self, stream_id: &StreamId) -> Result<StreamHead, StoreError> {
        self.any().stream_head(stream_id).await
    }

    async fn head(&self) -> Result<Position, StoreError> {
        self.any().head().await
    }

    async fn find_key(
        &self,
        stream_id: &StreamId,
        key: &str,
    ) -> Result<Option<KeyEntry>, StoreError> {
        self.any().find_key(stream_id, key).await
    }

    async fn purge_keys(&self) -> Result<u64, StoreError> {
        self.any().purge_keys().await
    }

    async fn wait_for_events(&self, after: Position) -> Result<(), StoreError> {
        self.any().wait_for_events(after).await
    }

    fn unit_of_work(&self) -> Option<&dyn UnitOfWorkStore> {
        self.any().unit_of_work()
    }
}
