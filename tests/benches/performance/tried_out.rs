//! What is tried out beside all that is kept: what-ifs and dry runs over a long log, of as many rows as events and of a few.

use annals::prelude::*;
use annals::projection::Projection;
use annals::{Append, Expected, NewEvent, Payload};
use serde::{Deserialize, Serialize};

use super::Bench;
use super::projection::watched;

/// Over how many streams the events are.
const STREAMS: u64 = 1_000;

/// How many events an append has.
const APPEND: u64 = 500;

#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, AggregateId)]
pub struct LedgerId(String);

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
pub struct Noted {
    number: i64,
}

#[derive(Debug, Clone, Aggregate)]
#[aggregate(id = LedgerId, events(Noted))]
pub struct Ledger;

#[handlers]
impl Ledger {
    #[apply(upsert)]
    fn noted(_: Option<Self>, _: &Noted) -> Self {
        Self
    }
}

/// A row for each event.
#[derive(Debug, Clone, PartialEq, ReadModel)]
#[read_model(table = "notes")]
pub struct Note {
    #[read_model(key)]
    number: i64,
    says: String,
}

#[projection]
impl Note {
    #[on(upsert, key = number)]
    fn noted(_: Option<Self>, event: &Noted) -> Self {
        Self { number: event.number, says: format!("what was noted under {}", event.number) }
    }
}

/// A thousand rows.
#[derive(Debug, Clone, PartialEq, ReadModel)]
#[read_model(table = "note_counts")]
pub struct NoteCount {
    #[read_model(key)]
    bucket: i64,
    notes: i64,
}

#[projection]
impl NoteCount {
    #[on(upsert, key = |event| event.number % 1_000)]
    fn noted(row: Option<Self>, event: &Noted) -> Self {
        Self { bucket: event.number % 1_000, notes: row.map_or(0, |row| row.notes) + 1 }
    }
}

impl Bench {
    pub async fn tried_out(&mut self) {
        let events: u64 = if self.report.is_quick() { 100_000 } else { 1_000_000 };
        self.noted(events).await;
        self.tries::<Note>(&format!("{events} events over as many rows")).await;
        self.tries::<NoteCount>(&format!("{events} events over 1000 rows")).await;
    }

    /// Has events noted, each under a number of its own.
    async fn noted(&self, events: u64) {
        for first in (0..events).step_by(usize::try_from(APPEND).expect("few enough")) {
            let noted = |number| {
                let data = Payload::new(format!(r#"{{"number":{number}}}"#));
                NewEvent::new(uuid::Uuid::now_v7(), "Noted", 1, data)
            };
            let noted = (first..events.min(first + APPEND)).map(noted).collect();
            let stream = StreamId::new("ledger", first / APPEND % STREAMS);
            let append = Append::new(stream, Expected::Any, noted);
            self.store.append(vec![append]).await.expect("appended");
        }
    }

    /// Tries a projection out before it runs, and looks, once it does, what a rebuild would change.
    async fn tries<P: Projection>(&mut self, load: &str) {
        let operator = ProjectionEngine::builder(self.store.clone()).register::<P>().operator();
        let operator = operator.expect("an operator");
        let what_if = operator.what_if::<P>();
        let rows = watched(&mut self.report, &format!("what-if: {load}"), what_if).await;
        let rows = rows.expect("folded");
        let count = rows.read_models().query::<P>().count().await.expect("counted");
        rows.close().await.expect("dropped");

        let engine = ProjectionEngine::builder(self.store.clone()).register::<P>();
        let engine = engine.start().await.expect("an engine");
        let rebuild = engine.rebuild::<P>();
        watched(&mut self.report, &format!("rebuild: {load}"), rebuild).await.expect("rebuilt");
        let dry_run = engine.rebuild_dry_run::<P>();
        let found = watched(&mut self.report, &format!("dry run: {load}"), dry_run).await;
        let found = found.expect("folded and compared");
        assert!(found.is_none() && found.same == count, "{found:?}");
        engine.shutdown().await.expect("it ends");
    }
}
