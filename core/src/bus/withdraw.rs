//! Commands of processes that are never to be done any more: their keys are used up.

use serde_json::Value;

use super::{CommandBus, DispatchError};
use crate::store::{Append, ContentHash, KeyClaim, KeyOwner, WITHDRAWN};
use crate::stream::{Expected, StreamId};

/// Refuses a command whose key was used up.
pub(super) fn withdrawn<E>(stream_id: &StreamId, key: &str) -> DispatchError<E> {
    DispatchError::Withdrawn { stream_id: stream_id.clone(), key: key.to_owned() }
}

impl CommandBus {
    /// What has a command never be done under a key, unless it was done before: who takes a refusal, or gives the command up,
    /// commits it with that. `None` if nobody could do the command.
    ///
    /// A program that stood still may have the command in its hands yet, and an aggregate that does not refuse it any more.
    /// No clock and no lease keeps it back for sure, but the key does: it is used once.
    pub(crate) fn withdrawal(&self, name: &str, content: &Value, key: &str) -> Option<Append> {
        let route = self.routes().ok()?.find::<()>(name.to_owned()).ok()?;
        let stream_id = route.target(content).filter(|stream_id| stream_id.fault().is_none())?;
        let claim = KeyClaim::new(key, WITHDRAWN, ContentHash::of(content), KeyOwner::Process);
        Some(Append::new(stream_id, Expected::Any, Vec::new()).with_key(claim))
    }
}
