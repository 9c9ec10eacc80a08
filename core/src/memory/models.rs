//! Rows of read models, what is parked, and which tables answer.

mod scratch;

use std::borrow::Cow;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap, HashSet};

use super::layout::{Layout, laid_out};
use crate::position::Position;
use crate::projection::{CatalogEntry, Change, ModelDefinition, ParkedEvent, Preparation, Rebuild};
use crate::read_model::{Index, ModelTable, Row, RowKey, Select, Table, Test, Value};
use crate::store::{CheckpointId, ParkedKey, RowChange, StoreError, WriteError};

#[derive(Debug, Default)]
pub(super) struct Models {
    tables: HashMap<TableName, BTreeMap<RowKey, Row>>,
    entries: BTreeMap<(String, u32), Kept>,
    parked: HashMap<CheckpointId, BTreeMap<(Position, String), ParkedEvent>>,
    /// By the names and versions of their projections, and what is rebuilt of them.
    rebuilds: BTreeMap<(String, u32, String), Rebuild>,
}

/// A table by its name, the version of its projection, and its generation.
type TableName = (&'static str, u32, u32);

#[derive(Debug)]
struct Kept {
    entry: CatalogEntry,
    table: Option<&'static Table>,
    definition: String,
}

fn name_of(table: &ModelTable) -> TableName {
    (table.table.name, table.version, table.generation)
}

impl Models {
    pub(super) fn prepare(
        &mut self,
        definition: &ModelDefinition,
    ) -> Result<CatalogEntry, StoreError> {
        if let Some(table) = definition.table
            && let Some(kept) = self.keeper(table.name, definition.version)
            && kept.entry.projection != definition.projection
        {
            return Err(definition.taken(table));
        }
        let key = (definition.projection.clone(), definition.version);
        let kept = match self.entries.entry(key) {
            Entry::Vacant(free) => {
                let entry = CatalogEntry::new(&definition.projection, definition.version);
                let (table, definition) = (definition.table, definition.kept());
                return Ok(free.insert(Kept { entry, table, definition }).entry.clone());
            }
            Entry::Occupied(taken) => taken.into_mut(),
        };
        match definition.change_from(&kept.definition) {
            // Rows stay as they are laid out.
            Change::None | Change::Behind(_) => return Ok(kept.entry.clone()),
            Change::Added(_) => {
                if let (Some(before), Some(now)) = (kept.table, definition.table) {
                    let of_table = self.tables.iter_mut().filter(|((name, version, _), _)| {
                        *name == now.name && *version == definition.version
                    });
                    for row in of_table.flat_map(|(_, rows)| rows.values_mut()) {
                        row.0 = laid_out(before, now, &row.0);
                    }
                }
            }
            Change::Other(reason) => return Err(definition.refused(&reason)),
        }
        (kept.table, kept.definition) = (definition.table, definition.kept());
        Ok(kept.entry.clone())
    }

    /// What preparing a definition would do.
    pub(super) fn preparation(&self, definition: &ModelDefinition) -> Preparation {
        let refused = |error: &StoreError| Preparation::Refused { reason: error.to_string() };
        if let Some(table) = definition.table
            && let Some(kept) = self.keeper(table.name, definition.version)
            && kept.entry.projection != definition.projection
        {
            return refused(&definition.taken(table));
        }
        let key = (definition.projection.clone(), definition.version);
        let Some(kept) = self.entries.get(&key) else { return Preparation::Make { sql: None } };
        match definition.change_from(&kept.definition) {
            Change::None => Preparation::Nothing,
            Change::Behind(columns) => Preparation::Behind { columns },
            Change::Added(columns) => Preparation::Add { columns },
            Change::Other(reason) => refused(&definition.refused(&reason)),
        }
    }

    /// The table that answers.
    pub(super) fn answering(&self, definition: &ModelDefinition) -> Result<ModelTable, StoreError> {
        let key = (definition.projection.clone(), definition.version);
        let kept = self.entries.get(&key).ok_or_else(|| definition.not_prepared())?;
        let table = definition.table_of(kept.entry.generation);
        table.ok_or_else(|| definition.not_folded_aside())
    }

    pub(super) fn all_rows(&self, table: &ModelTable) -> Vec<Row> {
        let layout = Layout::new(self.layout(table), table.table);
        let rows = self.tables.get(&name_of(table)).into_iter().flat_map(BTreeMap::values);
        rows.map(|row| layout.read(row).into_owned()).collect()
    }

    pub(super) fn rebuilds(&self) -> Vec<Rebuild> {
        self.rebuilds.values().cloned().collect()
    }

    pub(super) fn keep_rebuild(&mut self, rebuild: &Rebuild) -> bool {
        let id = (rebuild.projection.clone(), rebuild.version, rebuild.id());
        let kept = self.rebuilds.get(&id).map_or(0, |kept| kept.revision);
        if kept != rebuild.revision {
            return false;
        }
        self.rebuilds.insert(id, Rebuild { revision: kept + 1, ..rebuild.clone() });
        true
    }

    /// What is kept of a version.
    pub(super) fn kept(&self, projection: &str, version: u32) -> Option<&CatalogEntry> {
        self.entries.get(&(projection.to_owned(), version)).map(|kept| &kept.entry)
    }

    /// How many keys of a reader, in whichever shard, have parked events.
    pub(super) fn parked_keys_of(&self, reader: &CheckpointId) -> u64 {
        let readers = self
            .parked
            .iter()
            .filter(|(of, _)| of.name == reader.name && of.version == reader.version);
        let events = readers.flat_map(|(_, events)| events.keys());
        events.map(|(_, key)| key).collect::<HashSet<_>>().len() as u64
    }

    /// Whether a version is kept.
    pub(super) fn has(&self, projection: &str, version: u32) -> bool {
        self.entries.contains_key(&(projection.to_owned(), version))
    }

    /// Drops all that is kept of a version.
    pub(super) fn prune(&mut self, projection: &str, version: u32) {
        let Some(kept) = self.entries.remove(&(projection.to_owned(), version)) else { return };
        if let Some(table) = kept.table {
            self.tables.retain(|(name, of, _), _| *name != table.name || *of != version);
        }
        self.parked.retain(|reader, _| !reader.is_of(projection, version));
        self.rebuilds.retain(|(name, of, _), _| name != projection || *of != version);
    }

    pub(super) fn catalog(&self) -> Vec<CatalogEntry> {
        self.entries.values().map(|kept| kept.entry.clone()).collect()
    }

    pub(super) fn begin_generation(
        &mut self,
        definition: &ModelDefinition,
    ) -> Result<u32, StoreError> {
        self.check_columns(definition)?;
        let entry = self.entry(definition)?;
        let generation = entry.building.unwrap_or(entry.generation + 1);
        entry.building = Some(generation);
        self.forget(definition, generation);
        Ok(generation)
    }

    /// Refuses whoever lacks columns that are kept: rows of theirs would lose them.
    fn check_columns(&self, definition: &ModelDefinition) -> Result<(), StoreError> {
        let kept = self.entries.get(&(definition.projection.clone(), definition.version));
        match kept.map(|kept| definition.change_from(&kept.definition)) {
            Some(Change::Behind(columns)) => Err(definition.behind(&columns)),
            _ => Ok(()),
        }
    }

    /// The generation that answers, if another one is being built.
    pub(super) fn answers(
        &mut self,
        definition: &ModelDefinition,
        building: u32,
    ) -> Result<u32, StoreError> {
        self.check_columns(definition)?;
        let entry = self.entry(definition)?;
        if entry.building != Some(building) {
            return Err(definition.not_building(building));
        }
        Ok(entry.generation)
    }

    /// Has a generation answer; tells which one is gone.
    pub(super) fn switch_generation(
        &mut self,
        definition: &ModelDefinition,
        generation: u32,
    ) -> Result<u32, StoreError> {
        let entry = self.entry(definition)?;
        entry.building = None;
        let gone = std::mem::replace(&mut entry.generation, generation);
        self.forget(definition, gone);
        Ok(gone)
    }

    /// Drops a generation that is built; `false` if it is not.
    pub(super) fn drop_generation(
        &mut self,
        definition: &ModelDefinition,
        generation: u32,
    ) -> bool {
        let Ok(entry) = self.entry(definition) else { return false };
        if entry.building != Some(generation) {
            return false;
        }
        entry.building = None;
        self.forget(definition, generation);
        true
    }

    pub(super) fn set_paused(&mut self, projection: &str, version: u32, paused: bool) {
        if let Some(kept) = self.entries.get_mut(&(projection.to_owned(), version)) {
            kept.entry.paused = paused;
        }
    }

    pub(super) fn rows(&self, table: &ModelTable, keys: &[RowKey], tests: &[Test]) -> Vec<Row> {
        let Some(rows) = self.tables.get(&name_of(table)) else { return Vec::new() };
        let layout = Layout::new(self.layout(table), table.table);
        let keys: HashSet<&RowKey> = keys.iter().collect();
        if tests.is_empty() {
            let rows = keys.into_iter().filter_map(|key| rows.get(key));
            return rows.map(|row| layout.read(row).into_owned()).collect();
        }
        let is_wanted = |(key, row): &(&RowKey, Cow<'_, Row>)| {
            keys.contains(key) || tests.iter().any(|test| test.passes(&row.0[test.column]))
        };
        let rows = rows.iter().map(|(key, row)| (key, layout.read(row)));
        rows.filter(is_wanted).map(|(_, row)| row.into_owned()).collect()
    }

    pub(super) fn select(
        &self,
        table: &'static Table,
        version: u32,
        select: &Select,
    ) -> Option<Vec<Row>> {
        let keeper = self.keeper(table.name, version)?;
        let layout = Layout::new(keeper.table?, table);
        let rows = self.tables.get(&(table.name, version, keeper.entry.generation));
        let rows = rows.into_iter().flat_map(BTreeMap::values).map(|row| layout.read(row));
        Some(chosen(rows, select))
    }

    /// What is kept of the projection that keeps a table.
    fn keeper(&self, table: &str, version: u32) -> Option<&Kept> {
        self.entries.values().find(|kept| {
            kept.entry.version == version && kept.table.is_some_and(|kept| kept.name == table)
        })
    }

    /// The columns in which the rows of a table are laid out, which another release may have named in another order.
    fn layout(&self, table: &ModelTable) -> &'static Table {
        // Rows aside are as their own definition has them, whatever is kept under the same name.
        let keeper =
            if table.is_scratch() { None } else { self.keeper(table.table.name, table.version) };
        keeper.and_then(|kept| kept.table).unwrap_or(table.table)
    }

    pub(super) fn parked(&self, reader: &CheckpointId, key: Option<&str>) -> Vec<ParkedEvent> {
        let parked = self.parked.get(reader).into_iter().flat_map(BTreeMap::values);
        parked.filter(|event| key.is_none_or(|key| event.key == key)).cloned().collect()
    }

    pub(super) fn parked_keys(&self, prefix: &str, limit: usize) -> Vec<ParkedKey> {
        let readers = self.parked.iter().filter(|(reader, _)| reader.name.starts_with(prefix));
        let mut keys: BTreeMap<(&CheckpointId, &str), ParkedKey> = BTreeMap::new();
        for (reader, events) in readers {
            for event in events.values() {
                let first = || ParkedKey::new(event.clone(), 0);
                keys.entry((reader, &event.key)).or_insert_with(first).events += 1;
            }
        }
        let mut keys: Vec<ParkedKey> = keys.into_values().collect();
        keys.sort_by(|one, two| {
            let order = |key: &ParkedKey| (key.first.parked_at, key.first.position);
            order(one).cmp(&order(two)).then_with(|| one.first.key.cmp(&two.first.key))
        });
        keys.truncate(limit);
        keys
    }

    /// Refuses rows of which two would have the same value in a unique column.
    pub(super) fn check(&self, changes: &[RowChange]) -> Result<(), WriteError> {
        let mut after: HashMap<TableName, HashMap<RowKey, Option<&Row>>> = HashMap::new();
        let mut tables: HashMap<TableName, ModelTable> = HashMap::new();
        for change in changes {
            let (table, key, row) = match change {
                RowChange::Upsert { table, row } => (table, table.table.key_of(row), Some(row)),
                RowChange::Delete { table, key } => (table, key.clone(), None),
                _ => continue,
            };
            after.entry(name_of(table)).or_default().insert(key, row);
            tables.insert(name_of(table), *table);
        }
        for (name, of) in tables {
            let table = of.table;
            let columns = table.columns.iter().enumerate();
            let unique = columns.filter(|(_, column)| column.index == Index::Unique);
            for (index, column) in unique {
                let fates = &after[&name];
                let rows = self.tables.get(&name).into_iter().flatten();
                let layout = self.layout(&of).columns.iter();
                let kept = layout.enumerate().find(|(_, kept)| kept.name == column.name);
                let kept = kept.map_or(index, |(kept, _)| kept);
                let mut known: HashSet<&Value> = rows
                    .filter(|(key, _)| !fates.contains_key(*key))
                    .map(|(_, row)| &row.0[kept])
                    .collect();
                for row in fates.values().flatten() {
                    let value = &row.0[index];
                    if !value.is_null() && !known.insert(value) {
                        let message = format!(
                            "another row has `{value}` in the unique column `{}`",
                            column.name
                        );
                        return Err(WriteError::RowRefused {
                            model: table.name.to_owned(),
                            source: StoreError::invalid(message),
                        });
                    }
                }
            }
        }
        Ok(())
    }

    pub(super) fn change(&mut self, changes: Vec<RowChange>) {
        for change in changes {
            match change {
                RowChange::Upsert { table, row } => {
                    let key = table.table.key_of(&row);
                    let layout = self.layout(&table);
                    let rows = self.tables.entry(name_of(&table)).or_default();
                    let mut values = laid_out(table.table, layout, &row.0);
                    // What the writer does not know stays.
                    if let Some(before) = rows.get(&key) {
                        let known =
                            |name| table.table.columns.iter().any(|column| column.name == name);
                        let columns = layout.columns.iter().enumerate();
                        for (index, _) in columns.filter(|(_, column)| !known(column.name)) {
                            values[index] = before.0[index].clone();
                        }
                    }
                    rows.insert(key, Row(values));
                }
                RowChange::Delete { table, key } => {
                    if let Some(rows) = self.tables.get_mut(&name_of(&table)) {
                        rows.remove(&key);
                    }
                }
                RowChange::Park(event) => {
                    let parked = self.parked.entry(event.reader.clone()).or_default();
                    let first = parked.get(&(event.position, event.key.clone()));
                    let parked_at = first.map_or(event.parked_at, |first| first.parked_at);
                    let event = ParkedEvent { parked_at, ..event };
                    parked.insert((event.position, event.key.clone()), event);
                }
                RowChange::Unpark { reader, key, position } => {
                    if let Some(parked) = self.parked.get_mut(&reader) {
                        parked.remove(&(position, key));
                    }
                }
            }
        }
    }

    fn entry(&mut self, definition: &ModelDefinition) -> Result<&mut CatalogEntry, StoreError> {
        let key = (definition.projection.clone(), definition.version);
        let kept = self.entries.get_mut(&key).ok_or_else(|| definition.not_prepared())?;
        Ok(&mut kept.entry)
    }

    fn forget(&mut self, definition: &ModelDefinition, generation: u32) {
        if let Some(table) = definition.table_of(generation) {
            self.tables.remove(&name_of(&table));
        }
        self.parked.remove(&definition.reader(generation));
    }
}

/// The rows that are asked for, in their order.
fn chosen<'r>(rows: impl Iterator<Item = Cow<'r, Row>>, select: &Select) -> Vec<Row> {
    let mut rows: Vec<Cow<'_, Row>> = rows.filter(|row| select.takes(row)).collect();
    rows.sort_by(|one, two| select.compare(one, two));
    if let Some(limit) = select.limit {
        rows.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    }
    rows.into_iter().map(Cow::into_owned).collect()
}
