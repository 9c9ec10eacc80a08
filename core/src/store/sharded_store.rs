//! The port of stores whose readers can be divided into shards.

use std::sync::Arc;

use async_trait::async_trait;

use super::{CheckpointId, Fence, StoreError, WriteError};
use crate::shards::{Division, Standing};

/// Keeps how each reader is divided, beside the checkpoints and leases of its shards.
#[async_trait]
pub trait ShardedStore: Send + Sync + 'static {
    /// Tells how a reader is divided, and where each of its shards is, at one instant. Which shard the id names does not matter;
    /// a reader of which nobody said anything has one.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    async fn standing(&self, reader: &CheckpointId) -> Result<Standing, StoreError>;

    /// Divides a reader, in one step: the new shards begin [where the slices are](crate::shards::Layout::divided), and all leases
    /// of the old and of the new shards are given up, so that whoever had one writes no more. Gives back where its shards are then.
    ///
    /// Nothing changes if it has so many shards already, or a number was said before the [first](Division::AtFirst).
    ///
    /// # Errors
    ///
    /// When there cannot be so many shards, or the store cannot be written.
    async fn divide(
        &self,
        reader: &CheckpointId,
        division: Division,
    ) -> Result<Standing, StoreError>;

    /// Divides a reader into so many shards as [`divide`](Self::divide) does, if these leases of it are held still: whoever stood
    /// still while they passed on divides nothing. Nothing changes either if it has so many shards already.
    ///
    /// # Errors
    ///
    /// [`WriteError::Fenced`] when one of the leases has passed on; nothing was changed then. When there cannot be so many shards,
    /// or the store cannot be written.
    async fn divide_under(
        &self,
        reader: &CheckpointId,
        shards: u32,
        leases: &[Fence],
    ) -> Result<Standing, WriteError>;
}

#[async_trait]
impl<S: ShardedStore + ?Sized> ShardedStore for Arc<S> {
    async fn standing(&self, reader: &CheckpointId) -> Result<Standing, StoreError> {
        (**self).standing(reader).await
    }

    async fn divide(
        &self,
        reader: &CheckpointId,
        division: Division,
    ) -> Result<Standing, StoreError> {
        (**self).divide(reader, division).await
    }
    async fn divide_under(
        &self,
        reader: &CheckpointId,
        shards: u32,
        leases: &[Fence],
    ) -> Result<Standing, WriteError> {
        (**self).divide_under(reader, shards, leases).await
    }
}
