//! Codecs and clocks that fail or panic: what befalls one saga befalls no other, and nothing dies of it in silence.

use std::borrow::Cow;
use std::panic::panic_any;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use annals::health::HealthCheck;
use annals::prelude::*;
use annals::projection::Level;
use annals::{Clock, CodecError, Payload, PayloadCodec, PayloadOf};

use crate::scene::{Mortal, Store, runner, started, story, until};
use crate::trip::{Backends, Booking, How, trip};

/// What a codec does that is told to go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    /// It seals nothing of the saga `t-1`.
    Seals,
    /// It panics when it opens a record of the saga `t-1`.
    PanicsAtOpening,
    /// It panics when it seals that a step is done.
    PanicsAtDone,
}

/// A codec that goes wrong as long as it is told to.
#[derive(Debug, Clone, Default)]
pub struct Moody(Arc<Mutex<Option<Mood>>>);

impl Moody {
    fn mood(&self) -> MutexGuard<'_, Option<Mood>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn is(&self, mood: Mood) {
        *self.mood() = Some(mood);
    }

    pub fn is_well(&self) {
        *self.mood() = None;
    }

    fn has(&self, mood: Mood) -> bool {
        *self.mood() == Some(mood)
    }
}

fn is_first(of: PayloadOf<'_>) -> bool {
    matches!(of, PayloadOf::Event { stream, .. } if stream.ends_with("-t-1"))
}

impl PayloadCodec for Moody {
    fn seal(&self, of: PayloadOf<'_>, json: String) -> Result<Payload, CodecError> {
        if is_first(of) && self.has(Mood::Seals) {
            return Err(CodecError::new("its key is locked"));
        }
        if json.starts_with("{\"done\"") && self.has(Mood::PanicsAtDone) {
            panic_any("no key at hand");
        }
        Ok(Payload::new(json))
    }

    fn open<'a>(
        &self,
        of: PayloadOf<'_>,
        payload: &'a Payload,
    ) -> Result<Cow<'a, str>, CodecError> {
        if is_first(of) && self.has(Mood::PanicsAtOpening) {
            panic_any("no key at hand");
        }
        Ok(Cow::Borrowed(payload.as_str()))
    }
}

/// Two sagas under way, whose runner has died.
async fn left(store: &impl Store) {
    let hangs = Backends::new([("flight", How::Hangs)]);
    let mortal = Mortal::start(runner(store, &hangs)).await;
    for id in ["t-1", "t-2"] {
        let sagas = mortal.sagas.clone();
        let begun = mortal.within(async move { sagas.begin::<Booking>(id, trip()).await });
        begun.await.expect("it begins");
    }
    mortal.die();
}

async fn one_that_cannot_be_taken_up(store: impl Store, codec: Moody, mood: Mood, why: &str) {
    left(&store).await;
    codec.is(mood);
    let backends = Backends::new([]);
    let bare = SagaRunner::new(store.clone(), backends.clone());
    until(async || bare.resume_all().await.expect("the other one is taken up") == 1).await;
    let outcome = bare.outcome::<Booking>("t-2").await.expect("it is run");
    assert_eq!(outcome, SagaOutcome::Completed);
    assert_eq!(bare.status().stuck[0].reason, why);

    // A service begins all the same, and says what it cannot do.
    let sagas = started(&store, &backends).await;
    let [stuck] = &sagas.status().stuck[..] else { panic!("{:?}", sagas.status()) };
    assert_eq!((&*stuck.saga, &*stuck.id, &*stuck.reason), ("booking", "t-1", why));
    let health = HealthCheck::new().sagas(&sagas).ask().await;
    assert_eq!((health.live, health.ready, health.level), (true, true, Level::Warning));
    assert_eq!(health.parts[0].last_error, Some(format!("saga `t-1`: {why}")));
    // What comes after it is begun and ends.
    sagas.run::<Booking>("t-3", trip()).await.expect("it is run");

    codec.is_well();
    until(async || sagas.resume_all().await.expect("the store is there") == 1).await;
    let outcome = sagas.outcome::<Booking>("t-1").await.expect("it goes on");
    assert_eq!(outcome, SagaOutcome::Completed);
    assert!(sagas.status().stuck.is_empty(), "{:?}", sagas.status());
}

async fn one_that_cannot_be_sealed_keeps_no_other_waiting(store: impl Store, codec: Moody) {
    let why = "write the log of the saga `annals/saga/booking-t-1`: its key is locked";
    one_that_cannot_be_taken_up(store, codec, Mood::Seals, why).await;
}

async fn one_that_panics_keeps_no_other_waiting(store: impl Store, codec: Moody) {
    let why = "panicked: no key at hand";
    one_that_cannot_be_taken_up(store, codec, Mood::PanicsAtOpening, why).await;
}

async fn what_is_found_later_keeps_no_other_waiting(store: impl Store, codec: Moody) {
    let sagas = started(&store, &Backends::new([])).await;
    codec.is(Mood::PanicsAtOpening);
    left(&store).await;
    until(async || {
        story(&store, "booking", "t-2").await.last().is_some_and(|last| last == "ended")
    })
    .await;
    until(async || !sagas.status().stuck.is_empty()).await;
    assert_eq!(sagas.status().stuck[0].reason, "panicked: no key at hand");
}

async fn a_call_that_is_answered_is_not_made_again_and_again(store: impl Store, codec: Moody) {
    let backends = Backends::new([]);
    let sagas = started(&store, &backends).await;
    codec.is(Mood::PanicsAtDone);
    let error = sagas.run::<Booking>("t-1", trip()).await.expect_err("it cannot go on");
    assert_eq!(
        error.to_string(),
        "saga `booking` of the id `t-1` cannot go on: panicked: no key at hand"
    );
    // As long as forty looks take.
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(backends.calls(), ["flight"]);
    assert_eq!(sagas.status().stuck[0].reason, "panicked: no key at hand");
    // Another may be able to.
    assert_eq!(story(&store, "booking", "t-1").await, ["begun", "called flight", "taken"]);
    codec.is_well();
    let outcome = sagas.run::<Booking>("t-1", trip()).await.expect("it goes on");
    assert_eq!(outcome, SagaOutcome::Completed);
    assert_eq!(backends.effects(), ["flight", "hotel", "insurance", "payment", "mail"]);
}

/// A clock that stands, and panics as long as it is told to.
#[derive(Debug, Clone, Default)]
struct Broken(Arc<AtomicBool>);

impl Clock for Broken {
    fn now(&self) -> Timestamp {
        assert!(!self.0.load(Ordering::SeqCst), "the clock is broken");
        Timestamp::now()
    }
}

async fn a_program_begins_though_its_clock_panics(store: impl Store, _: Moody) {
    left(&store).await;
    let clock = Broken::default();
    clock.0.store(true, Ordering::SeqCst);
    let sagas = runner(&store, &Backends::new([])).clock(clock.clone()).start().await;
    let sagas = sagas.expect("the store is there");
    assert_eq!(sagas.status().failing.as_deref(), Some("panicked: the clock is broken"));
    clock.0.store(false, Ordering::SeqCst);
    for id in ["t-1", "t-2"] {
        until(async || story(&store, "booking", id).await.last().unwrap() == "ended").await;
    }
    assert_eq!(sagas.status().failing, None);
}

async fn what_takes_up_the_others_does_not_die_in_silence(store: impl Store, _: Moody) {
    let clock = Broken::default();
    let sagas = runner(&store, &Backends::new([])).clock(clock.clone()).start().await;
    let sagas = sagas.expect("the store is there");
    clock.0.store(true, Ordering::SeqCst);
    until(async || sagas.status().failing.is_some()).await;
    assert_eq!(sagas.status().failing.as_deref(), Some("panicked: the clock is broken"));
    let health = HealthCheck::new().sagas(&sagas).ask().await;
    assert_eq!((health.live, health.ready, health.level), (true, true, Level::Warning));
    assert_eq!(health.parts[0].last_error.as_deref(), Some("panicked: the clock is broken"));

    clock.0.store(false, Ordering::SeqCst);
    left(&store).await;
    for id in ["t-1", "t-2"] {
        let ended = async || story(&store, "booking", id).await.last().unwrap() == "ended";
        until(ended).await;
    }
    assert_eq!(sagas.status().failing, None);
}

/// Runs a scenario on each store, with a codec that goes wrong.
#[macro_export]
macro_rules! on_each_store_with_a_codec {
    ($($name:ident),+ $(,)?) => {
        mod memory {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    let codec = $crate::codecs::Moody::default();
                    let store = annals::MemoryStore::builder().codec(codec.clone()).build();
                    super::$name(store, codec).await;
                }
            )+
        }

        mod postgres {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    let codec = $crate::codecs::Moody::default();
                    let (store, _database) = $crate::scene::postgres_with(codec.clone()).await;
                    super::$name(store, codec).await;
                }
            )+
        }
    };
}

on_each_store_with_a_codec!(
    one_that_cannot_be_sealed_keeps_no_other_waiting,
    one_that_panics_keeps_no_other_waiting,
    what_is_found_later_keeps_no_other_waiting,
    a_call_that_is_answered_is_not_made_again_and_again,
    a_program_begins_though_its_clock_panics,
    what_takes_up_the_others_does_not_die_in_silence,
);
