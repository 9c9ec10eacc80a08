//! Tests of projections: what has happened, and the rows that say so.

use std::collections::{BTreeMap, HashSet};
use std::fmt::Write;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use annals::projection::{Batch, BatchError, ParkedEvent, Projector, projector};
use annals::read_model::{IntoColumn, ModelKey, Row, RowKey, Select};
use annals::{
    CheckpointChange, EventStore, Fence, MemoryStore, Position, Projection, ReadModelStore,
    RecordedEvent, RowChange, StoreError, WriteError,
};
use async_trait::async_trait;

use crate::conformance::faulty::{Fault, Faulty};
use crate::history::{History, IntoHistory};
use crate::report;
use crate::runtime::block_on;

/// A projection under test.
///
/// Each expectation folds the whole history in several ways: in one batch, event by event, and with each batch lost before it was
/// written, or its answer lost after that, and all done again from the checkpoint. All have to give the same rows, or the test
/// fails: a row must not depend on how events are batched, nor on how often a step is run.
pub struct ProjectionTest<P: Projection> {
    history: History,
    story: Vec<String>,
    of: PhantomData<fn() -> P>,
}

/// What a history gives.
struct Projected {
    rows: BTreeMap<RowKey, Row>,
    parked: Vec<ParkedEvent>,
}

/// How a history is delivered.
#[derive(Debug, Clone, Copy)]
enum Delivery {
    InOneBatch,
    OneByOne,
    EachBatchLostOnce,
    EachAnswerLost,
}

#[expect(
    clippy::return_self_not_must_use,
    reason = "an expectation is checked where it stands, and the last one ends the test"
)]
impl<P: Projection> ProjectionTest<P> {
    #[track_caller]
    pub(crate) fn new(history: History) -> Self {
        let story = history.events().iter().map(|event| line("given", event)).collect();
        Self { history, story, of: PhantomData }
    }

    /// Adds what happens next: one event, an array or a `Vec`.
    #[track_caller]
    pub fn when(mut self, events: impl IntoHistory) -> Self {
        let events = events.into_history();
        self.story.extend(events.iter().map(|event| line("when ", event)));
        self.history.extend(events);
        self
    }

    /// Expects a row, and expects it to say this.
    ///
    /// # Panics
    ///
    /// If there is none, it says something else, or an event failed for it.
    #[track_caller]
    #[expect(clippy::needless_pass_by_value, reason = "an expectation is written in place")]
    pub fn then_row(self, key: impl IntoColumn<P::Key>, expected: P) -> Self {
        let projected = self.project();
        let key = key_of::<P>(&key.into_column());
        self.expect_done(&projected, |parked| parked.key == key.to_string());
        let expected = match expected.to_row() {
            Ok(row) => row,
            Err(error) => panic!("the expected row `{key}` does not go into the table: {error}"),
        };
        let Some(found) = projected.rows.get(&key) else {
            self.fail(&format!(
                "there is no row `{key}` of `{}`{}",
                P::TABLE.name,
                keys(&projected)
            ));
        };
        if *found != expected {
            let difference =
                report::diff(&columns::<P>(&expected), &columns::<P>(found), "expected", "found");
            self.fail(&format!("row `{key}` of `{}` differs\n\n{difference}", P::TABLE.name));
        }
        self
    }

    /// Expects that there is no row of a key.
    ///
    /// # Panics
    ///
    /// If there is one, or an event failed for it.
    #[track_caller]
    pub fn then_no_row(self, key: impl IntoColumn<P::Key>) -> Self {
        let projected = self.project();
        let key = key_of::<P>(&key.into_column());
        self.expect_done(&projected, |parked| parked.key == key.to_string());
        if let Some(found) = projected.rows.get(&key) {
            let row = columns::<P>(found);
            self.fail(&format!("there is a row `{key}` of `{}`:\n{row}", P::TABLE.name));
        }
        self
    }

    /// Hands all rows, in the order of their keys, to a closure that asserts something.
    ///
    /// With `insta`, it is one line: `.then_rows(|rows| insta::assert_debug_snapshot!(rows))`.
    ///
    /// # Panics
    ///
    /// If an event failed.
    #[track_caller]
    pub fn then_rows(self, check: impl FnOnce(Vec<P>)) -> Self {
        let projected = self.project();
        self.expect_done(&projected, |_| true);
        let rows = projected.rows.into_values().map(|row| match P::from_row(row) {
            Ok(row) => row,
            Err(error) => {
                panic!("a row of `{}` does not read as its type: {error}", P::TABLE.name)
            }
        });
        check(rows.collect());
        self
    }

    /// Expects that an event failed for a row, and that the message contains this.
    ///
    /// # Panics
    ///
    /// If none failed, or for another reason.
    #[track_caller]
    pub fn then_parked(self, key: impl IntoColumn<P::Key>, message: &str) -> Self {
        let projected = self.project();
        let key = key_of::<P>(&key.into_column()).to_string();
        let failed = projected.parked.iter().find(|parked| parked.key == key);
        let Some(failed) = failed else {
            self.fail(&format!("no event failed for row `{key}` of `{}`", P::TABLE.name));
        };
        if !failed.error.contains(message) {
            let error = &failed.error;
            self.fail(&format!("row `{key}`: expected an error with `{message}`, found `{error}`"));
        }
        self
    }

    #[track_caller]
    fn expect_done(&self, projected: &Projected, of: impl Fn(&ParkedEvent) -> bool) {
        if let Some(failed) = projected.parked.iter().find(|parked| of(parked)) {
            let ParkedEvent { event_type, position, key, error, .. } = failed;
            self.fail(&format!(
                "event {event_type} (number {position}) failed for row `{key}`: {error}"
            ));
        }
    }

    /// Delivers the history in each way, and expects the same of each.
    #[track_caller]
    fn project(&self) -> Projected {
        let first = self.deliver(Delivery::InOneBatch);
        for (delivery, how) in [
            (Delivery::OneByOne, "event by event"),
            (Delivery::EachBatchLostOnce, "with each batch lost once and done again"),
            (Delivery::EachAnswerLost, "with the answer to each batch lost"),
        ] {
            let other = self.deliver(delivery);
            let (one, two) = (shown::<P>(&first), shown::<P>(&other));
            if one != two {
                let difference = report::diff(&one, &two, "in one batch", how);
                self.fail(&format!(
                    "the rows of `{}` depend on how events are delivered: a step reads or changes something beside its row and its event, or rows have the same value of a unique column for a while\n\n{difference}",
                    P::TABLE.name
                ));
            }
        }
        first
    }

    #[track_caller]
    fn deliver(&self, delivery: Delivery) -> Projected {
        match block_on(deliver::<P>(self.history.events(), delivery)) {
            Ok(projected) => projected,
            Err(error) => self.fail(&error),
        }
    }

    #[track_caller]
    fn fail(&self, message: &str) -> ! {
        panic!("{}\n\n{message}", report::story(&self.story))
    }
}

#[track_caller]
fn key_of<P: Projection>(key: &P::Key) -> RowKey {
    match key.to_row_key() {
        Ok(key) => key,
        Err(error) => panic!("the key does not go into its columns: {error}"),
    }
}

fn line(word: &str, event: &RecordedEvent) -> String {
    format!("{word}  {}", report::recorded(event))
}

fn keys(projected: &Projected) -> String {
    let keys: Vec<String> = projected.rows.keys().map(|key| format!("`{key}`")).collect();
    if keys.is_empty() {
        "; there are none".to_owned()
    } else {
        format!("; there are {}", keys.join(", "))
    }
}

/// A row as lines, so that a difference shows column by column.
fn columns<P: Projection>(row: &Row) -> String {
    P::TABLE.columns.iter().zip(&row.0).fold(String::new(), |mut text, (column, value)| {
        let _ = writeln!(text, "{}: {value}", column.name);
        text
    })
}

fn shown<P: Projection>(projected: &Projected) -> String {
    let mut text = String::new();
    for (key, row) in &projected.rows {
        let _ = writeln!(text, "row `{key}`\n{}", columns::<P>(row));
    }
    for ParkedEvent { event_type, position, key, error, .. } in &projected.parked {
        let _ = writeln!(text, "parked for `{key}`: {event_type} (number {position}) {error}");
    }
    text
}

async fn deliver<P: Projection>(
    events: &[RecordedEvent],
    delivery: Delivery,
) -> Result<Projected, String> {
    let store = MemoryStore::new();
    let projector = projector::<P>();
    let filter = projector.filter();
    let taken: Vec<RecordedEvent> = events
        .iter()
        .filter(|event| filter.matches(&event.event_type, &event.stream_id))
        .cloned()
        .collect();
    store.prepare(projector.definition()).await.map_err(|error| report::in_words(&error))?;
    let reader = projector.definition().reader(1);
    let fence = store.claim_lease(&reader, "test", Duration::from_hours(1)).await;
    let fence = fence
        .map_err(|error| report::in_words(&error))?
        .ok_or("bug in annals-testing: a lease is taken")?;
    let size = if matches!(delivery, Delivery::OneByOne) { 1 } else { taken.len().max(1) };
    let mut run = Run { store, projector, fence, waiting: HashSet::new() };
    for batch in taken.chunks(size) {
        let lost = match delivery {
            Delivery::InOneBatch | Delivery::OneByOne => None,
            Delivery::EachBatchLostOnce => Some(Lost::Write),
            Delivery::EachAnswerLost => Some(Lost::Answer),
        };
        let rest = match lost {
            Some(lost) => run.lose(batch, lost).await.map_err(|error| report::in_words(&error))?,
            None => batch,
        };
        if !rest.is_empty() {
            run.apply(rest).await?;
        }
    }
    let rows = run.store.select(P::TABLE, P::VERSION, &Select::all(P::TABLE)).await;
    let rows = rows.map_err(|error| report::in_words(&error))?.unwrap_or_default();
    let parked = run.store.parked(&reader, None).await.map_err(|error| report::in_words(&error))?;
    let rows = rows.into_iter().map(|row| (P::TABLE.key_of(&row), row)).collect();
    Ok(Projected { rows, parked })
}

/// Batches on their way.
struct Run {
    store: MemoryStore,
    projector: Arc<dyn Projector>,
    fence: Fence,
    waiting: HashSet<String>,
}

impl Run {
    /// Does a batch of which something is lost, and tells what is behind the checkpoint then, as an engine finds out.
    async fn lose<'e>(
        &mut self,
        events: &'e [RecordedEvent],
        lost: Lost,
    ) -> Result<&'e [RecordedEvent], StoreError> {
        let lossy = Faulty::new(self.store.clone(), lost);
        // What comes of it, the checkpoint tells.
        let _ = self.projector.apply(&self.batch(&lossy, events)).await;
        let kept = self.store.checkpoint(&self.fence.id).await?.unwrap_or_default();
        let parked = self.store.parked(&self.fence.id, None).await?;
        for due in parked.iter().filter(|event| event.retry_at.is_some()) {
            // One that was about to be done for each of its rows by itself.
            let of_due = events.iter().position(|event| event.position == due.position);
            let of_due = of_due.map_or(&events[..0], |index| &events[index..=index]);
            let mut batch = self.batch(&self.store, of_due);
            batch.checkpoint.position = kept;
            batch.only = Some(&due.key);
            // What comes of it, too.
            let _ = self.projector.apply(&batch).await;
        }
        let parked = self.store.parked(&self.fence.id, None).await?;
        self.waiting.extend(parked.into_iter().map(|event| event.key));
        Ok(&events[events.partition_point(|event| event.position <= kept)..])
    }

    async fn apply(&mut self, events: &[RecordedEvent]) -> Result<(), String> {
        match self.projector.apply(&self.batch(&self.store, events)).await {
            Ok(done) => {
                self.waiting.extend(done.parked.into_iter().map(|event| event.key));
                Ok(())
            }
            // As the engine does: the event that cannot be applied is found.
            Err(BatchError::OneOf(_)) if events.len() > 1 => {
                for event in events {
                    Box::pin(self.apply(std::slice::from_ref(event))).await?;
                }
                Ok(())
            }
            Err(BatchError::Unreadable { index, source }) => {
                let event = &events[index].event_type;
                Err(format!("event {event} cannot be read: {}", report::in_words(&source)))
            }
            Err(BatchError::Failed { index, key, error }) => {
                let event = &events[index].event_type;
                Err(format!(
                    "event {event} failed for row `{key}`, and stops the projection: {error}"
                ))
            }
            Err(error) => Err(report::in_words(&error)),
        }
    }

    fn batch<'a>(
        &'a self,
        store: &'a dyn ReadModelStore,
        events: &'a [RecordedEvent],
    ) -> Batch<'a> {
        let position = events.last().map_or(Position::START, |last| last.position);
        let checkpoint = CheckpointChange { fence: self.fence.clone(), position };
        Batch::new(store, self.store.codec(), 1, events, checkpoint).with_waiting(&self.waiting)
    }
}

/// What is lost of a write.
#[derive(Debug, Clone, Copy)]
enum Lost {
    Write,
    Answer,
}

#[async_trait]
impl Fault<MemoryStore> for Lost {
    async fn write_rows(
        &self,
        store: &MemoryStore,
        rows: Vec<RowChange>,
        checkpoint: CheckpointChange,
    ) -> Result<(), WriteError> {
        match self {
            Self::Write => Err(StoreError::unavailable("the write was lost").into()),
            Self::Answer => {
                // What is refused, is.
                store.write_rows(rows, checkpoint).await?;
                let source = StoreError::unavailable("the answer was lost");
                Err(WriteError::UnknownCommit { source })
            }
        }
    }
}
