//! What all projections of an engine look at now and then, looked at once for all of them: an idle engine asks for next to
//! nothing, however many projections it runs.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Mutex, watch};
use tokio_util::sync::CancellationToken;

use crate::position::Position;
use crate::projection::{CatalogEntry, ModelDefinition};
use crate::store::{EventStore, ReadModelStore, StoreError};

pub(super) struct Pulse {
    events: Arc<dyn EventStore>,
    rows: Arc<dyn ReadModelStore>,
    every: Duration,
    /// Where the log ends.
    head: watch::Sender<Position>,
    catalog: Mutex<Option<Seen>>,
}

struct Seen {
    at: Instant,
    catalog: Vec<CatalogEntry>,
}

impl Pulse {
    pub(super) fn new(
        (events, rows): (Arc<dyn EventStore>, Arc<dyn ReadModelStore>),
        every: Duration,
    ) -> Self {
        let (head, catalog) = (watch::Sender::default(), Mutex::default());
        Self { events, rows, every, head, catalog }
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
            Some(seen) if seen.at > after => &seen.catalog,
            _ => {
                let at = Instant::now();
                let catalog = self.rows.catalog().await?;
                &seen.insert(Seen { at, catalog }).catalog
            }
        };
        Ok(catalog.iter().find(|entry| entry.is_of(definition)).cloned())
    }
}
