//! What stands around each query: authorising, measuring.

use std::error::Error;

use async_trait::async_trait;
use serde_json::Value;

use crate::bus::Refusal;
use crate::metadata::Metadata;
use crate::read_model::ReadModels;

/// Sees each query before its handler, and how it ended.
///
/// Interceptors see a query in the order in which they were added to the bus, and its end in the reverse order. The first that
/// refuses ends it. Who may see what is decided here, in one place.
#[async_trait]
pub trait QueryInterceptor: Send + Sync + 'static {
    /// Lets the query pass, having changed its metadata or not, or refuses it.
    ///
    /// # Errors
    ///
    /// The reason for which the query is refused.
    async fn before(&self, call: &mut QueryCall) -> Result<(), Refusal> {
        let _ = call;
        Ok(())
    }

    /// Learns how the query ended.
    async fn after(&self, call: &QueryCall, outcome: QueryOutcome<'_>) {
        let _ = (call, outcome);
    }
}

/// A query on its way to its handler, as interceptors see it.
#[derive(Debug)]
pub struct QueryCall {
    pub(super) name: &'static str,
    pub(super) content: Value,
    pub(super) metadata: Metadata,
    pub(super) models: ReadModels,
}

impl QueryCall {
    /// The name of the query.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// What the query says, as JSON.
    pub fn content(&self) -> &Value {
        &self.content
    }

    /// Who asks, if it was said.
    pub fn user(&self) -> Option<&str> {
        self.metadata.user.as_deref()
    }

    /// What the caller said beside the query.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// The rows that the handler will read: where the caller wants to see a write, reading them waits for it. Whose row is
    /// asked for, they tell.
    pub fn models(&self) -> &ReadModels {
        &self.models
    }

    /// What the handler will see beside the query.
    pub fn metadata_mut(&mut self) -> &mut Metadata {
        &mut self.metadata
    }
}

/// How a query ended.
#[derive(Debug)]
#[non_exhaustive]
pub enum QueryOutcome<'a> {
    /// It was answered.
    Answered,
    /// It was not.
    Failed(&'a (dyn Error + Send + Sync + 'static)),
}
