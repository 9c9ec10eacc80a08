//! The replay: each row of a log as a command, sent by its name at the instant at which it happened.

use annals::prelude::*;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use serde_json::{Value, json};

use crate::Fault;
use crate::activity::Activity;
use crate::log::{Log, Row};
use crate::permit_case::{CompleteTask, ConfirmReceipt};

/// The cases of a log, as a replay has left them in the store.
pub(crate) struct Replayed {
    pub(crate) store: MemoryStore,
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

/// Replays a log in the order of time; rows of one instant in the order of their lines.
///
/// The clock of the store is set to each row's instant, so that what the store says was recorded by an instant is what
/// the office had done by then, and a case can be loaded as of any instant.
pub(crate) async fn replay(log: Log, progress: &ProgressBar) -> Result<Replayed, Fault> {
    let clock = ManualClock::at(Timestamp::MIN);
    let store = MemoryStore::builder().clock(clock.clone()).build();
    let bus = CommandBus::builder(store.clone()).clock(clock.clone()).build()?;

    let Log { mut rows, faults } = log;
    let mut problems: Vec<Problem> =
        faults.into_iter().map(|(line, error)| Problem::error(line, &error.to_string())).collect();
    rows.sort_by_key(|row| row.happened_at);
    progress.set_length(rows.len() as u64);
    for row in rows {
        let (line, happened_at) = (row.line, row.happened_at);
        clock.set(happened_at);
        let (name, content) = command(row);
        match bus.dispatch_json(name, content).issued_at(happened_at).await {
            Ok(_) => {}
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
    problems.sort_by_key(|problem| problem.line);
    Ok(Replayed { store, problems })
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
