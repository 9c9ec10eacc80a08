//! How sagas are taken up that nobody runs.

use std::collections::HashSet;
use std::sync::{Arc, PoisonError};

use super::SagaError;
use super::core::Core;
use super::error::unless_it_panics;
use super::seat::Found;
use crate::bus::SetupError;
use crate::causes::chain;
use crate::metrics;
use crate::registry::SagaRegistration;
use crate::saga::{AnySaga, category_of};
use crate::stream::StreamId;

/// Which of the sagas that nobody runs are taken up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    All,
    /// Not those that could not go on a short time ago.
    Due,
}

/// Says what no macro can see: that the saga's name and those of its steps can be kept, and tell its steps apart.
pub(super) fn check(saga: &dyn AnySaga) -> Result<(), SetupError> {
    let name = saga.name();
    let refused = |reason: &str| Err(SetupError::saga(name, reason));
    if name.contains('/') {
        return refused("its name cannot contain `/`");
    }
    if let Some(reason) = StreamId::new(&category_of(name), "id").fault() {
        return refused(&reason);
    }
    let mut known = HashSet::new();
    for step in saga.steps() {
        if step.name.is_empty() || step.name.contains('/') {
            return refused(&format!(
                "a step's name is neither empty nor contains `/`: {:?}",
                step.name
            ));
        }
        if !known.insert(step.name) {
            return refused(&format!("two steps are called `{}`", step.name));
        }
    }
    if known.is_empty() { refused("it has no steps") } else { Ok(()) }
}

impl Core {
    /// The saga by its registration, if nothing is wrong with it: no other has its name, and its logs can be kept.
    pub(super) fn sound(&self, known: &SagaRegistration) -> Result<Arc<dyn AnySaga>, SetupError> {
        let is_other = |other: &SagaRegistration| {
            other.name == known.name && (other.type_id)() != (known.type_id)()
        };
        if let Some(other) = self.known().into_iter().find(is_other) {
            let names = [(known.type_name)(), (other.type_name)()];
            return Err(SetupError::saga_name(known.name, names));
        }
        let saga = self.saga(known)?;
        check(&*saga)?;
        Ok(saga)
    }

    /// Takes up all that nobody runs of a saga, and tells how many they were.
    pub(super) async fn resume(
        self: &Arc<Self>,
        saga: &Arc<dyn AnySaga>,
        which: Which,
    ) -> Result<usize, SagaError> {
        let (mut found, mut count, now) = (Found::default(), 0, self.now());
        let unfinished = self.journal.unfinished(saga.name()).await?;
        let running = unfinished.iter().filter(|listed| listed.owner.is_some());
        let oldest = running.clone().map(|listed| now.since(listed.since)).max();
        let parked = unfinished.len() - running.count();
        metrics::sagas_unfinished(saga.name(), parked, oldest.unwrap_or_default());
        self.forget_ended(saga.name(), &unfinished);
        for listed in unfinished {
            let Some(owner) = listed.owner else { continue };
            let stream_id = listed.stream_id;
            let is_held_up = which == Which::Due && self.is_put_off(&stream_id, owner);
            if is_held_up || self.runs(&stream_id).is_some() {
                continue;
            }
            // Of one that a living runner has, nobody reads the log.
            if !self.is_free(saga.name(), owner, &mut found).await? {
                self.goes_on(&stream_id);
                continue;
            }
            match unless_it_panics(self.take_up(saga, &stream_id, &mut found)).await {
                Ok(is_taken) => count += usize::from(is_taken),
                // It is said already, and another program may go on with it.
                Err(SagaError::Stuck { .. }) => {}
                Err(error) if error.is_of_all() => return Err(error),
                // One that cannot be taken up keeps none of those after it waiting.
                Err(error) => self.hold_up(saga.name(), &stream_id, chain(&error)),
            }
        }
        metrics::sagas_stuck(saga.name(), self.count_stuck(saga.name()));
        Ok(count)
    }

    /// Goes on taking up what others leave, until the runner is shut down.
    pub(super) async fn keep_resuming(self: Arc<Self>) {
        loop {
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return,
                () = tokio::time::sleep(self.settings.polling) => {}
            }
            let mut failing = unless_it_panics(Box::pin(self.do_requested())).await.err();
            for known in self.known() {
                let resuming = async {
                    let saga = self.saga(&known)?;
                    self.resume(&saga, Which::Due).await
                };
                match unless_it_panics(Box::pin(resuming)).await {
                    Ok(0) => {}
                    Ok(count) => tracing::info!(saga = known.name, count, "sagas are taken up"),
                    Err(error) => failing = Some(error),
                }
            }
            self.tell_failing(failing.as_ref());
        }
    }

    /// Keeps, and says, why not all was looked at that others left.
    pub(super) fn tell_failing(&self, error: Option<&SagaError>) {
        let error = error.filter(|error| !matches!(error, SagaError::ShutDown));
        let text = error.map(|error| chain(error));
        if let (Some(error), Some(text)) = (error, &text) {
            if error.is_of_all() {
                tracing::warn!(error = text, "it is not known which sagas are left: looks again");
            } else {
                tracing::error!(error = text, "not all sagas that are left are taken up");
            }
        }
        *self.failing.lock().unwrap_or_else(PoisonError::into_inner) = text;
    }
}
