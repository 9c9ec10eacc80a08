//! The domain: one permit case, as the office records it.
//!
//! It records facts, and refuses only what cannot be one: the same thing twice, and a case that runs backwards.

use annals::prelude::*;
use serde::{Deserialize, Serialize};

use crate::activity::{Activity, Task};

/// What a case is called in the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, AggregateId)]
pub(crate) struct CaseId(String);

/// The applicant was told that the application has come.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub(crate) struct ReceiptConfirmed {
    pub(crate) happened_at: Timestamp,
    pub(crate) by: Option<String>,
}

/// A task was done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub(crate) struct TaskCompleted {
    pub(crate) task: Task,
    pub(crate) happened_at: Timestamp,
    pub(crate) by: Option<String>,
}

/// Records that the receipt was confirmed.
#[derive(Debug, Clone, Serialize, Deserialize, Command)]
pub(crate) struct ConfirmReceipt {
    #[command(id)]
    pub(crate) case: CaseId,
    pub(crate) happened_at: Timestamp,
    pub(crate) by: Option<String>,
}

/// Records that a task was done.
#[derive(Debug, Clone, Serialize, Deserialize, Command)]
pub(crate) struct CompleteTask {
    #[command(id)]
    pub(crate) case: CaseId,
    pub(crate) task: Task,
    pub(crate) happened_at: Timestamp,
    pub(crate) by: Option<String>,
}

/// Why something cannot be recorded.
#[derive(Debug, PartialEq, thiserror::Error)]
pub(crate) enum CaseError {
    #[error("`{activity}` at {happened_at} is recorded already")]
    Repeated { activity: Activity, happened_at: Timestamp },
    #[error("`{activity}` at {happened_at} is earlier than what was recorded last, at {last}")]
    Backwards { activity: Activity, happened_at: Timestamp, last: Timestamp },
}

/// Something that was done in a case.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Entry {
    pub(crate) activity: Activity,
    pub(crate) happened_at: Timestamp,
    pub(crate) by: Option<String>,
}

/// A case: what was done in it, first to last, never empty. A case opens with the first thing that is recorded of it.
#[derive(Debug, Clone, PartialEq, Aggregate)]
#[aggregate(id = CaseId, events(ReceiptConfirmed, TaskCompleted))]
pub(crate) struct PermitCase {
    pub(crate) entries: Vec<Entry>,
}

#[handlers]
impl PermitCase {
    #[handle(upsert)]
    fn confirm_receipt(
        case: Option<&Self>,
        command: ConfirmReceipt,
    ) -> Result<ReceiptConfirmed, CaseError> {
        let ConfirmReceipt { happened_at, by, .. } = command;
        let event = ReceiptConfirmed { happened_at, by };
        ensure_new(case, &event.clone().into())?;
        Ok(event)
    }

    #[apply(upsert)]
    fn receipt_confirmed(case: Option<Self>, event: &ReceiptConfirmed) -> Self {
        Self::with(case, event.clone().into())
    }

    #[handle(upsert)]
    fn complete_task(
        case: Option<&Self>,
        command: CompleteTask,
    ) -> Result<TaskCompleted, CaseError> {
        let CompleteTask { task, happened_at, by, .. } = command;
        let event = TaskCompleted { task, happened_at, by };
        ensure_new(case, &event.clone().into())?;
        Ok(event)
    }

    #[apply(upsert)]
    fn task_completed(case: Option<Self>, event: &TaskCompleted) -> Self {
        Self::with(case, event.clone().into())
    }

    fn with(case: Option<Self>, entry: Entry) -> Self {
        let mut entries = case.map(|case| case.entries).unwrap_or_default();
        entries.push(entry);
        Self { entries }
    }
}

fn ensure_new(case: Option<&PermitCase>, entry: &Entry) -> Result<(), CaseError> {
    let entries = case.map(|case| &*case.entries).unwrap_or_default();
    let Entry { activity, happened_at, .. } = *entry;
    if entries.contains(entry) {
        return Err(CaseError::Repeated { activity, happened_at });
    }
    match entries.last() {
        Some(last) if happened_at < last.happened_at => {
            Err(CaseError::Backwards { activity, happened_at, last: last.happened_at })
        }
        _ => Ok(()),
    }
}

impl From<ReceiptConfirmed> for Entry {
    fn from(event: ReceiptConfirmed) -> Self {
        let ReceiptConfirmed { happened_at, by } = event;
        Self { activity: Activity::Confirmation, happened_at, by }
    }
}

impl From<TaskCompleted> for Entry {
    fn from(event: TaskCompleted) -> Self {
        let TaskCompleted { task, happened_at, by } = event;
        Self { activity: Activity::Task(task), happened_at, by }
    }
}

impl From<PermitCaseEvent> for Entry {
    fn from(event: PermitCaseEvent) -> Self {
        match event {
            PermitCaseEvent::ReceiptConfirmed(event) => event.into(),
            PermitCaseEvent::TaskCompleted(event) => event.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use annals_testing::{given, given_nothing};

    use super::*;

    const CHECK: &str = "T02 Check confirmation of receipt";

    fn at(hour: u8) -> Timestamp {
        format!("2011-10-11T{hour:02}:00:00Z").parse().expect("an instant")
    }

    fn confirmed(hour: u8) -> ReceiptConfirmed {
        ReceiptConfirmed { happened_at: at(hour), by: Some("Ada".to_owned()) }
    }

    fn checked(hour: u8, who: &str) -> TaskCompleted {
        TaskCompleted { task: task(CHECK), happened_at: at(hour), by: Some(who.to_owned()) }
    }

    fn confirm(hour: u8) -> ConfirmReceipt {
        ConfirmReceipt { case: "case-1".into(), happened_at: at(hour), by: Some("Ada".to_owned()) }
    }

    fn check(hour: u8, who: &str) -> CompleteTask {
        let task = task(CHECK);
        CompleteTask {
            case: "case-1".into(),
            task,
            happened_at: at(hour),
            by: Some(who.to_owned()),
        }
    }

    fn task(name: &str) -> Task {
        name.parse().expect("a task")
    }

    #[test]
    fn whatever_comes_first_opens_the_case() {
        given_nothing::<PermitCase>().when(confirm(9)).then(confirmed(9));
        given_nothing::<PermitCase>()
            .when(check(9, "Ben"))
            .then(checked(9, "Ben"))
            .then_state(|case| assert_eq!(case.entries, [checked(9, "Ben").into()]));
    }

    #[test]
    fn a_case_goes_on() {
        given_nothing::<PermitCase>()
            .when(confirm(9))
            .when(check(10, "Ben"))
            .when(check(11, "Ben"))
            .then(checked(11, "Ben"))
            .then_state(|case| assert_eq!(case.entries.len(), 3));
    }

    #[test]
    fn the_same_is_not_recorded_twice() {
        given::<PermitCase>((confirmed(9), checked(10, "Ben"))).when(confirm(9)).then_error(
            CaseError::Repeated { activity: Activity::Confirmation, happened_at: at(9) },
        );
        given::<PermitCase>((confirmed(9), checked(10, "Ben"))).when(check(10, "Ben")).then_error(
            CaseError::Repeated { activity: Activity::Task(task(CHECK)), happened_at: at(10) },
        );
    }

    #[test]
    fn the_same_by_another_or_at_another_instant_is_not_the_same() {
        given::<PermitCase>(checked(10, "Ben")).when(check(10, "Cem")).then(checked(10, "Cem"));
        given::<PermitCase>(checked(10, "Ben")).when(check(11, "Ben")).then(checked(11, "Ben"));
    }

    #[test]
    fn a_case_does_not_run_backwards() {
        given::<PermitCase>(confirmed(9)).when(check(8, "Ben")).then_error(CaseError::Backwards {
            activity: Activity::Task(task(CHECK)),
            happened_at: at(8),
            last: at(9),
        });
    }
}
