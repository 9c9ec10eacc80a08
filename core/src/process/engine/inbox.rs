//! What was read of the log and is not done yet, in the order in which each process takes it.

use std::collections::{BTreeMap, HashMap, VecDeque};

use crate::position::Position;
use crate::recorded_event::RecordedEvent;

/// Events that wait for their turn: one queue for each process, and one count for the log.
///
/// Processes take their events at their own pace. The checkpoint is the low water: below it everything is done. What was done
/// above it is read again after a crash, and each process knows what it has seen.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    /// Up to where the log was read.
    read: Position,
    queues: HashMap<String, VecDeque<RecordedEvent>>,
    /// How many processes an event still waits for.
    pending: BTreeMap<Position, usize>,
}

impl Inbox {
    pub(super) fn new(read: Position) -> Self {
        Self { read, ..Self::default() }
    }

    /// Up to where the log was read.
    pub(super) const fn read(&self) -> Position {
        self.read
    }

    /// Takes in that the log was read up to a position.
    pub(super) fn reached(&mut self, position: Position) {
        self.read = self.read.max(position);
    }

    /// Queues an event for one process.
    pub(super) fn push(&mut self, id: &str, event: RecordedEvent) {
        *self.pending.entry(event.position).or_default() += 1;
        self.queues.entry(id.to_owned()).or_default().push_back(event);
    }

    /// The event that a process takes next.
    pub(super) fn next(&self, id: &str) -> Option<&RecordedEvent> {
        self.queues.get(id)?.front()
    }

    /// Takes out what a process has done.
    pub(super) fn done(&mut self, id: &str) {
        let Some(queue) = self.queues.get_mut(id) else { return };
        let event = queue.pop_front();
        if queue.is_empty() {
            self.queues.remove(id);
        }
        if let Some(event) = event {
            self.settle(event.position);
        }
    }

    /// Takes out all that waits for a process.
    pub(super) fn take(&mut self, id: &str) -> Vec<RecordedEvent> {
        let events: Vec<_> = self.queues.remove(id).into_iter().flatten().collect();
        for event in &events {
            self.settle(event.position);
        }
        events
    }

    /// Below and at this position, all is done.
    pub(super) fn low_water(&self) -> Position {
        match self.pending.first_key_value() {
            Some((position, _)) => Position::from(position.get().saturating_sub(1)),
            None => self.read,
        }
    }

    /// How many events wait.
    pub(super) fn len(&self) -> usize {
        self.pending.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }

    fn settle(&mut self, position: Position) {
        if let Some(count) = self.pending.get_mut(&position) {
            *count -= 1;
            if *count == 0 {
                self.pending.remove(&position);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Inbox;
    use crate::codec::Payload;
    use crate::position::Position;
    use crate::recorded_event::RecordedEvent;
    use crate::store::NewEvent;
    use crate::stream::{StreamHead, StreamId};
    use crate::timestamp::Timestamp;

    fn event(position: u64) -> RecordedEvent {
        let event = NewEvent::new(uuid::Uuid::now_v7(), "Counted", 1, Payload::new("{}"));
        let head = StreamHead::new(position, Position::from(position), Timestamp::MIN);
        RecordedEvent::new(event, StreamId::new("counter", 1), head)
    }

    #[test]
    fn the_low_water_is_below_what_anyone_has_yet_to_do() {
        let mut inbox = Inbox::new(Position::from(3));
        assert_eq!(inbox.low_water(), Position::from(3));
        inbox.push("a", event(5));
        inbox.push("b", event(5));
        inbox.push("a", event(8));
        inbox.reached(Position::from(9));
        assert_eq!(inbox.low_water(), Position::from(4));
        inbox.done("a");
        assert_eq!(inbox.low_water(), Position::from(4), "`b` has it to do still");
        inbox.done("b");
        assert_eq!(inbox.low_water(), Position::from(7));
        assert_eq!(inbox.take("a").len(), 1);
        assert_eq!(inbox.low_water(), Position::from(9));
        assert!(inbox.is_empty());
    }
}
