//! What was read of the log and is not done yet, in the order in which each process takes it.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use crate::position::Position;
use crate::recorded_event::RecordedEvent;

/// How many events are held.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    /// For one process.
    pub(super) of_one: usize,
    /// For all of them; beyond that, each has room for a few only.
    pub(super) of_all: usize,
    /// For how many processes, before no more of the log is read.
    pub(super) processes: usize,
}

/// For how many events of a process there is room when there is none for all.
const A_FEW: usize = 10;

/// Events that wait for their turn: one queue for each process, and one count for the log.
///
/// Processes take their events at their own pace. The checkpoint is the low water: below it everything is done. What was done
/// above it is read again after a crash, and each process knows what it has seen.
///
/// A process for which too many events wait falls behind: those that come later stay in the log, and are read again from
/// there once its queue is empty. So one that is slow, or stands still, neither fills the memory nor holds up the others.
#[derive(Debug)]
pub(super) struct Inbox {
    room: Room,
    /// Up to where the log was read.
    read: Position,
    queues: HashMap<String, VecDeque<RecordedEvent>>,
    /// How many events are in all queues.
    held: usize,
    /// How many processes an event still waits for.
    pending: BTreeMap<Position, usize>,
    behind: HashMap<String, Behind>,
    /// How many events were read and not queued.
    left: usize,
    /// Those that are behind, by where.
    ends: BTreeSet<(Position, String)>,
    /// Those that are behind and have nothing to take, in the order in which they are served.
    hungry: VecDeque<String>,
}

/// A process that is behind: all of its events up to a position were queued, none above it is.
#[derive(Debug)]
struct Behind {
    after: Position,
    /// How many of its events were read and not queued.
    left: usize,
    is_hungry: bool,
}

impl Inbox {
    pub(super) fn new(read: Position, room: Room) -> Self {
        Self {
            room,
            read,
            queues: HashMap::new(),
            held: 0,
            pending: BTreeMap::new(),
            behind: HashMap::new(),
            left: 0,
            ends: BTreeSet::new(),
            hungry: VecDeque::new(),
        }
    }

    /// Up to where the log was read.
    pub(super) const fn read(&self) -> Position {
        self.read
    }

    /// Takes in that the log was read up to a position.
    pub(super) fn reached(&mut self, position: Position) {
        self.read = self.read.max(position);
    }

    /// Queues an event for one process, or has it fall behind.
    pub(super) fn push(&mut self, id: &str, event: RecordedEvent) {
        if let Some(behind) = self.behind.get_mut(id) {
            behind.left += 1;
            self.left += 1;
        } else if self.has_room(id) {
            self.queue(id, event);
        } else {
            let after = before(event.position);
            self.ends.insert((after, id.to_owned()));
            self.behind.insert(id.to_owned(), Behind { after, left: 1, is_hungry: false });
            self.left += 1;
        }
    }

    /// The event that a process takes next.
    pub(super) fn next(&self, id: &str) -> Option<&RecordedEvent> {
        self.queues.get(id)?.front()
    }

    /// Whether a process has taken all of its events up to a position.
    pub(super) fn has_taken(&self, id: &str, up_to: Position) -> bool {
        let is_behind = || self.behind.get(id).is_some_and(|behind| behind.after < up_to);
        self.read >= up_to
            && self.next(id).map_or_else(|| !is_behind(), |next| next.position > up_to)
    }

    /// Takes out what a process has done.
    pub(super) fn done(&mut self, id: &str) {
        let Some(queue) = self.queues.get_mut(id) else { return };
        let event = queue.pop_front();
        if queue.is_empty() {
            self.queues.remove(id);
            self.is_served(id);
        }
        if let Some(event) = event {
            self.settle(event.position);
        }
    }

    /// Takes out all that waits for a process, but for what is still in the log.
    pub(super) fn take(&mut self, id: &str) -> Vec<RecordedEvent> {
        let Some(events) = self.queues.remove(id) else { return Vec::new() };
        for event in &events {
            self.settle(event.position);
        }
        self.is_served(id);
        events.into()
    }

    /// After which position the log is to be read again, for those that are behind.
    pub(super) fn hungry(&self) -> Option<Position> {
        Some(self.behind.get(self.hungry.front()?)?.after)
    }

    /// Queues an event that was read again after a position, if it is for one that is behind and has room; tells whether it is.
    pub(super) fn refill(&mut self, id: &str, event: &RecordedEvent, from: Position) -> bool {
        let position = event.position;
        let Some(behind) = self.behind.get_mut(id) else { return false };
        if !behind.is_hungry || behind.after < from || behind.after >= position {
            return false;
        }
        let less = behind.left.min(1);
        behind.left -= less;
        self.left -= less;
        self.comes_to(id, position);
        self.queue(id, event.clone());
        if !self.has_room(id) {
            self.is_fed(id);
        }
        true
    }

    /// Takes in that the log was read again from after one position up to another.
    pub(super) fn refilled(&mut self, from: Position, reached: Position) {
        let reached = reached.min(self.read);
        let first = self.hungry.front().cloned();
        for id in self.hungry.clone() {
            let Some(after) = self.behind.get(&id).map(|behind| behind.after) else { continue };
            if after < from {
                continue;
            }
            self.comes_to(&id, after.max(reached));
            if after.max(reached) >= self.read {
                self.catches_up(&id);
            }
        }
        // Each in its turn: one that never gets full keeps nobody else hungry.
        if first.is_some() && first.as_ref() == self.hungry.front() {
            self.hungry.rotate_left(1);
        }
    }

    /// Below and at this position, all is done.
    pub(super) fn low_water(&self) -> Position {
        let first = self.pending.first_key_value().map(|(position, _)| before(*position));
        let end = self.ends.first().map(|(after, _)| *after);
        first.into_iter().chain(end).fold(self.read, Position::min)
    }

    /// How many events wait, in memory and in the log.
    pub(super) const fn len(&self) -> usize {
        self.held + self.left
    }

    pub(super) fn is_empty(&self) -> bool {
        self.pending.is_empty() && self.behind.is_empty()
    }

    /// Whether so many processes have something to take that no more of the log is to be read.
    pub(super) fn is_full(&self) -> bool {
        self.queues.len() + self.hungry.len() >= self.room.processes
    }

    fn has_room(&self, id: &str) -> bool {
        let most = if self.held < self.room.of_all { self.room.of_one } else { A_FEW };
        self.queues.get(id).is_none_or(|queue| queue.len() < most)
    }

    fn queue(&mut self, id: &str, event: RecordedEvent) {
        self.held += 1;
        *self.pending.entry(event.position).or_default() += 1;
        self.queues.entry(id.to_owned()).or_default().push_back(event);
    }

    fn comes_to(&mut self, id: &str, position: Position) {
        if let Some(behind) = self.behind.get_mut(id) {
            self.ends.remove(&(behind.after, id.to_owned()));
            behind.after = position;
            self.ends.insert((position, id.to_owned()));
        }
    }

    /// It has taken all that was queued.
    fn is_served(&mut self, id: &str) {
        if let Some(behind) = self.behind.get_mut(id)
            && !std::mem::replace(&mut behind.is_hungry, true)
        {
            self.hungry.push_back(id.to_owned());
        }
    }

    fn is_fed(&mut self, id: &str) {
        if let Some(behind) = self.behind.get_mut(id) {
            behind.is_hungry = false;
        }
        self.hungry.retain(|hungry| hungry != id);
    }

    fn catches_up(&mut self, id: &str) {
        self.is_fed(id);
        if let Some(behind) = self.behind.remove(id) {
            self.left -= behind.left;
            self.ends.remove(&(behind.after, id.to_owned()));
        }
    }

    fn settle(&mut self, position: Position) {
        self.held -= 1;
        if let Some(count) = self.pending.get_mut(&position) {
            *count -= 1;
            if *count == 0 {
                self.pending.remove(&position);
            }
        }
    }
}

fn before(position: Position) -> Position {
    Position::from(position.get().saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use fastrand::Rng;

    use super::{A_FEW, Inbox, Room};
    use crate::codec::Payload;
    use crate::position::Position;
    use crate::recorded_event::RecordedEvent;
    use crate::store::NewEvent;
    use crate::stream::{StreamHead, StreamId};
    use crate::timestamp::Timestamp;

    const ROOM: Room = Room { of_one: 20, of_all: 60, processes: 1_000 };

    fn event(position: u64) -> RecordedEvent {
        let event = NewEvent::new(uuid::Uuid::now_v7(), "Counted", 1, Payload::new("{}"));
        let head = StreamHead::new(position, Position::from(position), Timestamp::MIN);
        RecordedEvent::new(event, StreamId::new("counter", 1), head)
    }

    #[test]
    fn the_low_water_is_below_what_anyone_has_yet_to_do() {
        let mut inbox = Inbox::new(Position::from(3), ROOM);
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

    const IDS: [&str; 8] = ["hot", "a", "b", "c", "d", "e", "f", "g"];

    /// A log, and who is to take each of its events.
    struct Log(Vec<Vec<&'static str>>);

    impl Log {
        fn made(rng: &mut Rng, events: usize) -> Self {
            let to = |rng: &mut Rng| -> Vec<&str> {
                let of = |id: &&str| rng.u8(..) < if *id == "hot" { 150 } else { 25 };
                IDS.into_iter().filter(of).collect()
            };
            Self((0..events).map(|_| to(rng)).collect())
        }

        /// A page of it, as it is read.
        fn after(&self, after: Position, most: usize) -> (Vec<(u64, &[&'static str])>, Position) {
            let from = usize::try_from(after.get()).expect("not so many");
            let page = self.0.iter().enumerate().skip(from).take(most);
            let page: Vec<_> = page.map(|(index, to)| (index as u64 + 1, &**to)).collect();
            let reached = page.last().map_or(after, |(position, _)| Position::from(*position));
            (page, reached)
        }

        fn of(&self, id: &str) -> Vec<u64> {
            let all = self.0.iter().zip(1..);
            all.filter(|(to, _)| to.contains(&id)).map(|(_, position)| position).collect()
        }
    }

    /// Whatever is read, read again and taken in whatever order: each takes all of its events once, in their order; never are
    /// too many held; and the low water is below what is still to do.
    #[test]
    fn whoever_falls_behind_misses_nothing() {
        for seed in 0..50 {
            let mut rng = Rng::with_seed(seed);
            let log = Log::made(&mut rng, 250);
            let todo = IDS.map(|id| (id, log.of(id)));
            let mut inbox = Inbox::new(Position::START, ROOM);
            let mut taken: std::collections::HashMap<&str, Vec<u64>> =
                std::collections::HashMap::new();
            // Some take nothing at first.
            let stuck = IDS.into_iter().filter(|_| rng.bool()).collect::<Vec<_>>();
            let mut fell_behind = false;
            for round in 0.. {
                let (page, reached) = log.after(inbox.read(), rng.usize(1..40));
                if rng.bool() {
                    for (position, to) in page {
                        for id in to {
                            inbox.push(id, event(position));
                        }
                    }
                    inbox.reached(reached);
                }
                if let Some(from) = inbox.hungry() {
                    let (page, reached) = log.after(from, rng.usize(1..40));
                    let read = inbox.read().get();
                    for (position, to) in page.iter().filter(|(at, _)| *at <= read) {
                        for id in *to {
                            inbox.refill(id, &event(*position), from);
                        }
                    }
                    inbox.refilled(from, reached);
                }
                fell_behind |= !inbox.ends.is_empty();
                assert!(inbox.held <= ROOM.of_all + IDS.len() * A_FEW, "seed {seed}: {inbox:?}");
                for id in IDS.into_iter().filter(|id| round > 100 || !stuck.contains(id)) {
                    for _ in 0..rng.usize(..4) {
                        let Some(next) = inbox.next(id) else { break };
                        taken.entry(id).or_default().push(next.position.get());
                        inbox.done(id);
                    }
                }
                for (id, todo) in &todo {
                    let next = todo.get(taken.get(id).map_or(0, Vec::len));
                    let next = next.map(|position| Position::from(*position));
                    let next = next.filter(|next| *next <= inbox.read());
                    assert!(next.is_none_or(|next| inbox.low_water() < next), "seed {seed}: {id}");
                    let has_taken = inbox.has_taken(id, inbox.read());
                    assert!(next.is_none() || !has_taken, "seed {seed}: {id}");
                }
                if inbox.read().get() == 250 && inbox.is_empty() {
                    break;
                }
                assert!(round < 20_000, "seed {seed}: it comes to no end: {inbox:?}");
            }
            for (id, todo) in todo {
                assert_eq!(taken.remove(id).unwrap_or_default(), todo, "seed {seed}: {id}");
            }
            assert_eq!((inbox.held, inbox.len()), (0, 0));
            assert!(fell_behind || stuck.is_empty(), "seed {seed}: nobody fell behind");
        }
    }
}
