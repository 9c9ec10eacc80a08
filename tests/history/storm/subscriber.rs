//! Subscribers of a storm: one that follows the log, and several that take turns with one durable subscription.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use annals::{EventStore, EventStoreExt, Position, Subscription};
use fastrand::Rng;
use tokio::sync::watch;
use tokio::time::timeout;

use super::reader::{told_that_the_end_is, too_late};
use crate::history::record::{Ack, Entry, Reading, Session};

/// The lease of the durable subscription: so short that it runs out while a server is away.
const LEASE: Duration = Duration::from_millis(100);

/// How long an owner waits for the subscription at once.
const TURN: Duration = Duration::from_millis(500);

/// Follows the log from its beginning, by one subscription through all that comes.
pub(super) struct Subscriber {
    rng: Rng,
    reading: Reading,
}

impl Subscriber {
    pub(super) fn new(rng: Rng) -> Self {
        Self { rng, reading: reading("the subscriber".to_owned(), 0) }
    }

    pub(super) async fn read<S: EventStore + Clone>(
        mut self,
        store: S,
        mut end: watch::Receiver<Option<u64>>,
    ) -> Reading {
        let late = too_late(end.clone());
        tokio::select! {
            () = self.follow(store, &mut end) => {}
            () = late => {}
        }
        self.reading
    }

    async fn follow<S: EventStore + Clone>(
        &mut self,
        store: S,
        end: &mut watch::Receiver<Option<u64>>,
    ) {
        let subscribed = store.subscribe().page_size(self.rng.usize(1..100)).await;
        let mut subscription = match subscribed {
            Ok(subscription) => subscription,
            Err(error) => return self.reading.reader.push_str(&format!(", refused: {error}")),
        };
        loop {
            tokio::select! {
                event = subscription.next() => match event {
                    Some(Ok(event)) => {
                        self.reading.reached = event.position.get();
                        self.reading.seen.push(Entry::from(&event));
                    }
                    // No outage ends a subscription; who is behind tells why.
                    Some(Err(error)) => {
                        return self.reading.reader.push_str(&format!(", ended: {error}"));
                    }
                    None => return,
                },
                () = told_that_the_end_is(self.reading.reached, end) => return,
            }
        }
    }
}

/// Owns the durable subscription at times: takes it, reads a little, acknowledges some of it, and goes away in any manner.
pub(super) struct Owner {
    number: usize,
    rng: Rng,
    /// Counts what happens, for all owners.
    count: Arc<AtomicU64>,
    sessions: Vec<Session>,
}

impl Owner {
    pub(super) fn new(number: usize, rng: Rng, count: Arc<AtomicU64>) -> Self {
        Self { number, rng, count, sessions: Vec::new() }
    }

    pub(super) async fn read<S: EventStore + Clone>(
        mut self,
        store: S,
        mut end: watch::Receiver<Option<u64>>,
    ) -> Vec<Session> {
        let late = too_late(end.clone());
        tokio::select! {
            () = self.take_turns(store, &mut end) => {}
            () = late => {}
        }
        self.sessions
    }

    async fn take_turns<S: EventStore + Clone>(
        &mut self,
        store: S,
        end: &mut watch::Receiver<Option<u64>>,
    ) {
        loop {
            let asked = self.now();
            let subscribe = store.subscribe().durable("storm").lease(LEASE);
            let subscribe = subscribe.page_size(self.rng.usize(1..100));
            let Ok(Ok(subscription)) = timeout(TURN, subscribe).await else { continue };
            let from = subscription.position().get();
            let number = (self.number, self.sessions.len());
            let reading = reading(format!("session {} of owner {}", number.1, number.0), from);
            self.sessions.push(Session { reading, asked, acks: Vec::new() });
            let reached = self.own(subscription, end).await;
            if end.borrow().is_some_and(|end| end <= reached) {
                return;
            }
        }
    }

    /// Owns the subscription for a while, and tells how far it has come.
    async fn own(
        &mut self,
        mut subscription: Subscription,
        end: &mut watch::Receiver<Option<u64>>,
    ) -> u64 {
        for _ in 0..self.rng.u32(1..300) {
            let reached = subscription.position().get();
            let event = tokio::select! {
                event = timeout(TURN, subscription.next()) => event,
                () = told_that_the_end_is(reached, end) => break,
            };
            // At the end of the log, or the subscription has passed to another.
            let Ok(Some(Ok(event))) = event else { break };
            let session = self.sessions.last_mut().expect("the session has begun");
            session.reading.reached = event.position.get();
            session.reading.seen.push(Entry::from(&event));
            if self.rng.u8(..20) == 0 {
                self.ack(&mut subscription, event.position).await;
            }
        }
        let reached = subscription.position();
        if reached > Position::START && self.rng.bool() {
            self.ack(&mut subscription, reached).await;
        }
        if self.rng.bool() {
            // If it fails, the lease runs out.
            _ = subscription.close().await;
        }
        reached.get()
    }

    async fn ack(&mut self, subscription: &mut Subscription, position: Position) {
        let while_waiting = match self.rng.u8(..4) {
            0 => Duration::from_micros(self.rng.u64(..3_000)),
            _ => TURN,
        };
        let acknowledged = timeout(while_waiting, subscription.ack(position)).await;
        let accepted = matches!(acknowledged, Ok(Ok(()))).then(|| self.now());
        let ack = Ack { position: position.get(), accepted };
        self.sessions.last_mut().expect("the session has begun").acks.push(ack);
    }

    fn now(&self) -> u64 {
        self.count.fetch_add(1, Ordering::SeqCst)
    }
}

fn reading(reader: String, from: u64) -> Reading {
    Reading { reader, from, seen: Vec::new(), reached: from }
}
