//! What a dispatch can be answered beside a receipt.

use std::error::Error;
use std::fmt;

use super::Refusal;
use crate::repository::LoadError;
use crate::store::{Conflict, StoreError};
use crate::stream::StreamId;

/// A command that was not done.
///
/// `E` is the domain's own error: it stays typed, and apart from faults of the machinery.
#[derive(Debug)]
#[non_exhaustive]
pub enum DispatchError<E> {
    /// The handler refused the command.
    Rejected(E),
    /// An interceptor refused the command.
    Refused(Refusal),
    /// The command needs an aggregate that does not exist.
    NotFound {
        /// The stream that the aggregate would have.
        stream_id: StreamId,
    },
    /// The command creates an aggregate that exists.
    AlreadyExists {
        /// The aggregate's stream.
        stream_id: StreamId,
    },
    /// Other writers were faster, as often as the policy retries; or the stream is not at the version that the caller
    /// expects.
    Conflict(Conflict),
    /// The idempotency key is in use by another command.
    KeyReused {
        /// The stream.
        stream_id: StreamId,
        /// The key.
        key: String,
        /// The name of the command that used it.
        used_by: String,
    },
    /// The process that sent the command has gone on without it: its refusal was taken, or it was given up. It is never done.
    Withdrawn {
        /// The stream.
        stream_id: StreamId,
        /// The idempotency key of the command.
        key: String,
    },
    /// No handler is registered under the name.
    UnknownCommand {
        /// The name.
        name: String,
        /// The known name that is nearest to it.
        nearest: Option<&'static str>,
    },
    /// The command is not one: its JSON does not fit, or its id cannot name a stream.
    InvalidCommand {
        /// The name of the command.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The command may have been done or not: the store was lost around the commit. Sent again under an idempotency key,
    /// it is done once.
    UnknownOutcome {
        /// The stream.
        stream_id: StreamId,
        /// Why it is not known.
        source: StoreError,
    },
    /// An inline projection could not change its row. Nothing was stored.
    InlineProjection {
        /// The stream of the command.
        stream_id: StreamId,
        /// The projection.
        projection: String,
        /// Why.
        reason: String,
    },
    /// The handler decided an event that its own stream could not be read with: it does not fit the state before it, or
    /// what is written of it cannot be read. Nothing was stored. It is a mistake in the domain.
    UnfitEvent {
        /// The stream.
        stream_id: StreamId,
        /// The stored name of the event.
        event_type: &'static str,
        /// Why the event could not be read or applied.
        reason: String,
    },
    /// The aggregate could not be loaded.
    Load(LoadError),
    /// An event could not be written as JSON, or the store could not keep it.
    Store(StoreError),
    /// The program as a whole is wrong: names that clash, services that are missing.
    Setup(SetupError),
}

impl<E> DispatchError<E> {
    /// Whether the command was refused: by the domain, by an interceptor, or since the aggregate exists or does not.
    /// Everything else is a conflict, a fault, or [invalid](Self::is_invalid).
    pub fn is_refusal(&self) -> bool {
        matches!(
            self,
            Self::Rejected(_)
                | Self::Refused(_)
                | Self::NotFound { .. }
                | Self::AlreadyExists { .. }
        )
    }

    /// Whether the caller sent what cannot be done: an unknown command, one that is not one, one that was withdrawn, or a
    /// key that another used.
    /// Sent again, it fails again.
    pub fn is_invalid(&self) -> bool {
        matches!(
            self,
            Self::UnknownCommand { .. }
                | Self::InvalidCommand { .. }
                | Self::KeyReused { .. }
                | Self::Withdrawn { .. }
        )
    }

    /// Changes the domain's error, and leaves everything else.
    pub fn map_rejected<F>(self, change: impl FnOnce(E) -> F) -> DispatchError<F> {
        use DispatchError as To;
        match self {
            Self::Rejected(error) => To::Rejected(change(error)),
            Self::Refused(refusal) => To::Refused(refusal),
            Self::NotFound { stream_id } => To::NotFound { stream_id },
            Self::AlreadyExists { stream_id } => To::AlreadyExists { stream_id },
            Self::Conflict(conflict) => To::Conflict(conflict),
            Self::KeyReused { stream_id, key, used_by } => {
                To::KeyReused { stream_id, key, used_by }
            }
            Self::Withdrawn { stream_id, key } => To::Withdrawn { stream_id, key },
            Self::UnknownCommand { name, nearest } => To::UnknownCommand { name, nearest },
            Self::InvalidCommand { name, reason } => To::InvalidCommand { name, reason },
            Self::UnknownOutcome { stream_id, source } => To::UnknownOutcome { stream_id, source },
            Self::UnfitEvent { stream_id, event_type, reason } => {
                To::UnfitEvent { stream_id, event_type, reason }
            }
            Self::InlineProjection { stream_id, projection, reason } => {
                To::InlineProjection { stream_id, projection, reason }
            }
            Self::Load(error) => To::Load(error),
            Self::Store(error) => To::Store(error),
            Self::Setup(error) => To::Setup(error),
        }
    }
}

impl<E: fmt::Display> fmt::Display for DispatchError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rejected(error) => error.fmt(f),
            Self::Refused(refusal) => refusal.fmt(f),
            Self::NotFound { stream_id } => write!(f, "`{stream_id}` does not exist"),
            Self::AlreadyExists { stream_id } => write!(f, "`{stream_id}` exists already"),
            Self::Conflict(conflict) => conflict.fmt(f),
            Self::KeyReused { stream_id, key, used_by } => write!(
                f,
                "idempotency key `{key}` was used on `{stream_id}` by command `{used_by}` with another content"
            ),
            Self::Withdrawn { stream_id, key } => write!(
                f,
                "command `{key}` was withdrawn from `{stream_id}`: its process has gone on without it"
            ),
            Self::UnknownCommand { name, nearest: Some(nearest) } => {
                write!(f, "unknown command `{name}`; did you mean `{nearest}`?")
            }
            Self::UnknownCommand { name, nearest: None } => write!(f, "unknown command `{name}`"),
            Self::InvalidCommand { name, reason } => write!(f, "command `{name}`: {reason}"),
            Self::UnknownOutcome { stream_id, .. } => {
                write!(f, "append to stream `{stream_id}`: the outcome is unknown")
            }
            Self::UnfitEvent { stream_id, event_type, reason } => {
                write!(f, "append to stream `{stream_id}`: event `{event_type}`: {reason}")
            }
            Self::InlineProjection { stream_id, projection, reason } => {
                write!(
                    f,
                    "append to stream `{stream_id}`: inline projection `{projection}`: {reason}"
                )
            }
            Self::Load(error) => error.fmt(f),
            Self::Store(error) => error.fmt(f),
            Self::Setup(error) => error.fmt(f),
        }
    }
}

impl<E: Error + 'static> Error for DispatchError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Rejected(error) => error.source(),
            Self::Refused(refusal) => refusal.source(),
            Self::UnknownOutcome { source, .. } => Some(source),
            Self::Load(error) => error.source(),
            Self::Store(error) => error.source(),
            _ => None,
        }
    }
}

impl<E> From<LoadError> for DispatchError<E> {
    fn from(error: LoadError) -> Self {
        Self::Load(error)
    }
}

impl<E> From<SetupError> for DispatchError<E> {
    fn from(error: SetupError) -> Self {
        Self::Setup(error)
    }
}

/// The domain's error of a command that was dispatched by its name.
#[derive(Debug)]
pub struct DomainError(pub(crate) Box<dyn Error + Send + Sync>);

impl DomainError {
    pub(crate) fn new(error: impl Error + Send + Sync + 'static) -> Self {
        Self(Box::new(error))
    }

    /// The error by its type.
    pub fn downcast_ref<E: Error + 'static>(&self) -> Option<&E> {
        self.0.downcast_ref()
    }
}

impl fmt::Display for DomainError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Error for DomainError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source()
    }
}

/// What is wrong with the program as a whole: what no macro can see, since it spans crates.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SetupError {
    message: String,
}

impl SetupError {
    pub(crate) fn clash(what: &str, name: &str, one: &str, other: &str, advice: &str) -> Self {
        Self { message: format!("{what} `{name}` stands for both `{one}` and `{other}`: {advice}") }
    }

    pub(crate) fn projection_name(name: &str) -> Self {
        let message = format!(
            "two projections are called `{name}`; give one another `#[projection(name = \"…\")]`"
        );
        Self { message }
    }

    pub(crate) fn process_name(name: &str, [one, other]: [&str; 2]) -> Self {
        let advice =
            "a name is unique in a program; give one another `#[process_manager(name = \"…\")]`";
        Self::clash("the name of process manager", name, one, other, advice)
    }

    pub(crate) fn reactor_name(name: &str, [one, other]: [&str; 2]) -> Self {
        let advice = "a name is unique in a program; give one another `#[reactor(name = \"…\")]`";
        Self::clash("the name of reactor", name, one, other, advice)
    }

    pub(crate) fn missing_reactor_services(reactor: &str) -> Self {
        let short = reactor.rsplit("::").next().unwrap_or(reactor);
        Self {
            message: format!(
                "reactor `{reactor}` has no services: give them by `ProcessEngine::builder(…).services::<{short}>(…)`"
            ),
        }
    }

    pub(crate) fn process_category(name: &str, reason: &str) -> Self {
        Self { message: format!("process manager `{name}` cannot have this name: {reason}") }
    }

    pub(crate) fn process_store() -> Self {
        let message = "the bus's store keeps events only, and processes need one that keeps their commands, deadlines and checkpoints with them";
        Self { message: message.to_owned() }
    }

    pub(crate) fn saga_name(name: &str, [one, other]: [&str; 2]) -> Self {
        let advice = "a name is unique in a program; give one another `#[saga(name = \"…\")]`";
        Self::clash("the name of saga", name, one, other, advice)
    }

    pub(crate) fn missing_saga_services(saga: &str) -> Self {
        let short = saga.rsplit("::").next().unwrap_or(saga);
        Self {
            message: format!(
                "saga `{saga}` has no services: give them by `SagaRunner::builder(…).services::<{short}>(…)`"
            ),
        }
    }

    pub(crate) fn saga_not_registered(saga: &str) -> Self {
        let short = saga.rsplit("::").next().unwrap_or(saga);
        Self {
            message: format!(
                "the runner does not run saga `{saga}`: register it by `SagaRunner::builder(…).register::<{short}>()`, or all by `register_all()`"
            ),
        }
    }

    pub(crate) fn saga(name: &str, reason: &str) -> Self {
        Self { message: format!("saga `{name}` cannot be run: {reason}") }
    }

    pub(crate) fn saga_store() -> Self {
        let message = "the store keeps events only, and sagas need one that keeps their leases and what has not ended with them";
        Self { message: message.to_owned() }
    }

    pub(crate) fn table_name(table: &str, [one, other]: [&String; 2]) -> Self {
        let message = format!(
            "the projections `{one}` and `{other}` write the table `{table}`; give one read model another `#[read_model(table = \"…\")]`"
        );
        Self { message }
    }

    pub(crate) fn query_name(name: &str, [one, other]: [&str; 2]) -> Self {
        let advice = "a query's name is unique in a program, and it has one handler; give one another `#[query(name = \"…\")]`";
        Self::clash("the name of query", name, one, other, advice)
    }

    pub(crate) fn inline_key(projection: &str, event: &str) -> Self {
        let message = format!(
            "projection `{projection}` is inline, but event `{event}` names its row by a key: in the transaction of an append, \
             only the row that follows the event's own stream can change; leave `key` out, or `inline`"
        );
        Self { message }
    }

    pub(crate) fn inline_store(projection: &str) -> Self {
        let message = format!(
            "projection `{projection}` is inline, but the store keeps no rows with its events: use a store that does, or leave \
             `inline` out"
        );
        Self { message }
    }

    pub(super) fn missing_services(aggregate: &str) -> Self {
        let short = aggregate.rsplit("::").next().unwrap_or(aggregate);
        Self {
            message: format!(
                "aggregate `{aggregate}` has no services: give them by `CommandBus::builder(…).services::<{short}>(…)`"
            ),
        }
    }
}
