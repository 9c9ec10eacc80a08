//! Inline projections: rows that change in the transaction of the append.
//!
//! Each row follows its own stream, and keeps the version of the stream up to which it says what happened. So nothing has to be
//! caught up beforehand: a row that is behind its stream, or was never written, is brought forward by whoever appends next.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use futures::TryStreamExt;

use super::fold::{self, Fold};
use super::table_projector::definition_of;
use super::{EventHandler, ModelDefinition, Projection, RowError};
use crate::bus::SetupError;
use crate::causes::chain;
use crate::read_model::{
    ColumnError, ColumnKind, ModelKey, ModelTable, Row, RowKey, Table, TableColumn, Value,
    open_row, seal_row,
};
use crate::recorded_event::RecordedEvent;
use crate::store::{EventStoreExt, RowChange, StoreError, UnitOfWorkStore};
use crate::stream::StreamId;

/// The column of the version up to which a row says what happened.
pub(crate) const STREAM_VERSION: &str = "annals_stream_version";

/// A projection whose rows change in the transaction of the append.
#[async_trait]
pub(crate) trait Inline: Send + Sync {
    fn definition(&self) -> &ModelDefinition;

    /// The categories whose streams rows follow.
    fn categories(&self) -> Vec<&'static str>;

    /// Whether rows follow the streams of a category.
    fn follows(&self, category: &str) -> bool {
        self.categories().contains(&category)
    }

    /// Those streams whose rows do not say what happened up to a version.
    async fn behind(
        &self,
        store: &dyn UnitOfWorkStore,
        generation: u32,
        streams: &BTreeMap<&StreamId, u64>,
    ) -> Result<Vec<StreamId>, StoreError>;

    /// What becomes of the row of a stream, which has come to a version, by events that are about to be appended to it.
    async fn change(
        &self,
        store: &dyn UnitOfWorkStore,
        generation: u32,
        stream: &Ahead<'_>,
    ) -> Result<RowChange, InlineError>;
}

/// A stream and what is about to be appended to it.
pub(crate) struct Ahead<'a> {
    pub(crate) stream_id: &'a StreamId,
    /// The version of the stream before.
    pub(crate) version: u64,
    /// What comes next. Position and instant are not known yet.
    pub(crate) events: &'a [RecordedEvent],
    /// Whether the row is folded from the first event on, whatever is kept.
    pub(crate) anew: bool,
}

/// Why a row could not be changed.
#[derive(Debug)]
pub(crate) enum InlineError {
    /// The row is to blame, or the event.
    Failed(String),
    Store(StoreError),
}

impl From<StoreError> for InlineError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// The rows of `P`, kept inline.
pub(crate) struct InlineRows<P: Projection> {
    definition: ModelDefinition,
    handlers: Vec<EventHandler<P>>,
    table: &'static Table,
}

/// Makes what keeps the rows of `P` inline.
///
/// # Errors
///
/// When a row does not follow the streams of one aggregate.
pub(crate) fn inline<P: Projection>() -> Result<Arc<dyn Inline>, SetupError> {
    let handlers = P::handlers();
    if let Some(strays) = handlers.iter().find(|handler| handler.source.stream.is_none()) {
        return Err(SetupError::inline_key(P::NAME, strays.event.name));
    }
    let table = table_of::<P>();
    let mut definition = definition_of(&handlers);
    definition.table = Some(table);
    Ok(Arc::new(InlineRows { definition, handlers, table }))
}

/// The table of `P`: that of its read model, and if it is inline, one more column.
pub(crate) fn table_of<P: Projection>() -> &'static Table {
    /// Made once for each read model, and kept as long as the program runs, as are the others.
    static MADE: OnceLock<std::sync::Mutex<Vec<(&'static Table, &'static Table)>>> =
        OnceLock::new();
    if !P::INLINE {
        return P::TABLE;
    }
    let made = MADE.get_or_init(Default::default);
    let mut made = made.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some((_, table)) = made.iter().find(|(of, _)| *of == P::TABLE) {
        return table;
    }
    let mut columns = P::TABLE.columns.to_vec();
    columns.push(TableColumn::new(STREAM_VERSION, ColumnKind::BigInt, false));
    let table = Table::new(P::TABLE.name, columns.leak(), P::TABLE.key);
    let table: &'static Table = Box::leak(Box::new(table));
    made.push((P::TABLE, table));
    table
}

#[async_trait]
impl<P: Projection> Inline for InlineRows<P> {
    fn definition(&self) -> &ModelDefinition {
        &self.definition
    }

    fn categories(&self) -> Vec<&'static str> {
        let mut categories: Vec<_> =
            self.handlers.iter().filter_map(|handler| handler.source.category).collect();
        categories.sort_unstable();
        categories.dedup();
        categories
    }

    async fn behind(
        &self,
        store: &dyn UnitOfWorkStore,
        generation: u32,
        streams: &BTreeMap<&StreamId, u64>,
    ) -> Result<Vec<StreamId>, StoreError> {
        let table = ModelTable { table: self.table, version: P::VERSION, generation };
        let keys: HashMap<&StreamId, RowKey> =
            streams.keys().filter_map(|stream| Some((*stream, self.key(stream).ok()?))).collect();
        let asked: Vec<RowKey> = keys.values().cloned().collect();
        let rows =
            if asked.is_empty() { Vec::new() } else { store.rows(&table, &asked, &[]).await? };
        let kept: HashMap<RowKey, u64> =
            rows.iter().map(|row| (self.table.key_of(row), version_of(row))).collect();
        // Without a row it may be gone, or was never written.
        let is_behind = |stream: &StreamId, version: u64| {
            keys.get(stream).and_then(|key| kept.get(key)).is_none_or(|kept| *kept < version)
        };
        let behind = streams.iter().filter(|(stream, version)| is_behind(stream, **version));
        Ok(behind.map(|(stream, _)| (*stream).clone()).collect())
    }

    async fn change(
        &self,
        store: &dyn UnitOfWorkStore,
        generation: u32,
        ahead: &Ahead<'_>,
    ) -> Result<RowChange, InlineError> {
        let row_key = self.key(ahead.stream_id)?;
        let table = ModelTable { table: self.table, version: P::VERSION, generation };
        let mut fold = Fold::<P>::new();
        let mut kept_at = 0;
        if ahead.version > 0 && !ahead.anew {
            let rows = store.rows(&table, std::slice::from_ref(&row_key), &[]).await?;
            if let Some(row) = rows.into_iter().next() {
                kept_at = self.insert(store, row, &mut fold)?;
            }
        }
        if kept_at > ahead.version {
            // The append will meet a conflict: what it was decided on is behind.
            (fold, kept_at) = (Fold::new(), 0);
        }
        if kept_at < ahead.version {
            let mut events = store.read_stream(ahead.stream_id, kept_at + 1..=ahead.version);
            while let Some(event) = events.try_next().await? {
                self.step(store, &mut fold, &event)?;
            }
        }
        fold.refuse_guesses();
        for event in ahead.events {
            self.step(store, &mut fold, event)?;
        }
        let Some(row) = fold.row(&row_key) else {
            return Ok(RowChange::Delete { table, key: row_key });
        };
        let row = row.to_row().and_then(|row| seal_row(self.table, row, store.row_codec()));
        let mut row =
            row.map_err(|error| InlineError::Failed(format!("row `{row_key}`: {error}")))?;
        let version = ahead.version + ahead.events.len() as u64;
        row.0.push(Value::Integer(i64::try_from(version).unwrap_or(i64::MAX)));
        Ok(RowChange::Upsert { table, row })
    }
}

/// The version of the stream up to which a row says what happened.
fn version_of(row: &Row) -> u64 {
    match row.0.last() {
        Some(Value::Integer(version)) => u64::try_from(*version).unwrap_or_default(),
        _ => 0,
    }
}

impl<P: Projection> InlineRows<P> {
    /// The key of the row that follows a stream.
    fn key(&self, stream: &StreamId) -> Result<RowKey, InlineError> {
        let of_category = |handler: &&EventHandler<P>| {
            handler.source.category.is_some_and(|category| category == stream.category())
        };
        let handler = self.handlers.iter().find(of_category);
        let key = handler.and_then(|handler| handler.source.key).map(|key| key(stream));
        let key = key.unwrap_or_else(|| Err(ColumnError::new("no row follows the stream").into()));
        let key = key.and_then(|key| Ok(key.to_row_key()?));
        key.map_err(|error| InlineError::Failed(chain(&error)))
    }

    /// Takes a row as it is kept; tells the version of the stream up to which it says what happened.
    fn insert(
        &self,
        store: &dyn UnitOfWorkStore,
        row: Row,
        fold: &mut Fold<P>,
    ) -> Result<u64, InlineError> {
        let mut row = row;
        let version = version_of(&row);
        row.0.pop();
        let inserted = fold::caught(|| {
            let row = open_row(self.table, row, store.row_codec()).and_then(P::from_row);
            row.and_then(|row| fold.insert(row)).map_err(RowError::Unreadable)
        });
        inserted.map_err(|error| InlineError::Failed(chain(&error)))?;
        Ok(version)
    }

    fn step(
        &self,
        store: &dyn UnitOfWorkStore,
        fold: &mut Fold<P>,
        event: &RecordedEvent,
    ) -> Result<(), InlineError> {
        let name = &event.event_type;
        let failed = |reason: String| InlineError::Failed(format!("event {name}: {reason}"));
        let routed = fold::route(&self.handlers, event, store.codec());
        let Some(routed) = routed.map_err(|error| failed(error.to_string()))? else {
            return Ok(());
        };
        match fold.apply(&routed, &mut |_| false).1.into_iter().next() {
            Some(first) => Err(failed(chain(&first.error))),
            None => Ok(()),
        }
    }
}
