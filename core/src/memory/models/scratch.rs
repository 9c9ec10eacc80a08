//! Rows that are not to be kept.

use std::borrow::Cow;
use std::collections::BTreeMap;

use async_trait::async_trait;

use super::{Models, chosen, name_of};
use crate::memory::MemoryStore;
use crate::memory::state::State;
use crate::projection::ModelDefinition;
use crate::read_model::{ModelTable, Row, Select, Test};
use crate::store::{CheckpointId, ScratchStore, StoreError};
use crate::timestamp::Timestamp;

impl Models {
    /// Makes an empty table of rows that are not to be kept.
    fn begin_scratch(&mut self, table: &ModelTable) {
        self.tables.insert(name_of(table), BTreeMap::new());
    }

    /// The rows of a scratch table, in the order of their keys; `None` if it is not there.
    fn scratch(&self, table: &ModelTable, select: &Select) -> Option<Vec<Row>> {
        let rows = self.tables.get(&name_of(table))?;
        Some(chosen(rows.values().map(Cow::Borrowed), select))
    }

    /// Drops what was folded aside by a reader.
    fn drop_scratch(&mut self, reader: &CheckpointId, generation: u32) {
        self.tables.retain(|(_, version, of), _| (*version, *of) != (reader.version, generation));
        self.parked.remove(reader);
    }
}

impl State {
    /// Drops what a reader has folded aside.
    fn drop_scratch(&mut self, reader: &CheckpointId, generation: u32) {
        self.models.drop_scratch(reader, generation);
        self.checkpoints.remove(reader);
        // Its generation is drawn for one run only: no epoch has to stay.
        self.leases.remove(reader);
    }

    /// The readers that fold aside whose leases nobody holds, with their generations.
    fn left_scratch(&self, now: Timestamp) -> Vec<(CheckpointId, u32)> {
        let readers = self.readers(now).into_iter().filter(|reader| !reader.is_held());
        readers
            .filter_map(|reader| Some((reader.id.clone(), reader.id.scratch_generation()?)))
            .collect()
    }
}

#[async_trait]
impl ScratchStore for MemoryStore {
    async fn begin_scratch(
        &self,
        definition: &ModelDefinition,
        generation: u32,
    ) -> Result<(), StoreError> {
        let table = definition.table_of(generation);
        let table = table.ok_or_else(|| definition.not_folded_aside())?;
        self.write().models.begin_scratch(&table);
        Ok(())
    }

    async fn select_scratch(
        &self,
        table: &ModelTable,
        select: &Select,
    ) -> Result<Option<Vec<Row>>, StoreError> {
        Ok(self.read().models.scratch(table, select))
    }

    async fn count_scratch(
        &self,
        table: &ModelTable,
        tests: &[Test],
    ) -> Result<Option<u64>, StoreError> {
        let select = tests.iter().cloned().fold(Select::default(), Select::test);
        Ok(self.read().models.scratch(table, &select).map(|rows| rows.len() as u64))
    }

    async fn drop_scratch(
        &self,
        definition: &ModelDefinition,
        generation: u32,
    ) -> Result<(), StoreError> {
        self.write().drop_scratch(&definition.reader(generation), generation);
        Ok(())
    }

    async fn drop_left_scratch(&self) -> Result<u64, StoreError> {
        let now = self.shared.clock.now();
        let mut state = self.write();
        let left = state.left_scratch(now);
        for (reader, generation) in &left {
            state.drop_scratch(reader, *generation);
        }
        Ok(left.len() as u64)
    }
}
