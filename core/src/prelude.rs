//! What most programs use: `use annals::prelude::*;`.

pub use async_trait::async_trait;

pub use crate::{
    Aggregate, AggregateId, Clock, ColumnType, Command, CommandBus, CommandCall, Context,
    DecodeError, DispatchError, DomainError, EngineError, Event, EventContext, EventEnum,
    EventFilter, EventStore, EventStoreExt, Handle, HandledBy, Interceptor, LoadError, Loaded,
    ManualClock, MemoryStore, Metadata, OnError, Position, Projection, ProjectionEngine, Query,
    QueryBus, QueryCall, QueryContext, QueryError, QueryInterceptor, QueryOutcome, ReadAll,
    ReadModel, ReadModelError, ReadModelStore, ReadModels, Receipt, RecordedEvent, Refusal,
    Repository, RetryPolicy, SetupError, SnapshotStore, StoreError, Stores, StreamId, Subscription,
    SubscriptionError, SystemClock, Timestamp, UpcastError, apply, deadline, handle, handlers, on,
    projection, query_handler, rejected, step,
};
