//! One row built anew while its projection runs: folded aside, then written by the owner in one step.

use std::collections::HashSet;
use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use futures::FutureExt;

use super::EngineError;
use super::asked::Asked;
use super::operator::Operator;
use super::row_progress::Progress;
use super::site::Site;
use super::worker::{Ended, Owned, Worker};
use crate::causes::chain;
use crate::position::Position;
use crate::projection::{Batch, ModelDefinition, Rebuild, RebuildLoad, RebuildState, Refold};
use crate::store::{
    CheckpointChange, CheckpointId, EventFilter, Fence, ReadAll, RowChange, StoreError,
};

/// For how long an owner reads at most what came since a row was folded aside: its own events wait meanwhile.
const LAST: Duration = Duration::from_millis(500);

/// How often what came meanwhile is read beside the owner before that is asked, if something comes all the time.
const STRETCHES: usize = 5;

/// A row that was folded aside, and up to where.
pub(super) struct Aside {
    key: String,
    refold: Box<dyn Refold>,
    position: Position,
    load: RebuildLoad,
}

/// What has become of a row that an owner was to write.
pub(super) enum Written {
    /// It is there, of so many events.
    Done(u64),
    /// So much had come since it was folded aside that the owner has not read all of it: it is to be brought nearer.
    Behind(Box<Aside>),
}

impl Operator {
    /// Asks for one row of a projection to be built anew from all its events, by its key as text, and returns at once. The engine
    /// that runs the projection does it, and keeps what has become of it among the [rebuilds](Self::rebuilds).
    ///
    /// If all rows follow streams of their own, only the row's own are read; otherwise all events of the projection are, as in a
    /// rebuild of all rows.
    ///
    /// # Errors
    ///
    /// When that is asked for already, the projection is not known to this program, or the store cannot be written.
    pub async fn begin_rebuild_key(
        &self,
        projection: &str,
        version: u32,
        key: impl Into<String>,
        load: RebuildLoad,
    ) -> Result<Rebuild, EngineError> {
        let (site, key) = (self.site(projection, version)?, key.into());
        let definition = site.definition();
        if site.projector.refold(&key).is_none() {
            return Err(definition.not_folded_aside().into());
        }
        self.check_columns(site).await?;
        let rebuilding = || EngineError::Rebuilding { projection: projection.to_owned() };
        let before = self.find_rebuild(projection, version, Some(&key)).await?;
        if before.as_ref().is_some_and(|before| before.state.is_under_way()) {
            return Err(rebuilding());
        }
        let mut rebuild = Rebuild::new(projection, version, Some(key));
        rebuild.load = load;
        rebuild.revision = before.map_or(0, |before| before.revision);
        if self.keep(&mut rebuild).await? { Ok(rebuild) } else { Err(rebuilding()) }
    }

    /// Cancels the rebuild of one row, whichever engine does it, or though none does: the row stays as it is.
    ///
    /// # Errors
    ///
    /// When there is none under way, the row is about to be written, or the store cannot be written.
    pub async fn cancel_rebuild_key(
        &self,
        projection: &str,
        version: u32,
        key: &str,
    ) -> Result<Rebuild, EngineError> {
        self.cancel((projection, version), Some(key), None).await
    }

    /// Changes how much the rebuild of one row that is under way may ask of the store: whichever engine does it goes on so.
    ///
    /// # Errors
    ///
    /// When there is none under way, or the store cannot be written.
    pub async fn set_rebuild_key_load(
        &self,
        projection: &str,
        version: u32,
        key: &str,
        load: RebuildLoad,
    ) -> Result<Rebuild, EngineError> {
        self.set_load((projection, version), Some(key), load).await
    }

    /// Builds a row anew that is asked for, if the projection's owner is here, and keeps what has become of it. In a task of its own:
    /// other rebuilds do not wait for it.
    pub(super) fn take_up_key(&self, site: &Site, rebuild: Rebuild) {
        let Some(key) = rebuild.key.clone() else { return };
        let is_owner = site.crew.as_ref().is_some_and(|crew| crew.position_of(&key).is_some());
        let name = (rebuild.projection.clone(), rebuild.version, Some(key.clone()));
        if !is_owner {
            return;
        }
        let Some(in_hand) = self.take_in_hand(name) else { return };
        let (operator, site) = (self.clone(), site.clone());
        self.shared.tasks.spawn(async move {
            operator.build_key(&site, rebuild, key).await;
            drop(in_hand);
        });
    }

    async fn build_key(&self, site: &Site, mut rebuild: Rebuild, key: String) {
        let shared = &self.shared;
        let _place = tokio::select! {
            () = shared.stop.cancelled() => return,
            place = shared.row_places.acquire() => place,
        };
        rebuild.by = Some(shared.settings.name.clone());
        let mut progress = Progress::new(self, rebuild);
        let building = AssertUnwindSafe(self.rebuild_key(site, key, Some(&mut progress)));
        let built = building.catch_unwind().await;
        let built = built.unwrap_or_else(|panic| Err(site.panicked(&*panic)));
        let mut rebuild = progress.rebuild;
        match built {
            Ok(events) => {
                rebuild.state = RebuildState::Done;
                rebuild.error = None;
                (rebuild.events, rebuild.of) = (events, events);
            }
            // Where its owner is, it is done; and one that is away comes back. Or somebody has cancelled it.
            Err(EngineError::NotOwner { .. } | EngineError::Ended { .. }) => return,
            Err(EngineError::Store(error)) if error.is_unavailable() => return,
            Err(_) if self.leaves(site).await.unwrap_or_default() => return,
            Err(error) => {
                rebuild.state = RebuildState::Failed;
                rebuild.error = Some(chain(&error));
            }
        }
        // If it is not kept, it is done once more: that gives the same row.
        if let Err(error) = self.keep(&mut rebuild).await {
            let projection = rebuild.projection;
            tracing::warn!(projection, %error, "a row was built anew, which could not be kept");
        }
    }

    /// Builds one row anew, and tells how many events went to it.
    pub(super) async fn rebuild_key(
        &self,
        site: &Site,
        key: String,
        mut progress: Option<&mut Progress<'_>>,
    ) -> Result<u64, EngineError> {
        let definition = site.definition();
        let name = &definition.projection;
        let not_owner = || EngineError::NotOwner { projection: name.clone() };
        let Some(crew) = &site.crew else { return Err(not_owner()) };
        let reached = || crew.position_of(&key).ok_or_else(not_owner);
        let Some(refold) = site.projector.refold(&key) else {
            return Err(definition.not_folded_aside().into());
        };
        let load =
            progress.as_deref().map_or_else(RebuildLoad::unlimited, |told| told.rebuild.load);
        self.check_columns(site).await?;
        let mut aside = Aside { key: key.clone(), refold, position: Position::START, load };
        let skips = CheckpointId::of_skips(name, definition.version);
        let skipped = self.shared.rows.parked(&skips, None).await?;
        let skipped = skipped.iter().map(|event| event.position).collect();
        let bench = self.bench(site);
        if let Some(progress) = progress.as_deref_mut() {
            let filter = bench.filter_of(&aside);
            let of = self.shared.events.count_events(&filter, reached()?).await?;
            progress.begin(of).await.map_err(|ended| ended.into_error(name))?;
        }
        let mut is_looked_for = false;
        loop {
            for _ in 0..STRETCHES {
                let to = reached()?;
                if aside.position >= to {
                    break;
                }
                let taken = bench.take_in(&mut aside, to, &skipped, progress.as_deref_mut());
                taken.await.map_err(|ended| ended.into_error(name))?;
            }
            // Of a row that no event explains, nothing says so but the row itself.
            if !aside.refold.is_named() && !is_looked_for {
                is_looked_for = true;
                if let Some(found) = self.unexplained(definition, &key).await? {
                    aside.refold.name(found);
                }
            }
            if let Some(progress) = progress.as_deref_mut() {
                // As long as its owner has it, it is not cancelled.
                progress
                    .is(RebuildState::Switching)
                    .await
                    .map_err(|ended| ended.into_error(name))?;
            }
            match crew.ask_of(&key, |answer| Asked::WriteRow { aside, answer }).await?? {
                Written::Done(events) => return Ok(events),
                Written::Behind(nearer) => aside = *nearer,
            }
            if let Some(progress) = progress.as_deref_mut() {
                progress
                    .is(RebuildState::Building)
                    .await
                    .map_err(|ended| ended.into_error(name))?;
            }
        }
    }

    /// A worker that reads, and owns nothing.
    fn bench(&self, site: &Site) -> Worker {
        let ModelDefinition { projection, version, .. } = site.definition();
        let entry = crate::projection::CatalogEntry::new(projection, *version);
        let shared = &self.shared;
        let stores = (shared.events.clone(), shared.rows.clone());
        let set = (shared.settings.clone(), shared.pulse.clone());
        Worker::new(site.projector.clone(), entry, stores, set, shared.stop.clone()).0
    }
}

impl Worker {
    /// The events that may go to a row.
    fn filter_of(&self, aside: &Aside) -> EventFilter {
        let streams = aside.refold.streams().into_iter();
        streams.fold(self.projector.filter(), EventFilter::streams)
    }

    /// Takes in the events from where a row has been folded up to a position.
    async fn take_in(
        &self,
        aside: &mut Aside,
        to: Position,
        skipped: &HashSet<Position>,
        mut progress: Option<&mut Progress<'_>>,
    ) -> Result<(), Ended> {
        while aside.position < to {
            if self.stop.is_cancelled() {
                return Err(Ended::Shutdown);
            }
            let began = Instant::now();
            let count = self.take_page(aside, to, skipped).await?;
            if let Some(progress) = progress.as_deref_mut() {
                progress.read(count, aside.position).await?;
                aside.load = progress.rebuild.load;
                // Nobody rests after the last.
                if aside.position < to {
                    progress.rest(aside.load.rest(count, began.elapsed())).await?;
                }
            }
        }
        Ok(())
    }

    /// Takes in the next events up to a position, as many as are read at once; tells how many.
    async fn take_page(
        &self,
        aside: &mut Aside,
        to: Position,
        skipped: &HashSet<Position>,
    ) -> Result<usize, Ended> {
        let reader = self.projector.definition().reader(self.generation);
        let most = self.projector.batch().unwrap_or(self.settings.batch);
        let limit = aside.load.batch.map_or(most, |batch| batch.clamp(1, most));
        let read = ReadAll::after(aside.position).filter(self.filter_of(aside)).limit(limit);
        let mut page = self.events.log_page(&read).await?;
        read.following(&page)?;
        page.events.retain(|event| event.position <= to);
        let count = page.events.len();
        page.events.retain(|event| !skipped.contains(&event.position));
        let batch = self.aside(&reader, &page.events);
        let taken = aside.refold.take(&batch);
        taken.map_err(|error| Self::ended(error, &page.events))?;
        aside.position = if page.more { page.reached.min(to) } else { to };
        Ok(count)
    }

    /// Events that are folded and not written.
    fn aside<'a>(
        &'a self,
        reader: &CheckpointId,
        events: &'a [crate::recorded_event::RecordedEvent],
    ) -> Batch<'a> {
        let fence = Fence { id: reader.clone(), epoch: 0 };
        let change = CheckpointChange { fence, position: Position::START };
        let (rows, codec) = (&*self.rows, self.events.codec());
        let mut batch = Batch::new(rows, codec, self.generation, events, change);
        batch.retry = self.settings.retry;
        batch.now = self.settings.clock.now();
        batch
    }

    /// Writes a row that was folded aside, once what has come since is in it, with the events that wait for it and without those
    /// that did, unless that takes long. No pause is made in between: the projection's own events wait.
    pub(super) async fn write_row(
        &self,
        owned: &mut Owned,
        mut aside: Aside,
    ) -> Result<Written, Ended> {
        // A row may be further on than its shard, as when the number of shards has changed.
        let done = owned.part.done(&aside.key, owned.position);
        if aside.position > done {
            // Folded for an owner before this one, who had come further than was written.
            let projection = self.name().to_owned();
            return Err(Ended::Stopped(EngineError::NotOwner { projection }));
        }
        let began = Instant::now();
        while aside.position < done {
            if began.elapsed() >= LAST {
                return Ok(Written::Behind(Box::new(aside)));
            }
            self.take_page(&mut aside, done, &owned.skipped).await?;
        }
        let Aside { key, refold, .. } = aside;
        let name = self.name().to_owned();
        let refolded = refold.changes(&self.aside(&owned.reader, &[]));
        let refolded = refolded.map_err(|error| StoreError::invalid(chain(&error)))?;
        let Some(refolded) = refolded else {
            return Err(Ended::Stopped(EngineError::NoEvents { projection: name, key }));
        };
        // Those that were folded aside may have been by the reader of a generation before.
        let parked = refolded.parked.into_iter();
        let parked: Vec<_> = parked
            .map(|event| crate::projection::ParkedEvent { reader: owned.reader.clone(), ..event })
            .collect();
        let again: HashSet<Position> = parked.iter().map(|event| event.position).collect();
        let of_key = owned.parked.iter().filter(|event| event.key == key);
        let waited = of_key.filter(|event| !again.contains(&event.position));
        let mut changes: Vec<RowChange> = waited
            .map(|event| RowChange::Unpark {
                reader: owned.reader.clone(),
                key: key.clone(),
                position: event.position,
            })
            .collect();
        changes.push(refolded.row.in_generation(owned.generation));
        changes.extend(parked.iter().cloned().map(RowChange::Park));
        let change = CheckpointChange {
            fence: owned.lease.fence().await,
            position: owned.kept.unwrap_or_default(),
        };
        let written = self.rows.write_rows(changes, change).await;
        written.map_err(|error| Self::ended(error.into(), &[]))?;
        tracing::info!(projection = name, key, events = refolded.events, "a row was built anew");
        owned.parked.retain(|event| event.key != key);
        owned.parked.extend(parked);
        owned.parked.sort_by_key(|event| event.position);
        owned.waiting = super::parked::waiting(&owned.parked);
        Ok(Written::Done(refolded.events))
    }
}
