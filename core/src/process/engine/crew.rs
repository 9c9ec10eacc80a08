//! The workers of one process manager: one for each of its shards, as the layout is that they are of.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

use super::ProcessError;
use super::asked::Asked;
use super::shown::Shown;
use crate::shards::{Places, Shard, Share};

/// The workers of one process manager, in the order of their shards.
pub(super) struct Crew {
    /// How many shards there are.
    pub(super) shards: u32,
    pub(super) members: Vec<Member>,
    /// Ends all of them.
    pub(super) stop: CancellationToken,
    /// For as many shards as this engine may have.
    pub(super) places: Arc<Places>,
    /// Whether there are to be other shards: then all come to rest.
    pub(super) rest: watch::Sender<bool>,
}

/// A worker as others know it: to ask it, and to see how it is.
#[derive(Clone)]
pub(super) struct Member {
    pub(super) process: &'static str,
    pub(super) shard: Shard,
    pub(super) asks: mpsc::Sender<Asked>,
    pub(super) shown: watch::Receiver<Shown>,
}

impl Crew {
    /// What others have to know of the shards here.
    pub(super) fn share(&self) -> Share {
        let has_stopped = |member: &&Member| member.shown.borrow().stopped.is_some();
        let stopped = self.members.iter().filter(has_stopped).map(|member| member.shard.index());
        let runs = self.members.iter().any(|member| member.shown.borrow().position.is_some());
        Share { shards: self.shards, stopped: stopped.collect(), runs }
    }

    /// Whose a process is, or a key of a reactor.
    pub(super) fn of(&self, id: &str) -> Option<&Member> {
        self.members.iter().find(|member| member.shard.has_key(id))
    }
}

impl Member {
    /// Whether it is the owner, or has stopped: then it answers what it is asked.
    pub(super) fn answers(shown: &Shown) -> bool {
        shown.position.is_some() || shown.stopped.is_some()
    }

    pub(super) async fn ask<T>(
        &self,
        asked: impl FnOnce(oneshot::Sender<Result<T, ProcessError>>) -> Asked,
    ) -> Result<T, ProcessError> {
        let process = self.process;
        let (answer, answered) = oneshot::channel();
        self.asks.send(asked(answer)).await.map_err(|_| ProcessError::Ended { process })?;
        answered.await.map_err(|_| ProcessError::Ended { process })?
    }
}
