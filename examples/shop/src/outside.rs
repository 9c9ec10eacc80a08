//! Two services that are not event-sourced: a carrier, and a warehouse. They stand for other people's systems, and can be told to
//! fail, or to answer nothing.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio::sync::{Mutex, MutexGuard};
use utoipa::ToSchema;

/// The services that ship a parcel.
#[derive(Debug)]
pub(crate) struct Outside {
    pub(crate) carrier: Service,
    pub(crate) warehouse: Service,
}

impl Default for Outside {
    fn default() -> Self {
        Self {
            carrier: Service::new("parcel", &["book", "cancel", "hand_over"]),
            warehouse: Service::new("box", &["pick", "put_back"]),
        }
    }
}

impl Outside {
    /// A service by its name.
    pub(crate) fn named(&self, name: &str) -> Option<&Service> {
        match name {
            "carrier" => Some(&self.carrier),
            "warehouse" => Some(&self.warehouse),
            _ => None,
        }
    }
}

/// A service that takes jobs. Asked twice under one key, it has one job.
#[derive(Debug)]
pub(crate) struct Service {
    /// What its jobs are about.
    what: &'static str,
    /// What it can be asked.
    calls: &'static [&'static str],
    state: Mutex<State>,
}

/// What goes wrong with a service: with which calls, of the carrier `book`, `cancel`, `hand_over`, of the warehouse `pick`,
/// `put_back`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Faults {
    /// The calls that fail.
    #[schema(example = json!(["pick"]))]
    fails: BTreeSet<String>,
    /// The calls that are never answered.
    #[serde(default)]
    #[schema(example = json!([]))]
    hangs: BTreeSet<String>,
}

#[derive(Debug, Default)]
struct State {
    faults: Faults,
    /// The job of each key.
    jobs: BTreeMap<String, String>,
}

/// What a service is told, and what it has to do.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Shown {
    #[serde(flatten)]
    faults: Faults,
    /// Its jobs.
    jobs: BTreeSet<String>,
}

/// Twelve digits that stand for a key.
fn short_hash(key: &str) -> String {
    let digits = |text: String, byte: &u8| format!("{text}{byte:02x}");
    Sha256::digest(key)[..6].iter().fold(String::new(), digits)
}

/// A service cannot be asked this.
#[derive(Debug, thiserror::Error)]
#[error("there is no call `{}`; there are `{known}`", .call.escape_debug())]
pub(crate) struct UnknownCall {
    /// Where it was named.
    pub(crate) field: &'static str,
    call: String,
    known: String,
}

/// A service that did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not answered")]
pub(crate) struct Fails(String);

impl Service {
    fn new(what: &'static str, calls: &'static [&'static str]) -> Self {
        Self { what, calls, state: Mutex::default() }
    }

    /// Has these calls go wrong from now on, and no others.
    pub(crate) async fn tell(&self, faults: Faults) -> Result<(), UnknownCall> {
        for (field, calls) in [("fails", &faults.fails), ("hangs", &faults.hangs)] {
            if let Some(call) = calls.iter().find(|call| !self.calls.contains(&&***call)) {
                return Err(UnknownCall {
                    field,
                    call: call.clone(),
                    known: self.calls.join("`, `"),
                });
            }
        }
        self.state.lock().await.faults = faults;
        Ok(())
    }

    /// Tells how it is.
    pub(crate) async fn shown(&self) -> Shown {
        let state = self.state.lock().await;
        Shown { faults: state.faults.clone(), jobs: state.jobs.values().cloned().collect() }
    }

    /// Takes a job, and gives it a name.
    pub(crate) async fn take(&self, call: &str, key: &str) -> Result<String, Fails> {
        let mut state = self.called(call).await?;
        if let Some(job) = state.jobs.get(key) {
            return Ok(job.clone());
        }
        // By its key: another program's job has never the same name.
        let job = format!("{}-{}", self.what, short_hash(key));
        state.jobs.insert(key.to_owned(), job.clone());
        Ok(job)
    }

    /// Gives a job up; one that is not there is given up already.
    pub(crate) async fn give_up(&self, call: &str, job: Option<&str>) -> Result<(), Fails> {
        let mut state = self.called(call).await?;
        state.jobs.retain(|_, other| Some(&**other) != job);
        Ok(())
    }

    /// Asks for what leaves no job.
    pub(crate) async fn ask(&self, call: &str) -> Result<(), Fails> {
        self.called(call).await.map(drop)
    }

    /// Begins a call, which goes wrong if the service was told so.
    async fn called(&self, call: &str) -> Result<MutexGuard<'_, State>, Fails> {
        let state = self.state.lock().await;
        if state.faults.hangs.contains(call) {
            // Others are answered meanwhile.
            drop(state);
            return std::future::pending().await;
        }
        if state.faults.fails.contains(call) { Err(Fails(call.to_owned())) } else { Ok(state) }
    }
}
