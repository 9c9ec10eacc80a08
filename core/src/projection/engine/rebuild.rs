//! Rows built anew beside those that answer.

use std::time::Instant;

use super::asked::{Asked, Switched};
use super::failures::{Failures, Next};
use super::worker::{Ended, Owned, Worker};
use super::{EngineError, Handle, Inner};

/// Builds a generation from the beginning of the log, and has it answer.
pub(super) async fn rebuild(inner: &Inner, handle: &Handle) -> Result<(), EngineError> {
    let definition = handle.projector.definition();
    if definition.table.is_none() {
        return Err(definition.not_rebuilt().into());
    }
    let catalog = inner.rows.catalog().await?;
    let entry = catalog.into_iter().find(|entry| {
        entry.projection == definition.projection && entry.version == definition.version
    });
    let Some(entry) = entry else {
        return Err(EngineError::NotRegistered { projection: definition.projection.clone() });
    };
    owns(inner, handle).await?;
    let generation = inner.rows.begin_generation(definition).await?;
    tracing::info!(projection = definition.projection, generation, "a rebuild begins");
    let stores = (inner.events.clone(), inner.rows.clone());
    let (worker, ..) = Worker::new(
        handle.projector.clone(),
        entry,
        stores,
        inner.settings.clone(),
        inner.stop.clone(),
    );
    let switch = async |generation| {
        match handle.ask(|answer| Asked::Switch { generation, answer }).await.flatten() {
            // It may have lost its lease in an outage, and will have it again soon.
            Err(EngineError::NotOwner { .. }) => {
                owns(inner, handle).await.map(|()| Switched::Behind)
            }
            answer => answer,
        }
    };
    let built = worker.build(generation, switch).await;
    if built.is_ok() {
        // Whoever asks next finds the new rows kept by their owner.
        let mut shown = handle.shown.clone();
        let goes_on = shown.wait_for(|shown| {
            shown.generation == generation && (shown.position.is_some() || shown.stopped.is_some())
        });
        tokio::select! {
            () = inner.stop.cancelled() => {}
            // An error says that the worker has ended.
            _ = goes_on => {}
        }
    } else {
        // What failed is told; what is left goes with the next rebuild at the latest.
        let _ = inner.rows.drop_generation(definition, generation).await;
    }
    built
}

/// Waits until the projection's worker is the owner: one that has only just begun, or changed generations, may still be waiting
/// for its lease.
async fn owns(inner: &Inner, handle: &Handle) -> Result<(), EngineError> {
    let mut shown = handle.shown.clone();
    let owns = shown.wait_for(|shown| shown.position.is_some() || shown.stopped.is_some());
    if tokio::time::timeout(inner.settings.lease, owns).await.is_err() {
        let projection = handle.projector.definition().projection.clone();
        return Err(EngineError::NotOwner { projection });
    }
    Ok(())
}

impl Worker {
    /// Builds a generation beside the one that answers, until it has taken its place.
    pub(super) async fn build(
        mut self,
        generation: u32,
        switch: impl AsyncFn(u32) -> Result<Switched, EngineError>,
    ) -> Result<(), EngineError> {
        self.generation = generation;
        let mut failures = Failures::default();
        loop {
            let ended = match self.hold().await {
                Ok(mut owned) => {
                    let (kept, began) = (owned.kept, Instant::now());
                    let built = self.build_owned(&mut owned, &switch).await;
                    if owned.has_gone_on(kept, began) {
                        failures = Failures::default();
                    }
                    let _ = owned.lease.give_up().await;
                    match built {
                        Ok(done) => return done,
                        Err(ended) => ended,
                    }
                }
                Err(ended) => ended,
            };
            match ended {
                Ended::Shutdown => {
                    return Err(EngineError::Ended { projection: self.name().to_owned() });
                }
                Ended::Again => {}
                Ended::Failed(error) => {
                    let Next::Again(pause) = failures.next(&error) else {
                        return Err(error.into());
                    };
                    let projection = self.name();
                    tracing::warn!(projection, %error, ?pause, "a rebuild failed: tries again");
                    tokio::time::sleep(pause).await;
                }
                Ended::Stopped(error, _) => return Err(error),
            }
        }
    }

    pub(super) async fn build_owned(
        &mut self,
        owned: &mut Owned,
        switch: &impl AsyncFn(u32) -> Result<Switched, EngineError>,
    ) -> Result<Result<(), EngineError>, Ended> {
        loop {
            if self.stop.is_cancelled() {
                return Err(Ended::Shutdown);
            }
            self.advance(owned).await?;
            if owned.is_at_end {
                self.keep_checkpoint(owned).await?;
                match switch(self.generation).await {
                    Ok(Switched::Done) => return Ok(Ok(())),
                    Ok(Switched::Behind) => {}
                    Err(error) => return Ok(Err(error)),
                }
            }
        }
    }
}
