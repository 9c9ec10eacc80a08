//! A reader of a storm: it follows the tail of the log to its end, whatever errors come in between.

use std::time::Duration;

use annals::{EventStore, Position, ReadAll};
use fastrand::Rng;
use tokio::sync::watch;

use crate::history::record::{Entry, Reading};

/// How long a reader may take to the end of the log once the storm is over.
pub(super) const PATIENCE: Duration = Duration::from_mins(1);

/// The pause after a store that could not be read.
const AGAIN: Duration = Duration::from_millis(10);

pub(super) struct Reader {
    rng: Rng,
    start: Duration,
    reading: Reading,
}

impl Reader {
    /// Makes a reader that begins a while after the storm.
    pub(super) fn new(number: usize, rng: Rng, start: Duration) -> Self {
        let reader = format!("reader {number}");
        Self { rng, start, reading: Reading { reader, from: 0, seen: Vec::new(), reached: 0 } }
    }

    /// Reads until it has come to the end of the log, which it is told after the storm.
    pub(super) async fn read<S: EventStore>(
        mut self,
        store: S,
        mut end: watch::Receiver<Option<u64>>,
    ) -> Reading {
        tokio::time::sleep(self.start).await;
        let late = too_late(end.clone());
        tokio::select! {
            () = self.follow(&store, &mut end) => {}
            // Where it is then tells that it did not come to the end.
            () = late => {}
        }
        self.reading
    }

    async fn follow(&mut self, store: &impl EventStore, end: &mut watch::Receiver<Option<u64>>) {
        loop {
            let after = Position::from(self.reading.reached);
            let read = ReadAll::after(after).limit(self.rng.usize(1..300));
            let Ok(page) = store.log_page(&read).await else {
                tokio::time::sleep(AGAIN).await;
                continue;
            };
            self.reading.seen.extend(page.events.iter().map(Entry::from));
            self.reading.reached = page.reached.get().max(self.reading.reached);
            if page.more {
                continue;
            }
            // Who waits before the end must be woken up; who is there waits for nothing but to be told so.
            let reached = self.reading.reached;
            tokio::select! {
                woken = store.wait_for_events(page.reached) => {
                    if woken.is_err() {
                        tokio::time::sleep(AGAIN).await;
                    }
                }
                () = told_that_the_end_is(reached, end) => return,
            }
        }
    }
}

pub(super) async fn told_that_the_end_is(reached: u64, end: &mut watch::Receiver<Option<u64>>) {
    _ = end.wait_for(|end| end.is_some_and(|end| end <= reached)).await;
}

/// Waits for the end of the storm, and then as long as anybody may take to the end of the log.
pub(super) async fn too_late(mut end: watch::Receiver<Option<u64>>) {
    // The other side is there as long as anybody waits for a reader.
    _ = end.wait_for(Option::is_some).await;
    tokio::time::sleep(PATIENCE).await;
}
