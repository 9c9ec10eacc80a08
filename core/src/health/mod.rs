//! How a service is, for the probes of whatever runs it: whether it lives, whether it is ready, how far it is behind.
//!
//! It is told as a plain value, which any web framework answers as JSON. It measures nothing of its own: what it says is what
//! the engines' statuses say, at the moment of asking.
//!
//! ```
//! use annals::health::HealthCheck;
//! use annals::prelude::*;
//!
//! # async fn serve() -> Result<(), Box<dyn std::error::Error>> {
//! let store = MemoryStore::new();
//! let projections = ProjectionEngine::builder(store.clone()).register_all().start().await?;
//! let check = HealthCheck::new().projections(&projections);
//!
//! // In the handler of `/health/ready`; `/health/live` answers `check.is_live()`, which asks no store.
//! let health = check.ask().await;
//! let (status, body) = (health.ready_code(), health.to_json());
//! # let _ = (status, body);
//! # Ok(())
//! # }
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(serve()).unwrap();
//! ```

mod check;
mod part;

pub use self::check::HealthCheck;
pub use self::part::{PartHealth, PartKind};

use serde::Serialize;

use crate::projection::Level;

/// How a service is. As JSON it is
/// `{"live": true, "ready": true, "level": "normal", "error": null, "parts": [{"kind": "projection", "name": "totals", …}]}`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Health {
    /// Whether its engines run; one that does not is mended by a restart, and by nothing less. An outage of the store is not a
    /// matter of that: a restart does not bring the store back.
    pub live: bool,
    /// Whether it can answer: the store answers, the engines run, and each projection has caught up once. One that is paused or
    /// has stopped is not waited for, and what falls behind later shows in `level` only: if it took the readiness, one slow
    /// projection would take all nodes from the balancer at once. [`HealthCheck::unready_behind`] has it do so.
    pub ready: bool,
    /// The worst level of all parts; critical if the store does not answer.
    pub level: Level,
    /// Why the store could not be asked.
    pub error: Option<String>,
    /// Each projection, then each process manager and reactor, then the sagas, in the order of their names.
    pub parts: Vec<PartHealth>,
}

impl Health {
    /// The HTTP status of a liveness probe: 200 or 503.
    pub const fn live_code(&self) -> u16 {
        if self.live { 200 } else { 503 }
    }

    /// The HTTP status of a readiness probe: 200 or 503.
    pub const fn ready_code(&self) -> u16 {
        if self.ready { 200 } else { 503 }
    }

    /// The body of an answer.
    pub fn to_json(&self) -> String {
        // Cannot fail: names, numbers and texts only.
        serde_json::to_string(self).unwrap_or_default()
    }
}
