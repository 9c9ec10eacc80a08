//! What a store tells of processes that another engine runs.

use crate::store::{StoreError, UnitOfWorkStore};
use crate::stream::StreamId;
use crate::timestamp::Timestamp;

/// How many commands or deadlines are read at once.
const PAGE: usize = 1_000;

/// Whether no command waits to go out and no deadline is due, of the processes that are looked at.
pub(super) async fn is_nothing(
    store: &dyn UnitOfWorkStore,
    category: &str,
    is_looked_at: impl Fn(&str) -> bool,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let counts = |process: &StreamId| is_looked_at(process.id());
    let mut after = 0;
    loop {
        let page = store.outgoing(category, after, PAGE).await?;
        let Some(last) = page.last() else { break };
        after = last.number;
        if page.iter().any(|waiting| counts(&waiting.command.process)) {
            return Ok(false);
        }
    }
    let mut last = None;
    loop {
        let page = store.due_deadlines(category, now, last.as_ref(), PAGE).await?;
        if page.iter().any(|due| counts(&due.process)) {
            return Ok(false);
        }
        let Some(end) = page.into_iter().last() else { return Ok(true) };
        last = Some(end);
    }
}
