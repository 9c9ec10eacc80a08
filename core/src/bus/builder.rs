//! How a bus is built.

use std::any::TypeId;
use std::collections::HashSet;
use std::fmt;
use std::num::NonZeroUsize;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio_util::task::TaskTracker;

use super::cache::Cache;
use super::inline::InlineProjections;
use super::interceptor::Interceptor;
use super::routes::Routes;
use super::services::{self, Services};
use super::{CommandBus, Inner, RetryPolicy, SetupError};
use crate::aggregate::Aggregate;
use crate::clock::{Clock, IdSource, SystemClock, UuidV7};
use crate::projection::Projection;
use crate::registry::{
    AggregateRegistration, CommandRegistration, EventRegistration, ProjectionRegistration,
};
use crate::store::Stores;

/// How long a caller's idempotency key is kept, unless the builder says otherwise.
const KEY_LIFETIME: Duration = Duration::from_hours(24);

/// Makes a [`CommandBus`].
///
/// ```
/// use annals::prelude::*;
///
/// let bus = CommandBus::builder(MemoryStore::new()).retry(RetryPolicy::times(3)).build()?;
/// # let _ = bus;
/// # Ok::<(), SetupError>(())
/// ```
#[must_use]
pub struct CommandBusBuilder {
    stores: Stores,
    settings: Settings,
}

/// What the builder was told.
pub(super) struct Settings {
    pub(super) services: Services,
    pub(super) interceptors: Vec<Arc<dyn Interceptor>>,
    pub(super) retry: RetryPolicy,
    pub(super) clock: Box<dyn Clock>,
    pub(super) ids: Box<dyn IdSource>,
    pub(super) key_lifetime: Duration,
    pub(super) cache: Option<Cache>,
    registered: Option<Registered>,
}

/// Aggregates and inline projections that were registered by name.
#[derive(Default)]
struct Registered {
    inline: Vec<ProjectionRegistration>,
    types: HashSet<TypeId>,
    aggregates: Vec<AggregateRegistration>,
    needs: Vec<Need>,
}

/// The name of an aggregate, and whether its services were given.
type Need = (&'static str, fn(&Services) -> bool);

impl CommandBusBuilder {
    pub(super) fn new(stores: Stores) -> Self {
        let settings = Settings {
            services: Services::default(),
            interceptors: Vec::new(),
            retry: RetryPolicy::default(),
            clock: Box::new(SystemClock),
            ids: Box::new(UuidV7),
            key_lifetime: KEY_LIFETIME,
            cache: None,
            registered: None,
        };
        Self { stores, settings }
    }

    /// Takes the routes of this aggregate, and of those only that are registered so, instead of all that the program
    /// links: for crates that nothing else mentions, for tests, and for several services that share one code base.
    pub fn register<A: Aggregate>(mut self) -> Self {
        let registered = self.settings.registered.get_or_insert_default();
        if registered.types.insert(TypeId::of::<A>()) {
            registered.aggregates.push(AggregateRegistration::of::<A>());
            registered.needs.push((std::any::type_name::<A>(), services::are_given::<A>));
        }
        self
    }

    /// Has the rows of an inline projection change with the events of aggregates that are registered by name; without any
    /// such, all inline projections that the program links do.
    pub fn register_inline<P: Projection>(mut self) -> Self {
        let registered = self.settings.registered.get_or_insert_default();
        if registered.inline.iter().all(|other| (other.type_id)() != TypeId::of::<P>()) {
            registered.inline.push(ProjectionRegistration::of::<P>());
        }
        self
    }

    /// Gives the handlers of an aggregate what they may ask.
    pub fn services<A: Aggregate>(self, services: A::Services) -> Self {
        self.shared_services::<A>(Arc::new(services))
    }

    /// Gives the handlers of an aggregate what they may ask, where others share it.
    pub fn shared_services<A: Aggregate>(mut self, services: Arc<A::Services>) -> Self {
        self.settings.services.insert::<A>(services);
        self
    }

    /// Adds an interceptor. Those added first see a command first and its outcome last.
    pub fn interceptor(mut self, interceptor: impl Interceptor) -> Self {
        self.settings.interceptors.push(Arc::new(interceptor));
        self
    }

    /// Sets how often, and after what pauses, a command is decided again after a conflict.
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.settings.retry = policy;
        self
    }

    /// Sets the clock that handlers see.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.settings.clock = Box::new(clock);
        self
    }

    /// Sets the source of the ids of commands and events.
    pub fn ids(mut self, ids: impl IdSource) -> Self {
        self.settings.ids = Box::new(ids);
        self
    }

    /// Sets how long callers' idempotency keys are kept; 24 hours unless set.
    pub fn key_lifetime(mut self, lifetime: Duration) -> Self {
        self.settings.key_lifetime = lifetime;
        self
    }

    /// Keeps the aggregates that were used last in memory, this many at most; by default none.
    ///
    /// A command for one of them needs no load. What is kept is only where it begins: the append checks the version all
    /// the same, and after a conflict the aggregate is loaded again. Commands of this program for one aggregate take
    /// turns instead of meeting in the store.
    ///
    /// An aggregate whose `#[apply]` asks for an event's instant or position, which only the store knows, is loaded
    /// each time.
    pub fn cache(mut self, aggregates: usize) -> Self {
        self.settings.cache = NonZeroUsize::new(aggregates).map(Cache::new);
        self
    }

    /// Makes the bus, and finds out the shapes of states that have snapshots, so that no load has to wait for it.
    ///
    /// # Errors
    ///
    /// When two events, commands or categories of the program have one name, or an aggregate that was registered by
    /// name lacks its services.
    pub fn build(self) -> Result<CommandBus, SetupError> {
        let bus = self.into_bus();
        bus.routes()?;
        bus.inline()?;
        bus.inner.settings.find_state_shapes();
        Ok(bus)
    }

    /// Makes the bus; what is wrong, its first dispatch says.
    pub(super) fn into_bus(self) -> CommandBus {
        let background = TaskTracker::new();
        // Closed, it still takes tasks; open, nobody could wait for them.
        background.close();
        CommandBus {
            inner: Arc::new(Inner {
                stores: self.stores,
                settings: self.settings,
                routes: OnceLock::new(),
                inline: OnceLock::new(),
                background,
            }),
        }
    }
}

impl Settings {
    /// Collects the inline projections.
    pub(super) fn inline(&self) -> Result<InlineProjections, SetupError> {
        match &self.registered {
            Some(registered) => InlineProjections::of(registered.inline.iter()),
            None => InlineProjections::of(ProjectionRegistration::all()),
        }
    }

    /// Has each shape found that a load or a snapshot asks for.
    fn find_state_shapes(&self) {
        let find = |aggregate: &AggregateRegistration| {
            let _ = (aggregate.snapshot_shape)();
        };
        match &self.registered {
            Some(registered) => registered.aggregates.iter().for_each(find),
            None => AggregateRegistration::all().for_each(find),
        }
    }

    /// Collects the routes, and checks what can only be checked across the program.
    pub(super) fn routes(&self) -> Result<Routes, SetupError> {
        let all_routes = inventory::iter::<CommandRegistration>;
        let Some(registered) = &self.registered else {
            return Routes::of(
                all_routes.into_iter(),
                inventory::iter::<AggregateRegistration>.into_iter(),
                inventory::iter::<EventRegistration>.into_iter().map(|event| &event.event),
            );
        };
        for (aggregate, are_given) in &registered.needs {
            if !are_given(&self.services) {
                return Err(SetupError::missing_services(aggregate));
            }
        }
        let routes =
            all_routes.into_iter().filter(|route| registered.types.contains(&(route.aggregate)()));
        let events = registered.aggregates.iter().flat_map(|aggregate| aggregate.events);
        Routes::of(routes, registered.aggregates.iter(), events)
    }
}

impl fmt::Debug for CommandBusBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CommandBusBuilder").finish_non_exhaustive()
    }
}
