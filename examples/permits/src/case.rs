//! What is known of one case, now or as of an instant.

use std::fmt;

use annals::prelude::*;
use serde::Serialize;

use crate::Fault;
use crate::permit_case::{Entry, PermitCase};

/// A case as it was known at an instant; without one, as it is known at the end of the log.
#[derive(Debug, Serialize)]
pub(crate) struct Known {
    case: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    as_of: Option<Timestamp>,
    version: u64,
    entries: Vec<Entry>,
}

impl Known {
    /// Loads a case; `None` if the log never speaks of it.
    pub(crate) async fn load(
        stores: impl Into<Stores>,
        case: &str,
        as_of: Option<Timestamp>,
    ) -> Result<Option<Self>, Fault> {
        let cases = Repository::<PermitCase>::new(stores);
        let Some(whole) = cases.load(case).await? else { return Ok(None) };
        let loaded = match as_of {
            Some(instant) => cases.load(case).as_of(instant).await?,
            None => Some(whole),
        };
        let (version, entries) =
            loaded.map(|loaded| (loaded.stream_version, loaded.state.entries)).unwrap_or_default();
        Ok(Some(Self { case: case.to_owned(), as_of, version, entries }))
    }
}

impl fmt::Display for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.case)?;
        self.as_of.iter().try_for_each(|instant| write!(f, " as of {instant}"))?;
        match &*self.entries {
            [] => return writeln!(f, ": not known yet"),
            [_] => writeln!(f, ": version {}, 1 activity", self.version)?,
            many => writeln!(f, ": version {}, {} activities", self.version, many.len())?,
        }
        let width = self.entries.iter().map(|entry| entry.activity.name().len()).max().unwrap_or(0);
        for Entry { activity, happened_at, by } in &self.entries {
            let by = by.as_deref().unwrap_or("-");
            writeln!(f, "  {happened_at:<27}  {activity:<width$}  {by}")?;
        }
        Ok(())
    }
}
