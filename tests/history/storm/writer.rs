//! A writer of a storm: it decides on what it last read of a stream, and sends again what it has no answer to.

use std::task::Poll;
use std::time::{Duration, Instant};

use annals::read_model::Row;
use annals::{
    Append, ContentHash, EventStore, Expected, KeyClaim, KeyOwner, NewEvent, Payload, RowChange,
    StreamId, UnitOfWork,
};
use fastrand::Rng;
use futures::future::poll_fn;
use serde_json::json;
use uuid::Uuid;

use super::{ROWS, STREAMS, Weather, key};
use crate::history::record::{Call, Sent, Told};

/// In this time any store answers, through any fault of the storms.
const PATIENCE: Duration = Duration::from_secs(60);

/// How many calls of each writer are stored, however long that takes: a storm in which nothing happens proves nothing.
const ENOUGH: usize = 8;

/// How often one call is sent at most.
const TRIES: usize = 8;

pub(super) struct Writer {
    number: usize,
    rng: Rng,
    weather: Weather,
}

impl Writer {
    pub(super) fn new(number: usize, rng: Rng, weather: Weather) -> Self {
        Self { number, rng, weather }
    }

    pub(super) async fn write<S: EventStore>(mut self, store: S, until: Instant) -> Vec<Call> {
        let mut calls = Vec::new();
        let mut stored = 0;
        // On a busy machine, a server that is restarted all the time may hardly ever answer.
        while Instant::now() < until || (stored < ENOUGH && Instant::now() < until + PATIENCE) {
            let appends = self.decide(&store).await;
            let sent = appends.iter().map(sent).collect();
            let row = (self.rng.u8(..3) == 0 && store.unit_of_work().is_some())
                .then(|| Uuid::now_v7().to_string());
            let mut told = Vec::new();
            while told.len() < TRIES {
                let answer = self.send(&store, &appends, row.as_deref()).await;
                let goes_again = match answer {
                    Told::Unknown(_) => self.rng.u8(..4) > 0,
                    Told::Failed(_) => self.rng.bool(),
                    _ => false,
                };
                told.push(answer);
                if !goes_again {
                    break;
                }
                self.pause(30).await;
            }
            stored += usize::from(matches!(told.last(), Some(Told::Stored(_))));
            calls.push(Call { writer: self.number, sent, row, told });
            self.pause(4).await;
        }
        calls
    }

    /// One to three appends, some of them to one stream.
    async fn decide(&mut self, store: &impl EventStore) -> Vec<Append> {
        let count = self.rng.choice([1, 1, 1, 2, 3]).unwrap_or(1);
        let mut appends: Vec<Append> = Vec::new();
        for _ in 0..count {
            let stream_id = self.stream();
            // Within a call, what was appended before counts.
            let before = appends.iter().filter(|append| append.stream_id == stream_id);
            let before = before.map(|append| append.events.len() as u64).sum::<u64>();
            let expected = match self.rng.u8(..10) {
                0..4 => Expected::Any,
                4 => Expected::NoStream,
                _ => match store.stream_head(&stream_id).await {
                    Ok(head) => Expected::at(head.version + before),
                    Err(_) => Expected::Any,
                },
            };
            if self.rng.u8(..4) == 0 {
                // Others go on while it thinks.
                self.pause(5).await;
            }
            let events = (0..self.length()).map(|_| self.event()).collect();
            let is_claimed = |key: &str, append: &Append| {
                append.stream_id == stream_id
                    && append.key.as_ref().is_some_and(|claim| claim.key == key)
            };
            let key = format!("key {}", self.rng.u8(..24));
            let with_key =
                self.rng.u8(..4) == 0 && !appends.iter().any(|append| is_claimed(&key, append));
            let append = Append::new(stream_id.clone(), expected, events);
            appends.push(if with_key { append.with_key(self.claim(key)) } else { append });
        }
        appends
    }

    fn stream(&mut self) -> StreamId {
        match self.rng.u8(..8) {
            0 => StreamId::new("storm", format!("of writer {}", self.number)),
            1 => StreamId::new("storm", "it's 100 % \"odd\"\n🦀"),
            _ => StreamId::new("storm", self.rng.usize(..STREAMS)),
        }
    }

    /// How many events an append has: mostly few, at times none or very many.
    fn length(&mut self) -> usize {
        match self.rng.u8(..100) {
            0..5 => 0,
            5..75 => 1,
            75..98 => self.rng.usize(2..8),
            _ => self.rng.usize(8..200),
        }
    }

    fn event(&mut self) -> NewEvent {
        let payload = match self.rng.u16(..1000) {
            // No JSON: a store may refuse it, and must not make others pay for it.
            0 => "{".to_owned(),
            1..4 => json!({ "text": "long ".repeat(20_000) }).to_string(),
            _ => json!({ "number": self.rng.u32(..), "text": "-".repeat(self.rng.usize(..300)) })
                .to_string(),
        };
        NewEvent::new(Uuid::now_v7(), "Stormed", 1, Payload::new(payload))
    }

    fn claim(&mut self, key: String) -> KeyClaim {
        let owner = match self.rng.bool() {
            true => KeyOwner::Process,
            false => KeyOwner::Caller { lifetime: Duration::from_hours(24) },
        };
        let content = ContentHash::of(&json!({ "key": key }));
        KeyClaim::new(key, "Storm", content, owner)
    }

    /// Sends a call, and waits for its answer, or no longer than the weather lets it.
    async fn send(
        &mut self,
        store: &impl EventStore,
        appends: &[Append],
        row: Option<&str>,
    ) -> Told {
        let mut sending = match (row, store.unit_of_work()) {
            (Some(row), Some(units)) => units.commit(unit(appends, row)),
            _ => store.append(appends.to_vec()),
        };
        if self.rng.u8(..100) >= self.weather.dropped {
            let answer = tokio::time::timeout(PATIENCE, sending).await;
            return answer.map_or(Told::Silence, Told::from);
        }
        if self.rng.bool() {
            let while_waiting = Duration::from_micros(self.rng.u64(..8_000));
            let answer = tokio::time::timeout(while_waiting, sending).await;
            return answer.map_or_else(|_| Told::Unknown("dropped in time".to_owned()), Told::from);
        }
        // Dropped at the first, second or a later time that it waits for something.
        let last = self.rng.usize(1..6);
        let mut waits = 0;
        let answer = poll_fn(|context| match sending.as_mut().poll(context) {
            Poll::Ready(answer) => Poll::Ready(Some(answer)),
            Poll::Pending => {
                waits += 1;
                if waits == last { Poll::Ready(None) } else { Poll::Pending }
            }
        });
        let answer = tokio::time::timeout(PATIENCE, answer).await;
        answer.map_or(Told::Silence, |answer| {
            answer.map_or_else(|| Told::Unknown(format!("dropped at wait {last}")), Told::from)
        })
    }

    async fn pause(&mut self, milliseconds: u64) {
        let pause = Duration::from_micros(self.rng.u64(..milliseconds * 1000));
        tokio::time::sleep(pause).await;
    }
}

/// A unit of work that writes a row together with events.
fn unit(appends: &[Append], row: &str) -> UnitOfWork {
    let row = Row(key(row.to_owned()).0);
    let unit = UnitOfWork::new().row(RowChange::Upsert { table: ROWS, row });
    appends.iter().cloned().fold(unit, UnitOfWork::append)
}

fn sent(append: &Append) -> Sent {
    Sent {
        stream_id: append.stream_id.clone(),
        expected: append.expected,
        events: append.events.iter().map(|event| event.id).collect(),
        key: append.key.as_ref().map(|claim| claim.key.clone()),
    }
}
