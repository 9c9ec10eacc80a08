//! Event sourcing and CQRS from annotated types.
//!
//! A user annotates plain structs and impls; the macros write the event enum, the dispatch of events to the methods
//! that apply them, and the routes of commands; this crate runs them.
//!
//! The feature `schema` has registrations carry the shapes of events and commands. Only the schema test asks for them:
//! `annals-testing` turns it on, and a program without it compiles faster. The features `time`, `chrono` and `rust_decimal`
//! have types of those crates go into columns of read models: [`ColumnType`] lists them.

pub mod aggregate;
pub mod aggregate_id;
pub mod bus;
mod causes;
#[cfg(feature = "cli")]
pub mod cli;
pub mod clock;
pub mod codec;
pub mod command;
pub mod context;
pub mod event;
pub mod health;
pub mod memory;
pub mod metadata;
pub mod metrics;
pub mod position;
pub mod prelude;
#[doc(hidden)]
pub mod private;
pub mod process;
pub mod projection;
pub mod query;
pub mod reactor;
pub mod read_model;
pub mod receipt;
pub mod recorded_event;
pub mod registry;
pub mod repository;
mod request;
pub mod saga;
pub mod shape;
pub mod shards;
pub mod store;
pub mod stream;
pub mod subscription;
pub mod timestamp;
pub mod upcast;

pub use crate::aggregate::{Aggregate, Apply, Misfit, SnapshotPolicy};
pub use crate::aggregate_id::{AggregateId, IdError, ToId};
pub use crate::bus::{
    CommandBus, CommandBusBuilder, CommandCall, Dispatch, DispatchError, DomainError, Failure,
    Interceptor, Origin, Outcome, Refusal, RetryPolicy, SetupError,
};
pub use crate::clock::{Clock, IdSource, ManualClock, SystemClock, UuidV7};
pub use crate::codec::{
    CodecError, DecodeError, EncodeError, Payload, PayloadCodec, PayloadOf, PlainJson,
};
pub use crate::command::{
    Command, Decision, Handle, HandledBy, HandlerError, HandlersError, Targets,
};
pub use crate::context::{Context, EventContext, Subject};
pub use crate::event::{Event, EventEnum, EventName, EventOf, IntoEvents, ReturnedEvents};
pub use crate::memory::{MemoryStore, MemoryStoreBuilder};
pub use crate::metadata::{Cause, Metadata};
pub use crate::position::Position;
pub use crate::process::{
    Done, Process, ProcessEngine, ProcessEngineBuilder, ProcessError, ProcessManager, Rejection,
};
pub use crate::projection::{
    EngineError, OnError, Projection, ProjectionEngine, ProjectionEngineBuilder, ProjectionState,
    ProjectionStatus,
};
pub use crate::query::{
    HandledQuery, Query, QueryBus, QueryCall, QueryContext, QueryError, QueryInterceptor,
    QueryOutcome,
};
pub use crate::reactor::Reactor;
pub use crate::read_model::{ColumnType, ReadModel, ReadModelError, ReadModels};
pub use annals_macros::{
    Aggregate, AggregateId, ColumnType, Command, Event, ProcessManager, Query, ReadModel, apply,
    deadline, handle, handlers, on, process, projection, query_handler, reactor, rejected, step,
};

#[doc(hidden)]
pub use crate::private as __private;
pub use crate::receipt::Receipt;
pub use crate::recorded_event::RecordedEvent;
pub use crate::repository::{EventError, Load, LoadError, Loaded, Repository};
pub use crate::saga::{
    Saga, SagaEnded, SagaError, SagaOutcome, SagaRun, SagaRunner, SagaRunnerBuilder, StepContext,
};
pub use crate::store::*;
pub use crate::stream::{Expected, StreamHead, StreamId};
pub use crate::subscription::{Subscribe, Subscription, SubscriptionError};
pub use crate::timestamp::{Timestamp, TimestampError};
pub use crate::upcast::{FromPrevious, Previous, Renamed, StepError, Stored, UpcastError};
