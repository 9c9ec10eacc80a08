//! The ports: what the runtime asks of a store.
//!
//! A store keeps events ([`EventStore`]), and may keep snapshots ([`SnapshotStore`]), rows of read models
//! ([`ReadModelStore`]) and what processes have to do ([`ProcessStore`]). What lives in one database is committed
//! together by a [`UnitOfWork`]. What an operator's tools ask for is [`InspectedStore`]. All ports are object-safe, and none assumes SQL or one machine.

mod ahead;
mod append;
mod error;
mod event_store;
mod inspected_store;
mod operated_store;
mod process_store;
mod read;
mod read_model_store;
mod reader;
mod scratch_store;
mod sharded_store;
mod snapshot_store;
mod stores;
mod unit_of_work;

pub(crate) use ahead::Ahead;
pub(crate) use append::WITHDRAWN;
pub use append::{Append, ContentHash, KeyClaim, KeyEntry, KeyOwner, NewEvent};
pub use error::{Conflict, StoreError, WriteError};
pub use event_store::{EventStore, EventStoreExt};
pub use inspected_store::{
    BrokenStream, InspectedStore, ParkedKey, PartSize, ReaderSeen, SnapshotSeen, SnapshotsDropped,
    StreamSize, StreamsChecked,
};
pub use operated_store::OperatedStore;
pub use process_store::{Deadline, DeadlineChange, OutgoingCommand, ProcessStore, WaitingCommand};
pub use read::{Direction, EventFilter, LogPage, Page, ReadAll, ReadStream};
pub use read_model_store::{ReadModelStore, RowChange};
pub use reader::{CheckpointChange, CheckpointId, Fence, LeaseHolder};
pub use scratch_store::ScratchStore;
pub use sharded_store::ShardedStore;
pub use snapshot_store::{SnapshotPage, SnapshotStore, StoredSnapshot};
pub use stores::Stores;
pub use unit_of_work::{UnitOfWork, UnitOfWorkStore};
