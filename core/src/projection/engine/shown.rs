//! What a worker shows of itself.

use std::time::{Duration, Instant};

use super::status::ProjectionState;
use super::worker::{Owned, Worker};
use crate::causes::chain;
use crate::metrics;
use crate::position::Position;
use crate::projection::Projector;
use crate::recorded_event::RecordedEvent;
use crate::store::{EventStore, ReadAll, StoreError};
use crate::timestamp::Timestamp;

/// How often it is measured how far behind a projection is.
const MEASURED: Duration = Duration::from_secs(1);

/// What a worker shows of itself.
#[derive(Debug, Clone, Default)]
pub(super) struct Shown {
    pub(super) state: ProjectionState,
    pub(super) generation: u32,
    /// What it has passed, if it is the owner.
    pub(super) position: Option<Position>,
    pub(super) rate: f64,
    pub(super) events: u64,
    pub(super) last_error: Option<String>,
    pub(super) stopped: Option<String>,
    /// The event at which it has stopped, if it was one.
    pub(super) stopped_at: Option<Position>,
    /// How far it is behind: in positions, and for how long.
    pub(super) lag: Option<(u64, Duration)>,
    /// How many events are parked.
    pub(super) parked: usize,
}

/// After how long the store is told again that the log's end was reached, if it did not take it.
const TELL_AGAIN: Duration = Duration::from_secs(30);

/// How old the first event is that a projection has not passed; zero if there is none.
pub(crate) async fn age_of_next(
    events: &dyn EventStore,
    projector: &dyn Projector,
    position: Position,
    now: Timestamp,
) -> Result<Duration, StoreError> {
    let next = ReadAll::after(position).filter(projector.filter()).limit(1);
    let page = events.log_page(&next).await?;
    Ok(page.events.first().map_or(Duration::ZERO, |event| now.since(event.recorded_at)))
}

impl Worker {
    pub(super) fn show(&self, change: impl FnOnce(&mut Shown)) {
        self.shown.send_modify(change);
    }

    pub(super) fn show_reached(&self, owned: &Owned, passed: &[RecordedEvent], time: Duration) {
        let count = passed.len();
        self.show(|shown| {
            shown.position = Some(owned.position);
            shown.generation = self.generation;
            shown.events += count as u64;
            if owned.is_at_end {
                shown.state = ProjectionState::Live;
            }
            if count > 0 {
                #[expect(clippy::cast_precision_loss, reason = "a rate")]
                let now = count as f64 / time.as_secs_f64().max(1e-6);
                shown.rate = if shown.rate == 0.0 { now } else { shown.rate * 0.7 + now * 0.3 };
            }
        });
        self.reached.send_modify(|reached| {
            reached.position = Some(owned.position);
            reached.generation = self.generation;
        });
        if count > 0 {
            let now = self.settings.clock.now();
            let delays = passed.iter().map(|event| now.since(event.recorded_at));
            metrics::projection_batch(self.name(), count as u64, delays);
        }
    }

    /// Tells how far behind it is, once a second at most.
    pub(super) async fn measure(&self, owned: &mut Owned) -> Result<(), StoreError> {
        if owned.measured_at.is_some_and(|at| at.elapsed() < MEASURED) {
            return Ok(());
        }
        owned.measured_at = Some(Instant::now());
        let behind = self.pulse.head().get().saturating_sub(owned.position.get());
        let now = self.settings.clock.now();
        let time = match behind {
            0 => Duration::ZERO,
            _ => age_of_next(&*self.events, &*self.projector, owned.position, now).await?,
        };
        self.show(|shown| (shown.lag, shown.parked) = (Some((behind, time)), owned.parked.len()));
        // Of several shards, what this engine's are together: that which is furthest behind tells.
        let shown = self.shown_here();
        let (behind, time) = shown.lag.unwrap_or((behind, time));
        metrics::projection_lag(self.name(), behind, time, shown.parked);
        metrics::projection_level(self.name(), self.settings.thresholds.level(shown.state, time));
        Ok(())
    }

    /// Takes back what was measured, unless this engine has another shard of it: it is the owner's to say.
    pub(super) fn measure_no_more(&self) {
        let shown = self.shown_here();
        if shown.lag.is_none() {
            metrics::projection_lag(self.name(), 0, Duration::ZERO, 0);
            let level = self.settings.thresholds.level(shown.state, Duration::ZERO);
            metrics::projection_level(self.name(), level);
        }
    }

    /// What all shards show together that this engine has of it.
    fn shown_here(&self) -> Shown {
        let crew = self.berth.crew.as_ref().and_then(std::sync::Weak::upgrade);
        crew.map_or_else(|| self.shown.borrow().clone(), |crew| crew.shown())
    }

    /// Tells the store, once, that the log's end was reached. The rows do not depend on it: if it fails, it is tried later.
    pub(super) async fn tell_end(&self, owned: &mut Owned) {
        if owned.tells_end_at.is_none_or(|at| at > Instant::now()) {
            return;
        }
        let definition = self.projector.definition();
        if self.berth.shard.of() > 1 {
            // All of the rows have to be there: the shard that comes last tells.
            let reader = definition.reader(owned.generation);
            let is_there = match self.rows.standing(&reader).await {
                Ok(standing) => standing.lowest() >= *owned.end.get_or_insert(owned.position),
                Err(_) => false,
            };
            if !is_there {
                owned.tells_end_at = Some(Instant::now() + self.settings.polling);
                return;
            }
        }
        owned.tells_end_at = match self.rows.caught_up(definition).await {
            Ok(()) => None,
            Err(error) => {
                let (projection, error) = (self.name(), chain(&error));
                tracing::warn!(
                    projection,
                    error,
                    "others do not see this version by its public name yet"
                );
                Some(Instant::now() + TELL_AGAIN)
            }
        };
    }
}
