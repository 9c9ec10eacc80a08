//! Finds what is wrong with a history.

mod keys;
mod readers;
mod writers;

use std::collections::{HashMap, HashSet};
use std::fmt;

use annals::StreamId;
use uuid::Uuid;

use super::record::{Call, Entry, History, Sent};

/// What can be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// An event that was told stored is not there.
    Lost,
    /// An event that was told refused is there.
    Refused,
    /// Of the events of one call and its row, some are there and some are not.
    InPart,
    /// An event is there that nobody sent.
    Unsent,
    /// A stream leaves a version out, or its instants go back.
    Gap,
    /// An event, a version or a position is there twice.
    Repeat,
    /// The events of one append do not follow each other, or the log's positions do not rise.
    Disorder,
    /// A reader came past an event that it never saw.
    Passed,
    /// An owner of a durable subscription began before what was acknowledged.
    WentBack,
    /// A reader saw an event that is not there in the end.
    Phantom,
    /// A reader saw an event twice.
    SeenTwice,
    /// Two readers saw two events in different orders.
    OrderDiffers,
    /// An event stands elsewhere than where a reader saw it.
    Moved,
    /// A reader did not come to the end.
    Behind,
    /// An event was stored where the writer did not expect its stream to end.
    Unexpected,
    /// A conflict was told that was none.
    FalseConflict,
    /// A receipt says something else than what is there.
    WrongReceipt,
    /// Two commands with one idempotency key were both done.
    DoneTwice,
    /// A key is kept that no command claimed, or one that was claimed is not kept.
    WrongKey,
    /// A writer got no answer.
    Silence,
}

/// Something that is wrong with a history.
#[derive(Debug, Clone)]
pub struct Fault {
    pub kind: Kind,
    pub what: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.kind, self.what)
    }
}

/// Finds all that is wrong with a history.
pub fn check(history: &History) -> Vec<Fault> {
    let mut checker = Checker::new(history);
    checker.check_log();
    history.calls.iter().for_each(|call| checker.check_call(call));
    checker.check_keys();
    for reading in &history.readings {
        checker.check_reading(reading);
    }
    checker.check_sessions();
    checker.check_orders();
    checker.check_streams();
    checker.faults
}

struct Checker<'a> {
    history: &'a History,
    by_id: HashMap<Uuid, &'a Entry>,
    heads: HashMap<&'a StreamId, u64>,
    faults: Vec<Fault>,
}

impl<'a> Checker<'a> {
    fn new(history: &'a History) -> Self {
        let by_id = history.log.iter().rev().map(|entry| (entry.id, entry)).collect();
        let mut heads = HashMap::new();
        for entry in &history.log {
            let head = heads.entry(&entry.stream_id).or_insert(0);
            *head = entry.version.max(*head);
        }
        Self { history, by_id, heads, faults: Vec::new() }
    }

    fn found(&mut self, kind: Kind, what: String) {
        self.faults.push(Fault { kind, what });
    }

    /// The log by itself: positions rise, streams have each version once, each event was sent by somebody.
    fn check_log(&mut self) {
        let sent: HashSet<Uuid> = self.history.calls.iter().flat_map(Call::events).collect();
        let mut ids = HashSet::new();
        let mut streams: HashMap<&StreamId, &Entry> = HashMap::new();
        let mut before: Option<&Entry> = None;
        for entry in &self.history.log {
            if let Some(before) = before {
                if before.position == entry.position {
                    self.found(Kind::Repeat, format!("two events at position {}", entry.position));
                } else if before.position > entry.position {
                    let (one, other) = (before.position, entry.position);
                    self.found(Kind::Disorder, format!("the log gives {one} before {other}"));
                }
            }
            before = Some(entry);
            if !ids.insert(entry.id) {
                self.found(Kind::Repeat, format!("{} is there twice", show(entry)));
            }
            if !sent.contains(&entry.id) {
                self.found(Kind::Unsent, format!("nobody sent {}", show(entry)));
            }
            let last = streams.insert(&entry.stream_id, entry);
            let next = last.map_or(0, |last| last.version) + 1;
            if entry.version > next {
                self.found(Kind::Gap, format!("{}, but version {next} is missing", show(entry)));
            } else if entry.version < next {
                self.found(Kind::Repeat, format!("{}, after version {}", show(entry), next - 1));
            }
            if last.is_some_and(|last| last.recorded_at > entry.recorded_at) {
                let what = format!("{} was recorded before the event before it", show(entry));
                self.found(Kind::Gap, what);
            }
        }
    }
}

fn show(entry: &Entry) -> String {
    let Entry { position, id, stream_id, version, .. } = entry;
    format!("event {id} (position {position}, version {version} of {stream_id:?})")
}

fn tell(call: &Call) -> String {
    let Call { writer, sent, told, row } = call;
    let sent: Vec<String> = sent
        .iter()
        .map(|sent| {
            let Sent { stream_id, expected, events, key } = sent;
            let key = key.as_ref().map_or(String::new(), |key| format!(" under key `{key}`"));
            let (count, first) = (events.len(), events.first());
            format!("{count} events{key} at {expected} of {stream_id:?}, the first {first:?}")
        })
        .collect();
    let with = if row.is_some() { " with a row" } else { "" };
    format!("writer {writer} sent [{}]{with} and was told {told:?}", sent.join("; "))
}
