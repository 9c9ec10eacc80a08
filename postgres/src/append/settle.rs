//! Sends the calls of a batch until each has its answer: through conflicts, deadlocks and lost connections.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use annals::metrics::{BATCH_CALLS, BATCH_EVENTS};
use annals::{Append, Receipt, StoreError};
use sqlx::Connection;
use sqlx::postgres::{PgConnection, PgRow};

use super::aside::{self, Streams};
use super::batch::{Batch, Given};
use super::known::{Known, Verdict};
use super::outage::{DOING, HASTY, Outage, TRIES};
use super::{Call, Shared};
use crate::database::{Database, Query};
use crate::error::{Failure, store_error};

/// How long a lock of another transaction is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Waiting {
    /// As long as the connection says: other callers wait behind this batch.
    Short,
    /// So long.
    For(Duration),
}

/// How long a batch waits for the lock of another transaction, while callers wait for it.
const SHORT: Duration = Duration::from_millis(200);

/// How long each part of a batch waits that met such a lock, to find out whose it is.
const BRIEF: Duration = Duration::from_millis(10);

/// Calls that touch the same streams, which another transaction holds.
pub(super) struct Blocked {
    pub(super) calls: Vec<Call>,
    pub(super) error: StoreError,
}

/// Sends a batch until each of its calls has an answer.
///
/// Calls that meet the lock of a transaction which goes on for longer are [set aside](aside), and so are those that come
/// after them to the same streams, so that nobody else waits with them.
pub(super) async fn settle(
    shared: &Arc<Shared>,
    writer: &mut Option<PgConnection>,
    calls: Vec<Call>,
) {
    let calls = shared.aside.join(calls);
    for blocked in settle_calls(shared, writer, calls, Waiting::Short).await {
        aside::set_aside(shared, blocked);
    }
}

/// Sends calls that touch the same streams over a connection of their own, and waits for so long; gives back those that are
/// still blocked.
pub(super) async fn settle_aside(
    shared: &Arc<Shared>,
    calls: Vec<Call>,
    wait: Duration,
) -> Option<Blocked> {
    let mut writer = None;
    let blocked = settle_calls(shared, &mut writer, calls, Waiting::For(wait)).await;
    if let Some(writer) = writer {
        shared.database.writers.put(writer);
    }
    blocked.into_iter().reduce(|mut all, next| {
        all.calls.extend(next.calls);
        all
    })
}

async fn settle_calls(
    shared: &Arc<Shared>,
    writer: &mut Option<PgConnection>,
    calls: Vec<Call>,
    waiting: Waiting,
) -> Vec<Blocked> {
    let database = &*shared.database;
    let mut groups = VecDeque::from_iter(Group::new(calls, waiting));
    let mut outage = Outage::new(database.patience);
    let mut all_blocked = Vec::new();
    while let Some(mut group) = groups.pop_front() {
        group.tries += 1;
        if group.tries > HASTY {
            outage.pause().await;
        }
        let failure = match group.send(database, writer).await {
            Ok(Sent::Stored(receipts)) => {
                outage = Outage::new(database.patience);
                group.answer_all(receipts);
                continue;
            }
            Ok(Sent::Met) | Err(Failure::Taken) if group.tries > TRIES => {
                let message = "append: others were faster each time";
                Failure::Failed(StoreError::unavailable(message))
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
            // What the database refuses, it refuses for the sake of one of them.
            Failure::Failed(_) if group.calls.len() > 1 => push_front(&mut groups, group.halves()),
            Failure::Failed(error) => group.fail_all(&error),
            Failure::Blocked(error) => match group.parts_by_streams() {
                Ok(parts) => push_front(&mut groups, parts),
                Err(calls) => all_blocked.push(Blocked { calls, error }),
            },
            Failure::Taken => groups.push_front(group),
            Failure::Undone(error) | Failure::Lost(error) => {
                group.mark_lost(is_lost);
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
    all_blocked
}

/// Calls that go together.
struct Group {
    calls: Vec<Call>,
    waiting: Waiting,
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
    /// They go by the names of their streams, those to one stream in their order: so the plain statement takes them.
    fn new(mut calls: Vec<Call>, waiting: Waiting) -> Option<Self> {
        calls.sort_by(|one, two| one.first_stream().cmp(&two.first_stream()));
        (!calls.is_empty()).then_some(Self { calls, waiting, tries: 0 })
    }

    /// Whose content it is that the database refuses is found in a few steps.
    fn halves(mut self) -> [Option<Self>; 2] {
        let second = self.calls.split_off(self.calls.len() / 2);
        [self.calls, second].map(|calls| Self::new(calls, self.waiting))
    }

    /// Divides the calls by the streams that they touch; gives them back if these are the same.
    fn parts_by_streams(self) -> Result<[Option<Self>; 2], Vec<Call>> {
        let streams: Vec<Streams> = self.calls.iter().map(Call::streams).collect();
        let mut all: Vec<&Streams> = streams.iter().collect();
        all.sort_unstable();
        all.dedup();
        if all.len() < 2 {
            return Err(self.calls);
        }
        let middle = all[all.len() / 2];
        let (mut first, mut second) = (Vec::new(), Vec::new());
        for (call, streams) in self.calls.into_iter().zip(&streams) {
            if streams < middle { first.push(call) } else { second.push(call) }
        }
        Ok([first, second].map(|calls| Self::new(calls, Waiting::For(BRIEF))))
    }

    fn mark_lost(&mut self, is_lost: bool) {
        for call in &mut self.calls {
            call.is_lost |= is_lost;
        }
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
    ) -> Result<Sent, Failure> {
        let batch = Batch::of(self.appends()).map_err(unwritable)?;
        let mut connection = connection(database, writer).await?;
        self.measure();
        let query = batch.query_alone(&database.statements);
        let sending = self.waiting.fetch(database, &mut connection, query);
        let rows = database.answered(DOING, sending).await;
        keep(writer, connection, rows.as_ref().err());
        // It is stored: sent again, it is found.
        let unread = |error| Failure::Lost(store_error(DOING, error));
        let given = Given::read(&rows?).map_err(unread)?;
        Ok(given.map_or(Sent::Met, |given| Sent::Stored(batch.receipts(&given))))
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
        let looking = Known::look(&mut connection, &database.statements, &appends);
        let looked = database.answered(DOING, looking).await;
        keep(writer, connection, looked.as_ref().err());
        let mut known = looked.map_err(Failure::nothing_sent)?;
        let (mut go, mut later) = (Vec::new(), Vec::new());
        for call in std::mem::take(&mut self.calls) {
            match known.decide(&call.appends) {
                Verdict::Answer(answer) => call.answer(answer),
                Verdict::Go => go.push(call),
                Verdict::Later => later.push(call),
            }
        }
        let (waiting, tries) = (self.waiting, self.tries);
        let group = |calls| Some(Self { tries, ..Self::new(calls, waiting)? });
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
            call.fail(error);
        }
    }
}

/// The writer's connection, or one that nobody has now, which may have come back since, or a new one in its place.
async fn connection(
    database: &Database,
    writer: &mut Option<PgConnection>,
) -> Result<PgConnection, Failure> {
    if let Some(connection) = writer.take().or_else(|| database.writers.take()) {
        return Ok(connection);
    }
    let lock_timeout = SHORT.min(database.longest_lock());
    database.connect_writer(DOING, lock_timeout).await.map_err(unconnected)
}

impl Waiting {
    /// Sends an append that waits for so long.
    async fn fetch(
        self,
        database: &Database,
        connection: &mut PgConnection,
        query: Query<'_>,
    ) -> Result<Vec<PgRow>, sqlx::Error> {
        let Self::For(wait) = self else { return query.fetch_all(connection).await };
        let mut transaction = connection.begin_with(database.beginning_to_wait(wait)).await?;
        match query.fetch_all(&mut *transaction).await {
            Ok(rows) => transaction.commit().await.map(|()| rows),
            Err(error) => transaction.rollback().await.and(Err(error)),
        }
    }
}

/// Puts groups before all others, in their order.
fn push_front(groups: &mut VecDeque<Group>, parts: [Option<Group>; 2]) {
    for part in parts.into_iter().flatten().rev() {
        groups.push_front(part);
    }
}

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
pub(crate) fn unconnected(error: StoreError) -> Failure {
    if error.is_unavailable() { Failure::Undone(error) } else { Failure::Failed(error) }
}

pub(super) fn unwritable(error: serde_json::Error) -> Failure {
    let message = "append: the metadata cannot be written as JSON";
    Failure::Failed(StoreError::invalid(message).with_source(error))
}
