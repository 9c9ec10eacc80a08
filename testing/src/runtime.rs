//! Runs async handlers in plain `#[test]`s.

use std::future::Future;
use std::thread;

use tokio::runtime::{Builder, Handle, Runtime};

/// Runs a future to its end, on a Tokio runtime of its own; inside another runtime, on a thread of its own.
pub(crate) fn block_on<F>(future: F) -> F::Output
where
    F: Future + Send,
    F::Output: Send,
{
    if Handle::try_current().is_err() {
        return runtime().block_on(future);
    }
    let ended = thread::scope(|scope| scope.spawn(|| runtime().block_on(future)).join());
    ended.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("a Tokio runtime can be started")
}
