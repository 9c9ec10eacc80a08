//! What became of idempotency keys.

use std::collections::{BTreeMap, HashMap};

use annals::{Receipt, StreamId};

use super::{Checker, Kind, tell};
use crate::history::record::{Call, Sent, Told};

impl Checker<'_> {
    /// Of the commands with one key at most one was done, and who came later was told that one's receipt.
    pub(super) fn check_keys(&mut self) {
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
}
