//! What a worker has while it is the owner: the processes that are at work, and what waits for them.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::num::NonZeroUsize;
use std::time::Instant;

use lru::LruCache;
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use super::asked::Asked;
use super::inbox::{Inbox, Room};
use super::known::{Parked, Unsent};
use super::plan::Planned;
use super::sender::{Sender, Told};
use crate::position::Position;
use crate::process::{Instance, Outgoing};
use crate::projection::ParkedEvent;
use crate::recorded_event::RecordedEvent;
use crate::request::Request;
use crate::shards::{Part, Place};
use crate::store::{CheckpointId, Deadline, DeadlineChange, OutgoingCommand};
use crate::subscription::lease::Lease;
use crate::timestamp::Timestamp;

/// How many processes that wait for nothing stay in memory. Many more than have something to take in one round, so that those
/// stay until they take it.
const KEPT: NonZeroUsize = NonZeroUsize::new(10_000).expect("not zero");

/// How many events wait in memory, and for how many processes. What comes later for one that has many stays in the log.
const ROOM: Room = Room { of_one: 500, of_all: 10_000, processes: 10_000 };

/// How many processes wait for answers at once.
const MOST_BUSY: usize = 10_000;

pub(super) struct Owned {
    pub(super) lease: Lease,
    /// Under which is kept what is parked, whatever the shard.
    pub(super) reader: CheckpointId,
    pub(super) inbox: Inbox,
    /// The checkpoint as it is kept.
    pub(super) kept: Position,
    pub(super) kept_at: Instant,
    pub(super) is_at_end: bool,
    /// What it has to do of the log.
    pub(super) part: Part,
    /// Of those that this engine may have, if there are several.
    pub(super) place: Option<Place>,
    /// Since when there are too few of those: another engine stands by.
    pub(super) leaves_since: Option<Instant>,
    /// Whether there are to be other shards.
    pub(super) comes_to_rest: bool,
    pub(super) sender: Sender,
    pub(super) answers: mpsc::UnboundedReceiver<Told>,
    /// Those that wait for answers.
    pub(super) busy: HashMap<String, Busy>,
    /// Those that wait for nothing.
    pub(super) idle: LruCache<String, Instance>,
    /// Those that have something to take, in the order in which it came.
    pub(super) ready: Ready,
    /// Those that wait for a person.
    pub(super) parked: HashMap<String, Parked>,
    /// What has been answered, and is still in the store.
    pub(super) marks: Marks,
    pub(super) deadlines: Deadlines,
    /// What has been decided, and is still to be written.
    pub(super) decided: Vec<Planned>,
    /// What was asked, and can only be done once more of the log is.
    pub(super) later: Vec<Asked>,
    /// The positions of events that a person has had it pass over.
    pub(super) skipped: HashSet<Position>,
    /// When the commands were counted that are on their way.
    pub(super) counted_at: Option<Instant>,
    /// When it was looked whether a person has asked for something.
    pub(super) looked_at: Instant,
    /// What a person has asked for that is not taken back yet, and since when it is known.
    pub(super) asked: HashMap<Request, Instant>,
}

/// A process that waits for the answers of its commands.
pub(super) struct Busy {
    pub(super) instance: Instance,
    /// Dropped, it is sent no more.
    pub(super) sending: AbortOnDropHandle<()>,
    /// The event on which a reactor is called; then no command is on its way yet.
    pub(super) called: Option<RecordedEvent>,
}

/// Processes that have something to take, each once, in the order in which it came.
#[derive(Debug, Default)]
pub(super) struct Ready {
    queue: VecDeque<String>,
    known: HashSet<String>,
}

impl Ready {
    fn push(&mut self, id: &str) {
        if self.known.insert(id.to_owned()) {
            self.queue.push_back(id.to_owned());
        }
    }

    /// Takes out the first, as many as this at most.
    pub(super) fn take(&mut self, most: usize) -> Vec<String> {
        let count = most.min(self.queue.len());
        let ids: Vec<String> = self.queue.drain(..count).collect();
        for id in &ids {
            self.known.remove(id);
        }
        ids
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }
}

/// What is to be written with the next unit, as it concerns nothing that is still to be decided.
#[derive(Debug, Default)]
pub(super) struct Marks {
    pub(super) answered: Vec<String>,
    pub(super) deadlines: Vec<DeadlineChange>,
}

impl Marks {
    pub(super) fn is_empty(&self) -> bool {
        self.answered.is_empty() && self.deadlines.is_empty()
    }
}

/// The deadlines that are due within some time.
#[derive(Debug, Default)]
pub(super) struct Deadlines {
    /// Up to when the store's are known.
    pub(super) until: Timestamp,
    set: BTreeSet<Deadline>,
    by_name: BTreeMap<(String, String), Timestamp>,
    /// Where the log ended when it was found that a deadline is due.
    ceilings: BTreeMap<Deadline, Position>,
}

impl Deadlines {
    pub(super) fn insert(&mut self, deadline: Deadline) {
        let key = (deadline.process.to_string(), deadline.name.clone());
        if let Some(due) = self.by_name.insert(key, deadline.due)
            && due != deadline.due
        {
            self.forget(&Deadline { due, ..deadline.clone() });
        }
        self.set.insert(deadline);
    }

    pub(super) fn change(&mut self, change: &DeadlineChange) {
        match change {
            DeadlineChange::Set(deadline) if deadline.due <= self.until => {
                self.insert(deadline.clone());
            }
            DeadlineChange::Set(Deadline { process, name, .. })
            | DeadlineChange::Cancel { process, name } => {
                let due = self.by_name.remove(&(process.to_string(), name.clone()));
                if let Some(due) = due {
                    self.forget(&Deadline { due, process: process.clone(), name: name.clone() });
                }
            }
        }
    }

    fn forget(&mut self, deadline: &Deadline) {
        self.set.remove(deadline);
        self.ceilings.remove(deadline);
    }

    /// The instant of the earliest that is not known to be due yet.
    pub(super) fn next(&self) -> Option<Timestamp> {
        let waiting = self.set.iter().find(|deadline| !self.ceilings.contains_key(deadline));
        waiting.map(|deadline| deadline.due)
    }

    /// Notes where the log ended when those due at an instant were found.
    pub(super) fn are_due(&mut self, at: Timestamp, ceiling: Position) {
        for deadline in self.set.iter().take_while(|deadline| deadline.due <= at) {
            self.ceilings.entry(deadline.clone()).or_insert(ceiling);
        }
    }

    /// Those that are due, with where the log ended then.
    pub(super) fn due(&self) -> impl Iterator<Item = (&Deadline, Position)> {
        self.ceilings.iter().map(|(deadline, ceiling)| (deadline, *ceiling))
    }
}

impl Owned {
    pub(super) fn new(
        lease: Lease,
        reader: CheckpointId,
        kept: Position,
        sender: Sender,
        answers: mpsc::UnboundedReceiver<Told>,
    ) -> Self {
        Self {
            lease,
            reader,
            inbox: Inbox::new(kept, ROOM),
            kept,
            kept_at: Instant::now(),
            is_at_end: false,
            part: Part::WHOLE,
            place: None,
            leaves_since: None,
            comes_to_rest: false,
            sender,
            answers,
            busy: HashMap::new(),
            idle: LruCache::new(KEPT),
            ready: Ready::default(),
            parked: HashMap::new(),
            marks: Marks::default(),
            deadlines: Deadlines::default(),
            decided: Vec::new(),
            later: Vec::new(),
            skipped: HashSet::new(),
            counted_at: None,
            looked_at: Instant::now(),
            asked: HashMap::new(),
        }
    }

    /// Where the checkpoint may be: it never moves back.
    pub(super) fn checkpoint(&self) -> Position {
        self.inbox.low_water().max(self.kept)
    }

    /// Takes in what is parked, as it is kept.
    pub(super) fn parked(&mut self, parked: Vec<ParkedEvent>) {
        for event in parked {
            self.parked.entry(event.key.clone()).or_default().add(event);
        }
        // What failed was mended, and the owner before went on with the rest.
        for (id, parked) in &mut self.parked {
            if parked.first().is_some_and(|first| first.error.is_empty()) {
                parked.is_retried = true;
                self.ready.push(id);
            }
        }
    }

    /// How many more processes may begin to wait for answers.
    pub(super) fn room(&self) -> usize {
        MOST_BUSY.saturating_sub(self.busy.len())
    }

    /// Has a process looked at, if it has something to take.
    pub(super) fn look(&mut self, id: &str) {
        let is_free = !self.busy.contains_key(id);
        let is_retried = self.parked.get(id).is_some_and(|parked| parked.is_retried);
        if is_free && (is_retried || self.inbox.next(id).is_some()) {
            self.ready.push(id);
        }
    }

    /// Goes on with a process after its step.
    pub(super) fn goes_on(&mut self, instance: Instance) {
        let id = instance.id().to_owned();
        if instance.is_busy() {
            let commands: Vec<Outgoing> = instance.outgoing().iter().cloned().collect();
            let sending = self.sender.send(&id, commands);
            self.busy.insert(id, Busy { instance, sending, called: None });
        } else {
            self.idle.put(id.clone(), instance);
            self.look(&id);
        }
    }

    /// Since when the oldest command, or the event of the oldest call, waits for its answer.
    pub(super) fn oldest_unsent(&self) -> Option<Timestamp> {
        let called = self.busy.values().filter_map(|busy| busy.called.as_ref());
        let called = called.map(|event| event.recorded_at);
        let busy = self.busy.values().map(|busy| Unsent::of(&busy.instance));
        let parked = self.parked.values().map(|parked| parked.unsent);
        busy.chain(parked).filter_map(|unsent| unsent.oldest).chain(called).min()
    }

    /// How many commands are not answered.
    pub(super) fn unsent(&self) -> usize {
        let busy = self.busy.values().map(|busy| busy.instance.outgoing().len());
        busy.chain(self.parked.values().map(|parked| parked.unsent.count)).sum()
    }

    /// Up to where all is done that follows from the log; `None` while something is under way.
    pub(super) fn settled(&self) -> Option<Position> {
        let is_settled = self.is_still()
            && self.deadlines.due().all(|(due, _)| self.parked.contains_key(due.process.id()));
        is_settled.then(|| self.inbox.read())
    }

    /// Whether nothing is under way, whatever deadline is due.
    pub(super) fn is_still(&self) -> bool {
        self.inbox.is_empty()
            && self.busy.is_empty()
            && self.ready.is_empty()
            && self.marks.is_empty()
            && self.decided.is_empty()
            && self.later.is_empty()
            && self.parked.values().all(|parked| !parked.is_retried)
    }

    /// Looks whether the engine may still have so many shards.
    pub(super) fn looks_at_place(&mut self) {
        if self.place.as_mut().is_some_and(Place::leaves) {
            self.leaves_since.get_or_insert_with(Instant::now);
        }
    }

    /// Whether it comes to rest, for others to go on: no more is read then, and what was read is done.
    pub(super) const fn rests(&self) -> bool {
        self.comes_to_rest || self.leaves_since.is_some()
    }

    /// Whether something of it is on its way, or still to be written.
    pub(super) fn is_under_way(&self, id: &str) -> bool {
        self.busy.contains_key(id) || self.decided.iter().any(|decided| decided.id == id)
    }

    /// The position of the last event that waits for a person with this one.
    pub(super) fn last_parked(&self, id: &str) -> Position {
        self.parked.get(id).map_or(Position::START, |parked| parked.last)
    }

    /// Changes what is known to be parked.
    pub(super) fn repark(&mut self, id: &str, unparks: &[ParkedEvent], parks: Vec<ParkedEvent>) {
        let parked = self.parked.entry(id.to_owned()).or_default();
        for event in unparks {
            parked.remove(event.position);
        }
        for event in parks {
            if !event.error.is_empty() {
                parked.is_retried = false;
            }
            parked.add(event);
        }
        if parked.count == 0 {
            self.parked.remove(id);
        }
    }

    /// Takes in a process whose commands were on their way, if it waits for a person: they wait with it.
    pub(super) fn waits_with(&mut self, id: &str, commands: &[OutgoingCommand]) -> bool {
        let Some(parked) = self.parked.get_mut(id).filter(|parked| !parked.is_retried) else {
            return false;
        };
        let oldest = commands.first().and_then(|first| first.metadata.issued_at);
        parked.unsent = Unsent { count: commands.len(), oldest };
        true
    }
}
