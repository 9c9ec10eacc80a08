//! The replay: each row of a log as a command, sent by its name at the instant at which it happened.

use std::collections::HashMap;
use std::time::Duration;

use annals::prelude::*;
use annals_postgres::PostgresStore;
use futures::stream::{self, StreamExt, TryStreamExt};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::Fault;
use crate::activity::Activity;
use crate::log::{Log, Row};
use crate::permit_case::{CompleteTask, ConfirmReceipt, PermitCase};

/// How long a row is known under its key: for ever, as long as a log may come again.
const KEY_LIFETIME: Duration = Duration::MAX;

/// How many parts of a log are recorded at once.
const PARTS_AT_A_TIME: usize = 16;

/// The cases of a log, as a replay has left them in the store.
pub(crate) struct Replayed<S> {
    pub(crate) store: S,
    /// The receipt of the row that is furthest in the store.
    pub(crate) last: Option<Receipt>,
    /// The lines that were not recorded, in their order.
    pub(crate) problems: Vec<Problem>,
}

/// A line that was not recorded.
#[derive(Debug, Serialize)]
pub(crate) struct Problem {
    pub(crate) line: u64,
    pub(crate) kind: ProblemKind,
    pub(crate) message: String,
}

/// Who did not want a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ProblemKind {
    /// It cannot be read, or is no command.
    Error,
    /// The domain refused it.
    Refusal,
}

/// Replays a log in memory, in the order of time; rows of one instant in the order of their lines.
///
/// The clock of the store is set to each row's instant, so that what the store says was recorded by an instant is what
/// the office had done by then, and a case can be loaded as of any instant.
pub(crate) async fn in_memory(
    log: Log,
    progress: &ProgressBar,
) -> Result<Replayed<MemoryStore>, Fault> {
    let clock = ManualClock::at(Timestamp::MIN);
    let store = MemoryStore::builder().clock(clock.clone()).build();
    let bus = CommandBus::builder(store.clone()).clock(clock.clone()).key_lifetime(KEY_LIFETIME);
    let set_clock = |instant| clock.set(instant);
    replay(log, |rows| vec![rows], store, &bus.build()?, set_clock, progress).await
}

/// Replays a log in the database at an address, each case in the order of time; what was recorded there before stays, and is
/// not recorded again.
///
/// The clock is the server's: what the store says was recorded at an instant was replayed then.
pub(crate) async fn in_database(
    log: Log,
    url: &str,
    progress: &ProgressBar,
) -> Result<Replayed<PostgresStore>, Fault> {
    let store = PostgresStore::connect(url).await?;
    store.migrate().await?;
    let bus = CommandBus::builder(store.clone()).key_lifetime(KEY_LIFETIME);
    replay(log, by_case, store, &bus.build()?, |_| (), progress).await
}

fn by_case(rows: Vec<Row>) -> Vec<Vec<Row>> {
    let mut cases: HashMap<String, Vec<Row>> = HashMap::new();
    for row in rows {
        cases.entry(row.case.clone()).or_default().push(row);
    }
    cases.into_values().collect()
}

/// Replays a log in parts, some at a time.
async fn replay<S>(
    log: Log,
    parts: impl FnOnce(Vec<Row>) -> Vec<Vec<Row>>,
    store: S,
    bus: &CommandBus,
    set_clock: impl Fn(Timestamp),
    progress: &ProgressBar,
) -> Result<Replayed<S>, Fault> {
    let Log { mut rows, faults } = log;
    let mut problems: Vec<Problem> =
        faults.into_iter().map(|(line, error)| Problem::error(line, &error.to_string())).collect();
    rows.sort_by_key(|row| row.happened_at);
    progress.set_length(rows.len() as u64);
    let parts = parts(rows).into_iter().map(|rows| record(rows, bus, &set_clock, progress));
    let mut parts = stream::iter(parts).buffer_unordered(PARTS_AT_A_TIME);
    let mut last: Option<Receipt> = None;
    while let Some(recorded) = parts.try_next().await? {
        last = last.into_iter().chain(recorded.last).max_by_key(|receipt| receipt.position);
        problems.extend(recorded.problems);
    }
    problems.sort_by_key(|problem| problem.line);
    Ok(Replayed { store, last, problems })
}

/// What came of some rows.
#[derive(Default)]
struct Recorded {
    last: Option<Receipt>,
    problems: Vec<Problem>,
}

/// Records rows, one after the other.
async fn record(
    rows: Vec<Row>,
    bus: &CommandBus,
    set_clock: impl Fn(Timestamp),
    progress: &ProgressBar,
) -> Result<Recorded, Fault> {
    let mut keys = Keys::default();
    let Recorded { mut last, mut problems } = Recorded::default();
    for row in rows {
        let (line, happened_at) = (row.line, row.happened_at);
        set_clock(happened_at);
        let (name, content) = command(row);
        let key = keys.of(name, &content);
        match bus.dispatch_json(name, content).idempotency_key(key).issued_at(happened_at).await {
            Ok(receipt) => {
                last = last.into_iter().chain([receipt]).max_by_key(|receipt| receipt.position);
            }
            Err(refused) if refused.is_refusal() => {
                let kind = ProblemKind::Refusal;
                problems.push(Problem { line, kind, message: format!("refused: {refused}") });
            }
            Err(invalid @ DispatchError::InvalidCommand { .. }) => {
                problems.push(Problem::error(line, &invalid.to_string()));
            }
            Err(fault) => return Err(fault.into()),
        }
        progress.inc(1);
    }
    Ok(Recorded { last, problems })
}

/// The keys under which rows are recorded: the same for a row whenever its log is replayed, and another for each of several
/// rows of a log that are the same, so that the case sees the second and refuses it.
#[derive(Default)]
struct Keys {
    seen: HashMap<u128, u32>,
}

impl Keys {
    fn of(&mut self, name: &str, content: &Value) -> String {
        let digest = Sha256::digest(format!("{name} {content}"));
        let (digest, _) = digest.split_first_chunk().expect("a digest has 32 bytes");
        let digest = u128::from_be_bytes(*digest);
        let seen = self.seen.entry(digest).or_default();
        *seen += 1;
        format!("{digest:032x}-{seen}")
    }
}

/// Reads the events of cases behind a position.
pub(crate) fn events_after(position: Position) -> ReadAll {
    ReadAll::after(position).filter(EventFilter::all().categories([PermitCase::CATEGORY]))
}

/// The bar that a replay moves on; nothing is shown where standard error is not a terminal.
pub(crate) fn progress() -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:40} {pos} of {len} rows, {eta} left");
    ProgressBar::new(0).with_style(style.expect("a valid template"))
}

/// The command by which a row is recorded: its name and its content.
fn command(row: Row) -> (&'static str, Value) {
    let Row { case, activity, happened_at, by, .. } = row;
    match activity {
        Activity::Confirmation => {
            (ConfirmReceipt::NAME, json!({ "case": case, "happened_at": happened_at, "by": by }))
        }
        Activity::Task(task) => (
            CompleteTask::NAME,
            json!({ "case": case, "task": task, "happened_at": happened_at, "by": by }),
        ),
    }
}

impl Problem {
    fn error(line: u64, message: &str) -> Self {
        Self { line, kind: ProblemKind::Error, message: message.to_owned() }
    }
}
