//! Rows of read models, what is parked, and which tables answer.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap, HashSet};

use crate::position::Position;
use crate::projection::{CatalogEntry, Change, ModelDefinition, ParkedEvent};
use crate::read_model::{Index, ModelTable, Row, RowKey, Select, Table, Test, Value};
use crate::store::{CheckpointId, RowChange, StoreError, WriteError};

#[derive(Debug, Default)]
pub(super) struct Models {
    tables: HashMap<TableName, BTreeMap<RowKey, Row>>,
    entries: BTreeMap<(String, u32), Kept>,
    parked: HashMap<CheckpointId, BTreeMap<(Position, String), ParkedEvent>>,
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

    pub(super) fn catalog(&self) -> Vec<CatalogEntry> {
        self.entries.values().map(|kept| kept.entry.clone()).collect()
    }

    pub(super) fn begin_generation(
        &mut self,
        definition: &ModelDefinition,
    ) -> Result<u32, StoreError> {
        let key = (definition.projection.clone(), definition.version);
        if let Some(kept) = self.entries.get(&key)
            && let Change::Behind(columns) = definition.change_from(&kept.definition)
        {
            return Err(definition.behind(&columns));
        }
        let entry = self.entry(definition)?;
        let generation = entry.building.unwrap_or(entry.generation + 1);
        entry.building = Some(generation);
        self.forget(definition, generation);
        Ok(generation)
    }

    /// Has a generation answer; tells which one is gone.
    pub(super) fn switch_generation(
        &mut self,
        definition: &ModelDefinition,
        generation: u32,
    ) -> Result<u32, StoreError> {
        let entry = self.entry(definition)?;
        if entry.building != Some(generation) {
            return Err(definition.not_building(generation));
        }
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
        let kept = self.layout(table.table, table.version);
        let read = |row: &Row| Row(laid_out(kept, table.table, &row.0));
        if tests.is_empty() {
            let keys: HashSet<&RowKey> = keys.iter().collect();
            return keys.into_iter().filter_map(|key| rows.get(key)).map(read).collect();
        }
        let is_wanted = |(key, row): &(&RowKey, Row)| {
            keys.contains(key) || tests.iter().any(|test| test.passes(&row.0[test.column]))
        };
        let rows = rows.iter().map(|(key, row)| (key, read(row)));
        rows.filter(is_wanted).map(|(_, row)| row).collect()
    }

    pub(super) fn select(
        &self,
        table: &'static Table,
        version: u32,
        select: &Select,
    ) -> Option<Vec<Row>> {
        let keeper = self.keeper(table.name, version)?;
        let kept = keeper.table?;
        let rows = self.tables.get(&(table.name, version, keeper.entry.generation));
        let rows = rows.into_iter().flat_map(BTreeMap::values);
        let rows = rows.map(|row| Row(laid_out(kept, table, &row.0)));
        let mut rows: Vec<Row> = rows.filter(|row| select.takes(row)).collect();
        rows.sort_by(|one, two| select.compare(one, two));
        if let Some(limit) = select.limit {
            rows.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        }
        Some(rows)
    }

    /// What is kept of the projection that keeps a table.
    fn keeper(&self, table: &str, version: u32) -> Option<&Kept> {
        self.entries.values().find(|kept| {
            kept.entry.version == version && kept.table.is_some_and(|kept| kept.name == table)
        })
    }

    /// The columns in which the rows of a table are laid out, which another release may have named in another order.
    fn layout(&self, table: &'static Table, version: u32) -> &'static Table {
        self.keeper(table.name, version).and_then(|kept| kept.table).unwrap_or(table)
    }

    pub(super) fn parked(&self, reader: &CheckpointId, key: Option<&str>) -> Vec<ParkedEvent> {
        let parked = self.parked.get(reader).into_iter().flat_map(BTreeMap::values);
        parked.filter(|event| key.is_none_or(|key| event.key == key)).cloned().collect()
    }

    /// Refuses rows of which two would have the same value in a unique column.
    pub(super) fn check(&self, changes: &[RowChange]) -> Result<(), WriteError> {
        let mut after: HashMap<TableName, HashMap<RowKey, Option<&Row>>> = HashMap::new();
        let mut tables: HashMap<TableName, &'static Table> = HashMap::new();
        for change in changes {
            let (table, key, row) = match change {
                RowChange::Upsert { table, row } => (table, table.table.key_of(row), Some(row)),
                RowChange::Delete { table, key } => (table, key.clone(), None),
                _ => continue,
            };
            after.entry(name_of(table)).or_default().insert(key, row);
            tables.insert(name_of(table), table.table);
        }
        for (name, table) in tables {
            let columns = table.columns.iter().enumerate();
            let unique = columns.filter(|(_, column)| column.index == Index::Unique);
            for (index, column) in unique {
                let fates = &after[&name];
                let rows = self.tables.get(&name).into_iter().flatten();
                let layout = self.layout(table, name.1).columns.iter();
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
                    let layout = self.layout(table.table, table.version);
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

/// The values of a row in the order of other columns of the same names; nothing where there is none.
fn laid_out(from: &Table, to: &Table, values: &[Value]) -> Vec<Value> {
    if from == to {
        return values.to_vec();
    }
    let value = |name: &str| {
        let index = from.columns.iter().position(|column| column.name == name)?;
        values.get(index).cloned()
    };
    to.columns.iter().map(|column| value(column.name).unwrap_or(Value::Null)).collect()
}
