//! Why a query was not answered.

use std::error::Error;
use std::fmt;

use crate::bus::{Refusal, SetupError};

/// Why a query was not answered.
#[derive(Debug)]
#[non_exhaustive]
pub enum QueryError<E> {
    /// Its handler failed.
    Failed(E),
    /// An interceptor refused it.
    Refused(Refusal),
    /// No handler has this name.
    Unknown {
        /// The name that was asked for.
        name: String,
        /// The known name that is most like it.
        nearest: Option<&'static str>,
    },
    /// What it says is not of the query's type.
    Invalid {
        /// The name of the query.
        name: String,
        /// What is wrong.
        reason: String,
    },
    /// The program as a whole is wrong: names that clash.
    Setup(SetupError),
}

impl<E> QueryError<E> {
    /// Changes the error of the handler, if it is that.
    pub fn map_failed<F>(self, change: impl FnOnce(E) -> F) -> QueryError<F> {
        match self {
            Self::Failed(error) => QueryError::Failed(change(error)),
            Self::Refused(refusal) => QueryError::Refused(refusal),
            Self::Unknown { name, nearest } => QueryError::Unknown { name, nearest },
            Self::Invalid { name, reason } => QueryError::Invalid { name, reason },
            Self::Setup(error) => QueryError::Setup(error),
        }
    }
}

impl<E: fmt::Display> fmt::Display for QueryError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(error) => error.fmt(f),
            Self::Refused(refusal) => refusal.fmt(f),
            Self::Unknown { name, nearest: Some(nearest) } => {
                write!(f, "unknown query `{name}`; did you mean `{nearest}`?")
            }
            Self::Unknown { name, nearest: None } => write!(f, "unknown query `{name}`"),
            Self::Invalid { name, reason } => write!(f, "query `{name}`: {reason}"),
            Self::Setup(error) => error.fmt(f),
        }
    }
}

impl<E: Error + 'static> Error for QueryError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Failed(error) => error.source(),
            Self::Refused(refusal) => refusal.source(),
            Self::Setup(error) => error.source(),
            Self::Unknown { .. } | Self::Invalid { .. } => None,
        }
    }
}
