//! A reactor without its types: what engines and harnesses run.

use std::any::Any;
use std::collections::HashSet;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;

use super::{Reaction, Reactor, ReactorCommand};
use crate::codec::PayloadCodec;
use crate::context::EventContext;
use crate::process::{Fault, Start};
use crate::projection::{Route, chain, message_of, read};
use crate::recorded_event::RecordedEvent;
use crate::store::EventFilter;

/// A reactor without its types. [`reactor`] makes it.
pub trait AnyReactor: fmt::Debug + Send + Sync + 'static {
    /// The name under which its checkpoint is kept.
    fn name(&self) -> &'static str;

    /// From where in the log it starts when it is registered first.
    fn start(&self) -> Start;

    /// The events that it takes.
    fn filter(&self) -> EventFilter;

    /// The keys for which an event has it called, each once.
    ///
    /// # Errors
    ///
    /// [`Fault::Unreadable`] when the event cannot be read, [`Fault::Failed`] when it names no key.
    fn route(&self, event: &RecordedEvent, codec: &dyn PayloadCodec) -> Result<Vec<String>, Fault>;

    /// Does what an event has it do for one key.
    ///
    /// # Errors
    ///
    /// When the call fails or panics.
    fn call<'a>(
        &'a self,
        key: &'a str,
        event: &'a RecordedEvent,
        codec: &'a dyn PayloadCodec,
    ) -> BoxFuture<'a, Result<Vec<ReactorCommand>, Fault>>;
}

/// The reactor `R` without its types, with what its calls may use: for engines and harnesses.
pub fn reactor<R: Reactor>(services: Arc<R::Services>) -> Arc<dyn AnyReactor> {
    Arc::new(Typed::<R> { reactions: R::reactions(), services })
}

struct Typed<R: Reactor> {
    reactions: Vec<Reaction<R>>,
    services: Arc<R::Services>,
}

fn taken_by<R: Reactor>(reactions: &[Reaction<R>]) -> EventFilter {
    EventFilter::all().event_types(reactions.iter().flat_map(Reaction::names))
}

/// The events that a reactor takes, whatever services it has.
#[cfg(feature = "cli")]
pub(crate) fn taken<R: Reactor>() -> EventFilter {
    taken_by(&R::reactions())
}

impl<R: Reactor> Typed<R> {
    fn taken(&self, event: &RecordedEvent) -> Option<&Reaction<R>> {
        self.reactions.iter().find(|reaction| reaction.takes(event))
    }
}

impl<R: Reactor> AnyReactor for Typed<R> {
    fn name(&self) -> &'static str {
        R::NAME
    }

    fn start(&self) -> Start {
        R::START
    }

    fn filter(&self) -> EventFilter {
        taken_by(&self.reactions)
    }

    fn route(&self, event: &RecordedEvent, codec: &dyn PayloadCodec) -> Result<Vec<String>, Fault> {
        let Some(reaction) = self.taken(event) else { return Ok(Vec::new()) };
        let event_read = read(event, codec, reaction.read)?;
        let routed = catch_unwind(AssertUnwindSafe(|| event_read.route(event)));
        let routed = routed.map_err(|panic| panicked(&*panic))?;
        let mut keys = match routed.map_err(|error| Fault::Failed(chain(&error)))? {
            Route::One(key) => vec![key],
            Route::Many(keys) => keys,
            Route::Each(_) => Vec::new(),
        };
        let mut known = HashSet::new();
        keys.retain(|key| known.insert(key.clone()));
        Ok(keys)
    }

    fn call<'a>(
        &'a self,
        key: &'a str,
        event: &'a RecordedEvent,
        codec: &'a dyn PayloadCodec,
    ) -> BoxFuture<'a, Result<Vec<ReactorCommand>, Fault>> {
        async move {
            let Some(reaction) = self.taken(event) else { return Ok(Vec::new()) };
            let event_read = read(event, codec, reaction.read)?;
            let cx = EventContext::<R>::new(key.to_owned(), event.clone())
                .with_services(self.services.clone() as Arc<dyn Any + Send + Sync>);
            let called = AssertUnwindSafe(async { event_read.call(&cx).await }).catch_unwind();
            match called.await {
                Ok(Ok(commands)) => Ok(commands),
                // The error may panic when it is asked what it says.
                Ok(Err(error)) => Err(catch_unwind(AssertUnwindSafe(|| chain(&*error)))
                    .map_or_else(|panic| panicked(&*panic), Fault::Failed)),
                Err(panic) => Err(panicked(&*panic)),
            }
        }
        .boxed()
    }
}

fn panicked(panic: &(dyn Any + Send)) -> Fault {
    Fault::Failed(format!("panicked: {}", message_of(panic)))
}

impl<R: Reactor> fmt::Debug for Typed<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reactor")
            .field("name", &R::NAME)
            .field("reactions", &self.reactions)
            .finish_non_exhaustive()
    }
}
