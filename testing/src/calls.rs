//! What a service was asked, for what stands for it in tests.

use std::fmt::Debug;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The calls that a service was asked for, each once for its idempotency key: what stands for the service in a test of a
/// reactor keeps them here.
///
/// ```
/// use annals_testing::Calls;
///
/// let mails = Calls::default();
/// mails.record("welcome/1", "ada@example.org");
/// mails.record("welcome/1", "ada@example.org");
/// mails.record("welcome/2", "eve@example.org");
/// assert_eq!(mails.made(), ["ada@example.org", "eve@example.org"]);
/// ```
#[derive(Debug)]
pub struct Calls<C>(Mutex<Vec<(String, C)>>);

impl<C: Clone + PartialEq + Debug> Calls<C> {
    /// Keeps a call. The same again under its key is the same call.
    ///
    /// # Panics
    ///
    /// If another call came under that key.
    #[track_caller]
    pub fn record(&self, idempotency_key: impl Into<String>, call: C) {
        let key = idempotency_key.into();
        let mut calls = self.lock();
        match calls.iter().find(|(known, _)| *known == key).map(|(_, first)| first.clone()) {
            None => calls.push((key, call)),
            Some(first) if first == call => {}
            Some(first) => {
                drop(calls);
                panic!("idempotency key `{key}` stands for two calls: {first:?}, then {call:?}")
            }
        }
    }

    /// The calls, in the order of their first times.
    pub fn made(&self) -> Vec<C> {
        self.lock().iter().map(|(_, call)| call.clone()).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(String, C)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<C> Default for Calls<C> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}
