//! How the log is read: in tasks of their own, beside the steps.

use tokio_util::task::AbortOnDropHandle;

use super::owner::Owned;
use super::worker::Worker;
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

    /// Takes in what was read.
    pub(super) fn take_in(&mut self, owned: &mut Owned, page: LogPage) {
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
                        owned.inbox.push(&id, event.clone());
                        owned.look(&id);
                    }
                }
                Err(fault) => {
                    // Whose it is cannot be told: nobody may pass it.
                    let text = format!(
                        "event {} at position {position} of stream `{}`: {}",
                        event.event_type,
                        event.stream_id,
                        chain(&fault)
                    );
                    tracing::error!(process = self.name(), error = text, "reads no further");
                    self.show(|shown| {
                        shown.state = ProjectionState::Stopped;
                        shown.last_error = Some(text.clone());
                        shown.stopped = Some(text.clone());
                    });
                    self.blocked = Some((position, text));
                    owned.inbox.reached(Position::from(position.get().saturating_sub(1)));
                    return;
                }
            }
            let last = event.recorded_at;
            self.show(|shown| shown.recorded_at = Some(last));
        }
        owned.inbox.reached(page.reached);
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
            shown.stopped = None;
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
