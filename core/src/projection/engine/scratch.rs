//! Rows folded beside all that is kept, into a table of their own.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use uuid::Uuid;

use super::aside::{Aside, FoldProgress};
use super::failures::{Failures, Next};
use super::operator::{Shared, TELL};
use super::scratch_table::ScratchTable;
use super::size::Size;
use super::worker::{Ended, Owned, Worker};
use super::{EngineError, Settings, Tables};
use crate::bus::RetryPolicy;
use crate::clock::SystemClock;
use crate::memory::MemoryStore;
use crate::position::Position;
use crate::projection::{CatalogEntry, ModelDefinition, ParkedEvent, Projector};
use crate::read_model::ModelTable;
use crate::shards::{Part, Standing};
use crate::store::{CheckpointId, LogPage, ReadModelStore, StoreError};

/// How many rows are held in memory at most, unless it is said otherwise.
const MOST_IN_MEMORY: usize = 1_000_000;

/// After how many events rows are counted of which there may be so many only.
const COUNTED: u64 = 100_000;

/// Where rows are folded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// In the store of the rows that are kept.
    Store,
    /// In this program: for few rows, and where no tables may be made.
    Memory,
}

impl Place {
    /// Where rows are folded that may be many.
    pub(super) fn of(shared: &Shared) -> Self {
        if shared.settings.tables == Tables::Made { Self::Store } else { Self::Memory }
    }
}

/// A projection whose rows are not kept.
pub(super) struct Scratch {
    worker: Worker,
    owned: Owned,
    table: ScratchTable,
    aside: Aside,
    progress: FoldProgress,
    told: Option<Instant>,
    /// How many events were folded since the rows were counted.
    uncounted: u64,
}

impl Scratch {
    pub(super) async fn new(
        shared: &Shared,
        projector: Arc<dyn Projector>,
        (place, mut aside): (Place, Aside),
    ) -> Result<Self, EngineError> {
        let definition = projector.definition();
        let generation = drawn();
        let table = definition.table_of(generation);
        let table = table.ok_or_else(|| definition.not_folded_aside())?;
        let rows: Arc<dyn ReadModelStore> = match place {
            Place::Store => shared.rows.clone(),
            Place::Memory => {
                aside.most = aside.most.or(Some(MOST_IN_MEMORY));
                Arc::new(MemoryStore::new())
            }
        };
        // What those have left who died goes with the next who comes by.
        if let Err(error) = rows.drop_left_scratch().await {
            tracing::warn!(%error, "scratch tables that were left could not be dropped");
        }
        let skipped = skipped(shared, definition).await?;
        let entry =
            CatalogEntry { generation, ..CatalogEntry::new(&definition.projection, table.version) };
        let settings = Arc::new(settings(shared));
        let stores = (shared.events.clone(), rows.clone());
        let table = ScratchTable::new(rows, definition.clone(), table, shared.tasks.clone());
        let set = (settings, shared.pulse.clone());
        let (mut worker, ..) = Worker::new(projector, entry, stores, set, shared.stop.clone());
        worker.reads_ahead = aside.load.reads_ahead();
        let held = worker.hold().await;
        let mut owned = held.map_err(|ended| ended.into_error(worker.name()))?;
        table.begin().await?;
        owned.skipped = skipped;
        if let Some(batch) = aside.load.batch {
            let most = worker.projector.batch().unwrap_or(shared.settings.batch);
            owned.size = Size::new(batch.clamp(1, most));
        }
        let progress = FoldProgress::default();
        Ok(Self { worker, owned, table, aside, progress, told: None, uncounted: 0 })
    }

    /// Up to where the log has been folded.
    pub(super) const fn position(&self) -> Position {
        self.owned.position
    }

    /// The events that failed, and those that wait behind them.
    pub(super) fn parked(&self) -> Vec<ParkedEvent> {
        self.owned.parked.clone()
    }

    /// Folds of each key only what others have done that stand there.
    pub(super) fn fold_what_is_done_by(&mut self, standing: Standing) {
        self.owned.part = Part::done_by(standing);
    }

    /// Its rows, which are there for as long as somebody has them.
    pub(super) fn into_table(self) -> ScratchTable {
        let Self { owned: Owned { lease, .. }, table, .. } = self;
        table.held_by(lease)
    }

    /// Folds the events up to a position, or to the log's end if that comes before.
    pub(super) async fn fold_to(&mut self, to: Position) -> Result<(), EngineError> {
        if self.aside.tell.is_some() {
            let (events, filter) = (&self.worker.events, self.worker.projector.filter());
            self.progress.of = events.count_events(&filter, to).await?;
        }
        while self.owned.position < to {
            let began = Instant::now();
            let page = self.read().await?;
            let (events, has_more) = self.take_in(page, to).await?;
            if !has_more {
                // Nothing comes any more at or below the log's end.
                self.owned.position = self.owned.position.max(to);
            }
            self.owned.size.took(events, began.elapsed());
            self.tell(false);
            let rest = self.aside.load.rest(events, began.elapsed());
            tokio::time::sleep(rest).await;
        }
        self.tell(true);
        self.count().await
    }

    /// Folds the first events, and tells how many there were.
    pub(super) async fn fold_some(&mut self, most: usize) -> Result<usize, EngineError> {
        let (mut folded, head) = (0, self.worker.events.head().await?);
        while folded < most && self.owned.position < head {
            let page = self.read().await?;
            let (events, has_more) = self.take_in(page, head).await?;
            folded += events;
            if !has_more {
                break;
            }
        }
        Ok(folded)
    }

    /// Reads the next page, whatever outages there are meanwhile.
    async fn read(&mut self) -> Result<LogPage, EngineError> {
        let mut failures = Failures::default();
        loop {
            let error = match self.worker.read_page(&mut self.owned).await {
                Ok(page) => return Ok(page),
                Err(error) => error,
            };
            match failures.next(&error) {
                Next::Again(pause) => tokio::time::sleep(pause).await,
                Next::Stop => return Err(error.into()),
            }
        }
    }

    /// Folds a page, and tells how many events it had, and whether there are more.
    async fn take_in(
        &mut self,
        mut page: LogPage,
        to: Position,
    ) -> Result<(usize, bool), EngineError> {
        let reached = page.reached.min(to).max(self.owned.position);
        let skipped = &self.owned.skipped;
        page.events.retain(|event| event.position <= to && !skipped.contains(&event.position));
        let events = page.events.len();
        if events == 0 {
            self.owned.position = reached;
        } else {
            let applied = self.worker.apply(&mut self.owned, &page.events, reached).await;
            applied.map_err(|ended| match ended {
                // Its lease has run out.
                Ended::Again => self.worker.projector.definition().scratch_gone().into(),
                ended => ended.into_error(self.worker.name()),
            })?;
        }
        self.progress.events += events as u64;
        self.progress.position = self.owned.position;
        self.uncounted += events as u64;
        if self.uncounted >= COUNTED {
            self.count().await?;
        }
        Ok((events, page.more && reached < to))
    }

    /// Refuses more rows than there may be.
    async fn count(&mut self) -> Result<(), EngineError> {
        self.uncounted = 0;
        let rows = match self.aside.most {
            Some(_) => self.table.count(&[]).await?,
            // That all are there still, the table tells at any rate.
            None => self.table.is_whole().await?.then_some(0),
        };
        let rows = rows.ok_or_else(|| self.worker.projector.definition().scratch_gone())?;
        if let Some(most) = self.aside.most.filter(|most| rows > *most as u64) {
            let name = self.worker.name();
            return Err(StoreError::invalid(format!(
                "projection `{name}` has more than {most} rows: allow more with `.rows_at_most(…)`"
            ))
            .into());
        }
        Ok(())
    }

    /// Tells how far it has come, some times a second.
    fn tell(&mut self, is_last: bool) {
        let Some(tell) = &self.aside.tell else { return };
        if is_last || self.told.is_none_or(|told| told.elapsed() >= TELL) {
            self.told = Some(Instant::now());
            self.progress.of = self.progress.of.max(self.progress.events);
            tell(&self.progress);
        }
    }
}

/// A generation that no other run has.
fn drawn() -> u32 {
    let [.., a, b, c, d] = Uuid::now_v7().into_bytes();
    u32::from_be_bytes([a, b, c, d]) | ModelTable::FIRST_SCRATCH
}

fn settings(shared: &Shared) -> Settings {
    Settings {
        name: shared.settings.name.clone(),
        // What fails once fails again: nobody waits for it.
        retry: RetryPolicy::never(),
        polling: shared.settings.polling,
        lease: shared.settings.lease.max(LEAST_LEASE),
        batch: shared.settings.batch,
        thresholds: shared.settings.thresholds,
        rebuilds: 1,
        tables: shared.settings.tables,
        shards: BTreeMap::new(),
        clock: Box::new(SystemClock),
    }
}

/// Nobody waits for the lease of one that has died: it may last through an outage.
const LEAST_LEASE: Duration = Duration::from_secs(30);

/// What is passed over, since a person said so.
async fn skipped(
    shared: &Shared,
    definition: &ModelDefinition,
) -> Result<HashSet<Position>, StoreError> {
    let skips = CheckpointId::of_skips(&definition.projection, definition.version);
    let skipped = shared.rows.parked(&skips, None).await?;
    Ok(skipped.iter().map(|event| event.position).collect())
}
