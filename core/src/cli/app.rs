//! What a command works on, and how it ends.

use std::error::Error;
use std::fmt;
use std::process::ExitCode;
use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;

use crate::store::{InspectedStore, StoreError, WriteError};

/// The store that a command works on.
pub(super) type Store = Arc<dyn InspectedStore>;

type Opened = BoxFuture<'static, Result<Store, Fault>>;

/// The program that an operator looks after: its store, and, by what it links, all that it registers.
///
/// Read models, snapshots and what processes have to do are looked for in the same store as the events.
pub struct App {
    open: Box<dyn FnOnce() -> Opened + Send>,
}

impl App {
    /// Takes a store.
    pub fn new(store: impl InspectedStore) -> Self {
        let store: Store = Arc::new(store);
        Self { open: Box::new(|| std::future::ready(Ok(store)).boxed()) }
    }

    /// Opens the store once the command line is understood: `--help` needs none.
    ///
    /// ```
    /// use annals::cli::App;
    /// use annals::{MemoryStore, StoreError};
    ///
    /// let app = App::opened_by(async || Ok::<_, StoreError>(MemoryStore::new()));
    /// ```
    pub fn opened_by<S, E, F>(open: impl FnOnce() -> F + Send + 'static) -> Self
    where
        S: InspectedStore,
        E: Into<Box<dyn Error + Send + Sync>>,
        F: Future<Output = Result<S, E>> + Send + 'static,
    {
        let opened = || {
            let opening = open();
            let opened = async {
                let store = opening.await.map_err(|error| Fault::Store(error.into()))?;
                let store: Store = Arc::new(store);
                Ok(store)
            };
            opened.boxed()
        };
        Self { open: Box::new(opened) }
    }

    pub(super) async fn open(self) -> Result<Store, Fault> {
        (self.open)().await
    }
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App").finish_non_exhaustive()
    }
}

/// Why a command was not done.
#[derive(Debug)]
pub(super) enum Fault {
    /// The store, or the console, did not do its part.
    Store(Box<dyn Error + Send + Sync>),
    /// What was named is not there.
    Absent(String),
    /// It was asked for in a way that cannot be.
    Usage(String),
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::Store(error.into())
    }
}

impl From<WriteError> for Fault {
    fn from(error: WriteError) -> Self {
        Self::Store(error.into())
    }
}

impl From<crate::LoadError> for Fault {
    fn from(error: crate::LoadError) -> Self {
        Self::Store(error.into())
    }
}

impl From<crate::projection::EngineError> for Fault {
    fn from(error: crate::projection::EngineError) -> Self {
        Self::Store(error.into())
    }
}

impl From<crate::saga::SagaError> for Fault {
    fn from(error: crate::saga::SagaError) -> Self {
        Self::Store(error.into())
    }
}

impl From<std::io::Error> for Fault {
    fn from(error: std::io::Error) -> Self {
        Self::Store(error.into())
    }
}

/// How a command that was done has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// All is well.
    Fine,
    /// Something is wrong with what was looked at.
    Wrong,
}

impl Verdict {
    pub(super) const fn wrong_if(is_wrong: bool) -> Self {
        if is_wrong { Self::Wrong } else { Self::Fine }
    }
}

impl From<Verdict> for ExitCode {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Fine => Self::SUCCESS,
            Verdict::Wrong => Self::from(3),
        }
    }
}
