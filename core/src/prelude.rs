//! What most programs use: `use annals::prelude::*;`.

pub use async_trait::async_trait;

// Not by the path of this crate, where a module has the same name.
pub use annals_macros::{process, reactor, saga};

pub use crate::{
    Aggregate, AggregateId, Clock, ColumnType, Command, CommandBus, CommandCall, Context,
    DecodeError, DispatchError, DomainError, Done, EngineError, Event, EventContext, EventEnum,
    EventFilter, EventStore, EventStoreExt, Handle, HandledBy, Interceptor, LoadError, Loaded,
    ManualClock, MemoryStore, Metadata, OnError, Position, ProcessEngine, ProcessError,
    ProcessManager, Projection, ProjectionEngine, Query, QueryBus, QueryCall, QueryContext,
    QueryError, QueryInterceptor, QueryOutcome, Reactor, ReadAll, ReadModel, ReadModelError,
    ReadModelStore, ReadModels, Receipt, RecordedEvent, Refusal, Rejection, Repository,
    RetryPolicy, Saga, SagaEnded, SagaError, SagaOutcome, SagaRunner, SetupError, SnapshotStore,
    StepContext, StoreError, Stores, StreamId, Subscription, SubscriptionError, SystemClock,
    Timestamp, UpcastError, apply, deadline, handle, handlers, on, projection, query_handler,
    rejected, step,
};
