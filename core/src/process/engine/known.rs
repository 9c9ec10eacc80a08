//! What an owner knows of a process that waits for a person; the store keeps all of it.

use std::collections::VecDeque;

use crate::position::Position;
use crate::process::Instance;
use crate::projection::ParkedEvent;
use crate::timestamp::Timestamp;

/// How many of the parked events of a process are held in memory.
const HELD: usize = 100;

/// A process that waits for a person.
#[derive(Debug, Default)]
pub(super) struct Parked {
    /// The first of what waits, in the order of the log; what failed is the very first.
    held: VecDeque<ParkedEvent>,
    /// How much waits in all.
    pub(super) count: usize,
    /// The position of the last.
    pub(super) last: Position,
    /// Whether the first is tried again.
    pub(super) is_retried: bool,
    /// The commands that wait with it.
    pub(super) unsent: Unsent,
}

impl Parked {
    /// The first of what waits; `None` if it has to be read.
    pub(super) fn first(&self) -> Option<&ParkedEvent> {
        self.held.front()
    }

    /// Takes in what is kept of it.
    pub(super) fn read(&mut self, events: Vec<ParkedEvent>) {
        (self.held, self.count) = (VecDeque::new(), 0);
        for event in events {
            self.add(event);
        }
    }

    /// Takes in what waits from now on, or waits again.
    pub(super) fn add(&mut self, event: ParkedEvent) {
        let position = event.position;
        let place = self.held.partition_point(|other| other.position < position);
        if let Some(held) = self.held.get_mut(place).filter(|held| held.position == position) {
            *held = event;
            return;
        }
        // Behind those that are held, others may be in the store only.
        if place < self.held.len() || self.held.len() == self.count {
            self.held.insert(place, event);
            self.held.truncate(HELD);
        }
        self.count += 1;
        self.last = self.last.max(position);
    }

    /// Takes in what waits no longer.
    pub(super) fn remove(&mut self, position: Position) {
        self.held.retain(|event| event.position != position);
        self.count = self.count.saturating_sub(1);
    }
}

/// How many commands of a process are not answered, and since when the first waits.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Unsent {
    pub(super) count: usize,
    pub(super) oldest: Option<Timestamp>,
}

impl Unsent {
    pub(super) fn of(instance: &Instance) -> Self {
        let first = instance.outgoing().front();
        Self {
            count: instance.outgoing().len(),
            oldest: first.and_then(|first| first.metadata.issued_at),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{HELD, Parked};
    use crate::position::Position;
    use crate::projection::ParkedEvent;
    use crate::store::CheckpointId;
    use crate::stream::StreamId;
    use crate::timestamp::Timestamp;

    fn event(position: u64) -> ParkedEvent {
        ParkedEvent {
            reader: CheckpointId { name: "r".into(), version: 1, shard: 0 },
            key: "a".into(),
            position: Position::from(position),
            stream_id: StreamId::new("s", "a"),
            event_type: "Counted".into(),
            error: String::new(),
            attempts: 0,
            parked_at: Timestamp::MIN,
            retry_at: None,
        }
    }

    #[test]
    fn what_waits_is_held_in_part_and_read_again_in_its_order() {
        let mut kept: Vec<u64> = (5..5 + 3 * HELD as u64).collect();
        let mut parked = Parked::default();
        for position in &kept {
            parked.add(event(*position));
        }
        assert_eq!((parked.count, parked.held.len()), (3 * HELD, HELD));
        let last = Position::from(*kept.last().expect("there are some"));
        assert_eq!(parked.last, last);
        let mut taken = Vec::new();
        while parked.count > 0 {
            if parked.first().is_none() {
                parked.read(kept.iter().map(|position| event(*position)).collect());
            }
            let position = parked.first().expect("it was read").position;
            // It fails once more, and is mended then.
            parked.add(event(position.get()));
            parked.remove(position);
            kept.retain(|kept| *kept != position.get());
            taken.push(position.get());
            if taken.len() == HELD / 2 {
                // Another comes, behind what only the store has.
                let next = last.get() + 1;
                kept.push(next);
                parked.add(event(next));
                assert!(parked.held.iter().all(|held| held.position.get() != next));
            }
        }
        assert_eq!(taken, (5..=last.get() + 1).collect::<Vec<_>>());
        assert_eq!(kept, [0; 0]);
    }
}
