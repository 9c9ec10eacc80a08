//! Owners who hold still for a moment, so that rows that were built anew can take the place of theirs: under steady writes,
//! whoever builds them would never have come as far as all owners at once. That no row is lost is none of its business: the
//! store lets the new rows answer only if they have come as far.

use std::time::{Duration, Instant};

use super::operator::TELL;
use super::worker::{Owned, Worker};
use crate::position::Position;
use crate::projection::{CatalogEntry, Rebuild, RebuildState};

/// For how long an owner holds still: it depends on how soon all of them hear that they should.
const SHORTEST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(2);

/// It goes on in between, for so many times as long.
const APART: u32 = 5;

/// How often it looks at least while new rows are built beside its own: however seldom owners look else, all of them hear within
/// this time that they should hold still.
const BESIDE: Duration = Duration::from_millis(500);

/// How often it looks meanwhile whether the new rows answer.
pub(super) const LOOKS: Duration = Duration::from_millis(50);

/// When an owner held still last.
#[derive(Debug, Clone, Copy)]
pub(super) struct Still {
    began: Instant,
    /// Up to where the new rows had come.
    reached: Position,
}

impl Worker {
    fn longest_still(&self) -> Duration {
        (self.settings.polling * 2).clamp(SHORTEST, LONGEST)
    }

    /// Whether it holds still now.
    pub(super) fn holds_still(&self, owned: &Owned) -> bool {
        owned.still.is_some_and(|still| still.began.elapsed() < self.longest_still())
    }

    /// How often it looks at what is kept.
    pub(super) fn looks_every(&self, owned: &Owned) -> Duration {
        let every = self.settings.polling;
        match owned.has_beside {
            _ if self.holds_still(owned) => every.min(LOOKS),
            true => every.min(BESIDE),
            false => every,
        }
    }

    /// Whether those hold still now who look seldom, and hear of what is built at different times: as they all read it, by the
    /// time of whoever builds.
    fn is_time(&self, rebuild: &Rebuild) -> bool {
        let looks_seldom = self.longest_still() == LONGEST;
        let Some(since) = rebuild.switching_since.filter(|_| looks_seldom) else { return true };
        let waited = Duration::from_millis(rebuild.worked.saturating_sub(since));
        let round = (LONGEST * (APART + 1)).as_millis();
        waited.as_millis() % round < (BESIDE + TELL).as_millis()
    }

    /// Holds still from now on, if new rows wait to take the place of these.
    pub(super) async fn make_way(&self, owned: &mut Owned, entry: &CatalogEntry) {
        owned.has_beside = entry.building.is_some();
        let Some(building) = entry.building else { return };
        let goes_on = self.longest_still() * APART;
        if owned.still.is_some_and(|still| still.began.elapsed() < goes_on) {
            return;
        }
        // What the store does not tell now, it tells the next time.
        let Ok(rebuilds) = self.rows.rebuilds().await else { return };
        let waits = rebuilds.into_iter().find(|rebuild| {
            (&rebuild.projection, rebuild.version) == (&entry.projection, entry.version)
                && rebuild.key.is_none()
                && rebuild.state == RebuildState::Switching
                && rebuild.generation == Some(building)
        });
        let waits = waits.filter(|rebuild| self.is_time(rebuild));
        let Some(reached) = waits.map(|rebuild| rebuild.position) else { return };
        // If they have come no further since, whoever built them is gone.
        if owned.still.is_none_or(|still| still.reached != reached) {
            owned.still = Some(Still { began: Instant::now(), reached });
        }
    }
}
