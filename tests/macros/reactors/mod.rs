//! Reactors: what the attribute writes, called by hand.

mod called;
mod keys;
mod surroundings;

use std::sync::{Arc, Mutex, PoisonError};

use annals::PlainJson;
use annals::prelude::*;
use annals::process::Fault;
use annals::reactor::{AnyReactor, ReactorCommand, reactor};
use futures::executor::block_on;

/// A service that keeps what it was asked, line by line.
#[derive(Debug, Default)]
pub struct Log(Mutex<Vec<String>>);

impl Log {
    /// Keeps a line. It yields before, so that a call has to wait for it.
    pub async fn write(&self, line: String) {
        futures::future::ready(()).await;
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(line);
    }

    /// The lines so far.
    pub fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Has a reactor called for an event, for each key; gives back what it returned for them.
pub fn react<R: Reactor>(
    services: R::Services,
    event: &RecordedEvent,
) -> Result<Vec<ReactorCommand>, Fault> {
    react_with::<R>(&Arc::new(services), event)
}

/// The same, with services that are looked at later.
pub fn react_with<R: Reactor>(
    services: &Arc<R::Services>,
    event: &RecordedEvent,
) -> Result<Vec<ReactorCommand>, Fault> {
    let reactor = reactor::<R>(services.clone());
    let mut commands = Vec::new();
    for key in reactor.route(event, &PlainJson)? {
        commands.extend(block_on(reactor.call(&key, event, &PlainJson))?);
    }
    Ok(commands)
}

/// The keys for which an event has a reactor called.
pub fn routed<R: Reactor>(services: R::Services, event: &RecordedEvent) -> Vec<String> {
    reactor::<R>(Arc::new(services)).route(event, &PlainJson).unwrap()
}

/// A reactor without its types.
pub fn any<R: Reactor<Services = ()>>() -> Arc<dyn AnyReactor> {
    reactor::<R>(Arc::new(()))
}
