//! What annals measures, by the [`metrics`](https://docs.rs/metrics) crate: a program that installs a recorder gets it.
//!
//! | Name | Kind | Labels | What it tells |
//! |---|---|---|---|
//! | `annals_commands_total` | counter | `command`, `aggregate`, `outcome` | commands that were dispatched, by how they ended |
//! | `annals_command_conflicts_total` | counter | `command`, `aggregate` | tries of commands that met another writer |
//! | `annals_command_retries_total` | counter | `command`, `aggregate` | commands decided again after a conflict |
//! | `annals_append_seconds` | histogram | `aggregate` | how long the store took for a command's events |
//! | `annals_batch_calls` | histogram | | callers whose appends shared a statement (PostgreSQL) |
//! | `annals_batch_events` | histogram | | events of a statement (PostgreSQL) |
//! | `annals_replay_events` | histogram | `aggregate` | events that a load folded |
//! | `annals_replay_seconds` | histogram | `aggregate` | how long a load took |
//! | `annals_snapshot_loads_total` | counter | `aggregate`, `outcome` | loads that looked for a snapshot, by what they found |
//! | `annals_pool_wait_seconds` | histogram | | how long a connection was waited for (PostgreSQL) |
//! | `annals_subscription_delay_seconds` | gauge | `subscription` | how old the event is that was just delivered from a new page; 0 at the log's end |
//! | `annals_projection_events_total` | counter | `projection` | events that a projection has passed |
//! | `annals_projection_delay_seconds` | histogram | `projection` | how long after its append an event's effect was written |
//! | `annals_projection_failures_total` | counter | `projection` | tries of events that failed |
//! | `annals_projection_lag_positions` | gauge | `projection` | positions between what a projection has passed and the log's end |
//! | `annals_projection_lag_seconds` | gauge | `projection` | how old what its rows say is, at most; 0 at the log's end |
//! | `annals_projection_level` | gauge | `projection` | how bad it is that a projection is behind: 0 normal, 1 warning, 2 critical |
//! | `annals_projection_parked` | gauge | `projection` | events that are parked |
//! | `annals_projection_stops_total` | counter | `projection` | times that a projection stopped |
//! | `annals_process_begun_total` | counter | `process` | processes that began |
//! | `annals_process_done_total` | counter | `process` | processes that are done |
//! | `annals_process_skipped_total` | counter | `process` | events for processes that never began, or are done |
//! | `annals_process_parked_total` | counter | `process` | times that a process had to wait for a person |
//! | `annals_process_commands_total` | counter | `process`, `command`, `outcome` | commands that were sent, by how they were answered |
//! | `annals_process_deadlines_total` | counter | `process`, `deadline` | deadlines that fired |
//! | `annals_process_lag_positions` | gauge | `process` | positions between what a process manager has passed and the log's end |
//! | `annals_process_oldest_unsent_seconds` | gauge | `process` | age of the oldest command that is not answered; 0 without any |
//! | `annals_process_parked` | gauge | `process` | processes that wait for a person |
//! | `annals_saga_begun_total` | counter | `saga` | sagas that began |
//! | `annals_saga_completed_total` | counter | `saga` | sagas whose steps are all done |
//! | `annals_saga_undone_total` | counter | `saga` | sagas of which a step failed, and those before it are undone |
//! | `annals_saga_parked_total` | counter | `saga` | times that a saga had to wait for a person |
//! | `annals_saga_parked` | gauge | `saga` | sagas that wait for a person, as a runner saw them last: of several, the same |
//! | `annals_saga_unfinished_oldest_seconds` | gauge | `saga` | of sagas that have not ended and wait for nobody, how long ago the first was taken up by who has it: it grows when nobody goes on; 0 without any |
//! | `annals_saga_stuck` | gauge | `saga` | sagas that cannot go on in this program |
//! | `annals_saga_step_seconds` | histogram | `saga`, `step`, `call`, `outcome` | how long a try of a step, or of its undo, took |
//! | `annals_subscription_lag_positions` | gauge | `subscription` | positions between the durable checkpoint and the log's end |
//!
//! | Label | Values |
//! |---|---|
//! | `command` | the name of the command |
//! | `aggregate` | the category of the aggregate |
//! | `outcome` of a command | `done`, `rejected`, `refused`, `not_found`, `already_exists`, `conflict`, `invalid`, `unknown_outcome`, `fault` |
//! | `outcome` of a snapshot | `hit`; `miss` where there is none; `unusable` where it counts as none |
//! | `outcome` of a process's command | `done`, `rejected`, `refused`, `not_found`, `already_exists`, `failed` |
//! | `process` | the name of the process manager |
//! | `deadline` | the name of the deadline |
//! | `saga`, `step` | the names of the saga and of its step |
//! | `call` | `do`, `undo` |
//! | `outcome` of a step | `done`, `failed` |
//! | `projection` | the name of the projection |
//! | `subscription` | the durable name; a subscription without one measures nothing |
//!
//! Of a projection in several shards, each shard counts the events that it has passed, and an engine measures the lag of the one that is
//! furthest behind of those that it runs, and what is parked of all of them.
//!
//! No label holds an id, a key or anything that a payload says, so that their number is that of the program's types. A
//! command sent under a name that nobody handles is not counted: its name is the caller's.
//!
//! Without a recorder, a measurement costs less than a tenth of a microsecond.

use std::time::Duration;

use crate::bus::Failure;
use crate::projection::Level;
use crate::timestamp::Timestamp;

macro_rules! names {
    ($($(#[$doc:meta])+ $constant:ident = $name:literal;)+) => {
        $($(#[$doc])+ pub const $constant: &str = $name;)+

        /// The names of all that is measured.
        pub const ALL: &[&str] = &[$($name),+];
    };
}

names! {
    /// Counts commands that were dispatched, by how they ended.
    COMMANDS = "annals_commands_total";
    /// Counts tries of commands that met another writer.
    COMMAND_CONFLICTS = "annals_command_conflicts_total";
    /// Counts commands decided again after a conflict.
    COMMAND_RETRIES = "annals_command_retries_total";
    /// How long the store took for a command's events.
    APPEND_SECONDS = "annals_append_seconds";
    /// Callers whose appends shared a statement.
    BATCH_CALLS = "annals_batch_calls";
    /// Events of a statement.
    BATCH_EVENTS = "annals_batch_events";
    /// Events that a load folded.
    REPLAY_EVENTS = "annals_replay_events";
    /// Events that a projection has passed.
    PROJECTION_EVENTS = "annals_projection_events_total";
    /// How long after its append an event's effect was written.
    PROJECTION_DELAY = "annals_projection_delay_seconds";
    /// Tries of events that failed.
    PROJECTION_FAILURES = "annals_projection_failures_total";
    /// Positions between what a projection has passed and the log's end.
    PROJECTION_LAG_POSITIONS = "annals_projection_lag_positions";
    /// How old what its rows say is, at most.
    PROJECTION_LAG_SECONDS = "annals_projection_lag_seconds";
    /// How bad it is that a projection is behind.
    PROJECTION_LEVEL = "annals_projection_level";
    /// Events that are parked.
    PROJECTION_PARKED = "annals_projection_parked";
    /// Times that a projection stopped.
    PROJECTION_STOPS = "annals_projection_stops_total";
    /// Counts processes that began.
    PROCESS_BEGUN = "annals_process_begun_total";
    /// Counts processes that are done.
    PROCESS_DONE = "annals_process_done_total";
    /// Counts events for processes that never began, or are done.
    PROCESS_SKIPPED = "annals_process_skipped_total";
    /// Counts the times that a process had to wait for a person.
    PROCESS_PARKS = "annals_process_parked_total";
    /// Counts commands that processes sent, by how they were answered.
    PROCESS_COMMANDS = "annals_process_commands_total";
    /// Counts deadlines that fired.
    PROCESS_DEADLINES = "annals_process_deadlines_total";
    /// Positions between what a process manager has passed and the log's end.
    PROCESS_LAG_POSITIONS = "annals_process_lag_positions";
    /// Age of the oldest command that is not answered.
    PROCESS_OLDEST_UNSENT_SECONDS = "annals_process_oldest_unsent_seconds";
    /// Processes that wait for a person.
    PROCESS_PARKED = "annals_process_parked";
    /// Counts sagas that began.
    SAGA_BEGUN = "annals_saga_begun_total";
    /// Counts sagas whose steps are all done.
    SAGA_COMPLETED = "annals_saga_completed_total";
    /// Counts sagas of which a step failed, and those before it are undone.
    SAGA_UNDONE = "annals_saga_undone_total";
    /// Counts the times that a saga had to wait for a person.
    SAGA_PARKS = "annals_saga_parked_total";
    /// Sagas that wait for a person.
    SAGA_PARKED = "annals_saga_parked";
    /// How long ago the first saga was taken up of those that have not ended and wait for nobody.
    SAGA_UNFINISHED_OLDEST_SECONDS = "annals_saga_unfinished_oldest_seconds";
    /// Sagas that cannot go on in this program.
    SAGA_STUCK = "annals_saga_stuck";
    /// How long a try of a step took.
    SAGA_STEP_SECONDS = "annals_saga_step_seconds";
    /// How long a load took.
    REPLAY_SECONDS = "annals_replay_seconds";
    /// Counts loads that looked for a snapshot, by what they found.
    SNAPSHOT_LOADS = "annals_snapshot_loads_total";
    /// How long a connection was waited for.
    POOL_WAIT_SECONDS = "annals_pool_wait_seconds";
    /// How old the event is that was just delivered from a new page; 0 at the log's end.
    SUBSCRIPTION_DELAY_SECONDS = "annals_subscription_delay_seconds";
    /// Positions between the durable checkpoint and the log's end.
    SUBSCRIPTION_LAG_POSITIONS = "annals_subscription_lag_positions";
}

/// Counts a command by how it ended; `None` stands for done.
pub(crate) fn command(command: &'static str, aggregate: &'static str, failure: Option<Failure>) {
    let outcome = failure.map_or("done", Failure::as_str);
    ::metrics::counter!(COMMANDS, "command" => command, "aggregate" => aggregate, "outcome" => outcome)
        .increment(1);
}

/// Counts a try of a command that met another writer.
pub(crate) fn conflict(command: &'static str, aggregate: &'static str) {
    ::metrics::counter!(COMMAND_CONFLICTS, "command" => command, "aggregate" => aggregate)
        .increment(1);
}

/// Counts a command that is decided again.
pub(crate) fn retry(command: &'static str, aggregate: &'static str) {
    ::metrics::counter!(COMMAND_RETRIES, "command" => command, "aggregate" => aggregate)
        .increment(1);
}

/// Measures an append.
pub(crate) fn append(aggregate: &'static str, took: Duration) {
    ::metrics::histogram!(APPEND_SECONDS, "aggregate" => aggregate).record(took);
}

/// Measures a load.
pub(crate) fn replay(aggregate: &'static str, events: u64, took: Duration) {
    ::metrics::histogram!(REPLAY_EVENTS, "aggregate" => aggregate).record(as_f64(events));
    ::metrics::histogram!(REPLAY_SECONDS, "aggregate" => aggregate).record(took);
}

/// What a load found when it looked for a snapshot.
#[derive(Debug, Clone, Copy)]
pub(crate) enum SnapshotLoad {
    Hit,
    Miss,
    Unusable,
}

/// Counts a load that looked for a snapshot.
pub(crate) fn snapshot_load(aggregate: &'static str, load: SnapshotLoad) {
    let outcome = match load {
        SnapshotLoad::Hit => "hit",
        SnapshotLoad::Miss => "miss",
        SnapshotLoad::Unusable => "unusable",
    };
    ::metrics::counter!(SNAPSHOT_LOADS, "aggregate" => aggregate, "outcome" => outcome)
        .increment(1);
}

/// Measures how old the next event of a durable subscription is.
pub(crate) fn subscription_delay(name: &str, recorded_at: Timestamp) {
    // The store's clock and the program's may differ.
    let micros = Timestamp::now().as_micros().saturating_sub(recorded_at.as_micros()).max(0);
    set_delay(name, Duration::from_micros(micros.unsigned_abs()));
}

/// Measures that a durable subscription has come to the log's end.
pub(crate) fn subscription_at_end(name: &str) {
    set_delay(name, Duration::ZERO);
}

fn set_delay(name: &str, delay: Duration) {
    if !name.is_empty() {
        ::metrics::gauge!(SUBSCRIPTION_DELAY_SECONDS, "subscription" => name.to_owned()).set(delay);
    }
}

/// Measures how far the checkpoint of a durable subscription is behind.
pub(crate) fn subscription_lag(name: &str, positions: u64) {
    ::metrics::gauge!(SUBSCRIPTION_LAG_POSITIONS, "subscription" => name.to_owned())
        .set(as_f64(positions));
}

#[expect(clippy::cast_precision_loss, reason = "what is counted is far below 2^52")]
fn as_f64(number: u64) -> f64 {
    number as f64
}

pub(crate) fn projection_batch(
    name: &str,
    events: u64,
    delays: impl IntoIterator<Item = Duration>,
) {
    ::metrics::counter!(PROJECTION_EVENTS, "projection" => name.to_owned()).increment(events);
    let histogram = ::metrics::histogram!(PROJECTION_DELAY, "projection" => name.to_owned());
    for delay in delays {
        histogram.record(delay);
    }
}

pub(crate) fn projection_failed(name: &str) {
    ::metrics::counter!(PROJECTION_FAILURES, "projection" => name.to_owned()).increment(1);
}

pub(crate) fn projection_lag(name: &str, positions: u64, time: Duration, parked: usize) {
    let (positions, parked) = (as_f64(positions), as_f64(parked as u64));
    ::metrics::gauge!(PROJECTION_LAG_POSITIONS, "projection" => name.to_owned()).set(positions);
    ::metrics::gauge!(PROJECTION_LAG_SECONDS, "projection" => name.to_owned())
        .set(time.as_secs_f64());
    ::metrics::gauge!(PROJECTION_PARKED, "projection" => name.to_owned()).set(parked);
}

/// Measures how bad it is that a projection is behind.
pub(crate) fn projection_level(name: &str, level: Level) {
    let level = match level {
        Level::Normal => 0.0,
        Level::Warning => 1.0,
        Level::Critical => 2.0,
    };
    ::metrics::gauge!(PROJECTION_LEVEL, "projection" => name.to_owned()).set(level);
}

pub(crate) fn projection_stopped(name: &str) {
    ::metrics::counter!(PROJECTION_STOPS, "projection" => name.to_owned()).increment(1);
}

pub(crate) fn process_begun(name: &'static str) {
    ::metrics::counter!(PROCESS_BEGUN, "process" => name).increment(1);
}

pub(crate) fn process_done(name: &'static str) {
    ::metrics::counter!(PROCESS_DONE, "process" => name).increment(1);
}

pub(crate) fn process_skipped(name: &'static str) {
    ::metrics::counter!(PROCESS_SKIPPED, "process" => name).increment(1);
}

pub(crate) fn process_parked(name: &'static str) {
    ::metrics::counter!(PROCESS_PARKS, "process" => name).increment(1);
}

pub(crate) fn process_command(name: &str, command: &str, outcome: &'static str) {
    let (name, command) = (name.to_owned(), command.to_owned());
    ::metrics::counter!(PROCESS_COMMANDS, "process" => name, "command" => command, "outcome" => outcome)
        .increment(1);
}

pub(crate) fn process_deadline(name: &'static str, deadline: &str) {
    ::metrics::counter!(PROCESS_DEADLINES, "process" => name, "deadline" => deadline.to_owned())
        .increment(1);
}

pub(crate) fn process_lag(name: &'static str, positions: u64, oldest: Duration, parked: usize) {
    ::metrics::gauge!(PROCESS_LAG_POSITIONS, "process" => name).set(as_f64(positions));
    ::metrics::gauge!(PROCESS_OLDEST_UNSENT_SECONDS, "process" => name).set(oldest.as_secs_f64());
    ::metrics::gauge!(PROCESS_PARKED, "process" => name).set(as_f64(parked as u64));
}

pub(crate) fn saga(counter: &'static str, name: &'static str) {
    ::metrics::counter!(counter, "saga" => name).increment(1);
}

pub(crate) fn sagas_unfinished(name: &'static str, parked: usize, oldest: Duration) {
    ::metrics::gauge!(SAGA_PARKED, "saga" => name).set(as_f64(parked as u64));
    ::metrics::gauge!(SAGA_UNFINISHED_OLDEST_SECONDS, "saga" => name).set(oldest.as_secs_f64());
}

pub(crate) fn sagas_stuck(name: &'static str, stuck: usize) {
    ::metrics::gauge!(SAGA_STUCK, "saga" => name).set(as_f64(stuck as u64));
}

/// Measures a try of a step.
pub(crate) fn saga_step(
    name: &'static str,
    step: &str,
    call: &'static str,
    outcome: &'static str,
    took: Duration,
) {
    ::metrics::histogram!(
        SAGA_STEP_SECONDS,
        "saga" => name, "step" => step.to_owned(), "call" => call, "outcome" => outcome
    )
    .record(took);
}
