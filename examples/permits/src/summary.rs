//! The summary of a replay, counted from what the store holds rather than from what was sent to it.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::time::Duration;

use annals::prelude::*;
use futures::TryStreamExt;
use serde::{Serialize, Serializer};

use crate::Fault;
use crate::activity::Activity;
use crate::permit_case::{Entry, PermitCaseEvent};
use crate::replay::{Problem, ProblemKind, Replayed, events_after};

/// What a replay came to.
#[derive(Debug, Serialize)]
pub(crate) struct Summary<'a> {
    cases: usize,
    events: u64,
    refusals: usize,
    errors: usize,
    activities: Vec<Count>,
    slowest: Vec<Span>,
    problems: &'a [Problem],
}

/// How often an activity was recorded.
#[derive(Debug, Serialize)]
struct Count {
    activity: Activity,
    count: u64,
}

/// How long a case took, from its first event to its last.
#[derive(Debug, Serialize)]
struct Span {
    case: String,
    #[serde(rename = "seconds", serialize_with = "as_seconds")]
    duration: Duration,
    first: Timestamp,
    last: Timestamp,
}

impl<'a> Summary<'a> {
    /// Counts what the store holds, and keeps as many of the slowest cases as `limit` says.
    pub(crate) async fn of<S: EventStore>(
        replayed: &'a Replayed<S>,
        limit: usize,
    ) -> Result<Self, Fault> {
        let mut events = 0;
        let mut counts: BTreeMap<Activity, u64> = BTreeMap::new();
        let mut spans: HashMap<StreamId, (Timestamp, Timestamp)> = HashMap::new();
        let mut log = replayed.store.read_all(events_after(Position::START));
        while let Some(recorded) = log.try_next().await? {
            let Some(event) = replayed.store.decode::<PermitCaseEvent>(&recorded)? else {
                continue;
            };
            let entry = Entry::from(event);
            events += 1;
            *counts.entry(entry.activity).or_default() += 1;
            let span = spans.entry(recorded.stream_id);
            let (_, last) = span.or_insert((entry.happened_at, entry.happened_at));
            *last = entry.happened_at;
        }
        let refusals = replayed.count(ProblemKind::Refusal);
        Ok(Self {
            cases: spans.len(),
            events,
            refusals,
            errors: replayed.problems.len() - refusals,
            activities: sorted(counts),
            slowest: slowest(spans, limit),
            problems: &replayed.problems,
        })
    }
}

impl<S> Replayed<S> {
    fn count(&self, kind: ProblemKind) -> usize {
        self.problems.iter().filter(|problem| problem.kind == kind).count()
    }
}

fn sorted(counts: BTreeMap<Activity, u64>) -> Vec<Count> {
    let mut counts: Vec<_> =
        counts.into_iter().map(|(activity, count)| Count { activity, count }).collect();
    counts.sort_by_key(|count| Reverse(count.count));
    counts
}

fn slowest(spans: HashMap<StreamId, (Timestamp, Timestamp)>, limit: usize) -> Vec<Span> {
    let mut spans: Vec<Span> = (spans.into_iter())
        .map(|(stream, (first, last))| Span {
            case: stream.id().to_owned(),
            duration: last.since(first),
            first,
            last,
        })
        .collect();
    spans.sort_by(|a, b| b.duration.cmp(&a.duration).then_with(|| a.case.cmp(&b.case)));
    spans.truncate(limit);
    spans
}

fn as_seconds<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(duration.as_secs())
}

impl fmt::Display for Summary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:>8} cases", self.cases)?;
        writeln!(f, "{:>8} events", self.events)?;
        writeln!(f, "{:>8} refusals", self.refusals)?;
        writeln!(f, "{:>8} errors", self.errors)?;
        writeln!(f, "\nactivities")?;
        for Count { activity, count } in &self.activities {
            writeln!(f, "{count:>8} {activity}")?;
        }
        writeln!(f, "\nslowest cases")?;
        let width = self.slowest.iter().map(|span| span.case.chars().count()).max().unwrap_or(0);
        for Span { case, duration, first, last } in &self.slowest {
            write_duration(f, *duration)?;
            writeln!(f, "  {case:<width$}  {first} to {last}")?;
        }
        Ok(())
    }
}

/// Writes how long something took, to the minute.
pub(crate) fn write_duration(f: &mut fmt::Formatter<'_>, duration: Duration) -> fmt::Result {
    let minutes = duration.as_secs() / 60;
    let (days, hours, minutes) = (minutes / 1440, minutes / 60 % 24, minutes % 60);
    write!(f, "{days:>8} d {hours:02} h {minutes:02} min")
}
