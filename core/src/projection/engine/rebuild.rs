//! Rows built anew beside those that answer.

use std::time::{Duration, Instant};

use super::asked::{Asked, Switched};
use super::failures::{Failures, Next};
use super::worker::{Ended, Owned, Worker};
use super::{EngineError, Handle, Inner};
use crate::store::CheckpointId;
use crate::subscription::lease::{Checkpoints, Claim, Lease, RunOut};

/// How long a rebuild waits for one before it, which may just have been dropped.
const TURN: Duration = Duration::from_secs(1);

/// Builds a generation from the beginning of the log, and has it answer. One at a time, of all engines.
pub(super) async fn rebuild(inner: &Inner, handle: &Handle) -> Result<(), EngineError> {
    let definition = handle.projector.definition();
    if definition.table.is_none() {
        return Err(definition.not_rebuilt().into());
    }
    owns(inner, handle).await?;
    let mut turn = turn(inner, handle).await?;
    let built = tokio::select! {
        lost = turn.lost() => Err(Ended::from(lost).into_error(&definition.projection)),
        built = build(inner, handle) => built,
    };
    // Whether it could be given up, its task tells the log.
    let _ = turn.give_up().await;
    built
}

/// Takes the lease of those who rebuild a projection.
async fn turn(inner: &Inner, handle: &Handle) -> Result<Lease, EngineError> {
    let definition = handle.projector.definition();
    let name = definition.projection.clone();
    let claim = Claim {
        events: inner.events.clone(),
        checkpoints: Checkpoints::Apart(inner.rows.clone()),
        name: format!("rebuild of {name}"),
        id: CheckpointId::of_rebuild(&name, definition.version),
        lifetime: inner.settings.lease,
        run_out: RunOut::Lost,
    };
    match tokio::time::timeout(TURN, Lease::take(claim)).await {
        Ok(Ok((lease, _))) => Ok(lease),
        Ok(Err(error)) => Err(Ended::from(error).into_error(&name)),
        Err(_) => Err(EngineError::Rebuilding { projection: name }),
    }
}

async fn build(inner: &Inner, handle: &Handle) -> Result<(), EngineError> {
    let definition = handle.projector.definition();
    let entry = inner.entry(handle).await?;
    let generation = inner.rows.begin_generation(definition).await?;
    tracing::info!(projection = definition.projection, generation, "a rebuild begins");
    let (worker, ..) = Worker::new(
        handle.projector.clone(),
        entry,
        (inner.events.clone(), inner.rows.clone()),
        (inner.settings.clone(), inner.pulse.clone()),
        inner.stop.clone(),
    );
    let built = worker.build(generation, inner, handle).await;
    if built.is_err() {
        // What failed is told; what is left goes with the next rebuild at the latest.
        let _ = inner.rows.drop_generation(definition, generation).await;
    }
    built
}

/// Waits until the projection's worker is the owner, or has stopped: one that has only just begun, or changed generations, may
/// still be waiting for its lease.
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
    async fn build(
        mut self,
        generation: u32,
        inner: &Inner,
        handle: &Handle,
    ) -> Result<(), EngineError> {
        self.generation = generation;
        let mut failures = Failures::default();
        loop {
            let held = tokio::select! {
                () = inner.stop.cancelled() => Err(Ended::Shutdown),
                held = self.hold() => held,
            };
            let ended = match held {
                Ok(owned) => {
                    let built = self.build_owned(owned, handle, &mut failures).await;
                    match built {
                        Ok(()) => return Ok(()),
                        Err(ended) => ended,
                    }
                }
                Err(ended) => ended,
            };
            match ended {
                Ended::Again => {
                    // Its owner may have lost the lease in an outage, and will have it again soon.
                    owns(inner, handle).await?;
                    if self.find_entry().await?.building != Some(generation) {
                        return Err(self.projector.definition().not_building(generation).into());
                    }
                }
                Ended::Failed(error) => {
                    let Next::Again(pause) = failures.next(&error) else {
                        return Err(error.into());
                    };
                    let projection = self.name();
                    tracing::warn!(projection, %error, ?pause, "a rebuild failed: tries again");
                    tokio::time::sleep(pause).await;
                }
                ended => return Err(ended.into_error(self.name())),
            }
        }
    }

    async fn build_owned(
        &mut self,
        owned: Owned,
        handle: &Handle,
        failures: &mut Failures,
    ) -> Result<(), Ended> {
        let (kept, began) = (owned.kept, Instant::now());
        let mut owned = Box::new(owned);
        loop {
            let advanced = self.catch_up(&mut owned).await;
            if owned.has_gone_on(kept, began) {
                *failures = Failures::default();
            }
            if let Err(ended) = advanced {
                let _ = owned.lease.give_up().await;
                return Err(ended);
            }
            let switched =
                handle.ask(|answer| Asked::Switch { built: owned, answer }).await.flatten();
            match switched {
                Ok(Switched::Done) => return Ok(()),
                Ok(Switched::Behind(behind)) => owned = behind,
                Err(EngineError::NotOwner { .. }) => return Err(Ended::Again),
                Err(error) => return Err(Ended::Stopped(error)),
            }
        }
    }

    /// Applies what there is, up to the log's end.
    async fn catch_up(&mut self, owned: &mut Owned) -> Result<(), Ended> {
        loop {
            if self.stop.is_cancelled() {
                return Err(Ended::Shutdown);
            }
            self.advance(owned).await?;
            if owned.is_at_end {
                return self.keep_checkpoint(owned).await;
            }
        }
    }
}
