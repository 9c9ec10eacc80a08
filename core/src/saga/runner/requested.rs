//! What a person asked from outside of the program, done by the first runner that sees it.

use std::sync::Arc;

use super::SagaError;
use super::core::Core;
use super::error::unless_it_panics;
use super::seat::asked_of;
use crate::causes::chain;
use crate::metadata::Metadata;
use crate::position::Position;
use crate::request::{Request, Wish, requests};
use crate::saga::{AnySaga, category_of};
use crate::store::{CheckpointChange, StoreError, WriteError};
use crate::stream::StreamId;

impl Core {
    /// Does what was asked of the sagas that it runs, and takes it back.
    pub(super) async fn do_requested(self: &Arc<Self>) -> Result<(), SagaError> {
        let asked = requests(self.journal.store()?).await?;
        if asked.is_empty() {
            return Ok(());
        }
        for known in self.known() {
            let Ok(saga) = self.saga(&known) else { continue };
            let reader = asked_of(known.name);
            for request in asked.iter().filter(|request| request.reader == reader) {
                match unless_it_panics(self.do_one(&saga, request)).await {
                    Ok(()) => {}
                    Err(SagaError::ShutDown) => return Err(SagaError::ShutDown),
                    // One that always fails keeps none of those after it waiting.
                    Err(error) => {
                        let (saga, error) = (known.name, chain(&error));
                        tracing::warn!(saga, error, "what was asked of a saga is not done yet");
                    }
                }
            }
        }
        Ok(())
    }

    async fn do_one(
        self: &Arc<Self>,
        saga: &Arc<dyn AnySaga>,
        request: &Request,
    ) -> Result<(), SagaError> {
        let stream_of = |id: &str| StreamId::new(&category_of(saga.name()), id);
        // Who asks from outside, the store does not keep.
        let said = Metadata::default();
        let done = match &request.wish {
            // Whoever asked is gone.
            _ if request.is_over() => Ok(()),
            Wish::Retry { key } => {
                let retried = self.retry(saga, &stream_of(key), said, Some(request)).await;
                if retried.is_ok() {
                    return Ok(());
                }
                retried
            }
            Wish::Drop { key } => self.drop_parked(saga, &stream_of(key), said).await,
            // Sagas read nothing at which they could stop.
            Wish::Resume { .. } | Wish::Skip { .. } | Wish::Shards { .. } => Ok(()),
        };
        match done {
            // Another runner, or another person, was quicker.
            Ok(()) | Err(SagaError::NotParked { .. } | SagaError::NotBegun { .. }) => {}
            Err(error @ (SagaError::Unreadable { .. } | SagaError::Stuck { .. })) => {
                // A program of another release may do it.
                let error = chain(&error);
                tracing::error!(saga = saga.name(), error, "what was asked cannot be done here");
                return Ok(());
            }
            Err(error) => return Err(error),
        }
        let seat = self.seats.take(saga.name(), &self.journal, &self.settings).await?;
        let change = CheckpointChange { fence: seat.fence.clone(), position: Position::START };
        match self.journal.store()?.write_rows(vec![request.done()], change).await {
            Ok(()) => Ok(()),
            // It is taken back when it is looked at next.
            Err(WriteError::Fenced { .. }) => {
                seat.lose();
                Ok(())
            }
            Err(WriteError::Store(error)) => Err(error.into()),
            Err(error) => {
                let message = "what was asked of a saga could not be taken back";
                Err(StoreError::other(message).with_source(error).into())
            }
        }
    }
}
