//! Finds what is wrong with a history.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;

use annals::{Conflict, Expected, Receipt, StreamId};
use uuid::Uuid;

use super::record::{Call, Entry, History, Reading, Sent, Told};

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

    /// What a writer was told against what is there.
    fn check_call(&mut self, call: &Call) {
        let sent = call.events().count();
        let stored: Vec<&Entry> =
            call.events().filter_map(|id| self.by_id.get(&id).copied()).collect();
        if !stored.is_empty() && stored.len() < sent {
            let what = format!("{} of {sent} events of {} are there", stored.len(), tell(call));
            self.found(Kind::InPart, what);
        }
        if let Some(row) = &call.row
            && sent > 0
            && self.history.rows.contains(row) == stored.is_empty()
        {
            let what = format!("{} of {sent} events of {} are there", stored.len(), tell(call));
            self.found(Kind::InPart, format!("{what}, and of its row the opposite"));
        }
        let is_told_stored = call.told.iter().any(|told| matches!(told, Told::Stored(_)));
        if is_told_stored && stored.len() < sent {
            self.found(Kind::Lost, format!("{}, and {} are there", tell(call), stored.len()));
        }
        if let [first, ..] = stored[..] {
            let may_be =
                |told: &Told| matches!(told, Told::Stored(_) | Told::Unknown(_) | Told::Silence);
            let is_refused = |told: &Told| matches!(told, Told::Conflict(_) | Told::KeyUsed { .. });
            if !call.told.iter().any(may_be) || call.told.iter().any(is_refused) {
                self.found(Kind::Refused, format!("{}, but {} is there", tell(call), show(first)));
            }
        }
        if stored.len() == sent {
            call.sent.iter().for_each(|append| self.check_append(call, append));
        }
        for told in &call.told {
            match told {
                Told::Stored(receipts) => self.check_receipts(call, receipts),
                Told::Conflict(conflict) => self.check_conflict(call, conflict),
                Told::Silence => self.found(Kind::Silence, tell(call)),
                Told::KeyUsed { .. } | Told::Failed(_) | Told::Unknown(_) => {}
            }
        }
    }

    /// The events of an append that is there follow each other, where they were expected to begin.
    fn check_append(&mut self, call: &Call, append: &Sent) {
        let stored: Vec<&Entry> = append.events.iter().map(|id| self.by_id[id]).collect();
        for pair in stored.windows(2) {
            let follows = pair[0].version + 1 == pair[1].version
                && pair[0].position < pair[1].position
                && pair[0].stream_id == pair[1].stream_id;
            if !follows {
                let (one, other) = (show(pair[0]), show(pair[1]));
                self.found(Kind::Disorder, format!("{other} was sent right after {one}"));
            }
        }
        let Some(first) = stored.first() else { return };
        let is_expected = match append.expected {
            Expected::Any => true,
            Expected::NoStream => first.version == 1,
            Expected::Exact(version) => first.version == version + 1,
        };
        if first.stream_id != append.stream_id || !is_expected {
            let what = format!("{} is there as {}", tell(call), show(first));
            self.found(Kind::Unexpected, what);
        }
    }

    fn check_receipts(&mut self, call: &Call, receipts: &[Receipt]) {
        if receipts.len() != call.sent.len() {
            let what = format!("{} got {} receipts", tell(call), receipts.len());
            self.found(Kind::WrongReceipt, what);
        }
        for (append, receipt) in call.sent.iter().zip(receipts) {
            // Of a call that was done before, an append without events tells where its stream is now.
            let is_expected = append.expected.allows(receipt.stream_version)
                || !append.events.is_empty()
                || call.events().next().is_some();
            if !self.is_right(append, receipt) || !is_expected {
                self.found(Kind::WrongReceipt, format!("{} got {receipt:?}", tell(call)));
            }
        }
    }

    /// Whether a receipt tells where an append's last event is; without events, where its stream was.
    fn is_right(&self, append: &Sent, receipt: &Receipt) -> bool {
        if receipt.stream_id != append.stream_id || receipt.events != append.events.len() as u64 {
            return false;
        }
        match append.events.last() {
            None => {
                let head = self.heads.get(&append.stream_id).copied().unwrap_or_default();
                receipt.stream_version <= head
            }
            Some(last) => self.by_id.get(last).is_none_or(|last| {
                receipt.stream_version == last.version
                    && receipt.position.get() == last.position
                    && receipt.recorded_at == last.recorded_at
            }),
        }
    }

    /// A conflict tells what the call expected, and a version that contradicts it and was reached.
    fn check_conflict(&mut self, call: &Call, conflict: &Conflict) {
        let Conflict { stream_id, expected, actual, .. } = conflict;
        // Each append of a call is applied after those before it.
        let mut before = 0;
        let is_true = call.sent.iter().filter(|sent| sent.stream_id == *stream_id).any(|sent| {
            let head = self.heads.get(stream_id).copied().unwrap_or_default() + before;
            before += sent.events.len() as u64;
            sent.expected == *expected && *actual <= head
        });
        if !is_true || expected.allows(*actual) {
            self.found(Kind::FalseConflict, tell(call));
        }
    }

    /// Of the commands with one key at most one was done, and who came later was told that one's receipt.
    fn check_keys(&mut self) {
        let mut claims: BTreeMap<(&StreamId, &str), Vec<(&Call, &Sent)>> = BTreeMap::new();
        for call in &self.history.calls {
            for sent in &call.sent {
                if let Some(key) = &sent.key {
                    claims.entry((&sent.stream_id, key)).or_default().push((call, sent));
                }
            }
        }
        let kept = self.history.keys.iter();
        let kept: HashMap<(&StreamId, &str), Option<&Receipt>> =
            kept.map(|(stream, key, entry)| ((stream, &**key), entry.as_ref())).collect();
        for ((stream_id, key), claims) in claims {
            let done: Vec<_> = claims.iter().filter(|(call, _)| self.is_done(call)).collect();
            if let [(one, _), (other, _), ..] = done[..] {
                let what =
                    format!("key `{key}` of {stream_id:?}: {} and {}", tell(one), tell(other));
                self.found(Kind::DoneTwice, what);
            }
            // Nobody can say whether a command without events was done, if its writer does not know.
            let is_open =
                claims.iter().any(|(call, _)| !self.is_done(call) && self.may_be_done(call));
            let is_right = |receipt: Option<&Receipt>| match (done.first(), receipt) {
                (Some((_, sent)), Some(receipt)) => self.is_right(sent, receipt),
                (Some(_), None) => false,
                (None, receipt) => receipt.is_none() || is_open,
            };
            let mut wrong = Vec::new();
            for told in claims.iter().flat_map(|(call, _)| &call.told) {
                if let Told::KeyUsed { stream_id: on, key: of, receipt } = told
                    && (on, &**of) == (stream_id, key)
                    && !is_right(Some(receipt))
                {
                    wrong.push(format!("key `{key}` of {stream_id:?} is told used by {receipt:?}"));
                }
            }
            if let Some(receipt) = kept.get(&(stream_id, key)).filter(|kept| !is_right(**kept)) {
                wrong.push(format!("key `{key}` of {stream_id:?} is kept with {receipt:?}"));
            }
            wrong.into_iter().for_each(|what| self.found(Kind::WrongKey, what));
        }
    }

    fn is_done(&self, call: &Call) -> bool {
        call.told.iter().any(|told| matches!(told, Told::Stored(_)))
            || call.events().any(|id| self.by_id.contains_key(&id))
    }

    /// Whether a call may be done though nothing is there of it.
    fn may_be_done(&self, call: &Call) -> bool {
        call.events().next().is_none()
            && call.told.iter().any(|told| matches!(told, Told::Unknown(_) | Told::Silence))
    }

    /// What a reader saw against what is there.
    fn check_reading(&mut self, reading: &Reading) {
        let reader = &reading.reader;
        let mut seen = HashSet::new();
        for entry in &reading.seen {
            if !seen.insert(entry.id) {
                self.found(Kind::SeenTwice, format!("{reader} saw {} twice", show(entry)));
            }
            match self.by_id.get(&entry.id).copied() {
                None => self.found(Kind::Phantom, format!("{reader} saw {}", show(entry))),
                Some(there) if there != entry => {
                    let what = format!("{reader} saw {}, which is {}", show(entry), show(there));
                    self.found(Kind::Moved, what);
                }
                Some(_) => {}
            }
        }
        for entry in &self.history.log {
            let is_passed = entry.position > reading.from && entry.position <= reading.reached;
            if is_passed && !seen.contains(&entry.id) {
                let reached = reading.reached;
                let what =
                    format!("{reader} is at position {reached} and never saw {}", show(entry));
                self.found(Kind::Passed, what);
            }
        }
        let end = self.history.log.last().map_or(0, |last| last.position);
        if reading.reached < end {
            let reached = reading.reached;
            self.found(Kind::Behind, format!("{reader} is at position {reached} of {end}"));
        }
    }

    /// Any two readers saw what both saw in the same order; the log is a reader, too.
    fn check_orders(&mut self) {
        let log = ("the log", &self.history.log);
        let readers = self.history.readings.iter().map(|reading| (&*reading.reader, &reading.seen));
        let readers: Vec<_> = std::iter::once(log).chain(readers).collect();
        for (number, (one, seen)) in readers.iter().enumerate() {
            let places: HashMap<Uuid, usize> =
                seen.iter().enumerate().map(|(place, entry)| (entry.id, place)).collect();
            for (other, others) in &readers[number + 1..] {
                let both = others.iter().filter_map(|entry| Some((*places.get(&entry.id)?, entry)));
                let both: Vec<_> = both.collect();
                if let Some(pair) = both.windows(2).find(|pair| pair[0].0 > pair[1].0) {
                    let (first, then) = (show(pair[0].1), show(pair[1].1));
                    let what =
                        format!("{other} saw {first} before {then}, {one} the other way round");
                    self.found(Kind::OrderDiffers, what);
                }
            }
        }
    }

    /// A stream holds just what the log has of it.
    fn check_streams(&mut self) {
        let mut of: HashMap<&StreamId, Vec<&Entry>> = HashMap::new();
        for entry in &self.history.log {
            of.entry(&entry.stream_id).or_default().push(entry);
        }
        for (stream_id, events) in &self.history.streams {
            let logged = of.remove(stream_id).unwrap_or_default();
            if !events.iter().eq(logged.iter().copied()) {
                let (here, there) = (events.len(), logged.len());
                let what =
                    format!("stream {stream_id:?} gives {here} events, the log {there} of it");
                self.found(Kind::Moved, what);
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
