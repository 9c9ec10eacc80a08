//! The read models: a row for each case, for each activity in each month, and for each resource.
//!
//! Instants are those at which something was done, as its event says, never those at which the store recorded it: the rows
//! are the same on every store, whenever a log is replayed.

use std::collections::BTreeMap;

use annals::prelude::*;
use serde::{Deserialize, Serialize};

use crate::activity::Activity;
use crate::month::Month;
use crate::permit_case::{CaseId, Entry, PermitCase, ReceiptConfirmed, TaskCompleted};

/// One case, from what was done first to what was done last.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ReadModel)]
#[read_model(table = "permit_cases")]
pub(crate) struct CaseRow {
    #[read_model(key)]
    pub(crate) case: CaseId,
    pub(crate) activities: u32,
    pub(crate) first: Timestamp,
    pub(crate) last: Timestamp,
    /// How long it took.
    #[read_model(index)]
    pub(crate) micros: i64,
    pub(crate) last_activity: Activity,
}

#[projection(exhaustive(PermitCase))]
impl CaseRow {
    #[on(upsert)]
    fn confirmed(row: Option<Self>, event: &ReceiptConfirmed, cx: &EventContext<Self>) -> Self {
        Self::with(row, cx.key(), &event.clone().into())
    }

    #[on(upsert)]
    fn completed(row: Option<Self>, event: &TaskCompleted, cx: &EventContext<Self>) -> Self {
        Self::with(row, cx.key(), &event.clone().into())
    }

    /// A case does not run backwards: what comes last in its stream was done last.
    fn with(row: Option<Self>, case: &CaseId, entry: &Entry) -> Self {
        let last = entry.happened_at;
        let (first, activities) = row.map_or((last, 0), |row| (row.first, row.activities));
        Self {
            case: case.clone(),
            activities: activities + 1,
            first,
            last,
            micros: last.as_micros() - first.as_micros(),
            last_activity: entry.activity,
        }
    }
}

/// How often something was done in a month.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ReadModel)]
#[read_model(table = "permit_activities")]
pub(crate) struct ActivityRow {
    #[read_model(key)]
    pub(crate) month: Month,
    #[read_model(key)]
    pub(crate) activity: Activity,
    #[read_model(index)]
    pub(crate) count: u32,
}

#[projection(exhaustive(PermitCase))]
impl ActivityRow {
    #[on(upsert, key = |event| Self::key_of(&event.clone().into()))]
    fn confirmed(row: Option<Self>, event: &ReceiptConfirmed) -> Self {
        Self::with(row, &event.clone().into())
    }

    #[on(upsert, key = |event| Self::key_of(&event.clone().into()))]
    fn completed(row: Option<Self>, event: &TaskCompleted) -> Self {
        Self::with(row, &event.clone().into())
    }

    fn key_of(entry: &Entry) -> (Month, Activity) {
        (Month::of(entry.happened_at), entry.activity)
    }

    fn with(row: Option<Self>, entry: &Entry) -> Self {
        let (month, activity) = Self::key_of(entry);
        Self { month, activity, count: row.map_or(0, |row| row.count) + 1 }
    }
}

/// What one resource did. What nobody is named for has no row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ReadModel)]
#[read_model(table = "permit_resources")]
pub(crate) struct ResourceRow {
    #[read_model(key)]
    pub(crate) resource: String,
    #[read_model(index)]
    pub(crate) count: u32,
    pub(crate) first: Timestamp,
    pub(crate) last: Timestamp,
    #[read_model(json)]
    pub(crate) activities: BTreeMap<Activity, u32>,
}

#[projection(exhaustive(PermitCase))]
impl ResourceRow {
    #[on(upsert, key = |event| event.by.clone())]
    fn confirmed(row: Option<Self>, event: &ReceiptConfirmed) -> Option<Self> {
        Self::with(row, event.clone().into())
    }

    #[on(upsert, key = |event| event.by.clone())]
    fn completed(row: Option<Self>, event: &TaskCompleted) -> Option<Self> {
        Self::with(row, event.clone().into())
    }

    /// One resource works on many cases, and a log may come after another that was later: an event is not always the last.
    fn with(row: Option<Self>, entry: Entry) -> Option<Self> {
        let Entry { activity, happened_at, by } = entry;
        let mut row = row.unwrap_or(Self {
            resource: by?,
            count: 0,
            first: happened_at,
            last: happened_at,
            activities: BTreeMap::new(),
        });
        row.count += 1;
        row.first = row.first.min(happened_at);
        row.last = row.last.max(happened_at);
        *row.activities.entry(activity).or_default() += 1;
        Some(row)
    }
}

#[cfg(test)]
mod tests {
    use annals_testing::{given_history, recorded};

    use super::*;

    const CHECK: &str = "T02 Check confirmation of receipt";

    fn at(instant: &str) -> Timestamp {
        instant.parse().expect("an instant")
    }

    fn confirmed(instant: &str, by: Option<&str>) -> ReceiptConfirmed {
        ReceiptConfirmed { happened_at: at(instant), by: by.map(str::to_owned) }
    }

    fn checked(instant: &str, by: &str) -> TaskCompleted {
        let task = CHECK.parse().expect("a task");
        TaskCompleted { task, happened_at: at(instant), by: Some(by.to_owned()) }
    }

    #[test]
    fn a_case_takes_from_its_first_activity_to_its_last() {
        given_history([
            recorded::<PermitCase>("shed", confirmed("2024-03-04T08:00:00Z", Some("Ada"))),
            recorded::<PermitCase>("fence", confirmed("2024-03-04T08:30:00Z", None)),
            recorded::<PermitCase>("shed", checked("2024-03-04T08:00:01.5Z", "Ben")),
        ])
        .project::<CaseRow>()
        .then_row(
            "shed",
            CaseRow {
                case: "shed".into(),
                activities: 2,
                first: at("2024-03-04T08:00:00Z"),
                last: at("2024-03-04T08:00:01.5Z"),
                micros: 1_500_000,
                last_activity: CHECK.parse().expect("an activity"),
            },
        );
    }

    #[test]
    fn an_activity_counts_in_its_month() {
        given_history([
            recorded::<PermitCase>("shed", confirmed("2024-03-31T23:30:00Z", None)),
            recorded::<PermitCase>("fence", confirmed("2024-04-01T00:30:00Z", None)),
            recorded::<PermitCase>("barn", confirmed("2024-03-01T00:00:00Z", None)),
        ])
        .project::<ActivityRow>()
        .then_rows(|rows| {
            let counts: Vec<_> =
                rows.iter().map(|row| (row.month.to_string(), row.count)).collect();
            assert_eq!(counts, [("2024-03".to_owned(), 2), ("2024-04".to_owned(), 1)]);
        });
    }

    #[test]
    fn a_resource_has_what_it_did_and_nobody_has_nothing() {
        given_history([
            recorded::<PermitCase>("shed", confirmed("2024-03-04T08:00:00Z", Some("Ada"))),
            recorded::<PermitCase>("shed", checked("2024-03-05T08:00:00Z", "Ada")),
            recorded::<PermitCase>("fence", confirmed("2024-03-03T08:00:00Z", Some("Ada"))),
            recorded::<PermitCase>("barn", confirmed("2024-03-01T08:00:00Z", None)),
        ])
        .project::<ResourceRow>()
        .then_rows(|rows| {
            let confirmation = "Confirmation of receipt".parse().expect("an activity");
            let check = CHECK.parse().expect("an activity");
            let ada = ResourceRow {
                resource: "Ada".to_owned(),
                count: 3,
                first: at("2024-03-03T08:00:00Z"),
                last: at("2024-03-05T08:00:00Z"),
                activities: BTreeMap::from([(confirmation, 2), (check, 1)]),
            };
            assert_eq!(rows, [ada]);
        });
    }
}
