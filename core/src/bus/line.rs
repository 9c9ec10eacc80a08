//! Commands of this program for one aggregate that stays in memory: decided one after the other, appended together.
//!
//! While an append is on its way, the next commands are decided on what it will lead to, and wait in line. What waits is sent
//! once all that it rests on is stored, in one call that is stored whole or not at all; whoever rests on an append that failed
//! decides anew. So nothing is ever stored, and nobody answered, by a state that did not come to be.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex as StdMutex, MutexGuard, PoisonError};

use tokio::sync::{Mutex, Notify, oneshot};

use super::append::Appended;
use super::attempt::Rejected;
use super::leading::Leading;
use super::{CommandBus, DispatchError};
use crate::aggregate::Aggregate;
use crate::repository::Replayed;
use crate::store::Append;
use crate::stream::StreamHead;

/// How many appends go in one call.
const TOGETHER: usize = 128;

/// An aggregate as the last command leaves it.
pub(super) struct Place<A> {
    /// Whoever decides holds it.
    pub(super) turn: Mutex<()>,
    kept: StdMutex<Kept<A>>,
    /// Told when nothing is on its way any more.
    ended: Notify,
}

struct Kept<A> {
    /// Where the next command begins: after all that is on its way or in line.
    next: Option<Replayed<A>>,
    /// Where the stream ended when it was told last.
    head: Option<StreamHead>,
    line: VecDeque<Waiting>,
    is_under_way: bool,
    /// Another one after each failure: what was decided before it rests on nothing.
    chain: u64,
}

/// A command that was decided, and waits for what it rests on.
pub(super) struct Waiting {
    /// `None` for one that stores nothing.
    pub(super) append: Option<Append>,
    pub(super) told: oneshot::Sender<Told>,
}

/// What comes of a command in line.
pub(super) enum Told {
    /// What it was decided on came to be, and the stream ended there.
    Confirmed(StreamHead),
    /// Its append has ended.
    Ended(Result<Appended, DispatchError<Rejected>>),
    /// What it rests on did not come to be: nothing of it is stored.
    Again,
    /// Another append of the same call failed, so that nothing of it is stored: it goes by itself.
    Alone,
}

/// What a command is decided on.
pub(super) struct Base<A> {
    pub(super) replayed: Replayed<A>,
    pub(super) rests_on: RestsOn,
    pub(super) chain: u64,
}

/// What a state rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RestsOn {
    /// On what was just read.
    Loaded,
    /// On what was stored when it was told last.
    Stored,
    /// On what is still on its way.
    UnderWay,
}

/// How a command joins those for the same aggregate.
pub(super) enum Joined<A: Aggregate> {
    /// Nothing is on its way: it sends its own append.
    First(Append, Leading<A>),
    /// Another sends it.
    InLine(oneshot::Receiver<Told>),
    /// What it was decided on came to be, and the stream ended there.
    Confirmed(StreamHead),
    /// What it was decided on did not come to be.
    Broken,
}

impl<A> Default for Place<A> {
    fn default() -> Self {
        let line = VecDeque::new();
        let kept = Kept { next: None, head: None, line, is_under_way: false, chain: 0 };
        Self { turn: Mutex::default(), kept: StdMutex::new(kept), ended: Notify::new() }
    }
}

impl<A: Aggregate> Place<A> {
    fn kept(&self) -> MutexGuard<'_, Kept<A>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes what the next command is decided on; `None` if it has to be loaded. Whoever asks has the turn.
    pub(super) fn take(&self) -> Option<Base<A>> {
        let mut kept = self.kept();
        let mut replayed = kept.next.take()?;
        if let Some(head) = kept.head.filter(|head| head.version == replayed.version()) {
            replayed = replayed.ending_at(head);
        }
        let rests_on = if kept.is_under_way { RestsOn::UnderWay } else { RestsOn::Stored };
        Some(Base { replayed, rests_on, chain: kept.chain })
    }

    /// What was loaded, to be decided on. Whoever asks has the turn, and nothing is on its way.
    pub(super) fn loaded(&self, replayed: Replayed<A>) -> Base<A> {
        Base { replayed, rests_on: RestsOn::Loaded, chain: self.kept().chain }
    }

    /// Waits until nothing is on its way. Whoever has the turn can rely on it until it gives the turn up.
    pub(super) async fn idle(&self) {
        loop {
            let mut ended = std::pin::pin!(self.ended.notified());
            ended.as_mut().enable();
            if !self.kept().is_under_way {
                return;
            }
            ended.await;
        }
    }

    /// Keeps a state for the next command. Whoever asks has the turn, and took it.
    pub(super) fn keep(&self, next: Replayed<A>, chain: u64) {
        let mut kept = self.kept();
        if kept.chain == chain {
            kept.next = Some(next);
        }
    }

    /// Has an append sent: by whoever asks, if nothing else is on its way.
    pub(super) fn join(
        self: &Arc<Self>,
        bus: &CommandBus,
        append: Append,
        next: Option<Replayed<A>>,
        chain: u64,
    ) -> Joined<A> {
        let mut kept = self.kept();
        if kept.chain != chain {
            return Joined::Broken;
        }
        kept.next = next;
        if kept.is_under_way {
            return Joined::InLine(kept.wait(Some(append)));
        }
        kept.is_under_way = true;
        drop(kept);
        Joined::First(append, Leading::new(bus.clone(), self.clone()))
    }

    /// Has a command that stores nothing wait for what it rests on, and keeps the state for the next.
    pub(super) fn join_with_nothing(&self, next: Replayed<A>, chain: u64) -> Joined<A> {
        let mut kept = self.kept();
        if kept.chain != chain {
            return Joined::Broken;
        }
        kept.next = Some(next);
        match kept.head {
            _ if kept.is_under_way => Joined::InLine(kept.wait(None)),
            Some(head) => Joined::Confirmed(head),
            None => Joined::Broken,
        }
    }

    /// Remembers where the stream ends after an append; gives back who is next in line, nobody if nothing is on its way now.
    pub(super) fn confirm(&self, head: StreamHead) -> Vec<Waiting> {
        let mut kept = self.kept();
        kept.head = Some(head);
        let together = kept.next_of_line();
        if together.is_empty() {
            kept.is_under_way = false;
            drop(kept);
            self.ended.notify_waiters();
        }
        together
    }

    /// Says that what was on its way did not come to be, as far as is known.
    pub(super) fn break_chain(&self) {
        let mut kept = self.kept();
        kept.chain += 1;
        kept.next = None;
        kept.is_under_way = false;
        let line = std::mem::take(&mut kept.line);
        drop(kept);
        for waiting in line {
            // Whoever went away is told nothing.
            let _ = waiting.told.send(Told::Again);
        }
        self.ended.notify_waiters();
    }
}

impl<A> Kept<A> {
    fn wait(&mut self, append: Option<Append>) -> oneshot::Receiver<Told> {
        let (told, tells) = oneshot::channel();
        self.line.push_back(Waiting { append, told });
        tells
    }

    /// Takes those of the line that go together.
    fn next_of_line(&mut self) -> Vec<Waiting> {
        let count = self.line.len().min(TOGETHER);
        self.line.drain(..count).collect()
    }
}
