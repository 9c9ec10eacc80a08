//! Readers that are divided into shards.

use async_trait::async_trait;

use super::MemoryStore;
use super::state::{Kept, State};
use crate::projection::CatalogEntry;
use crate::shards::{Division, Layout, Standing};
use crate::store::{CheckpointId, Fence, ShardedStore, StoreError, WriteError};

impl State {
    /// How a reader is divided.
    pub(super) fn layout(&self, reader: &CheckpointId) -> Layout {
        let kept = self.layouts.get(&(reader.name.clone(), reader.version));
        kept.cloned().unwrap_or_default()
    }

    /// Whether somebody has said a number, be it one.
    pub(super) fn is_said(&self, reader: &CheckpointId) -> bool {
        self.layouts.contains_key(&(reader.name.clone(), reader.version))
    }

    pub(super) fn with_shards(&self, entry: CatalogEntry) -> CatalogEntry {
        let shards = self.layout(&entry.reader()).shards;
        CatalogEntry { shards, ..entry }
    }

    pub(super) fn standing(&self, reader: &CheckpointId) -> Standing {
        let layout = self.layout(reader);
        let of_shard = |shard| self.checkpoint(&CheckpointId { shard, ..reader.clone() });
        let reached = (0..layout.shards).map(of_shard).collect();
        Standing::new(layout, reached)
    }

    pub(super) fn divide(
        &mut self,
        reader: &CheckpointId,
        division: Division,
    ) -> Result<Standing, StoreError> {
        let into = division.shards()?;
        let name = (reader.name.clone(), reader.version);
        let Standing { layout, reached } = self.standing(reader);
        let is_said = self.is_said(reader);
        if into == layout.shards || (is_said && matches!(division, Division::AtFirst(_))) {
            self.layouts.entry(name).or_insert_with(|| Layout::of(into));
            return Ok(self.standing(reader));
        }
        let (next, checkpoints) = layout.divided(&reached, into);
        for shard in 0..layout.shards.max(into) {
            let id = CheckpointId { shard, ..reader.clone() };
            self.forget_checkpoint(&id);
            if let Some(position) = checkpoints.get(shard as usize).copied().flatten() {
                let epoch = self.leases.get(&id).map_or(0, |lease| lease.epoch);
                self.checkpoints.insert(id, Kept { position, epoch });
            }
        }
        self.layouts.insert(name, next);
        Ok(self.standing(reader))
    }

    /// Forgets where all shards of a reader were, and how it was divided.
    pub(super) fn forget_reader(&mut self, reader: &CheckpointId) {
        let is_of = |id: &&CheckpointId| id.name == reader.name && id.version == reader.version;
        let of_leases = self.leases.keys().filter(is_of);
        let mut gone: Vec<_> =
            of_leases.chain(self.checkpoints.keys().filter(is_of)).cloned().collect();
        gone.sort_unstable();
        gone.dedup();
        for id in gone {
            self.forget_checkpoint(&id);
        }
        self.layouts.remove(&(reader.name.clone(), reader.version));
    }
}

#[async_trait]
impl ShardedStore for MemoryStore {
    async fn standing(&self, reader: &CheckpointId) -> Result<Standing, StoreError> {
        Ok(self.read().standing(reader))
    }

    async fn divide(
        &self,
        reader: &CheckpointId,
        division: Division,
    ) -> Result<Standing, StoreError> {
        self.write().divide(reader, division)
    }
    async fn divide_under(
        &self,
        reader: &CheckpointId,
        shards: u32,
        leases: &[Fence],
    ) -> Result<Standing, WriteError> {
        let mut state = self.write();
        if !state.is_said(reader) || state.layout(reader).shards != shards {
            leases.iter().try_for_each(|lease| state.check_fence(lease))?;
        }
        Ok(state.divide(reader, Division::FromNow(shards))?)
    }
}
