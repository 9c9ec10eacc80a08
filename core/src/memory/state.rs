//! All that the store keeps, and the one way in which it changes: check everything, then change everything.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::time::Duration;

use uuid::Uuid;

use super::keys::Keys;
use super::log::Log;
use super::models::Models;
use crate::clock::Clock;
use crate::position::Position;
use crate::projection::{CatalogEntry, ModelDefinition, Pruned, Showing, Shown};
use crate::receipt::Receipt;
use crate::recorded_event::RecordedEvent;
use crate::shards::{Division, Layout};
use crate::store::{
    Append, CheckpointChange, CheckpointId, Conflict, Deadline, DeadlineChange, Fence, KeyEntry,
    LeaseHolder, OutgoingCommand, ReaderSeen, StoreError, StoredSnapshot, UnitOfWork, WriteError,
};
use crate::stream::{StreamHead, StreamId};
use crate::timestamp::Timestamp;

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) log: Log,
    pub(super) keys: Keys,
    /// With the instants when they were saved.
    pub(super) snapshots: BTreeMap<(StreamId, u32), (StoredSnapshot, Timestamp)>,
    pub(super) models: Models,
    pub(super) checkpoints: HashMap<CheckpointId, Kept>,
    /// Of readers that were ever divided, by their names and versions.
    pub(super) layouts: HashMap<(String, u32), Layout>,
    pub(super) outgoing: BTreeMap<u64, OutgoingCommand>,
    outgoing_by_key: HashMap<String, u64>,
    pub(super) deadlines: HashMap<(StreamId, String), Timestamp>,
    pub(super) leases: HashMap<CheckpointId, Lease>,
    last_outgoing: u64,
}

/// A checkpoint, and the epoch under which it was moved there.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) position: Position,
    pub(super) epoch: u64,
}

#[derive(Debug)]
pub(super) struct Lease {
    /// `None` once it was given up: the next owner gets a new epoch, even if it has the name of the last.
    owner: Option<String>,
    pub(super) epoch: u64,
    until: Timestamp,
}

impl State {
    /// The present instant of what is stored, which never goes back, whatever the clock does: within a stream instants
    /// never decrease, and a key that has expired stays so.
    pub(super) fn now(&self, clock: &dyn Clock) -> Timestamp {
        let now = clock.now();
        self.log.last_instant().map_or(now, |last| last.max(now))
    }

    /// Does all of the work or none.
    pub(super) fn commit(
        &mut self,
        work: UnitOfWork,
        now: Timestamp,
    ) -> Result<Vec<Receipt>, WriteError> {
        if let Some(fault) = work.appends.iter().find_map(Append::fault) {
            return Err(StoreError::invalid(fault).into());
        }
        if let Some(receipts) = self.first_answer(&work.appends, now)? {
            return Ok(receipts);
        }
        self.check_appends(&work.appends, now)?;
        if let Some(change) = &work.checkpoint {
            self.check_fence(&change.fence)?;
            self.check_move(change)?;
        }
        self.models.check(&work.rows)?;
        let receipts = work.appends.into_iter().map(|append| self.store(append, now)).collect();
        self.models.change(work.rows);
        if let Some(CheckpointChange { fence, position }) = work.checkpoint {
            self.checkpoints.insert(fence.id, Kept { position, epoch: fence.epoch });
        }
        self.change_outgoing(work.outgoing, &work.answered);
        self.change_deadlines(work.deadlines);
        Ok(receipts)
    }

    /// The receipts of work that was done before, which its event ids tell; `None` if none of them is known.
    ///
    /// What was done before was done whole, so ids that are known in part are those of something else.
    fn first_answer(
        &self,
        appends: &[Append],
        now: Timestamp,
    ) -> Result<Option<Vec<Receipt>>, WriteError> {
        let mut ids = HashSet::new();
        let mut known = None;
        for append in appends {
            for event in &append.events {
                if !ids.insert(event.id) {
                    return Err(id_in_use(append, event.id));
                }
                if known.is_none() && self.log.by_id(event.id).is_some() {
                    known = Some((append, event.id));
                }
            }
        }
        let Some((append, id)) = known else { return Ok(None) };
        let receipts: Option<Vec<_>> =
            appends.iter().map(|append| self.first_receipt(append, now)).collect();
        receipts.map(Some).ok_or_else(|| id_in_use(append, id))
    }

    /// The receipt of an append whose events are all there, in this order at consecutive versions.
    fn first_receipt(&self, append: &Append, now: Timestamp) -> Option<Receipt> {
        let Some(first) = append.events.first() else {
            return Some(self.receipt_without_events(append, now));
        };
        let first = self.log.by_id(first.id)?.stream_version;
        let mut last = None;
        for (version, event) in (first..).zip(&append.events) {
            last = Some(self.log.by_id(event.id).filter(|stored| {
                stored.stream_id == append.stream_id && stored.stream_version == version
            })?);
        }
        let last = last?;
        let head = StreamHead::new(last.stream_version, last.position, last.recorded_at);
        Some(Receipt::new(append.stream_id.clone(), head, append.events.len() as u64))
    }

    /// The receipt that was kept with the append's key; without one, the present head.
    fn receipt_without_events(&self, append: &Append, now: Timestamp) -> Receipt {
        let stream_id = &append.stream_id;
        let entry = append.key.as_ref().and_then(|claim| {
            let entry = self.keys.find(stream_id, &claim.key, now)?;
            (entry.command == claim.command && entry.content == claim.content).then_some(entry)
        });
        match entry {
            Some(entry) => entry.receipt.clone(),
            None => Receipt::new(stream_id.clone(), self.log.stream_head(stream_id, now), 0),
        }
    }

    /// Checks each append against the state as those before it leave it.
    fn check_appends(&self, appends: &[Append], now: Timestamp) -> Result<(), WriteError> {
        let mut versions: HashMap<&StreamId, u64> = HashMap::new();
        let mut claimed = HashSet::new();
        for append in appends {
            let stream_id = &append.stream_id;
            if let Some(claim) = &append.key {
                if let Some(entry) = self.keys.find(stream_id, &claim.key, now) {
                    return Err(WriteError::KeyUsed {
                        stream_id: stream_id.clone(),
                        key: claim.key.clone(),
                        entry: Box::new(entry.clone()),
                    });
                }
                if !claimed.insert((stream_id, &claim.key)) {
                    let message = format!("`{stream_id}`: key `{}` is claimed twice", claim.key);
                    return Err(StoreError::invalid(message).into());
                }
            }
            let version =
                versions.entry(stream_id).or_insert_with(|| self.log.stream_version(stream_id));
            if !append.expected.allows(*version) {
                return Err(Conflict::new(stream_id.clone(), append.expected, *version).into());
            }
            *version += append.events.len() as u64;
        }
        Ok(())
    }

    fn store(&mut self, append: Append, now: Timestamp) -> Receipt {
        let Append { stream_id, events, key, .. } = append;
        let stored = events.len() as u64;
        let first = self.log.stream_version(&stream_id) + 1;
        for (version, event) in (first..).zip(events) {
            let head = StreamHead::new(version, self.log.next_position(), now);
            self.log.push(RecordedEvent::new(event, stream_id.clone(), head));
        }
        let head = self.log.stream_head(&stream_id, now);
        let receipt = Receipt::new(stream_id.clone(), head, stored);
        if let Some(claim) = key {
            let entry = KeyEntry::new(claim.command.clone(), claim.content, receipt.clone());
            self.keys.insert(stream_id, &claim, entry, now);
        }
        receipt
    }

    /// A key that is there already is the same command, asked for again.
    fn change_outgoing(&mut self, commands: Vec<OutgoingCommand>, answered: &[String]) {
        for key in answered {
            if let Some(number) = self.outgoing_by_key.remove(key) {
                self.outgoing.remove(&number);
            }
        }
        for command in commands {
            if let Entry::Vacant(free) = self.outgoing_by_key.entry(command.key.clone()) {
                self.last_outgoing += 1;
                free.insert(self.last_outgoing);
                self.outgoing.insert(self.last_outgoing, command);
            }
        }
    }

    fn change_deadlines(&mut self, changes: Vec<DeadlineChange>) {
        for change in changes {
            match change {
                DeadlineChange::Set(Deadline { process, name, due }) => {
                    self.deadlines.insert((process, name), due);
                }
                DeadlineChange::Cancel { process, name } => {
                    self.deadlines.remove(&(process, name));
                }
            }
        }
    }

    pub(super) fn check_fence(&self, fence: &Fence) -> Result<(), WriteError> {
        let lease = self.leases.get(&fence.id);
        let current = lease.map_or(0, |lease| lease.epoch);
        // A lease that was given up writes no more, though nobody has taken it yet.
        if current == fence.epoch && lease.is_some_and(|lease| lease.owner.is_some()) {
            return Ok(());
        }
        Err(WriteError::Fenced { name: fence.id.name.clone(), held: fence.epoch, current })
    }

    /// Under a new epoch a reader may begin anywhere, under one it only goes on.
    fn check_move(&self, change: &CheckpointChange) -> Result<(), WriteError> {
        let CheckpointChange { fence, position: to } = change;
        match self.checkpoints.get(&fence.id) {
            Some(kept) if kept.epoch == fence.epoch && kept.position > *to => {
                let name = fence.id.name.clone();
                Err(WriteError::MovedBack { name, position: kept.position, to: *to })
            }
            _ => Ok(()),
        }
    }

    pub(super) fn forget_checkpoint(&mut self, id: &CheckpointId) {
        self.checkpoints.remove(id);
        // The lease's epoch stays and rises: whoever held it writes no more, though what comes next has the same name.
        if let Some(lease) = self.leases.get_mut(id) {
            *lease = Lease { owner: None, epoch: lease.epoch + 1, until: Timestamp::MIN };
        }
    }

    /// Has a generation answer that has come as far as the one that does, whose owners write no more.
    pub(super) fn switch_generation(
        &mut self,
        (definition, generation): (&ModelDefinition, u32),
        fence: &Fence,
        head: Position,
    ) -> Result<bool, WriteError> {
        self.check_fence(fence)?;
        let answers = definition.reader(self.models.answers(definition, generation)?);
        let is_of = |id: &CheckpointId| id.name == answers.name && id.version == answers.version;
        let built = self.checkpoint(&fence.id).unwrap_or_default();
        let is_further = |kept: Position| kept > built && kept <= head;
        let layout = self.layout(&answers);
        if self.checkpoints.iter().any(|(id, kept)| is_of(id) && is_further(kept.position))
            || layout.floors.iter().any(|floor| is_further(floor.position))
        {
            return Ok(false);
        }
        let is_said = self.is_said(&answers);
        self.models.switch_generation(definition, generation)?;
        self.forget_reader(&answers);
        // As many write the new rows as wrote the old ones. Whoever built them goes on if that is one.
        if is_said {
            self.divide(&definition.reader(generation), Division::FromNow(layout.shards))?;
        }
        Ok(true)
    }

    /// Looks whether a version stands so that it may be shown: there is no name that shows it.
    pub(super) fn show_version(
        &self,
        projection: &str,
        version: u32,
        showing: Showing,
    ) -> Result<Shown, StoreError> {
        let Some(entry) = self.models.kept(projection, version) else {
            return Err(CatalogEntry::new(projection, version).not_kept());
        };
        let reader = entry.reader();
        let stands = self.standing(&reader).lowest();
        let behind = self.log.head().get().saturating_sub(stands.get());
        let parked = self.models.parked_keys_of(&reader);
        Ok(match showing {
            Showing::Whole if behind > 0 || parked > 0 => Shown::Lacking { behind, parked },
            _ => Shown::Done,
        })
    }

    /// Drops all that is kept of a version of a projection, unless someone runs it.
    pub(super) fn prune(&mut self, projection: &str, version: u32, now: Timestamp) -> Pruned {
        if !self.models.has(projection, version) {
            return Pruned::Missing;
        }
        let readers = self.leases.iter().filter(|(id, _)| id.is_of(projection, version));
        if readers.clone().any(|(_, lease)| lease.owner.is_some() && lease.until > now) {
            return Pruned::InUse;
        }
        let readers: Vec<CheckpointId> = readers.map(|(id, _)| id.clone()).collect();
        for reader in readers {
            self.forget_reader(&reader);
        }
        self.models.prune(projection, version);
        Pruned::Done
    }

    pub(super) fn checkpoint(&self, id: &CheckpointId) -> Option<Position> {
        self.checkpoints.get(id).map(|kept| kept.position)
    }

    /// All that have a checkpoint or a lease, in the order of their ids.
    pub(super) fn readers(&self, now: Timestamp) -> Vec<ReaderSeen> {
        let ids: BTreeSet<&CheckpointId> =
            self.checkpoints.keys().chain(self.leases.keys()).collect();
        let seen = ids.into_iter().map(|id| {
            let lease = self.leases.get(id);
            let epoch = lease.map_or(0, |lease| lease.epoch);
            let owner = lease.and_then(|lease| lease.owner.clone());
            let left = lease.map_or(Duration::ZERO, |lease| lease.until.since(now));
            ReaderSeen::new(id.clone(), self.checkpoint(id), epoch).with_owner(owner, left)
        });
        seen.collect()
    }

    pub(super) fn claim_lease(
        &mut self,
        id: &CheckpointId,
        owner: &str,
        lifetime: Duration,
        now: Timestamp,
    ) -> Option<Fence> {
        let until = now + lifetime;
        let lease = self.leases.entry(id.clone()).or_insert_with(|| Lease {
            owner: None,
            epoch: 0,
            until: Timestamp::MIN,
        });
        let has_run_out = now >= lease.until;
        if !has_run_out && lease.owner.as_deref() != Some(owner) {
            return None;
        }
        // Also under the old owner's name: it may be a new process, and the old one only asleep.
        if has_run_out {
            lease.owner = Some(owner.to_owned());
            lease.epoch += 1;
        }
        lease.until = until;
        Some(Fence { id: id.clone(), epoch: lease.epoch })
    }

    pub(super) fn leases(&self, prefix: &str, now: Timestamp) -> Vec<LeaseHolder> {
        let of_prefix = self.leases.iter().filter(|(id, _)| id.name.starts_with(prefix));
        let mut holders: Vec<LeaseHolder> = of_prefix
            .filter_map(|(id, lease)| {
                let (owner, left) = (lease.owner.clone()?, lease.until.since(now));
                Some(LeaseHolder::new(id.clone(), owner, lease.epoch, left))
            })
            .collect();
        holders.sort_unstable_by(|one, two| one.id.cmp(&two.id));
        holders
    }

    pub(super) fn release_lease(&mut self, fence: &Fence) {
        if let Some(lease) = self.leases.get_mut(&fence.id)
            && lease.epoch == fence.epoch
        {
            lease.owner = None;
            lease.until = Timestamp::MIN;
        }
    }
}

fn id_in_use(append: &Append, id: Uuid) -> WriteError {
    let stream_id = &append.stream_id;
    StoreError::invalid(format!("append to stream `{stream_id}`: event id {id} is in use")).into()
}
