//! The ports: what the runtime asks of a store.
//!
//! A store keeps events ([`EventStore`]), and may keep snapshots ([`SnapshotStore`]), rows of read models
//! ([`ReadModelStore`]) and what processes have to do ([`ProcessStore`]). What lives in one database is committed
//! together by a [`UnitOfWork`]. All ports are object-safe, and none assumes SQL or one machine.

mod append;
mod error;
mod event_store;
mod process_store;
mod read;
mod read_model_store;
mod snapshot_store;
mod stores;
mod unit_of_work;

pub use append::{Append, ContentHash, KeyClaim, KeyEntry, KeyOwner, NewEvent};
pub use error::{Conflict, StoreError, WriteError};
pub use event_store::{EventStore, EventStoreExt};
pub use process_store::{Deadline, DeadlineChange, OutgoingCommand, ProcessStore, WaitingCommand};
pub use read::{Direction, EventFilter, LogPage, Page, ReadAll, ReadStream};
pub use read_model_store::{CheckpointChange, CheckpointId, Fence, ReadModelStore, RowChange};
pub use snapshot_store::{SnapshotStore, StoredSnapshot};
pub use stores::Stores;
pub use unit_of_work::{UnitOfWork, UnitOfWorkStore};
