//! The events, in the order of their positions, and where each stream's lie.

use std::collections::HashMap;

use uuid::Uuid;

use crate::position::Position;
use crate::recorded_event::RecordedEvent;
use crate::store::{Direction, LogPage, Page, ReadAll, ReadStream};
use crate::stream::{StreamHead, StreamId};
use crate::timestamp::Timestamp;

/// Events in one chunk. A chunk is filled and never moved, so that an append does not copy what is stored.
const CHUNK: usize = 4096;

/// How many events a page of the log looks through at most, matching or not.
const LOOKED_THROUGH: usize = 65_536;

/// The event at position `n` is the event number `n - 1`.
#[derive(Debug, Default)]
pub(super) struct Log {
    chunks: Vec<Vec<RecordedEvent>>,
    length: usize,
    streams: HashMap<StreamId, Vec<usize>>,
    by_id: HashMap<Uuid, usize>,
}

impl Log {
    pub(super) fn head(&self) -> Position {
        position_of(self.length)
    }

    pub(super) fn last_instant(&self) -> Option<Timestamp> {
        self.length.checked_sub(1).map(|last| self.get(last).recorded_at)
    }

    pub(super) fn stream_version(&self, stream_id: &StreamId) -> u64 {
        self.streams.get(stream_id).map_or(0, |events| events.len() as u64)
    }

    /// The head of a stream; `now` stands for the instant of one without events.
    pub(super) fn stream_head(&self, stream_id: &StreamId, now: Timestamp) -> StreamHead {
        match self.streams.get(stream_id).and_then(|events| events.last()) {
            Some(&last) => {
                let event = self.get(last);
                StreamHead::new(event.stream_version, event.position, event.recorded_at)
            }
            None => StreamHead::new(0, Position::START, now),
        }
    }

    pub(super) fn by_id(&self, id: Uuid) -> Option<&RecordedEvent> {
        self.by_id.get(&id).map(|&number| self.get(number))
    }

    pub(super) fn next_position(&self) -> Position {
        position_of(self.length + 1)
    }

    pub(super) fn push(&mut self, event: RecordedEvent) {
        if self.length.is_multiple_of(CHUNK) {
            self.chunks.push(Vec::with_capacity(CHUNK));
        }
        self.by_id.insert(event.id, self.length);
        self.streams.entry(event.stream_id.clone()).or_default().push(self.length);
        self.length += 1;
        self.chunks.last_mut().expect("bug in annals: a log without a chunk").push(event);
    }

    pub(super) fn stream_page(&self, read: &ReadStream) -> Page {
        let Some(events) = self.streams.get(&read.stream_id) else { return Page::default() };
        let from = index_of(read.from.max(1) - 1).min(events.len());
        let to = index_of(read.to).min(events.len());
        let part = events.get(from..to).unwrap_or_default();
        let cut = part.len().min(read.limit.max(1));
        let page = match read.direction {
            Direction::Forwards => {
                part[..cut].iter().map(|&event| self.get(event).clone()).collect()
            }
            Direction::Backwards => {
                part.iter().rev().take(cut).map(|&event| self.get(event).clone()).collect()
            }
        };
        Page::new(page, cut < part.len())
    }

    pub(super) fn page(&self, read: &ReadAll) -> LogPage {
        let first = index_of(read.after.get()).min(self.length);
        let end = self.length.min(first.saturating_add(LOOKED_THROUGH));
        let mut events = Vec::new();
        let mut next = first;
        while next < end && events.len() < read.limit.max(1) {
            let event = self.get(next);
            if read.filter.matches(&event.event_type, &event.stream_id) {
                events.push(event.clone());
            }
            next += 1;
        }
        // A reader that is ahead of the log stays where it is.
        LogPage::new(events, position_of(next).max(read.after), next < self.length)
    }

    pub(super) fn stream_ids(&self) -> impl Iterator<Item = &StreamId> {
        self.streams.keys()
    }

    pub(super) fn stream(&self, stream_id: &StreamId) -> impl Iterator<Item = &RecordedEvent> {
        let numbers = self.streams.get(stream_id).into_iter().flatten();
        numbers.map(|&number| self.get(number))
    }

    fn get(&self, number: usize) -> &RecordedEvent {
        &self.chunks[number / CHUNK][number % CHUNK]
    }
}

fn position_of(events: usize) -> Position {
    Position::from(events as u64)
}

/// What cannot be an index on this machine is beyond every event in its memory.
fn index_of(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
