//! Connections that append: beside the pool, so that no append waits for reads.
//!
//! While none is sent, one of them reads a stream: a client that loads and appends in turn then has one server process for both,
//! which spares the server to wake another each time.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sqlx::Connection;
use sqlx::postgres::PgConnection;
use tokio::runtime::Handle;
use tokio::time::timeout;

/// The connections over which nothing is sent at the moment.
pub(crate) struct Writers {
    /// A server that says nothing for so long counts as lost.
    silence: Duration,
    /// How many are kept.
    most: usize,
    idle: Mutex<Vec<PgConnection>>,
    is_lent: AtomicBool,
}

impl Writers {
    /// For as many as append at once at most.
    pub(crate) fn new(appending: usize, silence: Duration) -> Self {
        let most = appending.saturating_add(1);
        Self { silence, most, idle: Mutex::default(), is_lent: AtomicBool::new(false) }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<PgConnection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes one for an append.
    pub(crate) fn take(&self) -> Option<PgConnection> {
        self.idle().pop()
    }

    /// Leaves one to the next append; closes it if there are enough.
    pub(crate) fn put(&self, connection: PgConnection) {
        let mut idle = self.idle();
        if idle.len() < self.most {
            idle.push(connection);
        }
    }

    /// Lends one to a read; one at most, since an append that finds none makes another.
    pub(crate) fn lend(self: &Arc<Self>) -> Option<LentWriter> {
        if self.is_lent.swap(true, Ordering::AcqRel) {
            return None;
        }
        let loan = Loan(self.clone());
        self.take().map(|connection| LentWriter { loan: Some(loan), connection: Some(connection) })
    }
}

/// That one is lent.
struct Loan(Arc<Writers>);

impl Drop for Loan {
    fn drop(&mut self) {
        self.0.is_lent.store(false, Ordering::Release);
    }
}

/// A writer's connection while something reads over it. Dropped, it goes back once what was asked over it is answered.
pub(crate) struct LentWriter {
    /// `None` once it is given back.
    loan: Option<Loan>,
    connection: Option<PgConnection>,
}

impl LentWriter {
    /// Gives it back; all that was asked over it has to have been answered.
    pub(crate) fn leave(mut self) {
        if let (Some(loan), Some(connection)) = (&self.loan, self.connection.take()) {
            loan.0.put(connection);
        }
    }

    /// Closes it, as it is.
    pub(crate) fn close(mut self) {
        drop(self.connection.take());
    }

    pub(crate) fn connection(&mut self) -> &mut PgConnection {
        self.connection.as_mut().expect("bug in annals: a connection was used that was given back")
    }
}

impl Drop for LentWriter {
    fn drop(&mut self) {
        let (loan, connection) = (self.loan.take(), self.connection.take());
        if let (Some(loan), Some(mut connection), Ok(runtime)) =
            (loan, connection, Handle::try_current())
        {
            // Lent until then: or each read that is given up would have an append make another.
            runtime.spawn(async move {
                if matches!(timeout(loan.0.silence, connection.ping()).await, Ok(Ok(()))) {
                    loan.0.put(connection);
                }
            });
        }
    }
}
