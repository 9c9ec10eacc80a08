//! Sends the calls of a batch until each has its answer: through conflicts, deadlocks and lost connections.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use annals::metrics::{BATCH_CALLS, BATCH_EVENTS};
use annals::{Append, Receipt, StoreError};
use futures::FutureExt;
use futures::future::BoxFuture;
use sqlx::postgres::PgConnection;

use super::Call;
use super::batch::{Batch, Given};
use super::known::{Known, Verdict};
use super::outage::{DOING, Outage, unknown_or};
use crate::database::Database;
use crate::error::Failure;

/// How often a group may meet what others have just stored.
const TRIES: u32 = 1_000;

/// After how many tries a group leaves others some time.
const HASTY: u32 = 10;

/// Whose lock is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Waiting {
    /// Nobody's for long: other callers wait behind this batch.
    Short,
    /// Anybody's: nobody else is in this batch.
    Long,
}

/// Sends a batch until each of its calls has an answer.
///
/// A call that meets the lock of a transaction which goes on for longer is answered by a task of its own, so that nobody
/// waits with it.
pub(super) async fn settle(
    database: &Arc<Database>,
    writer: &mut Option<PgConnection>,
    calls: Vec<Call>,
) {
    settle_group(database, writer, Group::new(calls, false), Waiting::Short).await;
}

/// Settles one call over a connection of its own.
fn settle_aside(database: Arc<Database>, group: Group) -> BoxFuture<'static, ()> {
    async move {
        // So many at once at most; the others wait for their turn.
        let Ok(_turn) = database.aside.acquire().await else { return };
        settle_group(&database, &mut None, group, Waiting::Long).await;
    }
    .boxed()
}

async fn settle_group(
    database: &Arc<Database>,
    writer: &mut Option<PgConnection>,
    group: Group,
    waiting: Waiting,
) {
    let mut groups = VecDeque::from([group]);
    let mut outage = Outage::new(database.patience);
    while let Some(mut group) = groups.pop_front() {
        group.tries += 1;
        if group.tries > HASTY {
            outage.pause().await;
        }
        let sent = group.send(database, writer, waiting).await;
        let failure = match sent {
            Ok(Sent::Stored(receipts)) => {
                outage = Outage::new(database.patience);
                group.answer_all(receipts);
                continue;
            }
            Ok(Sent::Met) | Err(Failure::Taken) if group.tries > TRIES => {
                let message = "append: others were faster each time";
                Failure::Failed(StoreError::unavailable(message))
            }
            Ok(Sent::Met) | Err(Failure::Taken) => {
                match group.look(database, writer, waiting).await {
                    Ok((go, later)) => {
                        groups.extend(later);
                        if let Some(go) = go {
                            groups.push_front(go);
                        }
                        continue;
                    }
                    Err(failure) => failure,
                }
            }
            Err(failure) => failure,
        };
        let is_lost = matches!(failure, Failure::Lost(_));
        match failure {
            // What the database refuses, it refuses for the sake of one of them: each goes alone.
            Failure::Failed(_) | Failure::Blocked(_) if group.calls.len() > 1 => {
                groups.extend(group.each_alone());
            }
            Failure::Blocked(_) if waiting == Waiting::Short => {
                tokio::spawn(settle_aside(database.clone(), group));
            }
            Failure::Failed(error) | Failure::Blocked(error) => group.fail_all(&error),
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
    tries: u32,
}

/// What came of a statement.
enum Sent {
    /// All was stored.
    Stored(Vec<Receipt>),
    /// A stream is not where it was expected, and nothing was stored.
    Met,
}

impl Group {
    fn new(calls: Vec<Call>, is_lost: bool) -> Self {
        Self { calls, is_lost, tries: 0 }
    }

    fn each_alone(self) -> impl Iterator<Item = Self> {
        let is_lost = self.is_lost;
        self.calls.into_iter().map(move |call| Self::new(vec![call], is_lost))
    }

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
        waiting: Waiting,
    ) -> Result<Sent, Failure> {
        let batch = Batch::of(self.appends()).map_err(unwritable)?;
        let mut connection = connection(database, writer, waiting).await?;
        self.measure();
        let query = batch.query(&database.statements);
        let row = database.answered(DOING, query.fetch_optional(&mut connection)).await;
        keep(writer, connection, row.as_ref().err());
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
        waiting: Waiting,
    ) -> Result<(Option<Self>, Option<Self>), Failure> {
        let appends: Vec<&Append> = self.appends().collect();
        let mut connection = connection(database, writer, waiting).await?;
        let looking = Known::look(&mut connection, &database.statements, &appends);
        let looked = database.answered(DOING, looking).await;
        keep(writer, connection, looked.as_ref().err());
        let mut known = looked?;
        let (mut go, mut later) = (Vec::new(), Vec::new());
        for call in std::mem::take(&mut self.calls) {
            match known.decide(&call.appends) {
                Verdict::Answer(answer) => call.answer(answer),
                Verdict::Go => go.push(call),
                Verdict::Later => later.push(call),
            }
        }
        let (is_lost, tries) = (self.is_lost, self.tries);
        let group =
            |calls: Vec<Call>| (!calls.is_empty()).then_some(Self { calls, is_lost, tries });
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
    waiting: Waiting,
) -> Result<PgConnection, Failure> {
    if let Some(connection) = writer.take() {
        return Ok(connection);
    }
    let lock_timeout = match waiting {
        Waiting::Short => SHORT,
        Waiting::Long => database.silence,
    };
    database.connect_writer(DOING, lock_timeout).await.map_err(unconnected)
}

/// How long a batch waits for the lock of another transaction, while callers wait for it.
const SHORT: Duration = Duration::from_millis(200);

/// Keeps the writer's connection, unless it failed or leads to a server that takes no writes.
fn keep(writer: &mut Option<PgConnection>, connection: PgConnection, failure: Option<&Failure>) {
    let is_of_use = match failure {
        Some(Failure::Lost(_)) => false,
        Some(Failure::Failed(error)) => !error.is_unavailable(),
        _ => true,
    };
    if is_of_use {
        *writer = Some(connection);
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
