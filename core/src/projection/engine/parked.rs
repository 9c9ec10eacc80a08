//! Parked events: tried again, or given up.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use super::worker::{Ended, Owned, Worker};
use crate::causes::chain;
use crate::position::Position;
use crate::projection::{BatchError, ParkedEvent};
use crate::recorded_event::RecordedEvent;
use crate::store::{CheckpointChange, EventFilter, EventStore, ReadAll, RowChange, StoreError};
use crate::timestamp::Timestamp;

/// For how long parked events are tried again before the next page is read.
const RETRIES: Duration = Duration::from_millis(50);

/// How tries of a parked event are counted.
#[derive(Clone, Copy)]
pub(super) enum Tries {
    /// On from those before.
    Counted,
    /// From the first, since a person asked.
    Anew,
}

/// The keys for which events wait.
pub(super) fn waiting(parked: &[ParkedEvent]) -> HashSet<String> {
    parked.iter().map(|event| event.key.clone()).collect()
}

impl Owned {
    /// Takes in what a parked event's next try has come to.
    fn park_again(&mut self, event: ParkedEvent) {
        let is_same =
            |kept: &&mut ParkedEvent| kept.key == event.key && kept.position == event.position;
        if let Some(kept) = self.parked.iter_mut().find(is_same) {
            let parked_at = kept.parked_at;
            *kept = ParkedEvent { parked_at, ..event };
        }
    }

    /// The keys of parked events whose time has come, the first that was due first.
    fn due(&self, now: Timestamp) -> Vec<String> {
        let retries = self.parked.iter().filter_map(|event| Some((event.retry_at?, &event.key)));
        let mut due: Vec<_> = retries.filter(|(at, _)| *at <= now).collect();
        due.sort_unstable();
        due.into_iter().map(|(_, key)| key.clone()).collect()
    }
}

impl Worker {
    /// Tries parked events again whose time has come, but not for long: those that are sound wait for it.
    pub(super) async fn retry_due(&mut self, owned: &mut Owned) -> Result<(), Ended> {
        let began = Instant::now();
        for key in owned.due(self.settings.clock.now()) {
            self.retry(owned, &key, Tries::Counted).await?;
            if began.elapsed() >= RETRIES || self.stop.is_cancelled() {
                break;
            }
        }
        Ok(())
    }

    /// Tries the parked events of a key again, as many as there are until one fails.
    pub(super) async fn retry(
        &mut self,
        owned: &mut Owned,
        key: &str,
        tries: Tries,
    ) -> Result<(), Ended> {
        let parked: Vec<ParkedEvent> =
            owned.parked.iter().filter(|event| event.key == key).cloned().collect();
        let Some(first) = parked.first() else { return Ok(()) };
        let attempts = match tries {
            Tries::Counted => first.attempts,
            Tries::Anew => 0,
        };
        let events = read_parked(&*self.events, self.projector.filter(), &parked).await?;
        let mut rest = &events[..];
        let mut count = events.len();
        while !rest.is_empty() {
            let now = &rest[..count.min(rest.len())];
            let of_first = if now[0].position == first.position { attempts } else { 0 };
            let fence = owned.lease.fence().await;
            let batch = self.batch(
                owned,
                now,
                (fence, owned.kept.unwrap_or_default()),
                Some((key, of_first)),
            );
            match self.projector.apply(&batch).await {
                Ok(done) => {
                    let failed = done.parked.first().map(|event| event.position);
                    let is_done = |event: &ParkedEvent| {
                        event.key == key
                            && now.iter().any(|done| done.position == event.position)
                            && failed.is_none_or(|failed| event.position < failed)
                    };
                    owned.parked.retain(|event| !is_done(event));
                    for event in done.parked {
                        self.tell_parked(&event);
                        owned.park_again(event);
                    }
                    if failed.is_some() {
                        break;
                    }
                    rest = &rest[now.len()..];
                }
                Err(BatchError::OneOf(_)) if now.len() > 1 => count = 1,
                Err(BatchError::Unreadable { index, .. } | BatchError::Failed { index, .. })
                    if index > 0 =>
                {
                    count = index;
                }
                // It waits for a person already: what would stop the projection elsewhere is told as its error.
                Err(BatchError::Unreadable { source, .. }) => {
                    let again = batch.failed(&now[0], key.to_owned(), chain(&source));
                    self.park_again(owned, again).await?;
                    break;
                }
                Err(BatchError::Failed { error, .. } | BatchError::OneOf(error)) => {
                    let again = batch.failed(&now[0], key.to_owned(), error);
                    self.park_again(owned, again).await?;
                    break;
                }
                Err(error) => return Err(Self::ended(error, now)),
            }
        }
        if owned.parked.iter().all(|event| event.key != key) {
            owned.waiting.remove(key);
        }
        Ok(())
    }

    async fn park_again(&self, owned: &mut Owned, again: ParkedEvent) -> Result<(), Ended> {
        let fence = owned.lease.fence().await;
        let position = owned.kept.unwrap_or_default();
        let change = CheckpointChange { fence, position };
        let written = self.rows.write_rows(vec![RowChange::Park(again.clone())], change).await;
        written.map_err(|error| Self::ended(error.into(), &[]))?;
        self.tell_parked(&again);
        owned.park_again(again);
        Ok(())
    }

    /// Gives up the parked events of a key.
    pub(super) async fn drop_parked(&mut self, owned: &mut Owned, key: &str) -> Result<u64, Ended> {
        let of_key = owned.parked.iter().filter(|event| event.key == key);
        let changes: Vec<RowChange> = of_key
            .map(|event| RowChange::Unpark {
                reader: owned.reader.clone(),
                key: key.to_owned(),
                position: event.position,
            })
            .collect();
        let count = changes.len() as u64;
        if count == 0 {
            return Ok(0);
        }
        let fence = owned.lease.fence().await;
        let position = owned.kept.unwrap_or_default();
        let written = self.rows.write_rows(changes, CheckpointChange { fence, position }).await;
        written.map_err(|error| Self::ended(error.into(), &[]))?;
        tracing::warn!(projection = self.name(), key, count, "parked events were dropped by hand");
        owned.parked.retain(|event| event.key != key);
        owned.waiting = waiting(&owned.parked);
        Ok(count)
    }
}

/// Reads parked events from the log; `filter` is that of their reader.
pub(crate) async fn read_parked(
    events: &dyn EventStore,
    filter: EventFilter,
    parked: &[ParkedEvent],
) -> Result<Vec<RecordedEvent>, StoreError> {
    let mut found: Vec<RecordedEvent> = Vec::with_capacity(parked.len());
    let wanted: HashSet<Position> = parked.iter().map(|event| event.position).collect();
    let mut streams: Vec<_> = parked.iter().map(|event| event.stream_id.clone()).collect();
    streams.sort_unstable();
    streams.dedup();
    let (Some(first), Some(last)) = (parked.first(), parked.last()) else { return Ok(found) };
    let filter = filter.streams(streams);
    let before = Position::from(first.position.get().saturating_sub(1));
    let mut next = Some(ReadAll::after(before).filter(filter));
    while let Some(read) = next {
        let page = events.log_page(&read).await?;
        found.extend(page.events.iter().filter(|event| wanted.contains(&event.position)).cloned());
        next = read.following(&page)?.filter(|read| read.after < last.position);
    }
    Ok(found)
}
