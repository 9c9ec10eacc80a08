//! The wake-up of readers: who waits at the log's end is told that something came, by this process at once, by others
//! over `LISTEN` and `NOTIFY`. Whoever misses it looks again after a while by himself.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use annals::{Position, StoreError};
use sqlx::Row;
use sqlx::postgres::{PgListener, PgPoolOptions};
use tokio::sync::watch;
use tokio::task::AbortHandle;

use crate::append::unsigned;
use crate::database::Database;
use crate::error::store_error;

/// The pause before a listener that lost its connection begins anew.
const RECONNECT: Duration = Duration::from_millis(250);

/// How soon a reader looks again while an append that is under way holds it back; each time it waits longer.
const HELD_BACK: Duration = Duration::from_millis(2);

const LONGEST_HELD_BACK: Duration = Duration::from_millis(100);

/// The time between the first two messages of a while in which there is always news; it doubles up to the longest.
const BETWEEN_MESSAGES: Duration = Duration::from_millis(2);
const LONGEST_BETWEEN_MESSAGES: Duration = Duration::from_millis(8);

/// Wakes those who wait for events.
pub(crate) struct Wake {
    is_on: bool,
    poll: Duration,
    /// Counts what is told.
    told: watch::Sender<u64>,
    /// The highest position up to which the log was found readable: what was told once is so for ever.
    readable: AtomicU64,
    /// Whether something was appended that no message has told yet.
    is_news: AtomicBool,
    is_telling: AtomicBool,
    listener: Mutex<Option<AbortHandle>>,
}

impl Wake {
    pub(crate) fn new(is_on: bool, poll: Duration) -> Self {
        Self {
            is_on,
            poll,
            told: watch::Sender::new(0),
            readable: AtomicU64::new(0),
            is_news: AtomicBool::new(false),
            is_telling: AtomicBool::new(false),
            listener: Mutex::default(),
        }
    }

    /// Tells that something was appended, outside of whoever appended it: this process at once, others at once too, but not
    /// again before a pause, since each message costs the server as much as a small append.
    pub(crate) fn tell(self: &Arc<Self>, database: &Arc<Database>) {
        self.told.send_modify(|told| *told += 1);
        self.is_news.store(true, Ordering::Release);
        if !self.is_on || self.is_telling.swap(true, Ordering::AcqRel) {
            return;
        }
        let database = database.clone();
        // Made here: a task that never runs, since its runtime ends, gives it up as well.
        let telling = Telling { wake: self.clone(), is_over: false };
        tokio::spawn(async move {
            // All of it: a field by itself would leave the rest behind.
            let mut telling = telling;
            let mut pause = BETWEEN_MESSAGES;
            loop {
                let wake = &telling.wake;
                while wake.is_news.swap(false, Ordering::AcqRel) {
                    database.tell().await;
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_BETWEEN_MESSAGES);
                }
                wake.is_telling.store(false, Ordering::Release);
                // What came between the two is told by whoever sees it first.
                if !wake.is_news.load(Ordering::Acquire)
                    || wake.is_telling.swap(true, Ordering::AcqRel)
                {
                    telling.is_over = true;
                    return;
                }
            }
        });
    }

    /// Up to where the log can be read, and where it ends.
    pub(crate) async fn ceiling(&self, database: &Database) -> Result<Ceiling, StoreError> {
        let before = self.readable.load(Ordering::Acquire);
        let asked = ask(database).await?;
        if asked.head.get() < before {
            // What was told once is so for ever, unless the log was cut back: by a restore, or a stand-by that was behind.
            tracing::error!(
                head = asked.head.get(),
                before,
                "the log ends before where it was read"
            );
            self.readable.store(asked.readable.get(), Ordering::Release);
            return Ok(asked);
        }
        let before = self.readable.fetch_max(asked.readable.get(), Ordering::AcqRel);
        Ok(Ceiling { readable: asked.readable.max(Position::from(before)), ..asked })
    }

    /// Waits until the appends that are under way have ended, and tells up to where the log can be read then.
    ///
    /// The lock of an append that was under way is at most the last position that was drawn then. One that came later is above,
    /// as soon as anything has been drawn.
    pub(crate) async fn barrier(&self, database: &Database) -> Result<Position, StoreError> {
        let (drawn, mut lowest) = under_way(database).await?;
        let mut pause = HELD_BACK;
        while lowest.is_some_and(|lowest| lowest <= drawn) {
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_HELD_BACK);
            lowest = under_way(database).await?.1;
        }
        Ok(self.ceiling(database).await?.readable)
    }

    /// The highest position up to which the log was found readable.
    pub(crate) fn readable(&self) -> Position {
        Position::from(self.readable.load(Ordering::Acquire))
    }

    /// Waits until the log can be read above `after`.
    pub(crate) async fn wait(
        self: &Arc<Self>,
        database: &Arc<Database>,
        after: Position,
    ) -> Result<(), StoreError> {
        self.listen(database);
        let mut told = self.told.subscribe();
        let mut held_back = HELD_BACK;
        loop {
            told.mark_unchanged();
            let ceiling = self.ceiling(database).await?;
            if ceiling.readable > after {
                return Ok(());
            }
            if ceiling.head < after {
                return Err(StoreError::ahead_of_the_log(after, ceiling.head));
            }
            let pause = if ceiling.head > ceiling.readable {
                held_back = (held_back * 2).min(self.poll);
                held_back
            } else {
                held_back = HELD_BACK;
                self.poll
            };
            tokio::select! {
                // The sender lives as long as `self`.
                _ = told.changed() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Starts the listener, if it is not there.
    fn listen(self: &Arc<Self>, database: &Arc<Database>) {
        if !self.is_on {
            return;
        }
        let mut listener = self.listener.lock().unwrap_or_else(PoisonError::into_inner);
        if listener.as_ref().is_none_or(AbortHandle::is_finished) {
            let task = tokio::spawn(listen(Arc::downgrade(self), database.clone()));
            *listener = Some(task.abort_handle());
        }
    }
}

impl Drop for Wake {
    fn drop(&mut self) {
        let listener = self.listener.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(listener) = listener.take() {
            listener.abort();
        }
    }
}

/// Lets another task tell, when the one that does ends with its runtime.
struct Telling {
    wake: Arc<Wake>,
    is_over: bool,
}

impl Drop for Telling {
    fn drop(&mut self) {
        if !self.is_over {
            self.wake.is_telling.store(false, Ordering::Release);
        }
    }
}

/// Up to where the log can be read, and where it ends.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ceiling {
    /// Below or at it, no event will appear any more.
    pub(crate) readable: Position,
    /// The last event that is there, though one before it may still be on its way.
    pub(crate) head: Position,
}

async fn ask(database: &Database) -> Result<Ceiling, StoreError> {
    let doing = "read the log's end";
    let statement = || database.statements.ceiling();
    let row = database.fetch_one(doing, statement).await?;
    let read = |column: usize| -> Result<Position, StoreError> {
        let number: i64 = row.try_get(column).map_err(|error| store_error(doing, error))?;
        Ok(Position::from(unsigned(number)))
    };
    Ok(Ceiling { readable: read(0)?, head: read(1)? })
}

/// Listens until the store is gone; begins anew when its connection is lost.
async fn listen(wake: Weak<Wake>, database: Arc<Database>) {
    loop {
        if let Err(error) = listen_once(&wake, &database).await {
            tracing::warn!(%error, "the listener for new events begins anew");
        }
        tokio::time::sleep(RECONNECT).await;
        let Some(wake) = wake.upgrade() else { return };
        // What came while nobody listened.
        wake.told.send_modify(|told| *told += 1);
    }
}

async fn listen_once(wake: &Weak<Wake>, database: &Database) -> Result<(), sqlx::Error> {
    // A pool of its own: a listener in the store's pool would take a connection from it for ever.
    let options = (*database.pool.connect_options()).clone();
    let mut pool = PgPoolOptions::new().max_connections(1);
    if let Some(after_connect) = database.after_connect.clone() {
        pool = pool.after_connect(move |connection, _| after_connect(connection));
    }
    let pool = pool.connect_lazy_with(options);
    let mut listener = PgListener::connect_with(&pool).await?;
    listener.listen(&database.schema.channel()).await?;
    loop {
        let told = listener.try_recv().await?;
        let Some(wake) = wake.upgrade() else { return Ok(()) };
        wake.told.send_modify(|count| *count += 1);
        if told.is_none() {
            // The connection was lost, and `try_recv` makes a new one.
            tracing::debug!("the listener for new events lost its connection");
        }
    }
}

/// The last position that was drawn, and the lowest lock of the appends that are under way.
async fn under_way(database: &Database) -> Result<(i64, Option<i64>), StoreError> {
    let doing = "look for appends that are under way";
    let row = database.fetch_all(doing, || database.statements.barrier()).await?;
    let row = row.first().ok_or_else(|| StoreError::other(format!("{doing}: no answer")))?;
    let found = (row.try_get(0), row.try_get(1));
    match found {
        (Ok(drawn), Ok(lowest)) => Ok((drawn, lowest)),
        (Err(error), _) | (_, Err(error)) => Err(store_error(doing, error)),
    }
}
