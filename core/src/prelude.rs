//! What most programs use: `use annals::prelude::*;`.

pub use async_trait::async_trait;

pub use crate::{
    Aggregate, AggregateId, Clock, Command, CommandBus, CommandCall, Context, DecodeError,
    DispatchError, DomainError, Event, EventContext, EventEnum, EventFilter, EventStore,
    EventStoreExt, Handle, HandledBy, Interceptor, LoadError, Loaded, ManualClock, MemoryStore,
    Metadata, Position, ReadAll, Receipt, RecordedEvent, Refusal, Repository, RetryPolicy,
    SetupError, SnapshotStore, StoreError, Stores, StreamId, Subscription, SubscriptionError,
    SystemClock, Timestamp, UpcastError, apply, deadline, handle, handlers, on, rejected, step,
};
