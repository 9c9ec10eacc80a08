//! What a person asked from outside of the program, done by whoever is the owner.

use std::collections::HashSet;
use std::time::Instant;

use tokio::sync::oneshot;

use super::asked::Asked;
use super::owner::Owned;
use super::worker::{Ended, Worker, ended};
use crate::request::{Request, Wish, requests};
use crate::store::{CheckpointChange, StoreError};

/// How often each shard looks before what all were asked is taken back.
const LOOKS: u32 = 3;

impl Worker {
    /// Looks now and then what was asked, does it, and takes it back; so it does with what it is too late for.
    pub(super) async fn do_requested(&mut self, owned: &mut Owned) -> Result<(), Ended> {
        if owned.looked_at.elapsed() < self.settings.polling {
            return Ok(());
        }
        owned.looked_at = Instant::now();
        self.passes_over(owned).await?;
        let mut requests = requests(self.store()?).await?;
        requests.retain(|request| {
            let is_due = !request.is_vain && !self.is_too_early(owned, &request.wish);
            self.is_asked(request) && (is_due || request.is_over())
        });
        owned.asked.retain(|asked, _| requests.contains(asked));
        for request in requests {
            let is_over = request.is_over();
            let is_vain = matches!(&request.wish, Wish::Drop { key } if !owned.parked.contains_key(key))
                && !owned.asked.contains_key(&request);
            if !is_over && !owned.asked.contains_key(&request) {
                owned.asked.insert(request.clone(), Instant::now());
                self.begin_requested(owned, &request.wish).await?;
            }
            // Whoever asked waits until it is done.
            if !is_over && (is_under_way(owned, &request.wish) || !self.is_heard(owned, &request)) {
                continue;
            }
            let fence = owned.lease.fence().await;
            let change = CheckpointChange { fence, position: owned.kept };
            let done = if is_vain && !is_over { request.in_vain() } else { request.done() };
            self.store()?.write_rows(vec![done], change).await.map_err(ended)?;
            owned.asked.remove(&request);
        }
        Ok(())
    }

    /// What all shards are asked from outside that have stopped: none of them has a lease.
    pub(super) async fn asked_to_resume(&self) -> Result<HashSet<Request>, StoreError> {
        let reader = self.kind.reader(0);
        let is_it = |request: &Request| {
            request.reader == reader
                && matches!(request.wish, Wish::Resume { .. })
                && !request.is_over()
        };
        Ok(requests(self.store()?).await?.into_iter().filter(is_it).collect())
    }

    /// Whether this shard is asked.
    pub(super) fn is_asked(&self, request: &Request) -> bool {
        let reader = self.kind.reader(0);
        let is_reader =
            request.reader.name == reader.name && request.reader.version == reader.version;
        let is_own = match &request.wish {
            Wish::Retry { key } | Wish::Drop { key } => self.shard.has_key(key),
            Wish::Resume { .. } | Wish::Skip { .. } => true,
            // Who leads the shards sees to that.
            Wish::Shards { .. } => false,
        };
        is_reader && is_own
    }

    /// Whether all who are asked have heard of it. What all shards are asked, one of them takes back when the others have had the
    /// time to look.
    fn is_heard(&self, owned: &Owned, request: &Request) -> bool {
        if matches!(request.wish, Wish::Retry { .. } | Wish::Drop { .. }) || self.shard.of() == 1 {
            return true;
        }
        let known = owned.asked.get(request);
        self.shard.index() == 0
            && known.is_some_and(|known| known.elapsed() > self.settings.polling * LOOKS)
    }

    /// Whether it has not come to what it is to pass over, since it may stop there still; or does not come to what it is to give
    /// up, since others go on with the shard, who do it then.
    fn is_too_early(&self, owned: &Owned, wish: &Wish) -> bool {
        match wish {
            Wish::Skip { position } => self.blocked.is_none() && owned.inbox.read() < *position,
            Wish::Drop { key } => owned.rests() && self.never_comes_to(owned, key).is_some(),
            _ => false,
        }
    }

    /// Does what was asked, or begins with it. Nobody waits for the answers: what is parked afterwards tells.
    async fn begin_requested(&mut self, owned: &mut Owned, wish: &Wish) -> Result<(), Ended> {
        let asked = match wish {
            Wish::Retry { key } => {
                Asked::RetryParked { id: key.clone(), answer: oneshot::channel().0 }
            }
            Wish::Drop { key } => {
                Asked::DropParked { id: key.clone(), answer: oneshot::channel().0 }
            }
            Wish::Resume { .. } => Asked::Resume { answer: oneshot::channel().0 },
            Wish::Skip { position } => {
                Asked::Skip { position: *position, answer: oneshot::channel().0 }
            }
            Wish::Shards { .. } => return Ok(()),
        };
        self.answer(owned, asked).await
    }
}

fn is_under_way(owned: &Owned, wish: &Wish) -> bool {
    match wish {
        Wish::Retry { key } => {
            owned.is_under_way(key) || owned.parked.get(key).is_some_and(|parked| parked.is_retried)
        }
        Wish::Drop { key } => {
            let waits = |asked: &Asked| matches!(asked, Asked::DropParked { id, .. } if id == key);
            owned.later.iter().any(waits)
        }
        Wish::Resume { .. } | Wish::Skip { .. } | Wish::Shards { .. } => false,
    }
}
