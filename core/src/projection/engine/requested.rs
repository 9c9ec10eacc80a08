//! What a person asked from outside of the program, done by whoever is the owner.

use std::collections::HashSet;
use std::time::Instant;

use super::EngineError;
use super::operator::Operator;
use super::parked::Tries;
use super::worker::{Ended, Owned, Worker};
use crate::position::Position;
use crate::request::{Request, Wish, requests, take_back};
use crate::store::{CheckpointChange, StoreError};

impl Worker {
    /// Does what was asked since an instant, and takes it back; so it does with what it is too late for, of rows and shards that
    /// are gone, too.
    pub(super) async fn do_requested(
        &mut self,
        owned: &mut Owned,
        since: Instant,
    ) -> Result<(), Ended> {
        let definition = self.projector.definition();
        let asked = self.pulse.requests(definition, since).await?;
        owned.told_vain.retain(|told| asked.contains(told));
        for request in asked {
            let is_over = request.is_over();
            let is_due = request.reader.name == owned.reader.name
                && self.is_asked(&request)
                && !request.is_vain
                && !owned.told_vain.contains(&request)
                && !is_too_early(owned, &request.wish);
            if !is_due && !is_over {
                continue;
            }
            let mut done = request.done();
            match &request.wish {
                _ if is_over => {}
                Wish::Retry { key } => self.retry(owned, key, Tries::Anew).await?,
                Wish::Drop { key } => {
                    if self.drop_parked(owned, key).await? == 0 {
                        done = request.in_vain();
                        owned.told_vain.push(request.clone());
                    }
                }
                // It goes on, and has come past what it was to skip.
                Wish::Resume { .. } | Wish::Skip { .. } | Wish::Shards { .. } => {}
            }
            let fence = owned.lease.fence().await;
            let change = CheckpointChange { fence, position: owned.kept.unwrap_or_default() };
            let written = self.rows.write_rows(vec![done], change).await;
            written.map_err(|error| Self::ended(error.into(), &[]))?;
        }
        Ok(())
    }

    /// What is asked of this projection now: of one that has stopped, which has no lease.
    pub(super) async fn asked_of(&self, generation: u32) -> Result<Vec<Request>, StoreError> {
        let reader = self.projector.definition().reader(generation);
        let definition = self.projector.definition();
        let mut requests = self.pulse.requests(definition, Instant::now()).await?;
        requests.retain(|request| {
            request.reader.name == reader.name && self.is_asked(request) && !request.is_over()
        });
        Ok(requests)
    }

    /// Whether a request is to the owner of this shard: what is for a key goes to whoever has it, what is for one that has stopped
    /// to each shard by itself.
    fn is_asked(&self, request: &Request) -> bool {
        let shard = self.berth.shard;
        match &request.wish {
            Wish::Retry { key } | Wish::Drop { key } => shard.has_key(key),
            Wish::Resume { .. } | Wish::Skip { .. } => request.reader.shard == shard.index(),
            // Rows tell up to where they are: they are divided at once.
            Wish::Shards { .. } => false,
        }
    }
}

impl Operator {
    /// Takes back what was asked of the owners of a version that is gone.
    pub(super) async fn forget_requests(
        &self,
        projection: &str,
        version: u32,
    ) -> Result<(), EngineError> {
        let rows = &*self.shared.rows;
        let mut left = requests(rows).await?;
        left.retain(|request| request.reader.is_of(projection, version));
        if !left.is_empty() {
            take_back(rows, &left).await?;
        }
        Ok(())
    }
}

/// Whether it has not come to what it is to pass over: it may stop there still.
fn is_too_early(owned: &Owned, wish: &Wish) -> bool {
    matches!(wish, Wish::Skip { position } if owned.position < *position)
}

/// What one that has stopped is asked, besides what was asked before it stopped.
pub(super) fn asked_anew(
    before: &HashSet<Request>,
    now: &[Request],
    stopped_at: Option<Position>,
) -> Option<Wish> {
    let skips =
        |wish: &Wish| matches!(wish, Wish::Skip { position } if Some(*position) == stopped_at);
    let resumes = |request: &Request| {
        matches!(request.wish, Wish::Resume { .. }) && !before.contains(request)
    };
    let asked = |request: &&Request| skips(&request.wish) || resumes(request);
    now.iter().find(asked).map(|request| request.wish.clone())
}
