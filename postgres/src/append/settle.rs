//! Sends the calls of a batch until each has its answer: through conflicts, deadlocks and lost connections.

use std::collections::VecDeque;

use annals::metrics::{BATCH_CALLS, BATCH_EVENTS};
use annals::{Append, Receipt, StoreError};
use sqlx::postgres::PgConnection;

use super::Call;
use super::batch::{Batch, Given};
use super::known::{Known, Verdict};
use super::outage::{DOING, Outage, unknown_or};
use crate::database::Database;
use crate::error::Failure;

/// How often a batch may meet what others have just stored.
const TRIES: u32 = 1_000;

/// Sends a batch until each of its calls has an answer.
pub(super) async fn settle(
    database: &Database,
    writer: &mut Option<PgConnection>,
    calls: Vec<Call>,
) {
    let mut groups = VecDeque::from([Group { calls, is_lost: false }]);
    let mut outage = Outage::new(database.patience);
    let mut tries = 0;
    while let Some(mut group) = groups.pop_front() {
        tries += 1;
        let sent = if tries > TRIES {
            Err(Failure::Failed(StoreError::unavailable("append: others were faster each time")))
        } else {
            group.send(database, writer).await
        };
        let failure = match sent {
            Ok(Sent::Stored(receipts)) => {
                outage = Outage::new(database.patience);
                group.answer_all(receipts);
                continue;
            }
            Ok(Sent::Met) | Err(Failure::Taken) => match group.look(database, writer).await {
                Ok((go, later)) => {
                    groups.extend(later);
                    if let Some(go) = go {
                        groups.push_front(go);
                    }
                    continue;
                }
                Err(failure) => failure,
            },
            Err(failure) => failure,
        };
        let is_lost = matches!(failure, Failure::Lost(_));
        match failure {
            // What the database refuses, it refuses for the sake of one of them: each goes alone.
            Failure::Failed(_) if group.calls.len() > 1 && tries <= TRIES => {
                let alone = group.calls.into_iter();
                let is_lost = group.is_lost;
                groups.extend(alone.map(|call| Group { calls: vec![call], is_lost }));
            }
            Failure::Failed(error) => group.fail_all(&error),
            Failure::Taken => groups.push_front(group),
            Failure::Undone(error) | Failure::Lost(error) => {
                group.is_lost |= is_lost;
                if outage.is_over() {
                    group.fail_all(&error);
                } else {
                    tracing::warn!(%error, "appends are sent again");
                    outage.pause().await;
                    groups.push_front(group);
                }
            }
        }
    }
}

/// Calls that go together.
struct Group {
    calls: Vec<Call>,
    /// Whether a connection was lost with them: they may be stored.
    is_lost: bool,
}

/// What came of a statement.
enum Sent {
    /// All was stored.
    Stored(Vec<Receipt>),
    /// A stream is not where it was expected, and nothing was stored.
    Met,
}

impl Group {
    fn appends(&self) -> impl Iterator<Item = &Append> {
        self.calls.iter().flat_map(|call| &call.appends)
    }

    #[expect(clippy::cast_precision_loss, reason = "a statement has far fewer than 2^52 events")]
    fn measure(&self) {
        let events: usize = self.calls.iter().map(Call::events).sum();
        metrics::histogram!(BATCH_CALLS).record(self.calls.len() as f64);
        metrics::histogram!(BATCH_EVENTS).record(events as f64);
    }

    async fn send(
        &self,
        database: &Database,
        writer: &mut Option<PgConnection>,
    ) -> Result<Sent, Failure> {
        let batch = Batch::of(self.appends()).map_err(unwritable)?;
        let mut connection = connection(database, writer).await?;
        self.measure();
        let query = batch.query(&database.statements);
        let row = query.fetch_optional(&mut connection).await;
        let row = row.map_err(|error| Failure::of(DOING, error));
        // A connection that failed is not used again.
        if !matches!(row, Err(Failure::Lost(_))) {
            *writer = Some(connection);
        }
        let Some(row) = row? else { return Ok(Sent::Met) };
        let given = Given::read(&row).map_err(|error| Failure::of(DOING, error))?;
        Ok(Sent::Stored(batch.receipts(&given)))
    }

    /// Looks what the group has met, and answers whom it concerns; gives back those that go on, and those that wait for
    /// them.
    async fn look(
        &mut self,
        database: &Database,
        writer: &mut Option<PgConnection>,
    ) -> Result<(Option<Self>, Option<Self>), Failure> {
        let appends: Vec<&Append> = self.appends().collect();
        let mut connection = connection(database, writer).await?;
        let looked = Known::look(&mut connection, &database.statements, &appends).await;
        let mut known = match looked.map_err(|error| Failure::of(DOING, error)) {
            Ok(known) => known,
            Err(failure) => {
                if !matches!(failure, Failure::Lost(_)) {
                    *writer = Some(connection);
                }
                return Err(failure);
            }
        };
        *writer = Some(connection);
        let (mut go, mut later) = (Vec::new(), Vec::new());
        for call in std::mem::take(&mut self.calls) {
            match known.decide(&call.appends) {
                Verdict::Answer(answer) => call.answer(answer),
                Verdict::Go => go.push(call),
                Verdict::Later => later.push(call),
            }
        }
        let is_lost = self.is_lost;
        let group = |calls: Vec<Call>| (!calls.is_empty()).then_some(Self { calls, is_lost });
        Ok((group(go), group(later)))
    }

    fn answer_all(self, receipts: Vec<Receipt>) {
        let mut receipts = receipts.into_iter();
        for call in self.calls {
            let answer = receipts.by_ref().take(call.appends.len()).collect();
            call.answer(Ok(answer));
        }
    }

    fn fail_all(self, error: &StoreError) {
        for call in self.calls {
            let failed = unknown_or(self.is_lost, &call.appends, error);
            call.answer(Err(failed));
        }
    }
}

/// The writer's connection, or a new one in its place.
async fn connection(
    database: &Database,
    writer: &mut Option<PgConnection>,
) -> Result<PgConnection, Failure> {
    match writer.take() {
        Some(connection) => Ok(connection),
        None => database.connect(DOING).await.map_err(unconnected),
    }
}

/// What was not sent was not done, and may be sent later, when the server is back.
pub(super) fn unconnected(error: StoreError) -> Failure {
    if error.is_unavailable() { Failure::Undone(error) } else { Failure::Failed(error) }
}

pub(super) fn unwritable(error: serde_json::Error) -> Failure {
    let message = "append: the metadata cannot be written as JSON";
    Failure::Failed(StoreError::invalid(message).with_source(error))
}
