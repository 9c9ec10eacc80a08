//! Appends: many callers' in one statement while the one before is on its way, and each gets its own answer.
//!
//! The statement assumes that nothing is there that it meets, and does nothing at all if something is. Only then
//! [`known`] looks what it is, answers whom it concerns, and the others go again.

mod aside;
mod batch;
mod known;
mod outage;
mod settle;
pub(crate) mod within;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use annals::{Append, Metadata, Receipt, StoreError, WriteError};
use sqlx::postgres::PgConnection;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use self::aside::{Aside, Streams};
pub(crate) use self::batch::{Batch, Given, bounded, micros, unsigned};
pub(crate) use self::known::{Known, Verdict, key_entry};
pub(crate) use self::outage::{DOING, Met, Outage, unknown_or};
pub(crate) use self::settle::unconnected;
use crate::database::Database;
use crate::wake::Wake;

/// How many bytes of the queue's memory one permit stands for.
const PERMIT: usize = 1024;

/// What an event takes beside its texts, in bytes.
const BESIDE: usize = 256;

/// How often others have their turn at most before the next batch is sent.
const MOST_TURNS: usize = 8;

/// How much goes into one statement.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// How many callers share a statement at most.
    pub(crate) calls: usize,
    /// How many events a statement has at most, if more than one caller shares it.
    pub(crate) events: usize,
    /// How many bytes wait at most; who comes then waits for room.
    pub(crate) bytes: usize,
    /// How many statements are on their way at once at most, each over a connection of its own.
    pub(crate) writers: usize,
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
    aside: Aside,
}

#[derive(Default)]
struct Queue {
    calls: VecDeque<Call>,
    /// How many send what is in the queue.
    senders: usize,
}

/// What one caller wants appended.
struct Call {
    appends: Vec<Append>,
    answer: oneshot::Sender<Result<Vec<Receipt>, WriteError>>,
    /// Whether a connection was lost with it: it may be stored.
    is_lost: bool,
    /// Its room in the queue's memory.
    _room: OwnedSemaphorePermit,
}

impl Call {
    fn events(&self) -> usize {
        self.appends.iter().map(|append| append.events.len()).sum()
    }

    fn first_stream(&self) -> Option<&str> {
        self.appends.first().map(|append| append.stream_id.as_str())
    }

    /// The streams that it touches, in order, each once.
    fn streams(&self) -> Streams {
        let names = self.appends.iter().map(|append| append.stream_id.as_str().to_owned());
        let mut streams: Streams = names.collect();
        streams.sort_unstable();
        streams.dedup();
        streams
    }

    /// Tells its caller why it was not done, or that nobody knows.
    fn fail(self, error: &StoreError) {
        let failed = unknown_or(self.is_lost, &self.appends, error);
        self.answer(Err(failed));
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
            aside: Aside::default(),
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
        self.shared.enqueue(Call { appends, answer, is_lost: false, _room: room });
        answered.await.unwrap_or_else(|_| {
            let source = StoreError::other("the task that appends ended before it had an answer");
            Err(WriteError::UnknownOutcome { stream_id: first, source })
        })
    }

    /// Waits until there is room for what is to be appended; what is larger than all the room waits for all of it.
    async fn room_for(&self, appends: &[Append]) -> Result<OwnedSemaphorePermit, StoreError> {
        let bytes: usize = appends.iter().map(weight).sum();
        let all = self.shared.limits.bytes.div_ceil(PERMIT).clamp(1, Semaphore::MAX_PERMITS);
        let permits = u32::try_from((bytes / PERMIT + 1).min(all)).unwrap_or(u32::MAX);
        let room = self.shared.room.clone().acquire_many_owned(permits).await;
        room.map_err(|_| StoreError::other("the store appends no more"))
    }
}

/// About how many bytes an append takes, on its way to the database too.
fn weight(append: &Append) -> usize {
    let key = append.key.as_ref().map_or(0, |claim| BESIDE + claim.key.len() + claim.command.len());
    let events = append.events.iter().map(|event| {
        BESIDE + event.event_type.len() + event.data.as_str().len() + weight_of(&event.metadata)
    });
    BESIDE + append.stream_id.as_str().len() + key + events.sum::<usize>()
}

/// Events that share their metadata are sent with it one by one.
fn weight_of(metadata: &Metadata) -> usize {
    let ids = [
        &metadata.correlation_id,
        &metadata.causation_id,
        &metadata.command_causation_id,
        &metadata.user,
    ];
    let ids: usize = ids.into_iter().flatten().map(String::len).sum();
    let headers = metadata.headers.iter().map(|(name, value)| name.len() + value.len());
    ids + headers.sum::<usize>()
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a call into the queue, and has it sent if there may be one more who sends.
    ///
    /// It is sent by a task of its own: a caller that goes away takes nobody's append along.
    fn enqueue(self: &Arc<Self>, call: Call) {
        let mut queue = self.queue();
        queue.calls.push_back(call);
        if queue.senders < self.limits.writers {
            queue.senders += 1;
            drop(queue);
            let writer = self.database.writers.take();
            // Made here: a task that never runs, since its runtime ends, gives the queue up as well.
            let sending = Sending { shared: self.clone(), writer, is_done: false };
            tokio::spawn(sending.send());
        }
    }
}

/// A task that sends. When it ends in any other way than by finding the queue empty, by a panic or with its runtime, it
/// leaves the queue to be sent by another.
struct Sending {
    shared: Arc<Shared>,
    writer: Option<PgConnection>,
    is_done: bool,
}

impl Sending {
    /// Sends batch after batch until the queue is empty.
    async fn send(mut self) {
        let shared = self.shared.clone();
        while let Some(calls) = self.next_batch() {
            let answered = calls.len();
            settle::settle(&shared, &mut self.writer, calls).await;
            shared.wake.tell(&shared.database);
            self.gather(answered).await;
        }
    }

    /// Lets those come who were just answered: whoever wants something again at once goes with the next batch. It is over as soon
    /// as nobody more has come while the others had their turn, or all have. One caller alone has nobody to go with.
    async fn gather(&self, answered: usize) {
        let mut waiting = self.shared.queue().calls.len();
        let wanted = (answered + waiting).min(self.shared.limits.calls);
        for _ in 0..MOST_TURNS {
            if wanted == 1 || waiting >= wanted {
                return;
            }
            tokio::task::yield_now().await;
            let before = std::mem::replace(&mut waiting, self.shared.queue().calls.len());
            if waiting <= before {
                return;
            }
        }
    }

    fn next_batch(&mut self) -> Option<Vec<Call>> {
        let mut queue = self.shared.queue();
        let batch = next_calls(&mut queue.calls, self.shared.limits);
        if batch.is_empty() {
            // Before others may send: they take it, and make no other.
            if let Some(writer) = self.writer.take() {
                self.shared.database.writers.put(writer);
            }
            queue.senders -= 1;
            self.is_done = true;
            return None;
        }
        Some(batch)
    }
}

/// Takes as many calls as go into one statement.
fn next_calls(calls: &mut VecDeque<Call>, limits: Limits) -> Vec<Call> {
    let mut batch = Vec::new();
    let mut events = 0;
    while let Some(call) = calls.front() {
        events += call.events();
        let is_full = batch.len() >= limits.calls || events > limits.events;
        if is_full && !batch.is_empty() {
            break;
        }
        batch.extend(calls.pop_front());
    }
    batch
}

impl Drop for Sending {
    fn drop(&mut self) {
        if !self.is_done {
            let mut queue = self.shared.queue();
            queue.senders -= 1;
            if queue.senders == 0 {
                // Their answers' senders are dropped: each caller is told that the outcome is unknown.
                queue.calls.clear();
            }
        }
    }
}
