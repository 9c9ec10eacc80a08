//! Appends that meet the lock of a transaction which goes on: set aside, one lane for each set of streams, so that nobody
//! else waits with them.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use annals::StoreError;
use tokio::sync::Semaphore;

use super::settle::{Blocked, settle_aside};
use super::{Call, Shared, next_calls};

/// How many lanes wait for other transactions' locks at once, each over a connection of its own.
const TURNS: usize = 4;

/// How long a lane waits for a lock before it is another's turn.
const TURN: Duration = Duration::from_secs(1);

/// The calls that were set aside. The one of a lane that another call comes to is told by all the streams that they touch.
pub(super) struct Aside {
    lanes: Mutex<HashMap<Streams, VecDeque<Call>>>,
    turns: Semaphore,
}

/// The names of the streams that a call touches, in order, each once.
pub(super) type Streams = Vec<String>;

impl Default for Aside {
    fn default() -> Self {
        Self { lanes: Mutex::default(), turns: Semaphore::new(TURNS) }
    }
}

impl Aside {
    fn lanes(&self) -> MutexGuard<'_, HashMap<Streams, VecDeque<Call>>> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts calls whose streams have been found locked into their lane; gives back the others.
    pub(super) fn join(&self, calls: Vec<Call>) -> Vec<Call> {
        let mut lanes = self.lanes();
        if lanes.is_empty() {
            return calls;
        }
        let mut others = Vec::new();
        for call in calls {
            match lanes.get_mut(&call.streams()) {
                Some(lane) => lane.push_back(call),
                None => others.push(call),
            }
        }
        others
    }
}

/// Sets calls that touch the same streams aside: a task of their own answers them.
pub(super) fn set_aside(shared: &Arc<Shared>, blocked: Blocked) {
    let Some(streams) = blocked.calls.first().map(Call::streams) else { return };
    let is_new = {
        let mut lanes = shared.aside.lanes();
        let is_new = !lanes.contains_key(&streams);
        lanes.entry(streams.clone()).or_default().extend(blocked.calls);
        is_new
    };
    if is_new {
        // Made here: a task that never runs, since its runtime ends, gives its lane up as well.
        let lane = Lane { shared: shared.clone(), streams, is_done: false };
        tokio::spawn(lane.settle());
    }
}

/// The task of a lane. When it ends in any other way than by finding the lane empty, its callers are told that nobody knows.
struct Lane {
    shared: Arc<Shared>,
    streams: Streams,
    is_done: bool,
}

impl Lane {
    /// Answers all calls of the lane, and tells readers what came of it.
    async fn settle(mut self) {
        while let Some(calls) = self.next_calls() {
            self.settle_calls(calls).await;
            self.shared.wake.tell(&self.shared.database);
        }
    }

    /// Tries turn after turn, so that a lane whose lock is free does not wait for those whose locks are not.
    async fn settle_calls(&self, mut calls: Vec<Call>) {
        let database = &self.shared.database;
        let longest = database.longest_lock();
        let ends = Instant::now() + longest;
        loop {
            let Ok(turn) = self.shared.aside.turns.acquire().await else { return };
            let left = ends.saturating_duration_since(Instant::now());
            let blocked = settle_aside(&self.shared, calls, TURN.min(longest).min(left)).await;
            drop(turn);
            let Some(blocked) = blocked else { return };
            if Instant::now() >= ends {
                return blocked.fail();
            }
            calls = blocked.calls;
        }
    }

    fn next_calls(&mut self) -> Option<Vec<Call>> {
        let mut lanes = self.shared.aside.lanes();
        let waiting = lanes.get_mut(&self.streams)?;
        let calls = next_calls(waiting, self.shared.limits);
        if calls.is_empty() {
            lanes.remove(&self.streams);
            self.is_done = true;
            return None;
        }
        Some(calls)
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        if !self.is_done {
            // Their answers' senders are dropped with them.
            let calls = self.shared.aside.lanes().remove(&self.streams);
            drop(calls);
        }
    }
}

impl Blocked {
    /// Tells the callers whose lock it was that they waited for in vain.
    fn fail(self) {
        let error: StoreError = self.error;
        for call in self.calls {
            call.fail(&error);
        }
    }
}
