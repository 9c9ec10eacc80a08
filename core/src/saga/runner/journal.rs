//! The logs of sagas in a store, and the index of those that have not ended.

use std::sync::Arc;

use uuid::Uuid;

use super::super::record::RECORD_VERSION;
use super::super::{Instance, Owner, RECORD, SagaEnded, SagaRecord, category_of};
use super::SagaError;
use super::error::unless_it_panics;
use crate::bus::SetupError;
use crate::causes::chain;
use crate::codec::PayloadOf;
use crate::event::Event;
use crate::metadata::{Cause, Metadata};
use crate::position::Position;
use crate::recorded_event::RecordedEvent;
use crate::store::{
    Append, CheckpointChange, Deadline, DeadlineChange, EventStore, Fence, NewEvent, ReadStream,
    RowChange, StoreError, UnitOfWork, UnitOfWorkStore, WriteError,
};
use crate::stream::{Expected, StreamId};
use crate::timestamp::Timestamp;

/// How many of those that have not ended are read at once.
const PAGE: usize = 1000;

/// Under which name the index keeps a saga that waits for a person.
const PARKED: &str = "parked";

/// Under which name the index keeps a saga that runs: with who runs it, so that nobody reads its log to find out.
const RUNS: &str = "runs";

/// Where the logs are kept.
pub(crate) struct Journal {
    events: Arc<dyn EventStore>,
}

/// A saga as its log was read, or written.
#[derive(Debug, Clone)]
pub(crate) struct Kept {
    pub(crate) instance: Instance,
    /// The version of its log's last record.
    pub(super) version: u64,
    /// What its first record bears, or the one by which a person had it tried again; of those after it, all but the cause.
    pub(super) metadata: Arc<Metadata>,
    /// The record that causes the next one and the call that it begins: the last, unless that says only who runs it.
    pub(super) last: Option<Uuid>,
}

/// What is added to a log.
#[derive(Debug, Clone)]
pub(crate) enum Entry {
    Record(SagaRecord),
    Ended(SagaEnded),
}

/// What a log holds at one of its versions.
#[derive(Debug, Clone)]
pub(crate) struct Logged {
    pub(crate) entry: Entry,
    pub(crate) version: u64,
    id: Uuid,
    metadata: Arc<Metadata>,
    #[cfg(feature = "cli")]
    pub(crate) at: Timestamp,
}

/// What is written in one go.
pub(super) struct Change {
    /// The saga after it.
    pub(super) after: Kept,
    work: UnitOfWork,
}

/// What came of a write.
#[derive(Debug)]
pub(super) enum Written {
    Done,
    /// Another runner wrote to the log meanwhile.
    Overtaken,
    /// The seat has passed to another.
    Fenced,
}

/// A saga that has not ended, as the index has it.
#[derive(Debug, Clone)]
pub(crate) struct Listed {
    pub(crate) stream_id: StreamId,
    /// Who runs it; `None` if it is parked.
    pub(crate) owner: Option<Owner>,
    /// Since when it is run by that one, or parked.
    pub(crate) since: Timestamp,
}

impl Journal {
    pub(crate) fn new(events: Arc<dyn EventStore>) -> Self {
        Self { events }
    }

    pub(super) fn events(&self) -> &Arc<dyn EventStore> {
        &self.events
    }

    pub(super) fn store(&self) -> Result<&dyn UnitOfWorkStore, SetupError> {
        self.events.unit_of_work().ok_or_else(SetupError::saga_store)
    }

    /// Reads a saga as its log tells; `None` if it never began.
    pub(crate) async fn load(
        &self,
        saga: &'static str,
        stream_id: &StreamId,
    ) -> Result<Option<Kept>, SagaError> {
        Ok(Kept::of(stream_id, &self.log(saga, stream_id).await?))
    }

    /// Reads one of many: what is wrong with it alone, such as a codec that panics, is told as text, and hides no other.
    pub(crate) async fn load_of_many(
        &self,
        saga: &'static str,
        stream_id: &StreamId,
    ) -> Result<Result<Option<Kept>, String>, SagaError> {
        match unless_it_panics(self.load(saga, stream_id)).await {
            Err(error) if error.is_of_all() => Err(error),
            loaded => Ok(loaded.map_err(|error| chain(&error))),
        }
    }

    /// Reads a saga's log.
    pub(crate) async fn log(
        &self,
        saga: &'static str,
        stream_id: &StreamId,
    ) -> Result<Vec<Logged>, SagaError> {
        let codec = self.events.codec();
        let unreadable = |source| {
            let id = stream_id.id().to_owned();
            SagaError::Unreadable { saga, id, source }
        };
        let mut log = Vec::new();
        let mut next = Some(ReadStream::new(stream_id.clone()));
        while let Some(read) = next {
            let page = self.events.stream_page(&read).await?;
            for event in &page.events {
                log.push(Logged {
                    entry: read_entry(event, codec).map_err(unreadable)?,
                    version: event.stream_version,
                    id: event.id,
                    metadata: event.metadata.clone(),
                    #[cfg(feature = "cli")]
                    at: event.recorded_at,
                });
            }
            next = read.following(&page)?;
        }
        Ok(log)
    }

    /// Prepares what a log is to be given next; `before` is the saga before it, unless it begins.
    pub(super) fn change(
        &self,
        before: Option<&Kept>,
        mut after: Kept,
        entries: &[Entry],
        fence: Option<&Fence>,
        now: Timestamp,
    ) -> Result<Change, StoreError> {
        let stream_id = after.instance.stream_id().clone();
        let version = before.map_or(0, |before| before.version);
        let mut events = Vec::new();
        for entry in entries {
            let event = entry.sealed(&stream_id, &*self.events)?;
            let event = event.with_metadata(after.next_metadata());
            if entry.is_a_cause() {
                after.last = Some(event.id);
            }
            events.push(event);
        }
        after.version = version + events.len() as u64;
        let append = Append::new(stream_id.clone(), Expected::at(version), events);
        let mut work = UnitOfWork::new().append(append);
        if let Some(fence) = fence {
            // Who becomes a saga's owner has to be the seat's holder at that moment.
            let change = CheckpointChange { fence: fence.clone(), position: Position::START };
            work = work.checkpoint(change);
        }
        let (was, is) =
            (before.and_then(|kept| index_of(&kept.instance)), index_of(&after.instance));
        if was != is {
            if let Some(name) = was {
                let process = stream_id.clone();
                work = work.deadline(DeadlineChange::Cancel { process, name });
            }
            if let Some(name) = is {
                let set = Deadline { due: now, process: stream_id, name };
                work = work.deadline(DeadlineChange::Set(set));
            }
        }
        Ok(Change { after, work })
    }

    /// Writes a change. Sent again after an outage, it finds out whether it was done.
    pub(super) async fn write(&self, change: &Change) -> Result<Written, StoreError> {
        let store = self.store().map_err(|error| StoreError::invalid(error.to_string()))?;
        match store.commit(change.work.clone()).await {
            Ok(_) => Ok(Written::Done),
            Err(WriteError::Conflict(_)) => Ok(Written::Overtaken),
            Err(WriteError::Fenced { .. }) => Ok(Written::Fenced),
            Err(
                WriteError::UnknownOutcome { source, .. } | WriteError::UnknownCommit { source },
            ) => {
                let message = "it is not known whether the log of the saga was written";
                Err(StoreError::unavailable(message).with_source(source))
            }
            Err(WriteError::Store(error)) => Err(error),
            Err(error) => {
                let message = "the log of the saga could not be written";
                Err(StoreError::other(message).with_source(error))
            }
        }
    }

    /// Reads which sagas have not ended: those first that were parked, or taken up by who runs them, first.
    pub(crate) async fn unfinished(&self, saga: &str) -> Result<Vec<Listed>, SagaError> {
        let (category, mut listed) = (category_of(saga), Vec::new());
        let mut after: Option<Deadline> = None;
        loop {
            let store = self.store()?;
            let read = store.due_deadlines(&category, Timestamp::MAX, after.as_ref(), PAGE).await?;
            let is_last = read.len() < PAGE;
            after = read.last().cloned();
            listed.extend(read.into_iter().map(|Deadline { process, name, due }| Listed {
                stream_id: process,
                owner: owner_of(&name),
                since: due,
            }));
            if is_last {
                return Ok(listed);
            }
        }
    }
}

impl Kept {
    /// A saga as its log tells; `None` if it never began.
    pub(crate) fn of(stream_id: &StreamId, log: &[Logged]) -> Option<Self> {
        let mut kept: Option<Self> = None;
        for Logged { entry, version, id, metadata, .. } in log {
            match (&mut kept, entry) {
                (None, Entry::Record(first)) => {
                    let instance = Instance::of(stream_id.clone(), first.clone());
                    let (version, metadata, last) = (*version, metadata.clone(), Some(*id));
                    kept = instance.map(|instance| Self { instance, version, metadata, last });
                }
                (Some(kept), entry) => {
                    entry.apply(&mut kept.instance);
                    kept.version = *version;
                    if matches!(entry, Entry::Record(SagaRecord::Retried { .. })) {
                        kept.metadata = metadata.clone();
                    }
                    if entry.is_a_cause() {
                        kept.last = Some(*id);
                    }
                }
                (None, Entry::Ended(_)) => {}
            }
        }
        kept
    }

    /// What causes what comes next.
    pub(super) fn cause(&self) -> Cause {
        self.last.map_or_else(Cause::default, |last| Cause::new(last, self.metadata.clone()))
    }

    /// The metadata of the next record.
    fn next_metadata(&self) -> Arc<Metadata> {
        let Some(last) = self.last else { return self.metadata.clone() };
        let causation_id = Some(last.to_string());
        Arc::new(Metadata { causation_id, ..(*self.metadata).clone() })
    }
}

impl Change {
    /// Has a row changed with it.
    #[must_use]
    pub(super) fn with_row(mut self, row: RowChange) -> Self {
        self.work = self.work.row(row);
        self
    }
}

impl Entry {
    pub(super) fn apply(&self, instance: &mut Instance) {
        match self {
            Self::Record(record) => instance.apply(record),
            Self::Ended(ended) => instance.end(ended),
        }
    }

    /// Whether it tells what happened to the saga, not only who runs it.
    fn is_a_cause(&self) -> bool {
        !matches!(self, Self::Record(SagaRecord::Taken { .. }))
    }

    fn sealed(
        &self,
        stream_id: &StreamId,
        events: &dyn EventStore,
    ) -> Result<NewEvent, StoreError> {
        let (name, version, json) = match self {
            Self::Record(record) => (RECORD, RECORD_VERSION, serde_json::to_string(record)),
            Self::Ended(ended) => {
                (SagaEnded::NAME, SagaEnded::VERSION, serde_json::to_string(ended))
            }
        };
        let failed = |error: &dyn std::fmt::Display| {
            StoreError::invalid(format!("write the log of the saga `{stream_id}`: {error}"))
        };
        let json = json.map_err(|error| failed(&error))?;
        let of = PayloadOf::Event { stream: stream_id.as_str(), event_type: name };
        let data = events.codec().seal(of, json).map_err(|error| failed(&error))?;
        Ok(NewEvent::new(Uuid::now_v7(), name, version, data))
    }
}

fn read_entry(
    event: &RecordedEvent,
    codec: &dyn crate::codec::PayloadCodec,
) -> Result<Entry, crate::codec::DecodeError> {
    use crate::codec::DecodeError;
    if event.event_type != SagaEnded::NAME {
        return SagaRecord::read(event, codec).map(Entry::Record);
    }
    let of = PayloadOf::Event { stream: event.stream_id.as_str(), event_type: SagaEnded::NAME };
    let json = codec
        .open(of, &event.data)
        .map_err(|error| DecodeError::content(SagaEnded::NAME, &error))?;
    SagaEnded::decode(event.stored(&json)).map(Entry::Ended)
}

/// Under which name the index keeps a saga; `None` if it has ended.
fn index_of(instance: &Instance) -> Option<String> {
    match instance.outcome() {
        None => {
            let Owner { seat, epoch } = instance.owner();
            Some(format!("{RUNS}/{seat}/{epoch}"))
        }
        Some(_) => instance.parked_at().map(|_| PARKED.to_owned()),
    }
}

fn owner_of(name: &str) -> Option<Owner> {
    let (seat, epoch) = name.strip_prefix(RUNS)?.strip_prefix('/')?.split_once('/')?;
    Some(Owner::new(seat.parse().ok()?, epoch.parse().ok()?))
}
