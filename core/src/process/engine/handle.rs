//! What an engine has of each process manager that it runs: to ask its workers, and to see how they are.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::select_all;
use tokio::sync::{Notify, oneshot, watch};
use tokio::time::{Instant, timeout_at};

use super::ProcessError;
use super::asked::Asked;
use super::crew::{Crew, Member};
use super::kind::Kind;
use crate::position::Position;

pub(super) struct Handle {
    pub(super) kind: Kind,
    pub(super) lease: Duration,
    /// Its workers, which are others once there are other shards.
    pub(super) crew: watch::Receiver<Arc<Crew>>,
    /// Has the lead look at the layout.
    pub(super) call: Arc<Notify>,
}

type Answer<T> = oneshot::Sender<Result<T, ProcessError>>;

impl Handle {
    pub(super) fn crew(&self) -> Arc<Crew> {
        self.crew.borrow().clone()
    }

    /// Asks the owner of a process. A worker that has only just begun may still wait for its lease: as long as another's lasts,
    /// if nobody renews that.
    pub(super) async fn ask<T>(
        &self,
        id: &str,
        asked: impl FnOnce(Answer<T>) -> Asked,
    ) -> Result<T, ProcessError> {
        let owner = |crew: &Crew| crew.of(id).cloned().into_iter().collect();
        match self.answering(owner).await.into_iter().next() {
            Some(member) => member.ask(asked).await,
            None => Err(ProcessError::NotOwner { process: self.kind.name() }),
        }
    }

    /// Has what has stopped read on: of all shards that run here.
    pub(super) async fn resume(&self) -> Result<(), ProcessError> {
        self.ask_all(|_| true, |answer| Asked::Resume { answer }).await
    }

    /// Has an event passed over, by all shards that run here and have stopped at it: those elsewhere find that it was.
    pub(super) async fn skip(&self, position: Position) -> Result<(), ProcessError> {
        let members = self.answering(|crew| crew.members.clone()).await;
        let is_there = |member: &Member| member.shown.borrow().stopped_at == Some(position);
        let is_anyone = members.iter().any(is_there);
        let is_asked = |member: &Member| !is_anyone || is_there(member);
        self.ask_all(is_asked, |answer| Asked::Skip { position, answer }).await
    }

    /// Asks all workers that answer; goes well if any of it does.
    async fn ask_all(
        &self,
        is_asked: impl Fn(&Member) -> bool,
        asked: impl Fn(Answer<()>) -> Asked,
    ) -> Result<(), ProcessError> {
        let mut told = Err(ProcessError::NotOwner { process: self.kind.name() });
        for member in self.answering(|crew| crew.members.clone()).await {
            if is_asked(&member) {
                let answer = member.ask(&asked).await;
                told = told.or(answer);
            }
        }
        told
    }

    /// Waits until one of these workers answers, and gives back those that do. Nobody, if that takes longer than a lease.
    async fn answering(&self, of: impl Fn(&Crew) -> Vec<Member>) -> Vec<Member> {
        let until = Instant::now() + self.lease;
        let mut crew = self.crew.clone();
        loop {
            let members = of(&crew.borrow_and_update());
            let answering = |member: &Member| Member::answers(&member.shown.borrow());
            let found: Vec<Member> =
                members.iter().filter(|member| answering(member)).cloned().collect();
            if !found.is_empty() {
                return found;
            }
            let first = async {
                let waiting = members.iter().map(|member| one_answers(member.clone()).boxed());
                if members.is_empty() {
                    return std::future::pending().await;
                }
                select_all(waiting).await;
            };
            let waited = async {
                tokio::select! {
                    () = first => true,
                    changed = crew.changed() => changed.is_ok(),
                }
            };
            if !timeout_at(until, waited).await.unwrap_or(false) {
                return Vec::new();
            }
        }
    }
}

/// Waits until a worker answers; for ever, if it has ended.
async fn one_answers(mut member: Member) {
    if member.shown.wait_for(Member::answers).await.is_err() {
        std::future::pending::<()>().await;
    }
}
