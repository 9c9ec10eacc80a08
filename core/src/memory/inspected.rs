//! What operators ask of the store in memory.

use std::collections::{BTreeMap, HashMap};

use async_trait::async_trait;

use super::MemoryStore;
use super::state::State;
use crate::position::Position;
use crate::recorded_event::RecordedEvent;
use crate::store::{
    InspectedStore, ParkedKey, PartSize, ReadAll, ReaderSeen, SnapshotSeen, SnapshotsDropped,
    StoreError, StreamSize, StreamsChecked,
};
use crate::stream::StreamId;

#[async_trait]
impl InspectedStore for MemoryStore {
    async fn stream_heads(
        &self,
        after: Option<&StreamId>,
        limit: usize,
    ) -> Result<Vec<StreamSize>, StoreError> {
        let state = self.read();
        let sizes = streams(&state, after, limit).into_iter().map(|(stream_id, events)| {
            let last = events.last().copied();
            let version = last.map_or(0, |event| event.stream_version);
            let last_at = last.map(|event| event.recorded_at).unwrap_or_default();
            StreamSize::new(stream_id.clone(), version, version, last_at)
        });
        Ok(sizes.collect())
    }

    async fn grown_streams(
        &self,
        after: Position,
        limit: usize,
    ) -> Result<Vec<StreamSize>, StoreError> {
        let state = self.read();
        let mut grown: HashMap<StreamId, StreamSize> = HashMap::new();
        let mut next = (after < state.log.head()).then(|| ReadAll::after(after));
        while let Some(read) = next {
            let page = state.log.page(&read);
            for event in &page.events {
                let size = grown.entry(event.stream_id.clone()).or_insert_with(|| {
                    StreamSize::new(event.stream_id.clone(), 0, 0, event.recorded_at)
                });
                size.events += 1;
                (size.version, size.last_at) = (event.stream_version, event.recorded_at);
            }
            next = read.following(&page)?;
        }
        let mut grown: Vec<StreamSize> = grown.into_values().collect();
        grown.sort_by(|one, two| {
            two.events.cmp(&one.events).then_with(|| one.stream_id.cmp(&two.stream_id))
        });
        grown.truncate(limit);
        Ok(grown)
    }

    async fn check_streams(
        &self,
        after: Option<&StreamId>,
        limit: usize,
    ) -> Result<StreamsChecked, StoreError> {
        let state = self.read();
        let mut checked = StreamsChecked::default();
        for (stream_id, events) in streams(&state, after, limit) {
            let version =
                |event: Option<&&RecordedEvent>| event.map_or(0, |event| event.stream_version);
            let (first, last) = (version(events.first()), version(events.last()));
            checked.add(stream_id.clone(), events.len() as u64, first, last);
            checked.last = Some(stream_id.clone());
        }
        Ok(checked)
    }

    async fn readers(&self) -> Result<Vec<ReaderSeen>, StoreError> {
        let state = self.read();
        Ok(state.readers(state.now(&*self.shared.clock)))
    }

    async fn parked_keys(&self, prefix: &str, limit: usize) -> Result<Vec<ParkedKey>, StoreError> {
        Ok(self.read().models.parked_keys(prefix, limit))
    }

    async fn snapshots(
        &self,
        after: Option<(&StreamId, u32)>,
        limit: usize,
    ) -> Result<Vec<SnapshotSeen>, StoreError> {
        let state = self.read();
        let is_behind = |(stream_id, version): &(StreamId, u32)| {
            after.is_none_or(|after| (stream_id, *version) > after)
        };
        let kept = state.snapshots.iter().filter(|(key, _)| is_behind(key)).take(limit);
        let seen = kept.map(|((stream_id, version), (snapshot, saved_at))| {
            let versions = (*version, snapshot.stream_version);
            let bytes = snapshot.data.as_str().len() as u64;
            SnapshotSeen::new(stream_id.clone(), versions, *saved_at, bytes)
        });
        Ok(seen.collect())
    }

    async fn drop_snapshots(&self, which: SnapshotsDropped) -> Result<u64, StoreError> {
        let mut state = self.write();
        let now = state.now(&*self.shared.clock);
        let before = state.snapshots.len();
        match which {
            SnapshotsDropped::Surplus { keep } => {
                let mut higher: BTreeMap<StreamId, u32> = BTreeMap::new();
                let mut surplus = Vec::new();
                for key in state.snapshots.keys().rev() {
                    let kept = higher.entry(key.0.clone()).or_default();
                    *kept += 1;
                    if *kept > keep.max(1) {
                        surplus.push(key.clone());
                    }
                }
                for key in surplus {
                    state.snapshots.remove(&key);
                }
            }
            SnapshotsDropped::OlderThan(age) => {
                state.snapshots.retain(|_, (_, saved_at)| *saved_at >= now - age);
            }
        }
        Ok((before - state.snapshots.len()) as u64)
    }

    async fn sizes(&self) -> Result<Vec<PartSize>, StoreError> {
        let state = self.read();
        let snapshots = state.snapshots.len() as u64;
        Ok(vec![
            PartSize::new("events", Some(state.log.head().get()), None),
            PartSize::new("snapshots", Some(snapshots), None),
        ])
    }
}

/// The streams after one, in the order of their names, with their events.
fn streams<'a>(
    state: &'a State,
    after: Option<&StreamId>,
    limit: usize,
) -> Vec<(&'a StreamId, Vec<&'a RecordedEvent>)> {
    let mut names: Vec<&StreamId> = state.log.stream_ids().collect();
    names.retain(|name| after.is_none_or(|after| *name > after));
    names.sort_unstable();
    names.truncate(limit);
    names.into_iter().map(|name| (name, state.log.stream(name).collect())).collect()
}
