//! What will be made, read and dropped, said beforehand; and versions that nobody needs any more.

use std::fmt::Write;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::EngineError;
use super::aside::Aside;
use super::operator::Operator;
use super::scratch::{Place, Scratch};
use super::site::Site;
use crate::projection::{
    CatalogEntry, ModelDefinition, Preparation, Pruned, Rebuild, RebuildState,
};
use crate::store::{CheckpointId, EventFilter, ReadModelStore, StoreError};

/// How many events are folded to see how long it takes.
const SAMPLE: usize = 2_000;

/// What will be made for the projections of a program, what is read for it, and what nobody needs any more.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Plan {
    /// The steps, in the order of projections and versions. A projection for which nothing is to be done has none.
    pub steps: Vec<PlanStep>,
    operator: Operator,
}

/// A step of a plan.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct PlanStep {
    /// The projection's name.
    pub projection: String,
    /// Its version.
    pub version: u32,
    /// What is done.
    pub action: PlanAction,
    /// How many events are read for it.
    pub events: u64,
    /// How long that will take, if it can be told.
    pub takes: Option<Estimate>,
}

/// What a step of a plan does.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum PlanAction {
    /// Tables are made for a version that is new; the log is read from the beginning.
    Make {
        /// The statements, if the store has a language for them.
        sql: Option<String>,
    },
    /// The table is made anew that somebody has dropped; the log is read from the beginning.
    MakeAgain,
    /// Columns are added, which hold nothing in the rows that are there until a rebuild.
    Add {
        /// The columns.
        columns: Vec<String>,
    },
    /// The rows are rebuilt, since somebody has asked for it.
    Rebuild(Box<Rebuild>),
    /// An older version than those of this program: [`Operator::prune`] drops it, unless someone runs it. Until then, the
    /// release that needs it can come back.
    Prune,
    /// It is of a newer release, or of another program: it stays.
    Keep,
    /// It does not go on: the definition is refused.
    Refuse {
        /// Why, and what to do.
        reason: String,
    },
}

impl PlanAction {
    /// The action's name.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Make { .. } => "make",
            Self::MakeAgain => "make_again",
            Self::Add { .. } => "add",
            Self::Rebuild(_) => "rebuild",
            Self::Prune => "prune",
            Self::Keep => "keep",
            Self::Refuse { .. } => "refuse",
        }
    }

    /// Whether engines that may make no tables wait for it.
    pub const fn is_awaited(&self) -> bool {
        matches!(self, Self::Make { .. } | Self::MakeAgain | Self::Add { .. })
    }
}

/// How long a step will take.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Estimate {
    /// How long.
    pub time: Duration,
    /// How many events a second that takes to be done.
    pub rate: f64,
    /// What that rate comes of.
    pub basis: EstimateBasis,
}

/// What an estimate comes of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum EstimateBasis {
    /// The last rebuild of this version, or of the newest one before it.
    LastRebuild,
    /// The first events of the log, folded in memory for this plan. To write rows takes longer.
    Sample,
}

impl Plan {
    /// Whether there is something for which engines that may make no tables wait.
    pub fn is_awaited(&self) -> bool {
        self.steps.iter().any(|step| step.action.is_awaited())
    }

    /// The statements that make the tables of new versions, for whoever may. What cannot be said so beforehand, such as the setup of a
    /// projection's own SQL, stands there as a comment: [`apply`](Self::apply) does it.
    pub fn sql(&self) -> String {
        let mut sql = String::new();
        for step in &self.steps {
            let PlanStep { projection, version, action, .. } = step;
            let PlanAction::Make { sql: Some(statements) } = action else {
                if action.is_awaited() {
                    // Writing to a text does not fail.
                    let action = action.as_str();
                    let _ = writeln!(
                        sql,
                        "-- {projection}, version {version}: {action}, by the operator's program"
                    );
                }
                continue;
            };
            let _ = writeln!(sql, "-- {projection}, version {version}\n{statements}");
        }
        sql
    }

    /// Makes tables and adds columns, for engines that may not. Nothing is dropped, and nothing is rebuilt.
    ///
    /// # Errors
    ///
    /// When a definition is refused, or the store cannot be written. What was done before stays.
    pub async fn apply(&self) -> Result<(), EngineError> {
        for step in self.steps.iter().filter(|step| step.action.is_awaited()) {
            let prepared = self.operator.prepare(&step.projection, step.version).await;
            prepared.map_err(|source| EngineError::Prepare {
                projection: step.projection.clone(),
                source,
            })?;
        }
        Ok(())
    }
}

impl Operator {
    /// Tells what will be made for the projections of this program, what is read for it and how long that takes, and what nobody
    /// needs any more. Nothing is done.
    ///
    /// # Errors
    ///
    /// When a store cannot be read.
    pub async fn plan(&self) -> Result<Plan, EngineError> {
        let (catalog, rebuilds) = (self.catalog().await?, self.rebuilds().await?);
        let mut steps = Vec::new();
        for site in &self.shared.sites {
            let definition = site.definition();
            let action = match self.shared.rows.preparation(definition).await? {
                Preparation::Make { sql } => PlanAction::Make { sql },
                Preparation::MakeAgain => PlanAction::MakeAgain,
                Preparation::Add { columns } => PlanAction::Add { columns },
                Preparation::Refused { reason } => PlanAction::Refuse { reason },
                Preparation::Nothing
                | Preparation::Behind { .. }
                | Preparation::Forbidden { .. } => {
                    let asked = rebuilds.iter().find(|rebuild| rebuild.is_of(definition));
                    match asked.filter(|rebuild| rebuild.state.is_under_way()) {
                        Some(rebuild) => PlanAction::Rebuild(Box::new(rebuild.clone())),
                        None => continue,
                    }
                }
            };
            steps.push(self.step(site, action, &rebuilds).await?);
        }
        for definition in &self.shared.inline {
            let action = match self.shared.rows.preparation(definition).await? {
                Preparation::Make { sql } => PlanAction::Make { sql },
                Preparation::MakeAgain => PlanAction::MakeAgain,
                Preparation::Add { columns } => PlanAction::Add { columns },
                Preparation::Refused { reason } => PlanAction::Refuse { reason },
                Preparation::Nothing
                | Preparation::Behind { .. }
                | Preparation::Forbidden { .. } => continue,
            };
            steps.push(PlanStep::of_kept(&definition.projection, definition.version, action));
        }
        for entry in &catalog {
            let action = match self.needs(entry) {
                Need::Present => continue,
                Need::Older => PlanAction::Prune,
                Need::Others => PlanAction::Keep,
            };
            steps.push(PlanStep::of_kept(&entry.projection, entry.version, action));
        }
        steps.sort_by(|one, two| {
            (&one.projection, one.version).cmp(&(&two.projection, two.version))
        });
        Ok(Plan { steps, operator: self.clone() })
    }

    async fn step(
        &self,
        site: &Site,
        action: PlanAction,
        rebuilds: &[Rebuild],
    ) -> Result<PlanStep, EngineError> {
        let definition = site.definition();
        let mut step = PlanStep::of_kept(&definition.projection, definition.version, action);
        let filter = site.projector.filter();
        let (done, rate) = match &step.action {
            PlanAction::Make { .. } | PlanAction::MakeAgain => (0, None),
            PlanAction::Rebuild(rebuild) => (rebuild.events, Some(rebuild.rate())),
            _ => return Ok(step),
        };
        step.events = self.count(&filter).await?.saturating_sub(done);
        step.takes = match rate.filter(|rate| *rate > 0.0) {
            Some(rate) => Some(Estimate::new(step.events, rate, EstimateBasis::LastRebuild)),
            None => self.estimate(site, step.events, rebuilds).await,
        };
        Ok(step)
    }

    async fn count(&self, filter: &EventFilter) -> Result<u64, StoreError> {
        let head = self.shared.events.head().await?;
        self.shared.events.count_events(filter, head).await
    }

    /// How long it takes to do so many events; `None` if that cannot be told.
    async fn estimate(&self, site: &Site, events: u64, rebuilds: &[Rebuild]) -> Option<Estimate> {
        let ModelDefinition { projection, version, .. } = site.definition();
        let of_before = rebuilds.iter().filter(|rebuild| {
            rebuild.projection == *projection
                && rebuild.version <= *version
                && rebuild.key.is_none()
                && rebuild.state == RebuildState::Done
                && rebuild.rate() > 0.0
        });
        if let Some(last) = of_before.max_by_key(|rebuild| rebuild.version) {
            return Some(Estimate::new(events, last.rate(), EstimateBasis::LastRebuild));
        }
        // What cannot be folded in memory has no sample, and events that fail are told of when they are read in earnest.
        let mut scratch = {
            let aside = (Place::Memory, Aside::default());
            Scratch::new(&self.shared, site.projector.clone(), aside).await.ok()?
        };
        let began = Instant::now();
        let folded = scratch.fold_some(SAMPLE).await.ok()?;
        if folded == 0 {
            return None;
        }
        #[expect(clippy::cast_precision_loss, reason = "a rate")]
        let rate = folded as f64 / began.elapsed().as_secs_f64().max(1e-6);
        Some(Estimate::new(events, rate, EstimateBasis::Sample))
    }

    async fn prepare(&self, projection: &str, version: u32) -> Result<CatalogEntry, StoreError> {
        let rows = &*self.shared.rows;
        if let Ok(site) = self.site(projection, version) {
            return site.projector.prepare(rows).await;
        }
        let is_it = |inline: &&ModelDefinition| {
            inline.projection == projection && inline.version == version
        };
        match self.shared.inline.iter().find(is_it) {
            Some(inline) => ReadModelStore::prepare(rows, inline).await,
            None => Err(StoreError::invalid("bug in annals: a step of nothing that is registered")),
        }
    }

    /// Whether this program needs a version that is kept.
    fn needs(&self, entry: &CatalogEntry) -> Need {
        let of_sites = self.shared.sites.iter().map(Site::definition);
        let of_name: Vec<u32> = of_sites
            .chain(&self.shared.inline)
            .filter(|definition| definition.projection == entry.projection)
            .map(|definition| definition.version)
            .collect();
        if of_name.contains(&entry.version) {
            Need::Present
        } else if of_name.iter().any(|version| *version > entry.version) {
            Need::Older
        } else {
            Need::Others
        }
    }

    /// Tells which versions are older than those of this program, which are kept already: those that [`prune`](Self::prune) drops,
    /// unless someone [runs](Self::is_run) them.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub async fn outdated(&self) -> Result<Vec<CatalogEntry>, EngineError> {
        let catalog = self.catalog().await?;
        let (present, mut older): (Vec<_>, Vec<_>) =
            catalog.into_iter().partition(|entry| matches!(self.needs(entry), Need::Present));
        // Before a newer one is there, the rows of this one are all that there is.
        older.retain(|entry| {
            let mut newer = present.iter().filter(|newer| newer.version > entry.version);
            newer.any(|newer| newer.projection == entry.projection)
        });
        Ok(older)
    }

    /// Whether someone runs a version, be it that it has stopped there.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub async fn is_run(&self, entry: &CatalogEntry) -> Result<bool, EngineError> {
        let CatalogEntry { projection, version, .. } = entry;
        let leases = self.shared.rows.leases(CheckpointId::PROJECTIONS).await?;
        Ok(leases.iter().any(|held| held.is_held() && held.id.is_of(projection, *version)))
    }

    /// Drops the versions that are older than those of this program and that nobody runs: their tables, their entries in the
    /// catalog, where their readers stand, and what is parked and skipped. From here on the release that needed them cannot come
    /// back without reading the log from the beginning.
    ///
    /// Newer versions, and projections of which this program knows nothing, stay. Scratch tables that were
    /// [left](Self::drop_left_scratch) go, too, and so do [rows](Self::drop_left_rebuilds) of rebuilds.
    ///
    /// # Errors
    ///
    /// When the store cannot be written. What was dropped before stays dropped.
    pub async fn prune(&self) -> Result<Vec<(CatalogEntry, Pruned)>, EngineError> {
        self.drop_left_scratch().await?;
        self.drop_left_rebuilds().await?;
        let mut gone = Vec::new();
        for entry in self.outdated().await? {
            let pruned = self.prune_version(&entry.projection, entry.version).await?;
            gone.push((entry, pruned));
        }
        Ok(gone)
    }

    /// Drops all that is kept of one version of a projection, whether this program knows it or not, unless someone runs it. Tables
    /// that a projection's own SQL has made stay: they are yours to drop.
    ///
    /// # Errors
    ///
    /// When the store cannot be written.
    pub async fn prune_version(
        &self,
        projection: &str,
        version: u32,
    ) -> Result<Pruned, EngineError> {
        let pruned = self.shared.rows.prune(projection, version).await?;
        if pruned == Pruned::Done {
            tracing::warn!(projection, version, "a version of a projection was pruned by hand");
        }
        if pruned != Pruned::InUse {
            self.forget_requests(projection, version).await?;
        }
        Ok(pruned)
    }
}

/// Whether a program needs a version.
enum Need {
    Present,
    /// It needs a newer one.
    Older,
    /// It knows nothing of it: it is of a newer release, or of another program.
    Others,
}

impl PlanStep {
    fn of_kept(projection: &str, version: u32, action: PlanAction) -> Self {
        Self { projection: projection.to_owned(), version, action, events: 0, takes: None }
    }
}

impl Estimate {
    fn new(events: u64, rate: f64, basis: EstimateBasis) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "an estimate")]
        let time = Duration::try_from_secs_f64(events as f64 / rate).unwrap_or(Duration::MAX);
        Self { time, rate, basis }
    }
}
