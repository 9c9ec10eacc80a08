//! One append of many events.

use super::measure::in_turns;
use super::report::{Bound, Unit};
use super::{Bench, raw};

impl Bench {
    pub async fn large_append(&mut self) {
        const EVENTS: usize = 1_000;
        let mut connection = self.pool.acquire().await.expect("a connection");
        let turns = in_turns(
            self.rounds,
            async |round| self.fill(&format!("large-{round}"), EVENTS).await,
            async |round| {
                raw::append(&mut connection, &format!("tally-raw-large-{round}"), 0, EVENTS).await;
            },
        )
        .await;
        let bound = Some(Bound::RateAtLeast(0.9));
        self.report.compare(
            "append of 1,000 events, each",
            &turns,
            EVENTS,
            Unit::Microseconds,
            bound,
        );
    }
}
