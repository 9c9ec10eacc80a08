//! A reactor that an engine runs.

use super::asked::Asked;
use super::{Handle, ProcessEngine, ProcessError};
use crate::position::Position;

/// A reactor that an engine runs, by [`ProcessEngine::reactor`](super::ProcessEngine::reactor).
#[derive(Clone, Copy)]
pub struct RunningReactor<'a> {
    pub(super) engine: &'a ProcessEngine,
    pub(super) worker: &'a Handle,
}

impl RunningReactor<'_> {
    /// Has what waits for a person for one key tried again. Tells how much had been waiting.
    ///
    /// # Errors
    ///
    /// When another engine runs the reactor, or the store does not answer.
    pub async fn retry_parked(&self, key: &str) -> Result<u64, ProcessError> {
        let id = key.to_owned();
        self.worker.ask(key, |answer| Asked::RetryParked { id, answer }).await
    }

    /// Gives up what waits for a person for one key: it is never called on those events. Tells how much it was.
    ///
    /// It waits until everything before those events is done.
    ///
    /// # Errors
    ///
    /// When another engine runs the reactor, or the store does not answer.
    pub async fn drop_parked(&self, key: &str) -> Result<u64, ProcessError> {
        let id = key.to_owned();
        self.worker.ask(key, |answer| Asked::DropParked { id, answer }).await
    }

    /// Has the reactor read on that has stopped at an event which cannot be read, once that is mended.
    ///
    /// # Errors
    ///
    /// When another engine runs the reactor.
    pub async fn resume(&self) -> Result<(), ProcessError> {
        self.worker.resume().await
    }

    /// Has the reactor pass over an event at which it has stopped. It is told of in the log.
    ///
    /// # Errors
    ///
    /// When it has not stopped at that position.
    pub async fn skip(&self, position: Position) -> Result<(), ProcessError> {
        self.worker.skip(position).await
    }

    /// Has the reactor divided into so many shards from now on, wherever they run; waits until it is.
    ///
    /// All of its shards come to rest for that: they read no further, and the calls for what was read come to their end.
    ///
    /// # Errors
    ///
    /// When there cannot be so many, or the store cannot be written; [`ProcessError::OtherShards`] if somebody has asked for another
    /// number later.
    ///
    /// # Cancel safety
    ///
    /// A dropped call leaves it wished: it is done.
    pub async fn set_shards(&self, shards: u32) -> Result<(), ProcessError> {
        self.engine.divide(self.worker, shards).await
    }
}

impl std::fmt::Debug for RunningReactor<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("RunningReactor").field(&self.worker.kind.name()).finish()
    }
}
