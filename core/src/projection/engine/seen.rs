//! How the projections of an engine are, as anybody may ask.

use std::collections::BTreeSet;
use std::time::Duration;

use super::crew::Crew;
use super::shown::Shown;
use super::status::{ProjectionStatus, ShardStatus, Status};
use super::{EngineError, Inner, ProjectionEngine, age_of_next};
use crate::position::Position;
use crate::projection::{CatalogEntry, Rebuild};
use crate::shards::{Layout, Shard, Standing};
use crate::store::{CheckpointId, LeaseHolder};
use crate::timestamp::Timestamp;

/// What is read once for all projections.
struct Read {
    head: Position,
    now: Timestamp,
    catalog: Vec<CatalogEntry>,
    rebuilds: Vec<Rebuild>,
    leases: Vec<LeaseHolder>,
}

impl ProjectionEngine {
    /// Tells how the projections are.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub async fn status(&self) -> Result<Status, EngineError> {
        let Inner { events, rows, settings, .. } = &*self.inner;
        let read = Read {
            head: events.head().await?,
            now: settings.clock.now(),
            catalog: rows.catalog().await?,
            rebuilds: rows.rebuilds().await?,
            leases: rows.leases(CheckpointId::PROJECTIONS).await?,
        };
        let mut projections = Vec::new();
        for crew in &self.inner.workers {
            projections.push(self.inner.seen(crew, &read).await?);
        }
        for inline in &self.inner.inline {
            projections.push(inline.status(read.head).await?);
        }
        Ok(Status { projections })
    }

    /// Whether it is shut down.
    pub(crate) fn is_over(&self) -> bool {
        self.inner.stop.is_cancelled()
    }
}

impl Inner {
    async fn seen(&self, crew: &Crew, read: &Read) -> Result<ProjectionStatus, EngineError> {
        let definition = crew.projector.definition();
        let mut shown = crew.shown();
        let entry = read.catalog.iter().find(|entry| entry.is_of(definition));
        // The owner knows, unless its rows have been built anew; whoever stands by may not know yet.
        if let Some(entry) = entry
            && (shown.position.is_none() || shown.generation < entry.generation)
        {
            shown.generation = entry.generation;
            shown.position = None;
        }
        let reader = definition.reader(shown.generation);
        let standing = match shown.position {
            // One that is not divided is where its worker is.
            Some(position) if entry.is_none_or(|entry| entry.shards == 1) => {
                Standing::new(Layout::of(1), vec![Some(position)])
            }
            _ => self.rows.standing(&reader).await?,
        };
        let shards = self.shards(crew, (&standing, &reader, shown.generation), read);
        let position = shards.iter().map(|shard| shard.position).min().unwrap_or_default();
        let events_behind = read.head.get().saturating_sub(position.get());
        let time_behind = match events_behind {
            0 => Duration::ZERO,
            _ => age_of_next(&*self.events, &*crew.projector, position, read.now).await?,
        };
        let owners: BTreeSet<&str> =
            shards.iter().filter_map(|shard| shard.owner.as_deref()).collect();
        let owners: Vec<&str> = owners.into_iter().collect();
        Ok(ProjectionStatus {
            name: definition.projection.clone(),
            version: definition.version,
            generation: shown.generation,
            state: shown.state,
            position,
            head: read.head,
            events_behind,
            time_behind,
            level: self.settings.thresholds.level(shown.state, time_behind),
            rate: shown.rate,
            parked: self.rows.parked(&reader, None).await?.len() as u64,
            events: shown.events,
            rebuild: read.rebuilds.iter().find(|rebuild| rebuild.is_of(definition)).cloned(),
            owner: (!owners.is_empty()).then(|| owners.join(", ")),
            runs_here: shards.iter().any(|shard| shard.runs_here),
            shards,
            stopped_at: shown.stopped_at,
            last_error: shown.last_error,
        })
    }

    /// Each shard: where it is here, or by its checkpoint.
    fn shards(
        &self,
        crew: &Crew,
        (standing, reader, generation): (&Standing, &CheckpointId, u32),
        read: &Read,
    ) -> Vec<ShardStatus> {
        let members = crew.members();
        let each = Shard::all(standing.layout.shards).zip(&standing.reached);
        let each = each.map(|(shard, reached)| {
            let here = members.iter().find(|member| member.shard == shard);
            let here = here.map(|member| member.shown.borrow().clone());
            let here = here.filter(|shown: &Shown| shown.generation == generation);
            let here = here.and_then(|shown| shown.position);
            let id = CheckpointId { shard: shard.index(), ..reader.clone() };
            ShardStatus {
                shard,
                position: here.or(*reached).unwrap_or_default(),
                owner: match here {
                    Some(_) => Some(self.settings.name.clone()),
                    None => LeaseHolder::of(&read.leases, &id).map(|held| held.engine().to_owned()),
                },
                runs_here: here.is_some(),
            }
        });
        each.collect()
    }
}
