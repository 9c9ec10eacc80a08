//! Who caused something, and why.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::context::{EventContext, Subject};
use crate::recorded_event::RecordedEvent;
use crate::timestamp::Timestamp;

/// What is stored beside each event: who caused it, and why.
///
/// ```
/// use annals::Metadata;
///
/// let metadata = Metadata::default().with_user("teller-3").with_header("channel", "counter");
/// assert_eq!(metadata.user.as_deref(), Some("teller-3"));
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Metadata {
    /// One id for all that follows from one request; by default the id of the command that began it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correlation_id: Option<String>,
    /// The id of what caused this: of an event, its command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub causation_id: Option<String>,
    /// The id of what caused the command: of a process's command, the event that the process saw.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command_causation_id: Option<String>,
    /// Who asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The instant at which the command was issued.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issued_at: Option<Timestamp>,
    /// Whatever else the program wants kept: a trace, a tenant. What processes and reactors send bears those of the event that
    /// caused it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
}

impl Metadata {
    /// Sets the correlation id.
    #[must_use]
    pub fn with_correlation_id(mut self, id: impl Into<String>) -> Self {
        self.correlation_id = Some(id.into());
        self
    }

    /// Sets the causation id.
    #[must_use]
    pub fn with_causation_id(mut self, id: impl Into<String>) -> Self {
        self.causation_id = Some(id.into());
        self
    }

    /// Sets the user.
    #[must_use]
    pub fn with_user(mut self, user: impl Into<String>) -> Self {
        self.user = Some(user.into());
        self
    }

    /// Sets one header.
    #[must_use]
    pub fn with_header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.insert(name.into(), value.into());
        self
    }
}

/// What caused a command or a saga, for their `caused_by`: an event, as a `&RecordedEvent` or its `&EventContext`, or a step of a
/// saga, as its `&StepContext`.
///
/// What it causes bears its correlation, user and headers, and names it as its cause.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cause {
    /// The id of the event, or of the record that says that the step begins.
    id: Option<String>,
    metadata: Arc<Metadata>,
}

impl Cause {
    pub(crate) fn new(id: Uuid, metadata: Arc<Metadata>) -> Self {
        Self { id: Some(id.to_string()), metadata }
    }

    /// Who caused it itself, and why.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// The metadata of a command that it causes.
    pub(crate) fn of_command(&self) -> Metadata {
        Metadata { command_causation_id: self.id.clone(), ..self.inherited() }
    }

    /// The metadata of an event that it causes with no command between.
    pub(crate) fn of_event(&self) -> Metadata {
        Metadata { causation_id: self.id.clone(), ..self.inherited() }
    }

    fn inherited(&self) -> Metadata {
        Metadata {
            correlation_id: self.metadata.correlation_id.clone(),
            user: self.metadata.user.clone(),
            headers: self.metadata.headers.clone(),
            ..Metadata::default()
        }
    }
}

impl From<&RecordedEvent> for Cause {
    fn from(event: &RecordedEvent) -> Self {
        Self::new(event.id, event.metadata.clone())
    }
}

impl<S: Subject> From<&EventContext<S>> for Cause {
    fn from(cx: &EventContext<S>) -> Self {
        cx.recorded().into()
    }
}
