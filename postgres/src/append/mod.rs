//! Appends: many callers' in one statement while the one before is on its way, and each gets its own answer.
//!
//! The statement assumes that nothing is there that it meets, and does nothing at all if something is. Only then
//! [`known`] looks what it is, answers whom it concerns, and the others go again.

mod batch;
mod known;
mod outage;
mod settle;
pub(crate) mod within;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use annals::{Append, Receipt, StoreError, WriteError};
use sqlx::postgres::PgConnection;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

pub(crate) use self::batch::{Batch, Given, bounded, micros, unsigned};
pub(crate) use self::known::{Known, Verdict, key_entry};
pub(crate) use self::outage::{DOING, Outage, unknown_or};
use crate::database::Database;
use crate::wake::Wake;

/// How many bytes of payload one permit of the queue's memory stands for.
const PERMIT: usize = 1024;

/// How much goes into one statement.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// How many callers share a statement at most.
    pub(crate) calls: usize,
    /// How many events a statement has at most, if more than one caller shares it.
    pub(crate) events: usize,
    /// How many bytes wait at most; who comes then waits for room.
    pub(crate) bytes: usize,
}

/// Appends for many callers.
pub(crate) struct Appender {
    shared: Arc<Shared>,
}

struct Shared {
    database: Arc<Database>,
    wake: Arc<Wake>,
    limits: Limits,
    room: Arc<Semaphore>,
    queue: Mutex<Queue>,
    /// A connection of its own: a batch never waits for readers.
    writer: tokio::sync::Mutex<Option<PgConnection>>,
}

#[derive(Default)]
struct Queue {
    calls: VecDeque<Call>,
    /// Whether somebody sends what is in the queue.
    is_sent: bool,
}

/// What one caller wants appended.
struct Call {
    appends: Vec<Append>,
    answer: oneshot::Sender<Result<Vec<Receipt>, WriteError>>,
    /// Its room in the queue's memory.
    _room: OwnedSemaphorePermit,
}

impl Call {
    fn events(&self) -> usize {
        self.appends.iter().map(|append| append.events.len()).sum()
    }

    fn answer(self, answer: Result<Vec<Receipt>, WriteError>) {
        // A caller that is gone wants no answer.
        let _ = self.answer.send(answer);
    }
}

impl Appender {
    pub(crate) fn new(database: Arc<Database>, wake: Arc<Wake>, limits: Limits) -> Self {
        let permits = limits.bytes.div_ceil(PERMIT).clamp(1, Semaphore::MAX_PERMITS);
        let shared = Shared {
            database,
            wake,
            limits,
            room: Arc::new(Semaphore::new(permits)),
            queue: Mutex::default(),
            writer: tokio::sync::Mutex::default(),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Appends as [`EventStore::append`](annals::EventStore::append) says.
    pub(crate) async fn append(&self, appends: Vec<Append>) -> Result<Vec<Receipt>, WriteError> {
        if let Some(fault) = appends.iter().find_map(Append::fault) {
            return Err(StoreError::invalid(fault).into());
        }
        let Some(first) = appends.first().map(|append| append.stream_id.clone()) else {
            return Ok(Vec::new());
        };
        let room = self.room_for(&appends).await?;
        let (answer, answered) = oneshot::channel();
        self.shared.enqueue(Call { appends, answer, _room: room });
        answered.await.unwrap_or_else(|_| {
            let source = StoreError::other("the task that appends ended before it had an answer");
            Err(WriteError::UnknownOutcome { stream_id: first, source })
        })
    }

    /// Waits until there is room for what is to be appended; what is larger than all the room waits for all of it.
    async fn room_for(&self, appends: &[Append]) -> Result<OwnedSemaphorePermit, StoreError> {
        let events = appends.iter().flat_map(|append| &append.events);
        let bytes: usize = events.map(|event| event.data.as_str().len() + 256).sum();
        let all = self.shared.limits.bytes.div_ceil(PERMIT).clamp(1, Semaphore::MAX_PERMITS);
        let permits = u32::try_from((bytes / PERMIT + 1).min(all)).unwrap_or(u32::MAX);
        let room = self.shared.room.clone().acquire_many_owned(permits).await;
        room.map_err(|_| StoreError::other("the store appends no more"))
    }
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a call into the queue, and has it sent if nobody sends yet.
    ///
    /// It is sent by a task of its own: a caller that goes away takes nobody's append along.
    fn enqueue(self: &Arc<Self>, call: Call) {
        let mut queue = self.queue();
        queue.calls.push_back(call);
        if !std::mem::replace(&mut queue.is_sent, true) {
            drop(queue);
            // Made here: a task that never runs, since its runtime ends, gives the queue up as well.
            let sending = Sending { shared: self.clone(), is_done: false };
            tokio::spawn(sending.send());
        }
    }
}

/// The task that sends. When it ends in any other way than by finding the queue empty, by a panic or with its runtime, it
/// leaves the queue to be sent by another.
struct Sending {
    shared: Arc<Shared>,
    is_done: bool,
}

impl Sending {
    /// Sends batch after batch until the queue is empty.
    async fn send(mut self) {
        let shared = self.shared.clone();
        let mut writer = shared.writer.lock().await;
        while let Some(calls) = self.next_batch() {
            settle::settle(&shared.database, &mut writer, calls).await;
            shared.wake.tell(&shared.database);
        }
    }

    fn next_batch(&mut self) -> Option<Vec<Call>> {
        let mut queue = self.shared.queue();
        let mut batch = Vec::new();
        let mut events = 0;
        while let Some(call) = queue.calls.front() {
            events += call.events();
            let is_full =
                batch.len() >= self.shared.limits.calls || events > self.shared.limits.events;
            if is_full && !batch.is_empty() {
                break;
            }
            batch.extend(queue.calls.pop_front());
        }
        if batch.is_empty() {
            queue.is_sent = false;
            self.is_done = true;
            return None;
        }
        Some(batch)
    }
}

impl Drop for Sending {
    fn drop(&mut self) {
        // Once it has found the queue empty, another may be sending.
        if !self.is_done {
            let mut queue = self.shared.queue();
            queue.is_sent = false;
            // Their senders are dropped: each caller is told that the outcome is unknown.
            queue.calls.clear();
        }
    }
}
