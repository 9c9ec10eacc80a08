//! `projections plan`: what a release will make, read and drop, said beforehand.

use clap::Args;
use serde::Serialize;

use super::operator;
use crate::cli::app::{Fault, Store, Verdict};
use crate::cli::console::{Answer, Console, safe_lines};
use crate::cli::span;
use crate::cli::table::Table;
use crate::projection::{Plan, PlanAction, PlanStep};

#[derive(Debug, Args)]
pub(in crate::cli) struct Planning {
    /// Print the statements that make the tables, for whoever may
    #[arg(long, conflicts_with = "apply")]
    sql: bool,
    /// Make the tables and columns; nothing is dropped, and nothing is rebuilt
    #[arg(long)]
    apply: bool,
}

/// `{"steps": [{"projection", "version", "action", "events", "seconds", "notes"}], "awaited", "applied", "sql"}`: `action` is `make`,
/// `make_again`, `add`, `rebuild`, `prune`, `keep` or `refuse`; `seconds` is null where nobody knows; `awaited` if something
/// is to be made, for which engines that may make no tables wait, and `applied` if it was made; `sql` is null unless it was asked for.
#[derive(Serialize)]
struct Planned {
    steps: Vec<Step>,
    awaited: bool,
    applied: bool,
    sql: Option<String>,
}

#[derive(Serialize)]
struct Step {
    projection: String,
    version: u32,
    action: &'static str,
    events: u64,
    seconds: Option<f64>,
    notes: String,
}

impl From<&PlanStep> for Step {
    fn from(step: &PlanStep) -> Self {
        let notes = match &step.action {
            PlanAction::Add { columns } => columns.join(", "),
            PlanAction::Refuse { reason } => reason.clone(),
            PlanAction::Rebuild(rebuild) => rebuild.state.as_str().to_owned(),
            PlanAction::Keep => "of a newer release, or of another program".to_owned(),
            PlanAction::Prune => "older than this program: `prune` drops it".to_owned(),
            _ => String::new(),
        };
        Self {
            projection: step.projection.clone(),
            version: step.version,
            action: step.action.as_str(),
            events: step.events,
            seconds: step.takes.map(|takes| takes.time.as_secs_f64()),
            notes,
        }
    }
}

impl Planning {
    pub(super) async fn run(self, store: &Store, console: &mut Console) -> Result<Verdict, Fault> {
        let plan: Plan = operator(store)?.plan().await?;
        let is_applied = self.apply && plan.is_awaited();
        if is_applied {
            plan.apply().await?;
        }
        let refused = |step: &PlanStep| matches!(step.action, PlanAction::Refuse { .. });
        let is_wrong = plan.steps.iter().any(refused) || plan.is_awaited() && !self.apply;
        console.answer(&Planned {
            steps: plan.steps.iter().map(Step::from).collect(),
            awaited: plan.is_awaited() && !self.apply,
            applied: is_applied,
            sql: self.sql.then(|| plan.sql()),
        })?;
        Ok(Verdict::wrong_if(is_wrong))
    }
}

impl Answer for Planned {
    fn text(&self) -> String {
        if let Some(sql) = &self.sql {
            return safe_lines(sql);
        }
        let mut table =
            Table::new(["NAME", "#VERSION", "ACTION", "#EVENTS", "#TAKES ABOUT", "NOTES"]);
        for Step { projection, version, action, events, seconds, notes } in &self.steps {
            let time = seconds.map(std::time::Duration::from_secs_f64);
            table.row([
                projection.clone(),
                version.to_string(),
                (*action).to_owned(),
                events.to_string(),
                time.map_or_else(|| "?".to_owned(), span::text),
                notes.clone(),
            ]);
        }
        let mut text = table.text("there is nothing to do");
        if self.applied {
            text.push_str("tables and columns are made\n");
        } else if self.awaited {
            text.push_str("engines that may make no tables go on after `plan --apply`\n");
        }
        text
    }
}
