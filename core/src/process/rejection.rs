//! Why a command that a process sent was not done.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use crate::bus::{DispatchError, DomainError};

/// The refusal of a command that a process sent, as a `#[rejected]` sees it.
///
/// ```
/// use annals::process::{Rejection, RejectionKind};
///
/// #[derive(Debug, thiserror::Error)]
/// #[error("only {available} left")]
/// struct OutOfStock {
///     available: u32,
/// }
///
/// let why = Rejection::domain(OutOfStock { available: 5 });
/// assert_eq!(why.to_string(), "only 5 left");
/// assert_eq!(why.kind(), RejectionKind::Rejected);
/// assert_eq!(why.downcast_ref::<OutOfStock>().unwrap().available, 5);
/// ```
#[derive(Debug, Clone)]
pub struct Rejection {
    kind: RejectionKind,
    reason: Arc<dyn Error + Send + Sync>,
}

/// What kind of refusal it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RejectionKind {
    /// The handler refused, with the domain's error.
    Rejected,
    /// The command needs an aggregate that does not exist.
    NotFound,
    /// The command creates an aggregate that exists.
    AlreadyExists,
    /// An interceptor refused.
    Refused,
}

impl RejectionKind {
    /// The kind in snake case, as a label of a metric has it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rejected => "rejected",
            Self::NotFound => "not_found",
            Self::AlreadyExists => "already_exists",
            Self::Refused => "refused",
        }
    }
}

impl Rejection {
    /// A refusal with the domain's error.
    pub fn domain(error: impl Error + Send + Sync + 'static) -> Self {
        Self { kind: RejectionKind::Rejected, reason: Arc::new(error) }
    }

    /// A refusal of a kind, in words.
    pub fn new(kind: RejectionKind, reason: impl Into<String>) -> Self {
        Self { kind, reason: Arc::from(Box::<dyn Error + Send + Sync>::from(reason.into())) }
    }

    /// Takes a refusal out of what a dispatch answered; anything else is given back.
    pub(crate) fn of(
        error: DispatchError<DomainError>,
    ) -> Result<Self, DispatchError<DomainError>> {
        let message = error.to_string();
        match error {
            DispatchError::Rejected(DomainError(reason)) => {
                Ok(Self { kind: RejectionKind::Rejected, reason: Arc::from(reason) })
            }
            DispatchError::Refused(refusal) => {
                Ok(Self { kind: RejectionKind::Refused, reason: Arc::new(refusal) })
            }
            DispatchError::NotFound { .. } => Ok(Self::new(RejectionKind::NotFound, message)),
            DispatchError::AlreadyExists { .. } => {
                Ok(Self::new(RejectionKind::AlreadyExists, message))
            }
            other => Err(other),
        }
    }

    /// What kind of refusal it was.
    pub fn kind(&self) -> RejectionKind {
        self.kind
    }

    /// The domain's error by its type.
    pub fn downcast_ref<E: Error + 'static>(&self) -> Option<&E> {
        self.reason.downcast_ref()
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.reason.fmt(f)
    }
}

impl Error for Rejection {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.reason.source()
    }
}
