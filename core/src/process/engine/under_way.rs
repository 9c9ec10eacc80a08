//! What a store tells of processes that another engine runs.

use std::collections::HashSet;

use crate::store::{StoreError, UnitOfWorkStore};
use crate::stream::StreamId;
use crate::timestamp::Timestamp;

/// How many commands or deadlines are read at once.
const PAGE: usize = 1_000;

/// Whether no command waits to go out and no deadline is due, but those of processes that wait for a person.
pub(super) async fn is_nothing(
    store: &dyn UnitOfWorkStore,
    category: &str,
    parked: &HashSet<String>,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let is_parked = |process: &StreamId| parked.contains(process.id());
    let mut after = 0;
    loop {
        let page = store.outgoing(category, after, PAGE).await?;
        let Some(last) = page.last() else { break };
        after = last.number;
        if !page.iter().all(|waiting| is_parked(&waiting.command.process)) {
            return Ok(false);
        }
    }
    let mut last = None;
    loop {
        let page = store.due_deadlines(category, now, last.as_ref(), PAGE).await?;
        if !page.iter().all(|due| is_parked(&due.process)) {
            return Ok(false);
        }
        let Some(end) = page.into_iter().last() else { return Ok(true) };
        last = Some(end);
    }
}
