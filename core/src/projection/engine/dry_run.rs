//! A rebuild that leaves the rows as they are: its own are folded aside, and compared with those that answer.

use std::collections::VecDeque;
use std::fmt;
use std::future::IntoFuture;
use std::pin::Pin;
use std::sync::Arc;

use super::EngineError;
use super::aside::{Aside, FoldProgress};
use super::operator::Operator;
use super::scratch::{Place, Scratch};
use super::scratch_table::ScratchTable;
use crate::codec::PayloadCodec;
use crate::projection::{Differences, RebuildLoad, RowsAtOnce};
use crate::read_model::{Row, RowKey, Select, Table, open_row};
use crate::store::{ReadModelStore, StoreError};

/// How many rows of each side are held in memory.
const PAGE: usize = 1_000;

/// Tells how the rows of a projection would differ if they were rebuilt, once it is awaited.
///
/// # Cancel safety
///
/// A dropped call has changed no row of any read model; its scratch table goes by itself.
#[must_use = "nothing is folded until it is awaited"]
pub struct DryRun {
    operator: Operator,
    projection: String,
    version: u32,
    aside: Aside,
}

impl Operator {
    /// Tells how the rows of a projection would differ if they were [rebuilt](Self::rebuild), and changes none of them: what the
    /// steps give now is folded into a scratch table of the store, which goes with the answer, and compared with the rows that
    /// answer at one position of the log; of several shards, each at its own. Those who write, and the engine that runs the
    /// projection, go on meanwhile. Of both sides, a page at a time is in memory.
    ///
    /// Where engines [may make no tables](super::Tables::Awaited), the rows are folded in memory, a million at most.
    ///
    /// ```
    /// # use annals::prelude::*;
    /// # async fn look(operator: &annals::projection::Operator) -> Result<(), EngineError> {
    /// let found = operator.rebuild_dry_run("orders", 1).await?;
    /// println!("{} rows are the same, {} differ", found.same, found.different);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// When the projection is not known to this program, writes by SQL of its own or stops at an event, tables may not be made, or
    /// the store does not answer.
    pub fn rebuild_dry_run(&self, projection: &str, version: u32) -> DryRun {
        let (operator, projection) = (self.clone(), projection.to_owned());
        DryRun { operator, projection, version, aside: Aside::default() }
    }
}

impl DryRun {
    /// Sets how much the fold may ask of the store.
    pub fn load(mut self, load: RebuildLoad) -> Self {
        self.aside.load = load;
        self
    }

    /// Has somebody told how far the fold has come, some times a second.
    pub fn on_progress(mut self, tell: impl Fn(&FoldProgress) + Send + Sync + 'static) -> Self {
        self.aside.tell = Some(Arc::new(tell));
        self
    }

    async fn compare(self) -> Result<Differences, EngineError> {
        let Self { operator, projection, version, aside } = self;
        let site = operator.site(&projection, version)?;
        let (definition, rows) = (site.definition(), &operator.shared.rows);
        let table = definition.table.ok_or_else(|| definition.not_folded_aside())?;
        let place = Place::of(&operator.shared);
        let catalog = operator.catalog().await?;
        let entry = catalog.iter().find(|entry| entry.is_of(definition));
        let generation = entry.ok_or_else(|| definition.not_prepared())?.generation;
        let projector = site.projector.clone();
        let mut scratch = Scratch::new(&operator.shared, projector, (place, aside)).await?;
        // Most of it before the rows are read, so that they need not be held for long.
        let reached = rows.standing(&definition.reader(generation)).await?.lowest();
        scratch.fold_to(reached).await?;
        let old = rows.rows_at_once(definition).await?;
        let standing = old.standing().clone();
        // Shards need not be at one position: each row is compared at that of its own.
        scratch.fold_what_is_done_by(standing.clone());
        scratch.fold_to(standing.highest()).await?;
        let mut differences = Differences::new(standing.lowest());
        differences.parked = scratch.parked();
        let new = scratch.into_table();
        let mut both = Both {
            table,
            old: Side::new(Source::Kept(old), rows.row_codec()),
            new: Side::new(Source::Scratch(&new, Select::all(table)), new.store().row_codec()),
        };
        while let Some((key, old, new)) = both.next().await? {
            differences.compare(table, &key, (old.as_ref(), new.as_ref()));
        }
        new.close().await?;
        Ok(differences)
    }
}

impl IntoFuture for DryRun {
    type Output = Result<Differences, EngineError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.compare())
    }
}

/// The rows of both sides, in the order of their keys.
struct Both<'a> {
    table: &'static Table,
    old: Side<'a>,
    new: Side<'a>,
}

impl Both<'_> {
    /// The next key, with the rows that have it.
    async fn next(&mut self) -> Result<Option<(RowKey, Option<Row>, Option<Row>)>, StoreError> {
        let Self { table, old, new } = self;
        let (of_old, of_new) = (old.key(table).await?, new.key(table).await?);
        let Some(key) = of_old.iter().chain(&of_new).min().cloned() else { return Ok(None) };
        let row = |side: &mut Side<'_>, has: Option<RowKey>| {
            if has.as_ref() == Some(&key) { side.take(table) } else { None }
        };
        let (old, new) = (row(old, of_old), row(new, of_new));
        Ok(Some((key, old, new)))
    }
}

/// The rows of one side, a page of them in memory.
struct Side<'a> {
    source: Source<'a>,
    codec: &'a dyn PayloadCodec,
    rows: VecDeque<Row>,
    is_over: bool,
}

enum Source<'a> {
    Kept(Box<dyn RowsAtOnce>),
    Scratch(&'a ScratchTable, Select),
}

impl<'a> Side<'a> {
    fn new(source: Source<'a>, codec: &'a dyn PayloadCodec) -> Self {
        Self { source, codec, rows: VecDeque::new(), is_over: false }
    }

    /// The key of the next row, if there is one.
    async fn key(&mut self, table: &'static Table) -> Result<Option<RowKey>, StoreError> {
        if self.rows.is_empty() && !self.is_over {
            let page = match &mut self.source {
                Source::Kept(rows) => rows.next_page(PAGE).await?,
                Source::Scratch(rows, select) => {
                    let page = rows.select(&select.clone().limit(PAGE as u64)).await?;
                    if let Some(last) = page.last() {
                        *select = Select::all(table).after(last);
                    }
                    page
                }
            };
            self.is_over = page.is_empty();
            self.rows = page.into();
        }
        Ok(self.rows.front().map(|row| table.key_of(row)))
    }

    /// The next row, with its JSON open; what cannot be opened stays as it is.
    fn take(&mut self, table: &'static Table) -> Option<Row> {
        let row = self.rows.pop_front()?;
        Some(open_row(table, row.clone(), self.codec).unwrap_or(row))
    }
}

impl fmt::Debug for DryRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DryRun")
            .field("projection", &self.projection)
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}
