//! What readers saw against what is there, and against each other.

use std::collections::{HashMap, HashSet};

use annals::StreamId;
use uuid::Uuid;

use super::{Checker, Kind, show};
use crate::history::record::{Entry, Reading, Session};

impl Checker<'_> {
    /// What a reader at the tail saw, which comes to the end of the log.
    pub(super) fn check_reading(&mut self, reading: &Reading) {
        self.check_seen(reading);
        let (reader, reached, end) = (&reading.reader, reading.reached, self.end());
        if reached < end {
            self.found(Kind::Behind, format!("{reader} is at position {reached} of {end}"));
        }
    }

    fn end(&self) -> u64 {
        self.history.log.last().map_or(0, |last| last.position)
    }

    /// What a reader saw against what is there.
    fn check_seen(&mut self, reading: &Reading) {
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
    }

    /// The owners of a durable subscription: each begins where one before it acknowledged, never before what was answered,
    /// and one of them comes to the end.
    pub(super) fn check_sessions(&mut self) {
        let sessions = &self.history.sessions;
        let acks = || sessions.iter().flat_map(|session| &session.acks);
        for Session { reading, asked, .. } in sessions {
            self.check_seen(reading);
            let (reader, from) = (&reading.reader, reading.from);
            if from > 0 && !acks().any(|ack| ack.position == from) {
                let what =
                    format!("{reader} began after position {from}, which nobody acknowledged");
                self.found(Kind::Passed, what);
            }
            let before = acks().filter(|ack| ack.accepted.is_some_and(|at| at < *asked));
            if let Some(kept) = before.map(|ack| ack.position).max()
                && kept > from
            {
                let what =
                    format!("{reader} began after position {from}, though {kept} was acknowledged");
                self.found(Kind::WentBack, what);
            }
        }
        let (reached, end) =
            (sessions.iter().map(|session| session.reading.reached).max(), self.end());
        if reached.is_some_and(|reached| reached < end) {
            let what = format!("the durable subscription is at position {reached:?} of {end}");
            self.found(Kind::Behind, what);
        }
    }

    /// Any two readers saw what both saw in the same order; the log is a reader, too.
    pub(super) fn check_orders(&mut self) {
        let log = ("the log", &self.history.log);
        let sessions = self.history.sessions.iter().map(|session| &session.reading);
        let readings = self.history.readings.iter().chain(sessions);
        let readers = readings.map(|reading| (&*reading.reader, &reading.seen));
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
    pub(super) fn check_streams(&mut self) {
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
