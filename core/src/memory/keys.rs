//! The idempotency keys, and when they expire.

use std::collections::{BTreeSet, HashMap};

use crate::store::{KeyClaim, KeyEntry, KeyOwner};
use crate::stream::StreamId;
use crate::timestamp::Timestamp;

/// How many expired keys an append removes, so that memory stays bounded without a pause.
const PURGED_BY_AN_APPEND: usize = 8;

#[derive(Debug, Default)]
pub(super) struct Keys {
    entries: HashMap<(StreamId, String), (KeyEntry, Option<Timestamp>)>,
    expiry: BTreeSet<(Timestamp, StreamId, String)>,
}

impl Keys {
    pub(super) fn find(
        &self,
        stream_id: &StreamId,
        key: &str,
        now: Timestamp,
    ) -> Option<&KeyEntry> {
        let (entry, expires) = self.entries.get(&(stream_id.clone(), key.to_owned()))?;
        expires.is_none_or(|instant| now < instant).then_some(entry)
    }

    /// Keeps an entry, in the place of an expired one of the same key.
    pub(super) fn insert(
        &mut self,
        stream_id: StreamId,
        claim: &KeyClaim,
        entry: KeyEntry,
        now: Timestamp,
    ) {
        let expires = match claim.owner {
            KeyOwner::Caller { lifetime } => Some(now + lifetime),
            KeyOwner::Process => None,
        };
        if let Some(instant) = expires {
            self.expiry.insert((instant, stream_id.clone(), claim.key.clone()));
        }
        let replaced =
            self.entries.insert((stream_id.clone(), claim.key.clone()), (entry, expires));
        if let Some((_, Some(old))) = replaced
            && Some(old) != expires
        {
            self.expiry.remove(&(old, stream_id, claim.key.clone()));
        }
        self.remove_expired(now, PURGED_BY_AN_APPEND);
    }

    pub(super) fn remove_expired(&mut self, now: Timestamp, limit: usize) -> u64 {
        let mut removed = 0;
        while removed < limit as u64 && self.expiry.first().is_some_and(|first| first.0 <= now) {
            let Some((_, stream_id, key)) = self.expiry.pop_first() else { break };
            self.entries.remove(&(stream_id, key));
            removed += 1;
        }
        removed
    }
}
