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
    run_on(Time::Real, future)
}

/// The same in a time of its own, which nobody waits for: where nothing else is left to do, it is what the next one waits for.
pub(crate) fn block_on_in_no_time<F>(future: F) -> F::Output
where
    F: Future + Send,
    F::Output: Send,
{
    run_on(Time::OfItsOwn, future)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Time {
    Real,
    OfItsOwn,
}

fn run_on<F>(time: Time, future: F) -> F::Output
where
    F: Future + Send,
    F::Output: Send,
{
    if Handle::try_current().is_err() {
        return runtime(time).block_on(future);
    }
    let ended = thread::scope(|scope| scope.spawn(|| runtime(time).block_on(future)).join());
    ended.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

fn runtime(time: Time) -> Runtime {
    let mut builder = Builder::new_current_thread();
    builder.enable_all().start_paused(time == Time::OfItsOwn);
    builder.build().expect("a Tokio runtime can be started")
}
