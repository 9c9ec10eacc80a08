//! What a handler of queries is told beside the query.

use crate::metadata::Metadata;
use crate::read_model::ReadModels;

/// What a handler of queries is told beside the query.
#[derive(Debug, Clone)]
pub struct QueryContext {
    models: ReadModels,
    metadata: Metadata,
}

impl QueryContext {
    /// Makes a context, as a test of a handler needs one.
    pub fn new(models: ReadModels) -> Self {
        Self { models, metadata: Metadata::default() }
    }

    /// Says who asks, and what else came along.
    #[must_use]
    pub fn with_metadata(mut self, metadata: Metadata) -> Self {
        self.metadata = metadata;
        self
    }

    /// The rows. Where the caller wants to see a write, reading them waits for it.
    pub fn models(&self) -> &ReadModels {
        &self.models
    }

    /// Who asks, if it was said.
    pub fn user(&self) -> Option<&str> {
        self.metadata.user.as_deref()
    }

    /// What the caller said beside the query.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }
}
