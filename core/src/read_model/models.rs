//! The way to rows for whoever only reads.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::{ReadModelError, Row, Rows, Select, Table, Test};
use crate::position::Position;
use crate::projection::{Progress, Projection, ScratchTable};
use crate::receipt::Receipt;
use crate::store::{ReadModelStore, StoreError};
use crate::stream::StreamId;

/// How long a query waits for what it is to see, unless it says otherwise.
const PATIENCE: Duration = Duration::from_secs(5);

/// Reads rows of read models. It needs no engine: rows are where the store keeps them.
///
/// ```
/// use annals::prelude::*;
///
/// let models = ReadModels::new(MemoryStore::new());
/// # let _ = models;
/// ```
#[derive(Clone)]
pub struct ReadModels {
    pub(crate) store: Arc<dyn ReadModelStore>,
    pub(crate) progress: Progress,
    pub(crate) after: Option<After>,
    /// The only rows that are read, if they are others than those that are kept.
    pub(crate) scratch: Option<Arc<ScratchTable>>,
}

/// What rows that are read have to contain.
#[derive(Debug, Clone)]
pub(crate) struct After {
    pub(crate) stream_id: StreamId,
    pub(crate) position: Position,
    /// How many events ended there.
    pub(crate) events: u64,
    pub(crate) patience: Duration,
}

impl After {
    pub(crate) fn new(receipt: &Receipt, patience: Duration) -> Self {
        let Receipt { stream_id, position, events, .. } = receipt;
        Self { stream_id: stream_id.clone(), position: *position, events: *events, patience }
    }
}

impl ReadModels {
    /// Reads the rows in a store.
    pub fn new(store: impl ReadModelStore) -> Self {
        Self::shared(Arc::new(store), Progress::default())
    }

    pub(crate) fn shared(store: Arc<dyn ReadModelStore>, progress: Progress) -> Self {
        Self { store, progress, after: None, scratch: None }
    }

    /// Reads rows that are not kept, and keeps them for as long as it is there.
    pub(crate) fn of_scratch(table: ScratchTable) -> Self {
        let store = table.store().clone();
        Self { scratch: Some(Arc::new(table)), ..Self::shared(store, Progress::default()) }
    }

    /// Reads rows of the generation that answers; `None` if there is none.
    pub(crate) async fn select(
        &self,
        (table, version): (&'static Table, u32),
        select: &Select,
    ) -> Result<Option<Vec<Row>>, StoreError> {
        match &self.scratch {
            Some(scratch) => scratch.select_of((table, version), select).await,
            None => self.store.select(table, version, select).await,
        }
    }

    /// Counts rows of the generation that answers; `None` if there is none.
    pub(crate) async fn count(
        &self,
        (table, version): (&'static Table, u32),
        tests: &[Test],
    ) -> Result<Option<u64>, StoreError> {
        match &self.scratch {
            Some(scratch) => scratch.count_of((table, version), tests).await,
            None => self.store.count(table, version, tests).await,
        }
    }

    /// Reads rows no older than what a receipt names: whoever asks waits until the projection has passed it, for five seconds
    /// at most.
    #[must_use]
    pub fn after(self, receipt: &Receipt) -> Self {
        self.after_within(receipt, PATIENCE)
    }

    /// The same with a patience of one's own.
    #[must_use]
    pub fn after_within(mut self, receipt: &Receipt, patience: Duration) -> Self {
        self.after = Some(After::new(receipt, patience));
        self
    }

    /// Asks for the rows of a read model.
    pub fn query<M: Projection>(&self) -> Rows<M> {
        Rows::new(self.clone())
    }

    /// Finds a row by its key.
    ///
    /// # Errors
    ///
    /// When the store cannot be read, or what was to be waited for does not come.
    pub async fn get<M: Projection>(
        &self,
        key: impl super::IntoColumn<M::Key>,
    ) -> Result<Option<M>, ReadModelError> {
        let key = key.into_column();
        self.query::<M>().with_key(&key).one().await
    }
}

impl fmt::Debug for ReadModels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadModels").field("after", &self.after).finish_non_exhaustive()
    }
}
