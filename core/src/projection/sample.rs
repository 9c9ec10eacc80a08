//! Some rows held against a fold of the log: what an operator looks at to see whether rows are as they should be.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use futures::TryStreamExt;

use super::fold::{self, Failed, Fold};
use super::table_projector::filter_of;
use super::{EventHandler, OnError, Projection};
use crate::causes::chain;
use crate::position::Position;
use crate::read_model::{ModelTable, RowKey, Select, open_row};
use crate::shards::{Layout, Standing};
use crate::store::{CheckpointId, EventStoreExt, InspectedStore, ReadAll, StoreError};

/// How many rows of a table are looked at, and how many of the newest events say which others.
pub(crate) const SAMPLE: usize = 500;

/// How often it is tried to see rows and checkpoint together, and for how long in between.
const TRIES: u32 = 100;
const PAUSE: Duration = Duration::from_millis(20);

/// What a sample has come to.
#[derive(Debug, Default)]
pub(crate) struct Sampled {
    /// How many rows were compared.
    pub(crate) rows: usize,
    /// Up to where the log was folded.
    pub(crate) until: Position,
    /// What is not as it should be, by the key of its row.
    pub(crate) findings: Vec<(String, String)>,
}

/// Folds the events of `P` up to its checkpoint for some rows, and compares; `None` while there are no rows to compare, as
/// nobody has prepared it.
pub(crate) async fn sample<P: Projection>(
    store: Arc<dyn InspectedStore>,
) -> Result<Option<Sampled>, StoreError> {
    let catalog = store.catalog().await?;
    let entry =
        catalog.iter().find(|entry| entry.projection == P::NAME && entry.version == P::VERSION);
    let Some(entry) = entry else { return Ok(None) };
    let reader = CheckpointId::of_projection(P::NAME, P::VERSION, entry.generation);
    let table = ModelTable { table: P::TABLE, version: P::VERSION, generation: entry.generation };
    let handlers = P::handlers();
    let keys = keys::<P>(&*store, &handlers).await?;
    // A row for which events wait is not what the log says yet; what is tried again meanwhile was waiting, or waits again.
    let mut parked = parked_keys(&*store, &reader).await?;
    let Some((until, rows)) = rows_at::<P>(&*store, &reader, &table, &keys).await? else {
        let finding =
            "the rows change all the time, and could not be compared: pause the projection first";
        let findings = vec![(String::new(), finding.to_owned())];
        return Ok(Some(Sampled { findings, ..Sampled::default() }));
    };
    let mut sampled = Sampled { rows: keys.len(), until: until.lowest(), findings: Vec::new() };
    parked.extend(parked_keys(&*store, &reader).await?);
    let folded = folded::<P>(&*store, &handlers, &keys, &until, &mut sampled).await?;
    for key in keys.iter().filter(|key| !parked.contains(&key.to_string())) {
        let wanted = folded.row(key).map(P::to_row).transpose();
        let wanted = wanted.map_err(|error| StoreError::other(error.to_string()))?;
        let found = rows.row(key).map(P::to_row).transpose();
        let found = found.map_err(|error| StoreError::other(error.to_string()))?;
        let finding = match (wanted, found) {
            (Some(wanted), Some(found)) if wanted == found => continue,
            (None, None) => continue,
            (Some(_), None) => "the log has a row, the table has none".to_owned(),
            (None, Some(_)) => "the table has a row, the log has none".to_owned(),
            (Some(wanted), Some(found)) => {
                let columns = P::TABLE.columns.iter().enumerate();
                let differ = columns.filter(|(index, _)| wanted.0[*index] != found.0[*index]);
                let names: Vec<String> = differ
                    .map(|(index, column)| {
                        let (wanted, found) = (&wanted.0[index], &found.0[index]);
                        format!("`{}` is {found}, and {wanted} by the log", column.name)
                    })
                    .collect();
                names.join("; ")
            }
        };
        sampled.findings.push((key.to_string(), finding));
    }
    Ok(Some(sampled))
}

/// The keys for which events wait.
async fn parked_keys(
    store: &dyn InspectedStore,
    reader: &CheckpointId,
) -> Result<HashSet<String>, StoreError> {
    Ok(store.parked(reader, None).await?.into_iter().map(|event| event.key).collect())
}

/// The keys of rows from both ends of the table, and of those that the newest events change.
async fn keys<P: Projection>(
    store: &dyn InspectedStore,
    handlers: &[EventHandler<P>],
) -> Result<Vec<RowKey>, StoreError> {
    let mut keys = BTreeSet::new();
    for descending in [false, true] {
        let mut select = Select::all(P::TABLE);
        select.limit = Some(SAMPLE as u64 / 2);
        for by in &mut select.order {
            by.descending = descending;
        }
        let rows = store.select(P::TABLE, P::VERSION, &select).await?.unwrap_or_default();
        keys.extend(rows.iter().map(|row| P::TABLE.key_of(row)));
    }
    let head = store.head().await?;
    let after = Position::from(head.get().saturating_sub(SAMPLE as u64));
    let mut newest = store.read_all(ReadAll::after(after).filter(filter_of(handlers)));
    while let Some(event) = newest.try_next().await? {
        // What cannot be read has no key; the look at the events finds it.
        if let Ok(Some(routed)) = fold::route(handlers, &event, store.codec()) {
            keys.extend(routed.keys().cloned());
        }
    }
    Ok(keys.into_iter().collect())
}

/// The rows as they are at one checkpoint; `None` if that moves all the time.
async fn rows_at<P: Projection>(
    store: &dyn InspectedStore,
    reader: &CheckpointId,
    table: &ModelTable,
    keys: &[RowKey],
) -> Result<Option<(Standing, Fold<P>)>, StoreError> {
    for _ in 0..TRIES {
        let before = stands::<P>(store, reader).await?;
        let found = store.rows(table, keys, &[]).await?;
        if stands::<P>(store, reader).await? == before {
            let mut rows = Fold::new();
            for row in found {
                let open = open_row(P::TABLE, row, store.row_codec()).and_then(P::from_row);
                let inserted = open.and_then(|row| rows.insert(row));
                inserted.map_err(|error| StoreError::other(error.to_string()))?;
            }
            return Ok(Some((before, rows)));
        }
        tokio::time::sleep(PAUSE).await;
    }
    Ok(None)
}

/// Up to where the rows say what the log says, each shard for itself: an inline projection's always to its end.
async fn stands<P: Projection>(
    store: &dyn InspectedStore,
    reader: &CheckpointId,
) -> Result<Standing, StoreError> {
    if P::INLINE {
        return Ok(Standing::new(Layout::of(1), vec![Some(store.head().await?)]));
    }
    store.standing(reader).await
}

/// The rows of these keys by the log alone.
async fn folded<P: Projection>(
    store: &dyn InspectedStore,
    handlers: &[EventHandler<P>],
    keys: &[RowKey],
    until: &Standing,
    sampled: &mut Sampled,
) -> Result<Fold<P>, StoreError> {
    let skips = CheckpointId::of_skips(P::NAME, P::VERSION);
    let skipped: HashSet<Position> =
        store.parked(&skips, None).await?.iter().map(|event| event.position).collect();
    let of_key = |key: &RowKey| until.of_key(&key.to_string());
    let keys: HashMap<&RowKey, Position> = keys.iter().map(|key| (key, of_key(key))).collect();
    let mut folded = Fold::<P>::new();
    if until.highest() == Position::START || keys.is_empty() {
        return Ok(folded);
    }
    let read = ReadAll::after(Position::START).filter(filter_of(handlers));
    let mut events = store.read_all(read);
    while let Some(event) = events.try_next().await? {
        if event.position > until.highest() {
            break;
        }
        if skipped.contains(&event.position) {
            continue;
        }
        match fold::route(handlers, &event, store.codec()) {
            Ok(Some(routed)) => {
                // Up to where its shard has come.
                let is_left_out =
                    |key: &RowKey| keys.get(key).is_none_or(|until| event.position > *until);
                let (_, failed) = folded.apply(&routed, &mut { is_left_out });
                // One that fails waits, and its row with it.
                let failed = failed.into_iter().filter(|_| P::ON_ERROR == OnError::Stop);
                for Failed { key, error } in failed {
                    sampled.findings.push((key.to_string(), chain(&error)));
                }
            }
            Ok(None) => {}
            Err(error) => {
                let finding = format!("the event at position {}: {error}", event.position);
                sampled.findings.push((String::new(), finding));
            }
        }
    }
    Ok(folded)
}
