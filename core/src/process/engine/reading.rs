//! How the log is read: in tasks of their own, beside the steps.

use std::time::Instant;

use tokio_util::task::AbortOnDropHandle;

use super::owner::Owned;
use super::stopped::Blocked;
use super::worker::{Ended, Worker};
use crate::position::Position;
use crate::process::Fault;
use crate::projection::{ProjectionState, chain};
use crate::store::{LogPage, ReadAll, StoreError};
use crate::stream::StreamId;
use crate::timestamp::Timestamp;

/// How many events are read at once.
const PAGE: usize = 500;

pub(super) type Page = AbortOnDropHandle<Result<(ReadAll, LogPage), StoreError>>;

/// Where the log ended once all that was recorded up to an instant could be read.
pub(super) type Barrier = AbortOnDropHandle<Result<(Timestamp, Position), StoreError>>;

impl Worker {
    /// Reads on, in a task of its own: it is not held up, nor holds a connection, while the owner does something else.
    pub(super) fn next_page(&self, owned: &Owned) -> Page {
        let read = ReadAll::after(owned.inbox.read()).filter(self.kind.filter()).limit(PAGE);
        let (events, polling) = (self.events.clone(), self.settings.polling);
        let is_at_end = owned.is_at_end;
        AbortOnDropHandle::new(tokio::spawn(async move {
            if is_at_end {
                let came = tokio::time::timeout(polling, events.wait_for_events(read.after)).await;
                came.unwrap_or(Ok(()))?;
            }
            let page = events.log_page(&read).await?;
            Ok((read, page))
        }))
    }

    /// Reads again what came for processes that have fallen behind.
    pub(super) fn page_again(&self, after: Position) -> Page {
        let read = ReadAll::after(after).filter(self.kind.filter()).limit(PAGE);
        let events = self.events.clone();
        AbortOnDropHandle::new(tokio::spawn(async move {
            let page = events.log_page(&read).await?;
            Ok((read, page))
        }))
    }

    /// Finds out where the log ends once all that was recorded before now can be read.
    pub(super) fn barrier(&self, now: Timestamp) -> Barrier {
        let events = self.events.clone();
        let is_injected = self.settings.clock.is_some();
        let nobody = StreamId::new("annals/clock", "now");
        AbortOnDropHandle::new(tokio::spawn(async move {
            // Deadlines are held against the instants of events, which are the store's.
            let at = if is_injected { now } else { events.stream_head(&nobody).await?.recorded_at };
            Ok((at, events.barrier().await?))
        }))
    }

    /// Takes in what was read; stops where it cannot be told whose an event is, unless a person has had that passed over.
    pub(super) async fn read_on(
        &mut self,
        owned: &mut Owned,
        read: ReadAll,
        page: LogPage,
    ) -> Result<(), Ended> {
        read.following(&page)?;
        self.take_in(owned, page);
        self.passes_over(owned).await?;
        if let Some(Blocked { position, why, .. }) = self.blocked.clone() {
            tracing::error!(process = self.name(), error = why, "reads no further");
            self.show(|shown| {
                shown.state = ProjectionState::Stopped;
                shown.last_error = Some(why.clone());
                shown.stopped = Some(why);
                shown.stopped_at = Some(position);
            });
        }
        Ok(())
    }

    /// Reads on after the event at which it has stopped, if a person has had any shard pass over it: no shard knows whose it is.
    pub(super) async fn passes_over(&mut self, owned: &mut Owned) -> Result<(), StoreError> {
        let Some(Blocked { position, .. }) = self.blocked else { return Ok(()) };
        let skipped = self.store()?.parked(&self.kind.skips(), None).await?;
        owned.skipped.extend(skipped.into_iter().map(|event| event.position));
        if owned.skipped.contains(&position) {
            self.goes_on(owned, Some(position));
        }
        Ok(())
    }

    fn take_in(&mut self, owned: &mut Owned, page: LogPage) {
        owned.is_at_end = !page.more;
        let state = if page.more { ProjectionState::CatchingUp } else { ProjectionState::Live };
        self.show(|shown| shown.state = state);
        for event in page.events {
            let position = event.position;
            if owned.skipped.contains(&position) {
                continue;
            }
            let routed = self.kind.route(&event, self.events.codec());
            match routed.and_then(|ids| self.fit(ids)) {
                Ok(ids) => {
                    for id in ids {
                        if owned.part.takes(&id, position) {
                            owned.inbox.push(&id, event.clone());
                            owned.look(&id);
                        }
                    }
                }
                Err(fault) => {
                    // Whose it is cannot be told: nobody may pass it.
                    let why = format!(
                        "event {} at position {position} of stream `{}`: {}",
                        event.event_type,
                        event.stream_id,
                        chain(&fault)
                    );
                    self.blocked = Some(Blocked { position, why, since: Instant::now() });
                    owned.inbox.reached(Position::from(position.get().saturating_sub(1)));
                    return;
                }
            }
            let last = event.recorded_at;
            self.show(|shown| shown.recorded_at = Some(last));
        }
        owned.inbox.reached(page.reached);
    }

    /// Takes in what was read again, for those that have fallen behind.
    pub(super) fn take_in_again(
        &self,
        owned: &mut Owned,
        from: Position,
        page: LogPage,
    ) -> Result<(), Ended> {
        // What comes later is still to be read for all.
        let read = owned.inbox.read();
        for event in page.events.into_iter().take_while(|event| event.position <= read) {
            if owned.skipped.contains(&event.position) {
                continue;
            }
            let routed = self.kind.route(&event, self.events.codec());
            let ids = routed.map_err(|fault| {
                let position = event.position;
                let message = format!("event at position {position}, which was read before: ");
                Ended::Failed(StoreError::invalid(message + &chain(&fault)))
            })?;
            for id in ids {
                if owned.inbox.refill(&id, &event, from) {
                    owned.look(&id);
                }
            }
        }
        owned.inbox.refilled(from, page.reached);
        Ok(())
    }

    /// Refuses an id under which nothing can be kept, not even that it waits for a person.
    fn fit(&self, ids: Vec<String>) -> Result<Vec<String>, Fault> {
        let fault = |id: &String| {
            let reason = StreamId::new(&self.category, id).fault()?;
            Some(Fault::Failed(format!("it is for an id that no process can have: {reason}")))
        };
        ids.iter().find_map(fault).map_or(Ok(ids), Err)
    }

    /// Reads on after the event at which it had stopped, or from it once more.
    pub(super) fn goes_on(&mut self, owned: &mut Owned, skipped: Option<Position>) {
        if let Some(position) = skipped {
            owned.inbox.reached(position);
        }
        self.blocked = None;
        owned.is_at_end = false;
        self.show(|shown| {
            shown.state = ProjectionState::CatchingUp;
            (shown.stopped, shown.stopped_at) = (None, None);
        });
    }
}

/// Waits for a task, if there is one, and takes it out then.
pub(super) async fn joined<T>(
    task: &mut Option<AbortOnDropHandle<Result<T, StoreError>>>,
) -> Result<T, StoreError> {
    let Some(running) = task else { return std::future::pending().await };
    let ended = running.await;
    *task = None;
    ended.unwrap_or_else(|error| {
        let message = "a task that reads for a process ended before it had an answer";
        Err(StoreError::other(message).with_source(error))
    })
}
