//! A reader of a storm: it follows the tail of the log to its end, whatever errors come in between.

use std::time::Duration;

use annals::{EventStore, Position, ReadAll};
use fastrand::Rng;
use tokio::sync::watch;

use crate::history::record::{Entry, Reading};

/// How long a reader may take to the end of the log once the storm is over.
const PATIENCE: Duration = Duration::from_secs(30);

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
        while end.borrow_and_update().is_none() {
            tokio::select! {
                () = self.step(&store) => {}
                // The step is cut off, which must lose nothing.
                _ = end.changed() => {}
            }
        }
        let end = end.borrow().unwrap_or_default();
        let rest = async {
            while self.reading.reached < end {
                self.step(&store).await;
            }
        };
        // Who does not come to the end tells so by where it is.
        _ = tokio::time::timeout(PATIENCE, rest).await;
        self.reading
    }

    /// Reads a page, and waits for more at the end.
    async fn step(&mut self, store: &impl EventStore) {
        let after = Position::from(self.reading.reached);
        let read = ReadAll::after(after).limit(self.rng.usize(1..300));
        let Ok(page) = store.log_page(&read).await else {
            return tokio::time::sleep(AGAIN).await;
        };
        self.reading.seen.extend(page.events.iter().map(Entry::from));
        self.reading.reached = page.reached.get().max(self.reading.reached);
        if !page.more && store.wait_for_events(page.reached).await.is_err() {
            tokio::time::sleep(AGAIN).await;
        }
    }
}
