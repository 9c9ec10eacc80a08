//! How the number of shards changes: once all shards have come to rest, and nobody else can have anything on its way.

use super::kind::Wished;
use super::lead::Lead;
use super::worker::failure;
use crate::projection::chain;
use crate::request::take_back;
use crate::shards::Shard;
use crate::store::{CheckpointChange, Fence, LeaseHolder, StoreError, UnitOfWorkStore, WriteError};
use crate::subscription::SubscriptionError;
use crate::subscription::lease::Lease;

/// How many shards there are.
pub(super) struct Divided {
    pub(super) shards: u32,
    /// That there are to be others, which cannot be yet.
    pub(super) hangs: Option<Hangs>,
}

/// A change of the number that cannot be yet.
pub(super) struct Hangs {
    pub(super) into: u32,
    /// What it waits for.
    pub(super) why: String,
}

impl Lead {
    /// Sees to it that there are as many shards as somebody wishes, if that can be now; tells how many there are.
    pub(super) async fn divide(&self) -> Result<Divided, StoreError> {
        let (kind, store) = (&self.kind, self.store()?);
        let wished = kind.wished(store).await?;
        let shards = store.standing(&kind.reader(0)).await?.layout.shards;
        let Some(Wished { shards: into, wishes }) = wished else {
            return Ok(Divided { shards, hangs: None });
        };
        if into != shards {
            let hangs = match self.divide_at_rest(shards, into).await {
                Ok(None) => None,
                Ok(Some(why)) => Some(why),
                Err(error) => Some(chain(&error)),
            };
            if let Some(why) = hangs {
                return Ok(Divided { shards, hangs: Some(Hangs { into, why }) });
            }
        }
        take_back(store, &wishes).await.map_err(failure)?;
        Ok(Divided { shards: into, hangs: None })
    }

    /// Divides it anew, if all shards have come to rest; tells for what it waits if it did not.
    ///
    /// No checkpoint tells what is on its way. Whoever has anything on its way holds a lease, and knows by it that nobody else
    /// does it: so all leases are taken before.
    async fn divide_at_rest(&self, shards: u32, into: u32) -> Result<Option<String>, StoreError> {
        let (kind, store) = (&self.kind, self.store()?);
        let mut leases = Vec::new();
        for shard in Shard::all(shards) {
            match Lease::try_take(kind.claim(shard, &self.events, &self.settings)).await {
                Ok(Some(lease)) => leases.push(lease),
                Err(SubscriptionError::Store(error)) => return Err(error),
                // Dropped, the others are given up.
                Ok(None) | Err(_) => return Ok(Some(self.holder(store, shard).await)),
            }
        }
        // Meanwhile somebody else may have divided it, and somebody have wished something else. Now nobody does.
        let is_so = store.standing(&kind.reader(0)).await?.layout.shards == shards
            && kind.wished(store).await?.is_some_and(|wished| wished.shards == into)
            && leases.iter().all(|lease| lease.freshness().is_held());
        let divided = if is_so { self.divide_under(store, &leases, into).await } else { Ok(()) };
        for lease in leases {
            lease.give_up().await?;
        }
        let elsewhere =
            || Some("somebody else sees to it, or has wished another number".to_owned());
        match divided {
            Ok(()) if is_so => Ok(None),
            // It stood still, and whoever has the shards now sees to it.
            Ok(()) | Err(WriteError::Fenced { .. }) => Ok(elsewhere()),
            Err(error) => Err(failure(error)),
        }
    }

    /// Who has a shard that has not come to rest, in words.
    async fn holder(&self, store: &dyn UnitOfWorkStore, shard: Shard) -> String {
        let (id, number) = (self.kind.reader(shard.index()), shard.index());
        let leases = store.leases(&id.name).await.unwrap_or_default();
        match LeaseHolder::of(&leases, &id).map(LeaseHolder::engine) {
            Some(engine) if engine == self.settings.name => {
                format!("something of shard {number} is still under way in this engine, `{engine}`")
            }
            Some(engine) => format!(
                "engine `{engine}` has shard {number}: something of it is still under way there, or it does not look"
            ),
            None => format!("somebody had shard {number} a moment ago"),
        }
    }

    async fn divide_under(
        &self,
        store: &dyn UnitOfWorkStore,
        leases: &[Lease],
        into: u32,
    ) -> Result<(), WriteError> {
        let mut fences = Vec::new();
        for lease in leases {
            fences.push(lease.fence().await);
        }
        self.begin_all(store, &fences).await?;
        store.divide_under(&self.kind.reader(0), into, &fences).await.map(drop)
    }

    /// Has shards begin that nobody could begin, such as while one who had died held the lease: the new ones would begin at the
    /// log's start.
    async fn begin_all(
        &self,
        store: &dyn UnitOfWorkStore,
        fences: &[Fence],
    ) -> Result<(), WriteError> {
        for fence in fences {
            if store.checkpoint(&fence.id).await?.is_none() {
                let position = self.begins_at;
                let change = CheckpointChange { fence: fence.clone(), position };
                store.write_rows(Vec::new(), change).await?;
            }
        }
        Ok(())
    }
}
