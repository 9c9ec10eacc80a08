//! Pages of the log: read, applied, and what it means when one cannot be.

use std::time::Instant;

use tracing::Instrument;

use super::EngineError;
use super::status::ProjectionState;
use super::worker::{Ended, IDLE_CHECKPOINT, Owned, Worker};
use crate::causes::chain;
use crate::metrics;
use crate::position::Position;
use crate::projection::{Batch, BatchDone, BatchError, ParkedEvent};
use crate::read_model::ModelTable;
use crate::recorded_event::RecordedEvent;
use crate::store::{Ahead, CheckpointChange, Fence, LogPage, ReadAll, StoreError, WriteError};

/// The next page, on its way while the one before it is applied.
pub(super) struct NextPage {
    read: ReadAll,
    page: Ahead<LogPage>,
}

impl Worker {
    /// Does what is due: parked events whose time has come, then the next page.
    pub(super) async fn advance(&mut self, owned: &mut Owned) -> Result<(), Ended> {
        self.retry_due(owned).await?;
        let began = Instant::now();
        let mut page = self.read_page(owned).await?;
        page.events.retain(|event| !owned.skipped.contains(&event.position));
        owned.is_at_end = !page.more;
        let count = page.events.len();
        let reached = page.reached.max(owned.position);
        if !owned.is_at_end {
            self.show(|shown| shown.state = ProjectionState::CatchingUp);
        }
        if count > 0 {
            self.apply(owned, &page.events, reached).await?;
            owned.size.took(count, began.elapsed());
        } else if reached > owned.position {
            owned.position = reached;
            let is_due = owned.kept_at.elapsed() >= IDLE_CHECKPOINT;
            if !owned.is_at_end || is_due {
                self.keep_checkpoint(owned).await?;
            }
        }
        self.show_reached(owned, &page.events, began.elapsed());
        Ok(())
    }

    /// Reads the next page, and begins to read the one after it.
    pub(super) async fn read_page(&self, owned: &mut Owned) -> Result<LogPage, StoreError> {
        let read = |after: Position| {
            ReadAll::after(after).filter(self.projector.filter()).limit(owned.size.get())
        };
        let (asked, page) = match owned.next_page.take() {
            Some(next) if next.read.after == owned.position => (next.read, next.page.page().await?),
            _ => {
                let read = read(owned.position);
                let page = self.events.log_page(&read).await?;
                (read, page)
            }
        };
        if asked.following(&page)?.is_some() && self.reads_ahead {
            let (events, read) = (self.events.clone(), read(page.reached));
            let asked = read.clone();
            let page = Ahead::begin(async move { events.log_page(&asked).await }).await;
            owned.next_page = page.map(|page| NextPage { read, page });
        }
        Ok(page)
    }

    /// Applies a page; what cannot be applied together, one by one.
    pub(super) async fn apply(
        &self,
        owned: &mut Owned,
        events: &[RecordedEvent],
        reached: Position,
    ) -> Result<(), Ended> {
        match self.apply_once(owned, events, reached).await {
            Err(BatchError::OneOf(reason)) if events.len() > 1 => {
                tracing::warn!(
                    projection = self.name(),
                    events = events.len(),
                    reason,
                    "a batch could not be applied: its events are applied one by one"
                );
                for event in events {
                    let done = self.apply_once(owned, std::slice::from_ref(event), event.position);
                    done.await.map_err(|error| Self::ended(error, std::slice::from_ref(event)))?;
                }
                owned.position = reached;
                Ok(())
            }
            Err(
                error @ (BatchError::Unreadable { index, .. } | BatchError::Failed { index, .. }),
            ) => {
                if let Some(last) = index.checked_sub(1) {
                    // They may have to be applied one by one themselves.
                    Box::pin(self.apply(owned, &events[..index], events[last].position)).await?;
                }
                Err(Self::ended(error, events))
            }
            done => done.map_err(|error| Self::ended(error, events)),
        }
    }

    pub(super) async fn apply_once(
        &self,
        owned: &mut Owned,
        events: &[RecordedEvent],
        reached: Position,
    ) -> Result<(), BatchError> {
        let fence = owned.lease.fence().await;
        let span = tracing::debug_span!(
            "projection_batch",
            projection = self.name(),
            events = events.len(),
            reached = reached.get()
        );
        let batch = self.batch(owned, events, (fence, reached), None);
        let done = self.projector.apply(&batch).instrument(span).await?;
        self.written(owned, reached, done);
        Ok(())
    }

    pub(super) fn batch<'a>(
        &'a self,
        owned: &'a Owned,
        events: &'a [RecordedEvent],
        (fence, position): (Fence, Position),
        only: Option<(&'a str, u32)>,
    ) -> Batch<'a> {
        Batch {
            store: &*self.rows,
            codec: self.events.codec(),
            generation: self.generation,
            events,
            checkpoint: CheckpointChange { fence, position },
            part: &owned.part,
            waiting: &owned.waiting,
            only: only.map(|(key, _)| key),
            attempts: only.map_or(0, |(_, attempts)| attempts),
            retry: self.settings.retry,
            now: self.settings.clock.now(),
        }
    }

    pub(super) fn written(&self, owned: &mut Owned, position: Position, done: BatchDone) {
        owned.position = position;
        owned.kept = Some(position);
        owned.kept_at = Instant::now();
        for event in &done.parked {
            // Of what is only tried out, who tries it is told.
            if !event.error.is_empty() && self.generation < ModelTable::FIRST_SCRATCH {
                self.tell_parked(event);
            }
        }
        owned.waiting.extend(done.parked.iter().map(|event| event.key.clone()));
        owned.parked.extend(done.parked);
    }

    pub(super) fn tell_parked(&self, event: &ParkedEvent) {
        metrics::projection_failed(self.name());
        tracing::error!(
            projection = self.name(),
            event_type = event.event_type,
            position = event.position.get(),
            key = event.key,
            error = event.error,
            attempts = event.attempts,
            "an event failed, and its row waits"
        );
        let text = format!(
            "row `{}`: event {} at position {}: {}",
            event.key, event.event_type, event.position, event.error
        );
        self.show(|shown| shown.last_error = Some(text));
    }

    /// What an error of a batch means for its worker.
    pub(super) fn ended(error: BatchError, events: &[RecordedEvent]) -> Ended {
        let at = |index: usize, reason: String| {
            let event = &events[index];
            let error = EngineError::Event {
                event_type: event.event_type.clone().into_owned(),
                position: event.position,
                stream: event.stream_id.to_string(),
                reason,
            };
            Ended::Stopped(error)
        };
        match error {
            BatchError::Unreadable { index, source } => at(index, chain(&source)),
            BatchError::Failed { index, key, error } => at(index, format!("row `{key}`: {error}")),
            BatchError::OneOf(reason) if events.len() == 1 => at(0, reason),
            BatchError::OneOf(reason) => Ended::Failed(StoreError::other(reason)),
            // The checkpoint tells whether it was written.
            BatchError::Write(WriteError::Fenced { .. }) => Ended::Again,
            BatchError::Write(
                WriteError::UnknownOutcome { source, .. } | WriteError::UnknownCommit { source },
            ) => Ended::Failed(source),
            BatchError::Write(WriteError::Store(error)) | BatchError::Store(error) => {
                Ended::Failed(error)
            }
            BatchError::Write(error) => Ended::Failed(StoreError::other(chain(&error))),
        }
    }

    /// Writes a checkpoint that moved past events of others only.
    pub(super) async fn keep_checkpoint(&self, owned: &mut Owned) -> Result<(), Ended> {
        if owned.kept.unwrap_or_default() >= owned.position {
            return Ok(());
        }
        let change =
            CheckpointChange { fence: owned.lease.fence().await, position: owned.position };
        match self.rows.write_rows(Vec::new(), change).await {
            Ok(()) => {
                owned.kept = Some(owned.position);
                owned.kept_at = Instant::now();
                Ok(())
            }
            Err(error) => Err(Self::ended(error.into(), &[])),
        }
    }
}
