//! What writers were told against what is there.

use annals::{Conflict, Expected, Receipt};

use super::{Checker, Kind, show, tell};
use crate::history::record::{Call, Entry, Sent, Told};

impl Checker<'_> {
    /// What a writer was told against what is there.
    pub(super) fn check_call(&mut self, call: &Call) {
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
    pub(super) fn is_right(&self, append: &Sent, receipt: &Receipt) -> bool {
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
}
