//! The pool's connections for reads, which go from one read to the next before they go back.
//!
//! A connection that goes back into sqlx's pool is asked first whether it is alive: a round trip for each read, as long as the
//! read itself. So a read leaves its connection to the next one, for a [short while](TURN).

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnection, Postgres};
use sqlx::{Connection, PgPool};
use tokio::runtime::{Handle, Id};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep_until, timeout};

/// How long a connection goes from read to read before it goes back: who waits for the pool outside of the store has it then, and
/// the pool's own rules for its connections are kept.
const TURN: Duration = Duration::from_millis(50);

/// Lends connections of a pool to reads.
pub(crate) struct Readers {
    pool: PgPool,
    /// As many as the pool has connections: who waits for one of them gets the next that a read has done with.
    places: Arc<Semaphore>,
    /// How many wait for a place.
    queued: AtomicUsize,
    /// How many wait for the pool, with a place.
    asking: AtomicUsize,
    idle: Arc<Idle>,
}

/// Connections between two reads.
struct Idle {
    silence: Duration,
    list: Mutex<List>,
}

#[derive(Default)]
struct List {
    connections: Vec<Held>,
    /// The runtimes with a task that gives back those whose turn is over: one of them may stand still.
    swept_by: Vec<Handle>,
}

/// A connection of the pool, and since when it has not gone back.
struct Held {
    connection: PoolConnection<Postgres>,
    since: Instant,
}

impl Readers {
    /// A server that says nothing for so long counts as lost.
    pub(crate) fn new(pool: PgPool, silence: Duration) -> Self {
        let most = pool.options().get_max_connections() as usize;
        Self {
            pool,
            places: Arc::new(Semaphore::new(most.clamp(1, Semaphore::MAX_PERMITS))),
            queued: AtomicUsize::new(0),
            asking: AtomicUsize::new(0),
            idle: Arc::new(Idle { silence, list: Mutex::default() }),
        }
    }

    /// Lends a connection to a read. It waits as long as the pool lets one wait.
    ///
    /// # Cancel safety
    ///
    /// A dropped call takes no connection. One that is being made goes to the pool.
    pub(crate) async fn lend(&self) -> Result<LentReader<'_>, sqlx::Error> {
        if let Ok(place) = self.places.clone().try_acquire_owned()
            && let Some(held) = self.idle_connection()
        {
            return Ok(self.lent(held, place));
        }
        let longest = self.pool.options().get_acquire_timeout();
        timeout(longest, self.wait()).await.unwrap_or(Err(sqlx::Error::PoolTimedOut))
    }

    async fn wait(&self) -> Result<LentReader<'_>, sqlx::Error> {
        let queued = Counted::among(&self.queued);
        let place = self.places.clone().acquire_owned();
        let place = self.pool.close_event().do_until(place).await?;
        let place = place.map_err(|_| sqlx::Error::PoolClosed)?;
        drop(queued);
        if let Some(held) = self.idle_connection() {
            return Ok(self.lent(held, place));
        }
        let _asking = Counted::among(&self.asking);
        let (connection, place) = self.connected(place).await?;
        Ok(self.lent(Held { connection, since: Instant::now() }, place))
    }

    /// A connection of the pool. What is made for a caller who goes away is made all the same: where many are impatient and the
    /// connections were lost, nobody else would come to one. Its place is taken until then, so that no more are made than there are places.
    async fn connected(
        &self,
        place: OwnedSemaphorePermit,
    ) -> Result<(PoolConnection<Postgres>, OwnedSemaphorePermit), sqlx::Error> {
        if self.pool.num_idle() > 0 {
            return Ok((self.pool.acquire().await?, place));
        }
        let pool = self.pool.clone();
        let connecting = async move { Ok((pool.acquire().await?, place)) };
        let connected = tokio::spawn(connecting).await;
        connected.unwrap_or_else(|error| Err(sqlx::Error::Io(error.into())))
    }

    fn lent(&self, held: Held, place: OwnedSemaphorePermit) -> LentReader<'_> {
        LentReader { readers: self, held: Some(held), runtime: Handle::current(), _place: place }
    }

    fn idle_connection(&self) -> Option<Held> {
        if self.pool.is_closed() { None } else { self.idle.take() }
    }

    /// A connection for something else than a read, which has it until it is done.
    pub(crate) async fn acquire(&self) -> Result<PoolConnection<Postgres>, sqlx::Error> {
        if let Some(held) = self.idle_connection() {
            return Ok(held.connection);
        }
        let _asking = Counted::among(&self.asking);
        self.pool.acquire().await
    }

    /// Has reads leave their connections to the pool as long as somebody waits there.
    pub(crate) async fn given_room<T>(&self, waiting: impl Future<Output = T>) -> T {
        let _asking = Counted::among(&self.asking);
        if !self.has_spare() {
            give_back(self.idle.take_all(), self.idle.silence);
        }
        waiting.await
    }

    /// Whether the pool has a connection to give beside those that are lent.
    fn has_spare(&self) -> bool {
        self.pool.num_idle() > 0 || self.pool.size() < self.pool.options().get_max_connections()
    }

    /// Whether the next read may have it: it must not be what somebody waits for at the pool.
    fn may_keep(&self, held: &Held) -> bool {
        held.since.elapsed() < TURN
            && !self.pool.is_closed()
            && self.asking.load(Ordering::Acquire) == 0
            && (self.queued.load(Ordering::Acquire) > 0 || self.has_spare())
    }
}

/// A connection while something reads over it. Dropped, it goes back to the pool once what was asked over it is answered.
pub(crate) struct LentReader<'r> {
    readers: &'r Readers,
    /// `None` once it is given back.
    held: Option<Held>,
    /// Where it is given back, wherever it is dropped.
    runtime: Handle,
    _place: OwnedSemaphorePermit,
}

impl LentReader<'_> {
    /// Leaves it to the next read; all that was asked over it has to have been answered.
    pub(crate) fn leave(mut self) {
        if let Some(held) = self.held.take()
            && self.readers.may_keep(&held)
        {
            self.readers.idle.put(held);
        }
    }

    /// Closes it, as it is.
    pub(crate) fn close(mut self) {
        if let Some(held) = self.held.take() {
            drop(held.connection.detach());
        }
    }

    pub(crate) fn connection(&mut self) -> &mut PgConnection {
        let held = self.held.as_mut();
        &mut held.expect("bug in annals: a connection was used that was given back").connection
    }
}

impl Drop for LentReader<'_> {
    fn drop(&mut self) {
        if let Some(held) = self.held.take() {
            let _entered = self.runtime.enter();
            give_back(vec![held], self.readers.idle.silence);
        }
    }
}

impl Idle {
    fn list(&self) -> MutexGuard<'_, List> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The one that was used last, whose server process is the likeliest to be awake.
    fn take(&self) -> Option<Held> {
        self.list().connections.pop()
    }

    fn take_all(&self) -> Vec<Held> {
        std::mem::take(&mut self.list().connections)
    }

    fn put(self: &Arc<Self>, held: Held) {
        let runtime = Handle::current();
        let mut list = self.list();
        list.connections.push(held);
        if list.swept_by.iter().all(|by| by.id() != runtime.id()) {
            // Made here: a task that never runs, since its runtime ends, gives them up as well.
            let sweeping = Sweeping { idle: Arc::downgrade(self), runtime: runtime.id() };
            list.swept_by.push(runtime);
            drop(list);
            tokio::spawn(sweeping.sweep());
        }
    }

    /// Takes those whose turn is over, and tells when the next one's is; where there is none, the runtime's task has ended.
    fn take_due(&self, runtime: Id) -> (Vec<Held>, Option<Instant>) {
        let mut list = self.list();
        let all = std::mem::take(&mut list.connections);
        let (due, others): (Vec<_>, Vec<_>) =
            all.into_iter().partition(|held| held.since.elapsed() >= TURN);
        list.connections = others;
        let next = list.connections.iter().map(|held| held.since + TURN).min();
        if next.is_none() {
            list.swept_by.retain(|by| by.id() != runtime);
        }
        (due, next)
    }
}

impl Drop for Idle {
    fn drop(&mut self) {
        let list = self.list.get_mut().unwrap_or_else(PoisonError::into_inner);
        // There may be no runtime here, and what a pool does for its connections that go needs one, even one that has ended.
        let _entered = list.swept_by.last().map(Handle::enter);
        for held in list.connections.drain(..) {
            drop(held.connection.detach());
        }
    }
}

/// Gives connections back over which the server may have fallen silent: the pool would wait for it without an end.
fn give_back(all: Vec<Held>, silence: Duration) {
    for Held { mut connection, .. } in all {
        tokio::spawn(async move {
            if !matches!(timeout(silence, connection.ping()).await, Ok(Ok(()))) {
                drop(connection.detach());
            }
        });
    }
}

/// A task that gives connections back. When it ends with its runtime, so do they.
struct Sweeping {
    idle: Weak<Idle>,
    runtime: Id,
}

impl Sweeping {
    async fn sweep(self) {
        let mut next = Some(Instant::now());
        while let Some(at) = next {
            sleep_until(at).await;
            let Some(idle) = self.idle.upgrade() else { return };
            let (due, at) = idle.take_due(self.runtime);
            next = at;
            give_back(due, idle.silence);
        }
    }
}

impl Drop for Sweeping {
    fn drop(&mut self) {
        let Some(idle) = self.idle.upgrade() else { return };
        let mut list = idle.list();
        let before = list.swept_by.len();
        list.swept_by.retain(|by| by.id() != self.runtime);
        if list.swept_by.len() == before {
            // It has come to its end.
            return;
        }
        for held in std::mem::take(&mut list.connections) {
            drop(held.connection.detach());
        }
    }
}

/// Counts whoever holds it.
struct Counted<'c>(&'c AtomicUsize);

impl<'c> Counted<'c> {
    fn among(count: &'c AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::AcqRel);
        Self(count)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}
