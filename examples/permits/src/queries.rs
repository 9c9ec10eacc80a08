//! The queries: what is asked of the read models, and how the answers are shown.

use std::fmt;
use std::time::Duration;

use annals::prelude::*;
use serde::{Deserialize, Serialize};

use crate::models::{ActivityRow, CaseRow, ResourceRow};
use crate::month::Month;
use crate::permit_case::CaseId;
use crate::summary::write_duration;

/// Which cases there are, those first that took longest.
#[derive(Debug, Serialize, Deserialize, Query)]
#[query(result = CaseTable)]
pub(crate) struct Cases {
    /// The case behind which to begin.
    pub(crate) after: Option<CaseId>,
    pub(crate) limit: u64,
}

/// How often what was done in which month.
#[derive(Debug, Serialize, Deserialize, Query)]
#[query(result = ActivityTable)]
pub(crate) struct Activities {
    /// The only month that is asked for.
    pub(crate) month: Option<Month>,
    pub(crate) limit: Option<u64>,
}

/// Who did how much, those first that did most.
#[derive(Debug, Serialize, Deserialize, Query)]
#[query(result = ResourceTable)]
pub(crate) struct Resources {
    pub(crate) limit: Option<u64>,
}

/// Some cases, and how many there are.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct CaseTable {
    total: u64,
    cases: Vec<CaseRow>,
}

/// Some counts of activities, and how many there are.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ActivityTable {
    total: u64,
    activities: Vec<ActivityRow>,
}

/// Some resources, and how many there are.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ResourceTable {
    total: u64,
    resources: Vec<ResourceRow>,
}

/// Why cases are not told.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CasesError {
    #[error("no case `{0}`")]
    Unknown(CaseId),
    #[error(transparent)]
    Rows(#[from] ReadModelError),
}

#[query_handler]
async fn cases(query: Cases, cx: &QueryContext) -> Result<CaseTable, CasesError> {
    let models = cx.models();
    let mut rows =
        models.query::<CaseRow>().order_by(CaseRow::MICROS.desc()).order_by(CaseRow::CASE.asc());
    if let Some(case) = query.after {
        let Some(row) = models.get::<CaseRow>(&case).await? else {
            return Err(CasesError::Unknown(case));
        };
        rows = rows.after(&row);
    }
    let cases = rows.limit(query.limit).fetch().await?;
    Ok(CaseTable { total: models.query::<CaseRow>().count().await?, cases })
}

#[query_handler]
async fn activities(query: Activities, cx: &QueryContext) -> Result<ActivityTable, ReadModelError> {
    let counts = || {
        let counts = cx.models().query::<ActivityRow>();
        match &query.month {
            Some(month) => counts.filter(ActivityRow::MONTH.eq(month)),
            None => counts,
        }
    };
    let total = counts().count().await?;
    let shown = counts().order_by(ActivityRow::MONTH.asc()).order_by(ActivityRow::COUNT.desc());
    let activities = shown.limit(query.limit.unwrap_or(total)).fetch().await?;
    Ok(ActivityTable { total, activities })
}

#[query_handler]
async fn resources(query: Resources, cx: &QueryContext) -> Result<ResourceTable, ReadModelError> {
    let total = cx.models().query::<ResourceRow>().count().await?;
    let shown = cx.models().query::<ResourceRow>().order_by(ResourceRow::COUNT.desc());
    let resources = shown.limit(query.limit.unwrap_or(total)).fetch().await?;
    Ok(ResourceTable { total, resources })
}

impl fmt::Display for CaseTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width =
            self.cases.iter().map(|row| row.case.to_string().chars().count()).max().unwrap_or(0);
        for CaseRow { case, activities, first, last, micros, last_activity } in &self.cases {
            write_duration(f, Duration::from_micros(micros.unsigned_abs()))?;
            let case = case.to_string();
            writeln!(
                f,
                "  {case:<width$}  {first:<27}  {last:<27}  {activities:>3}  {last_activity}"
            )?;
        }
        write_rest(f, self.cases.len(), self.total)
    }
}

impl fmt::Display for ActivityTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut month = None;
        for row in &self.activities {
            if month != Some(&row.month) {
                let space = if month.is_some() { "\n" } else { "" };
                writeln!(f, "{space}{}", row.month)?;
                month = Some(&row.month);
            }
            writeln!(f, "{:>8} {}", row.count, row.activity)?;
        }
        write_rest(f, self.activities.len(), self.total)
    }
}

impl fmt::Display for ResourceTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width =
            self.resources.iter().map(|row| row.resource.chars().count()).max().unwrap_or(0);
        for ResourceRow { resource, count, first, last, activities } in &self.resources {
            let mostly = activities.iter().rev().max_by_key(|(_, count)| **count);
            let mostly = mostly.map_or("", |(activity, _)| activity.name());
            writeln!(f, "{count:>8} {resource:<width$}  {first:<27}  {last:<27}  mostly {mostly}")?;
        }
        write_rest(f, self.resources.len(), self.total)
    }
}

/// Says how many rows there are where not all are shown.
fn write_rest(f: &mut fmt::Formatter<'_>, shown: usize, total: u64) -> fmt::Result {
    if shown as u64 == total { Ok(()) } else { writeln!(f, "\n{shown} of {total} shown") }
}
