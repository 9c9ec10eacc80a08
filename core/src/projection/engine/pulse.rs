//! What all projections of an engine look at now and then, looked at once for all of them: an idle engine asks for next to
//! nothing, however many projections it runs.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Mutex, watch};
use tokio_util::sync::CancellationToken;

use crate::position::Position;
use crate::projection::{CatalogEntry, ModelDefinition};
use crate::request::{Request, requests};
use crate::store::{EventStore, ReadModelStore, StoreError};

pub(super) struct Pulse {
    events: Arc<dyn EventStore>,
    rows: Arc<dyn ReadModelStore>,
    every: Duration,
    /// Where the log ends.
    head: watch::Sender<Position>,
    catalog: Mutex<Option<Seen<CatalogEntry>>>,
    requests: Mutex<Option<Seen<Request>>>,
}

/// What was seen, and when it was looked for.
struct Seen<T> {
    at: Instant,
    all: Vec<T>,
}

impl Pulse {
    pub(super) fn new(
        (events, rows): (Arc<dyn EventStore>, Arc<dyn ReadModelStore>),
        every: Duration,
    ) -> Self {
        let (catalog, requests) = (Mutex::default(), Mutex::default());
        Self { events, rows, every, head: watch::Sender::default(), catalog, requests }
    }

    /// Looks where the log ends, when something comes and every so often, until it is stopped.
    pub(super) async fn run(self: Arc<Self>, stop: CancellationToken) {
        let stopped = stop.cancelled();
        tokio::select! {
            () = stopped => {}
            () = self.beat() => {}
        }
    }

    async fn beat(&self) {
        loop {
            let seen = *self.head.borrow();
            // What fails here fails for the projections as well, and they tell it.
            match self.events.head().await {
                Ok(head) if head != seen => drop(self.head.send_replace(head)),
                Ok(_) => {
                    let came = self.events.wait_for_events(seen);
                    if let Ok(Err(_)) = tokio::time::timeout(self.every, came).await {
                        tokio::time::sleep(self.every).await;
                    }
                }
                Err(_) => tokio::time::sleep(self.every).await,
            }
        }
    }

    /// Where the log ended when it was looked at last.
    pub(super) fn head(&self) -> Position {
        *self.head.borrow()
    }

    /// Waits until the log goes on after a position.
    pub(super) async fn above(&self, position: Position) {
        let mut head = self.head.subscribe();
        if head.wait_for(|head| *head > position).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// What is kept of a projection, as it was looked at after an instant.
    pub(super) async fn entry(
        &self,
        definition: &ModelDefinition,
        after: Instant,
    ) -> Result<Option<CatalogEntry>, StoreError> {
        let mut seen = self.catalog.lock().await;
        let catalog = match &*seen {
            Some(seen) if seen.at > after => &seen.all,
            _ => {
                let at = Instant::now();
                let all = self.rows.catalog().await?;
                &seen.insert(Seen { at, all }).all
            }
        };
        Ok(catalog.iter().find(|entry| entry.is_of(definition)).cloned())
    }

    /// What is asked of the owners of a projection, whichever rows it was asked for, as it was looked for after an instant.
    pub(super) async fn requests(
        &self,
        definition: &ModelDefinition,
        after: Instant,
    ) -> Result<Vec<Request>, StoreError> {
        let mut seen = self.requests.lock().await;
        let all = match &*seen {
            Some(seen) if seen.at > after => &seen.all,
            _ => {
                let at = Instant::now();
                let all = requests(&*self.rows).await?;
                &seen.insert(Seen { at, all }).all
            }
        };
        let ModelDefinition { projection, version, .. } = definition;
        let is_of = |request: &&Request| request.reader.is_of(projection, *version);
        Ok(all.iter().filter(is_of).cloned().collect())
    }
}
