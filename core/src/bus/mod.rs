//! The command bus: finds the handler of a command, lets it decide on the present state, and stores what follows.
//!
//! It knows no transport: an HTTP handler or a queue calls [`CommandBus::dispatch_json`] with a name and a value.

mod append;
mod attempt;
mod builder;
mod cache;
mod dispatch;
mod error;
mod execute;
mod inline;
mod interceptor;
mod leading;
mod line;
mod retry;
mod routes;
mod services;
mod trial;
mod warm;
mod withdraw;

use std::fmt;
use std::sync::{Arc, OnceLock};

use tokio_util::task::TaskTracker;

use self::attempt::Rejected;
pub use self::builder::CommandBusBuilder;
use self::builder::Settings;
pub use self::dispatch::Dispatch;
pub use self::error::{DispatchError, DomainError, SetupError};
use self::inline::InlineProjections;
pub use self::interceptor::{CommandCall, Failure, Interceptor, Origin, Outcome, Refusal};
pub use self::retry::RetryPolicy;
use self::routes::Routes;
pub(crate) use self::routes::{Route, check_events, nearest, sorted};
pub(crate) use self::services::Services;
use crate::aggregate::Aggregate;
use crate::command::{HandledBy, HandlerError};
use crate::store::{EventStore, Stores};

/// Dispatches commands to the aggregates that handle them. Clones are the same bus.
///
/// A dispatch loads the aggregate, lets its `#[handle]` decide, and appends the events at the version that it decided
/// on. If another writer was faster, it loads and decides again, as often as its [`RetryPolicy`] says.
///
/// ```no_run
/// # use annals::prelude::*;
/// # async fn send<Deposit: HandledBy<Account>, Account: Handle<Deposit>>(
/// #     store: MemoryStore,
/// #     deposit: Deposit,
/// # ) -> Result<(), Box<dyn std::error::Error>> {
/// let bus = CommandBus::new(store);
/// let receipt = bus.dispatch(deposit).idempotency_key("request-1").user("teller-3").await?;
/// println!("{} is at version {}", receipt.stream_id, receipt.stream_version);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct CommandBus {
    inner: Arc<Inner>,
}

struct Inner {
    stores: Stores,
    settings: Settings,
    routes: OnceLock<Result<Routes, SetupError>>,
    inline: OnceLock<Result<InlineProjections, SetupError>>,
    background: TaskTracker,
}

impl CommandBus {
    /// Makes a bus of all that the program links, without services.
    ///
    /// What is wrong with the program as a whole, such as two events of one stored name, the first dispatch says; with
    /// [`builder`](Self::builder), `build()?` does.
    pub fn new(stores: impl Into<Stores>) -> Self {
        Self::builder(stores).into_bus()
    }

    /// Makes a bus with services, interceptors, another clock, and so on.
    pub fn builder(stores: impl Into<Stores>) -> CommandBusBuilder {
        CommandBusBuilder::new(stores.into())
    }

    /// Dispatches a command to the aggregate that handles it, once it is awaited.
    ///
    /// # Errors
    ///
    /// [`DispatchError::Rejected`] with the domain's own error if the handler refuses; the other variants say what else
    /// can be.
    ///
    /// # Panics
    ///
    /// If it is awaited outside a Tokio runtime and a snapshot falls due or a conflict is retried.
    ///
    /// # Cancel safety
    ///
    /// A dropped dispatch has stored all of the command's events or none. Sent again under the same idempotency key, it
    /// is not done twice.
    pub fn dispatch<C, A>(&self, command: C) -> Dispatch<HandlerError<A, C>>
    where
        C: HandledBy<A>,
        A: Aggregate,
    {
        let bus = self.clone();
        Dispatch::new(move |options| {
            Box::pin(async move {
                let answer = bus.execute::<C, A>(command, None, options).await;
                answer.map_err(|error| error.map_rejected(typed))
            })
        })
    }

    /// Dispatches a command by its name and its JSON, once it is awaited.
    ///
    /// The domain's error comes in a [`DomainError`], from which it can be taken by its type.
    ///
    /// # Errors
    ///
    /// As [`dispatch`](Self::dispatch); [`DispatchError::UnknownCommand`] if no handler was registered under the name,
    /// [`DispatchError::InvalidCommand`] if the JSON is not the command's.
    ///
    /// # Cancel safety
    ///
    /// As [`dispatch`](Self::dispatch).
    pub fn dispatch_json(
        &self,
        name: impl Into<String>,
        content: serde_json::Value,
    ) -> Dispatch<DomainError> {
        let (bus, name) = (self.clone(), name.into());
        Dispatch::new(move |options| {
            Box::pin(async move {
                let route = bus.routes()?.find(name)?;
                route.run(bus, content, options).await
            })
        })
    }

    /// Waits until the snapshots that are being written are written: before a program ends, say.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when the call is dropped.
    pub async fn flush(&self) {
        self.inner.background.wait().await;
    }

    /// The names of the commands that [`dispatch_json`](Self::dispatch_json) knows, sorted.
    ///
    /// # Errors
    ///
    /// When the program as a whole is wrong, as [`new`](Self::new) says.
    pub fn command_names(&self) -> Result<Vec<&'static str>, SetupError> {
        Ok(self.routes()?.names())
    }

    /// The store of its events.
    pub fn events(&self) -> Arc<dyn EventStore> {
        self.inner.stores.events.clone()
    }

    fn inline(&self) -> Result<&InlineProjections, SetupError> {
        let inline = self.inner.inline.get_or_init(|| self.inner.settings.inline());
        inline.as_ref().map_err(Clone::clone)
    }

    fn routes(&self) -> Result<&Routes, SetupError> {
        let routes = self.inner.routes.get_or_init(|| self.inner.settings.routes());
        routes.as_ref().map_err(Clone::clone)
    }
}

/// Gives a domain's error the type that its handler's signature says.
fn typed<E: std::error::Error + 'static>(error: Rejected) -> E {
    *error.downcast().expect("bug in annals: a handler's error is of another type than it says")
}

impl fmt::Debug for CommandBus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CommandBus").finish_non_exhaustive()
    }
}
