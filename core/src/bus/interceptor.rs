//! What stands around each dispatch: authorising, validating, enriching, measuring.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;
use uuid::Uuid;

use super::DispatchError;
use crate::metadata::Metadata;
use crate::receipt::Receipt;
use crate::stream::StreamId;
use crate::timestamp::Timestamp;

/// Sees each command before its handler, and its outcome after it.
///
/// Interceptors see a command in the order in which they were added to the bus, and its outcome in the reverse order;
/// a usual order is: authorise, validate, enrich the metadata, measure. The first that refuses ends the dispatch; those
/// that saw the command before it see the outcome. All come before the idempotency key is looked up.
#[async_trait]
pub trait Interceptor: Send + Sync + 'static {
    /// Lets the command pass, having changed its metadata or not, or refuses it.
    ///
    /// # Errors
    ///
    /// The reason for which the command is refused.
    async fn before(&self, call: &mut CommandCall) -> Result<(), Refusal> {
        let _ = call;
        Ok(())
    }

    /// Learns how the dispatch ended.
    async fn after(&self, call: &CommandCall, outcome: Outcome<'_>) {
        let _ = (call, outcome);
    }
}

/// A command on its way to its handler, as interceptors see it.
#[derive(Debug)]
pub struct CommandCall {
    pub(super) name: &'static str,
    pub(super) stream_id: StreamId,
    pub(super) content: Value,
    pub(super) metadata: Metadata,
    pub(super) command_id: Uuid,
    pub(super) issued_at: Timestamp,
    pub(super) origin: Origin,
}

impl CommandCall {
    /// The name of the command.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The stream of the aggregate that the command is for.
    pub fn stream_id(&self) -> &StreamId {
        &self.stream_id
    }

    /// What the command says.
    pub fn content(&self) -> &Value {
        &self.content
    }

    /// The command's own id.
    pub fn command_id(&self) -> Uuid {
        self.command_id
    }

    /// The instant at which the command was issued.
    pub fn issued_at(&self) -> Timestamp {
        self.issued_at
    }

    /// Who sent the command, and why; its events are stored with this.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// Lets an interceptor add to the metadata.
    pub fn metadata_mut(&mut self) -> &mut Metadata {
        &mut self.metadata
    }

    /// Who sent the command: a caller, or a process of this program.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }
}

/// Who sent a command.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Origin {
    /// A caller of the bus.
    Caller,
    /// A process, reactor or saga of the program.
    Process {
        /// Its name.
        name: String,
    },
}

/// How a dispatch ended, as interceptors see it.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Outcome<'a> {
    /// The command was done; or, under its idempotency key, had been.
    Done(&'a Receipt),
    /// It was not.
    Failed {
        /// The message of the error.
        message: &'a str,
        /// What kind of error it was.
        failure: Failure,
    },
}

/// Why a command was not done, without the domain's own words: what a measuring interceptor counts by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Failure {
    /// The handler refused.
    Rejected,
    /// An interceptor refused.
    Refused,
    /// The aggregate does not exist.
    NotFound,
    /// The aggregate exists already.
    AlreadyExists,
    /// Other writers were faster, or the stream is not at the version that the caller expects.
    Conflict,
    /// The caller sent what cannot be done: see [`DispatchError::is_invalid`].
    Invalid,
    /// Nobody can say whether the command was done.
    UnknownOutcome,
    /// A fault of the store, of a stored event, or of the program.
    Fault,
}

impl Failure {
    /// The kind in snake case, as a label of a metric has it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rejected => "rejected",
            Self::Refused => "refused",
            Self::NotFound => "not_found",
            Self::AlreadyExists => "already_exists",
            Self::Conflict => "conflict",
            Self::Invalid => "invalid",
            Self::UnknownOutcome => "unknown_outcome",
            Self::Fault => "fault",
        }
    }

    pub(super) fn of<E>(error: &DispatchError<E>) -> Self {
        match error {
            DispatchError::Rejected(_) => Self::Rejected,
            DispatchError::Refused(_) => Self::Refused,
            DispatchError::NotFound { .. } => Self::NotFound,
            DispatchError::AlreadyExists { .. } => Self::AlreadyExists,
            DispatchError::Conflict(_) => Self::Conflict,
            DispatchError::UnknownOutcome { .. } => Self::UnknownOutcome,
            error if error.is_invalid() => Self::Invalid,
            _ => Self::Fault,
        }
    }
}

/// The reason for which an interceptor refuses a command.
///
/// ```
/// use annals::Refusal;
///
/// #[derive(Debug, thiserror::Error)]
/// #[error("{0} has no licence")]
/// struct NoLicence(&'static str);
///
/// let refusal = Refusal::because(NoLicence("ada"));
/// assert_eq!(refusal.to_string(), "ada has no licence");
/// assert!(refusal.downcast_ref::<NoLicence>().is_some());
/// ```
#[derive(Debug, Clone)]
pub struct Refusal {
    reason: Arc<dyn Error + Send + Sync>,
}

impl Refusal {
    /// Refuses for a reason in words.
    pub fn new(reason: impl Into<String>) -> Self {
        Self { reason: Arc::from(Box::<dyn Error + Send + Sync>::from(reason.into())) }
    }

    /// Refuses for a typed reason.
    pub fn because(reason: impl Error + Send + Sync + 'static) -> Self {
        Self { reason: Arc::new(reason) }
    }

    /// The reason by its type.
    pub fn downcast_ref<E: Error + 'static>(&self) -> Option<&E> {
        self.reason.downcast_ref()
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.reason.fmt(f)
    }
}

impl Error for Refusal {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.reason.source()
    }
}
