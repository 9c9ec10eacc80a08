//! A saga that books a trip with services that can be told to fail, and that keep what they were asked.

use std::collections::HashMap;
use std::future::pending;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use annals::prelude::*;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Trip {
    pub traveller: String,
    /// What each step has added.
    pub booked: Vec<String>,
}

pub fn trip() -> Trip {
    Trip { traveller: "ada".into(), booked: Vec::new() }
}

/// What becomes of calls by their name: of a step, its own; of an undo, `undo` and the step's.
#[derive(Debug, Clone)]
pub enum How {
    /// So many fail; those after them don't.
    Fails(u32),
    /// Its effect is there, and then it fails, so many times.
    FailsAfterwards(u32),
    Panics,
    /// It never answers.
    Hangs,
    /// It tells that it is there, waits until it is let go, and then does what it does.
    Waits,
}

#[derive(Debug, thiserror::Error)]
#[error("{0} is down")]
pub struct Down(String);

/// A call as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    pub name: String,
    pub key: String,
    pub attempt: u32,
    pub user: Option<String>,
}

/// At which call the program ends, counted from 1: before its effect or after.
#[derive(Debug, Clone, Copy)]
pub struct Points {
    pub at: usize,
    pub before: bool,
}

#[derive(Default)]
pub struct Backends {
    state: Mutex<State>,
    pub arrived: Notify,
    pub let_go: Notify,
}

#[derive(Default)]
struct State {
    how: HashMap<String, How>,
    calls: Vec<Call>,
    /// Each once by its key.
    effects: Vec<(String, String)>,
    strikes: Option<Points>,
    is_struck: bool,
    /// Whether each call has a key that nobody has seen.
    has_keys_anew: bool,
}

impl Backends {
    pub fn new(how: impl IntoIterator<Item = (&'static str, How)>) -> Arc<Self> {
        let backends = Self::default();
        for (name, how) in how {
            backends.set(name, how);
        }
        Arc::new(backends)
    }

    pub fn set(&self, name: &str, how: How) {
        self.state().how.insert(name.to_owned(), how);
    }

    pub fn mend(&self, name: &str) {
        self.state().how.remove(name);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The names of the calls, in their order.
    pub fn calls(&self) -> Vec<String> {
        self.state().calls.iter().map(|call| call.name.clone()).collect()
    }

    pub fn calls_of(&self, name: &str) -> Vec<Call> {
        self.state().calls.iter().filter(|call| call.name == name).cloned().collect()
    }

    /// What was done, each once for its key.
    pub fn effects(&self) -> Vec<String> {
        self.state().effects.iter().map(|(_, name)| name.clone()).collect()
    }

    pub fn has_keys_anew(&self, has: bool) {
        self.state().has_keys_anew = has;
    }

    pub fn strike(&self, at: Points) {
        self.state().strikes = Some(at);
    }

    pub fn strike_no_more(&self) {
        self.state().strikes = None;
    }

    /// Whether the program has ended at a call.
    pub fn is_struck(&self) -> bool {
        self.state().is_struck
    }

    /// Whether the program ends with this call.
    fn strikes(&self, before: bool) -> bool {
        let mut state = self.state();
        let calls = state.calls.len();
        let strikes = state.strikes.is_some_and(|at| at.at == calls && at.before == before);
        state.is_struck |= strikes;
        strikes
    }

    fn has_effect(&self, key: &str, name: &str) {
        let mut state = self.state();
        if state.effects.iter().all(|(known, _)| known != key) {
            state.effects.push((key.to_owned(), name.to_owned()));
        }
    }

    async fn call(&self, cx: &StepContext) -> Result<(), Down> {
        let name = if cx.is_undo() { format!("undo {}", cx.step()) } else { cx.step().to_owned() };
        let mut key = cx.idempotency_key().to_owned();
        let how = {
            let mut state = self.state();
            if state.has_keys_anew {
                key = format!("{key}/{}", state.calls.len());
            }
            let (attempt, user) = (cx.attempt(), cx.metadata().user.clone());
            state.calls.push(Call { name: name.clone(), key: key.clone(), attempt, user });
            let how = state.how.get(&name).cloned();
            if let Some(How::Fails(times) | How::FailsAfterwards(times)) = state.how.get_mut(&name)
            {
                *times = times.saturating_sub(1);
            }
            how
        };
        if self.strikes(true) {
            pending::<()>().await;
        }
        match how {
            Some(How::Fails(1..)) if self.strikes(false) => pending().await,
            Some(How::Fails(1..)) => return Err(Down(name)),
            Some(How::Panics) => panic!("{name} is on fire"),
            Some(How::Hangs) => pending().await,
            Some(How::Waits) => {
                self.arrived.notify_one();
                self.let_go.notified().await;
            }
            Some(How::FailsAfterwards(_) | How::Fails(_)) | None => {}
        }
        self.has_effect(&key, &name);
        if self.strikes(false) {
            pending::<()>().await;
        }
        match how {
            Some(How::FailsAfterwards(1..)) => Err(Down(name)),
            _ => Ok(()),
        }
    }
}

pub struct Booking;

#[saga(name = "booking", data = Trip, services = Backends)]
impl Booking {
    #[step(undo = cancel_flight)]
    async fn flight(trip: &mut Trip, backends: &Backends, cx: &StepContext) -> Result<(), Down> {
        // A try that fails leaves nothing behind.
        trip.booked.push(format!("flight {}", cx.attempt()));
        backends.call(cx).await
    }

    async fn cancel_flight(
        trip: &mut Trip,
        backends: &Backends,
        cx: &StepContext,
    ) -> Result<(), Down> {
        trip.booked.retain(|booked| !booked.starts_with("flight"));
        backends.call(cx).await
    }

    #[step(undo = cancel_hotel, retries = 2)]
    async fn hotel(trip: &mut Trip, backends: &Backends, cx: &StepContext) -> Result<(), Down> {
        trip.booked.push(format!("hotel {}", cx.attempt()));
        backends.call(cx).await
    }

    async fn cancel_hotel(
        trip: &mut Trip,
        backends: &Backends,
        cx: &StepContext,
    ) -> Result<(), Down> {
        trip.booked.retain(|booked| !booked.starts_with("hotel"));
        backends.call(cx).await
    }

    /// It cannot be undone.
    #[step]
    async fn insurance(_: &Trip, backends: &Backends, cx: &StepContext) -> Result<(), Down> {
        backends.call(cx).await
    }

    #[step(undo = refund)]
    async fn payment(_: &Trip, backends: &Backends, cx: &StepContext) -> Result<(), Down> {
        backends.call(cx).await
    }

    async fn refund(_: &Trip, backends: &Backends, cx: &StepContext) -> Result<(), Down> {
        backends.call(cx).await
    }

    #[step]
    async fn mail(_: &Trip, backends: &Backends, cx: &StepContext) -> Result<(), Down> {
        backends.call(cx).await
    }
}
