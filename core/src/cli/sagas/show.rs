//! `sagas show`: one saga as its log tells.

use std::fmt::Write as _;

use clap::Args;
use serde::Serialize;
use serde_json::Value;

use super::{find, journal, not_begun, runner, state, stream_of};
use crate::cli::app::{Fault, Store, Verdict};
use crate::cli::console::{Answer, Console, cut, safe, safe_lines};
use crate::cli::table::Table;
use crate::saga::{CallOf, Direction, Entry, Kept, Logged, NotUndone, SagaRecord};
use crate::timestamp::Timestamp;

/// How many letters of an error stand in a table.
const CUT: usize = 60;

#[derive(Debug, Args)]
pub(in crate::cli) struct Showing {
    /// The saga
    name: String,
    /// The id under which it was begun
    id: String,
    /// How many records of its log, the last ones
    #[arg(long, default_value_t = 50)]
    records: usize,
}

/// `{"saga", "id", "stream", "state", "runner", "data", "failed_step", "error", "not_undone": [{"step", "error"}], "log": [{"version", "at",
/// "record", "step", "attempt", "error"}]}`: `state` is as in the list, or `completed`, `compensated` or `dropped`; `data` is as the last
/// step left it; the newest record comes last.
#[derive(Serialize)]
struct Shown {
    saga: &'static str,
    id: String,
    stream: String,
    state: &'static str,
    runner: Option<String>,
    data: Value,
    failed_step: Option<String>,
    error: Option<String>,
    not_undone: Vec<Undo>,
    log: Vec<Line>,
}

#[derive(Serialize)]
struct Undo {
    step: String,
    error: String,
}

#[derive(Serialize)]
struct Line {
    version: u64,
    at: Timestamp,
    record: &'static str,
    /// With `undo ` before it if it was undone.
    step: Option<String>,
    attempt: Option<u32>,
    error: Option<String>,
}

impl Showing {
    pub(super) async fn run(self, store: &Store, console: &mut Console) -> Result<Verdict, Fault> {
        let Self { name, id, records } = self;
        let (saga, stream_id) = (find(&name)?.name, stream_of(&name, &id));
        let log = journal(store).log(saga, &stream_id).await?;
        let kept = Kept::of(&stream_id, &log).ok_or_else(|| not_begun(saga, &id))?;
        let (instance, readers) = (kept.instance, store.readers().await?);
        let state = state(saga, &instance, &readers);
        let runner = runner(saga, instance.owner(), &readers).filter(|_| state == "running");
        let failed = instance.failed();
        let undos = instance
            .not_undone()
            .iter()
            .map(|NotUndone { step, error, .. }| Undo { step: step.clone(), error: error.clone() });
        let shown = log.iter().skip(log.len().saturating_sub(records));
        console.answer(&Shown {
            saga,
            id,
            state,
            runner,
            data: serde_json::from_str(instance.data().json.get()).unwrap_or_default(),
            failed_step: failed.map(|(step, _)| step.to_owned()),
            error: failed.map(|(_, error)| error.to_owned()),
            not_undone: undos.collect(),
            log: shown.map(Line::from).collect(),
            stream: stream_id.to_string(),
        })?;
        Ok(Verdict::wrong_if(state == "parked"))
    }
}

impl From<&Logged> for Line {
    fn from(logged: &Logged) -> Self {
        let (record, call, error) = match &logged.entry {
            Entry::Ended(_) => ("ended", None, None),
            Entry::Record(record) => match record {
                SagaRecord::Begun { .. } => ("begun", None, None),
                SagaRecord::Taken { .. } => ("taken", None, None),
                SagaRecord::Called(call) => ("called", Some(call), None),
                SagaRecord::Done { call, .. } => ("done", Some(call), None),
                SagaRecord::Failed { call, error, .. } => ("failed", Some(call), Some(error)),
                SagaRecord::Parked { .. } => ("parked", None, None),
                SagaRecord::Retried { .. } => ("retried", None, None),
            },
        };
        Self {
            version: logged.version,
            at: logged.at,
            record,
            step: call.map(|CallOf { step, direction, .. }| match direction {
                Direction::Do => step.clone(),
                Direction::Undo => format!("undo {step}"),
            }),
            attempt: call.map(|call| call.attempt),
            error: error.cloned(),
        }
    }
}

impl Answer for Shown {
    fn text(&self) -> String {
        let Self { saga, id, state, runner, data, not_undone, log, .. } = self;
        let mut text = format!("saga `{}` of `{saga}`: {state}", safe(id));
        if let Some(runner) = runner {
            let _ = write!(text, ", by {}", safe(runner));
        }
        let data = serde_json::to_string_pretty(data).unwrap_or_default();
        let _ = write!(text, "\n\n{}\n", safe_lines(&data));
        if let (Some(step), Some(error)) = (&self.failed_step, &self.error) {
            let _ = write!(text, "\nstep {} failed: {}\n", safe(step), safe(error));
        }
        for Undo { step, error } in not_undone {
            let _ = writeln!(text, "step {} is not undone: {}", safe(step), safe(error));
        }
        let mut table = Table::new(["#VERSION", "AT", "RECORD", "STEP", "#TRY", "ERROR"]);
        for Line { version, at, record, step, attempt, error } in log {
            table.row([
                version.to_string(),
                at.to_string(),
                (*record).to_owned(),
                step.clone().unwrap_or_default(),
                attempt.map(|attempt| attempt.to_string()).unwrap_or_default(),
                cut(error.as_deref().unwrap_or_default(), CUT),
            ]);
        }
        format!("{text}\n{}", table.text("no records"))
    }
}
