//! What was measured, as a table.

use std::fmt;
use std::time::Duration;

use crate::shopper::Kind;

pub(crate) struct Report<'a> {
    pub(crate) taken: &'a [(Kind, Duration)],
    pub(crate) elapsed: Duration,
}

impl Report<'_> {
    fn row(
        &self,
        f: &mut fmt::Formatter<'_>,
        name: &str,
        is: impl Fn(Kind) -> bool,
    ) -> fmt::Result {
        let taken = self.taken.iter().filter(|(kind, _)| is(*kind));
        let mut taken: Vec<Duration> = taken.map(|(_, taken)| *taken).collect();
        if taken.is_empty() {
            return Ok(());
        }
        taken.sort_unstable();
        let at = |per_mille: usize| taken[(taken.len() - 1) * per_mille / 1000].as_secs_f64() * 1e3;
        // Counts of requests are far below what a float holds exactly.
        #[expect(clippy::cast_precision_loss, reason = "a rate is shown with no such precision")]
        let rate = taken.len() as f64 / self.elapsed.as_secs_f64();
        let (count, p50, p99, p999, most) = (taken.len(), at(500), at(990), at(999), at(1000));
        writeln!(f, "{name:<20}{count:>9}{rate:>8.0}{p50:>9.2}{p99:>9.2}{p999:>10.2}{most:>9.2}")
    }
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [count, rate, p50] = ["count", "per s", "p50 ms"];
        let [p99, p999, most] = ["p99 ms", "p99.9 ms", "most ms"];
        writeln!(f, "{:<20}{count:>9}{rate:>8}{p50:>9}{p99:>9}{p999:>10}{most:>9}", "")?;
        for kind in Kind::ALL {
            self.row(f, kind.name(), |other| other == kind)?;
        }
        self.row(f, "commands", Kind::is_command)?;
        self.row(f, "queries", |kind| !kind.is_command())?;
        self.row(f, "all", |_| true)
    }
}
