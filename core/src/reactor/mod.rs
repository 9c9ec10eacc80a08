//! Reactors: what reaches outside when something has happened. A mail, a call over HTTP, a search index; or commands for
//! other aggregates.
//!
//! A reactor has a checkpoint of its own, which moves once its work is done: each event reaches it at least once, in order for
//! each key, and while one key's call takes long, those of other keys go on. A call that fails is tried again, and then waits
//! for a person, with all that comes later for its key. What it calls can tell a second call by
//! [`EventContext::idempotency_key`](crate::EventContext::idempotency_key). The commands that it returns go out as those of a
//! process do.
//!
//! It runs in a [`ProcessEngine`](crate::ProcessEngine).

mod commands;
mod manager;
mod reaction;

pub use self::commands::{IntoSentCommands, Reacted, ReactorCommand};
#[cfg(feature = "cli")]
pub(crate) use self::manager::taken;
pub use self::manager::{AnyReactor, reactor};
pub use self::reaction::{CallOn, Reaction};

use crate::context::Subject;
use crate::process::Start;

/// What reaches outside when something has happened; `#[reactor]` writes this impl.
///
/// By hand it is a [`CallOn`] for each event, and their list:
///
/// ```
/// use std::sync::Mutex;
///
/// use annals::projection::{Route, RowError, Source};
/// use annals::reactor::{CallOn, Reaction, Reactor};
/// # use annals::{Event, EventContext, RecordedEvent, Subject};
/// # use serde::{Deserialize, Serialize};
/// #
/// # #[derive(Debug, Clone, Serialize, Deserialize, Event)]
/// # struct Registered { address: String }
/// struct Welcome;
///
/// struct Mailer(Mutex<Vec<String>>);
///
/// impl Subject for Welcome {
///     type Key = String;
/// }
///
/// impl Reactor for Welcome {
///     type Services = Mailer;
///     const NAME: &'static str = "welcome";
///
///     fn reactions() -> Vec<Reaction<Self>> {
///         vec![Reaction::of::<Registered>()]
///     }
/// }
///
/// impl CallOn<Registered> for Welcome {
///     type Output = ();
///
///     fn source() -> Source<Self> {
///         Source::any()
///     }
///
///     fn route(event: &Registered, _: &RecordedEvent) -> Result<Route<String>, RowError> {
///         Ok(Route::One(event.address.clone()))
///     }
///
///     async fn call(event: &Registered, cx: &EventContext<Self>) {
///         cx.services().0.lock().unwrap().push(event.address.clone());
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a reactor",
    label = "not a reactor",
    note = "say what it reacts to: `#[reactor(name = \"…\")] impl {Self} {{ #[on] async fn … }}`"
)]
pub trait Reactor: Subject<Key = String> + Sized + Send + Sync + 'static {
    /// What its calls may use: a client of a mail server, of a search index. `()` for nothing.
    type Services: Send + Sync + 'static;

    /// The name under which its checkpoint is kept.
    const NAME: &'static str;

    /// From where in the log it starts when it is registered first.
    const START: Start = Start::Head;

    /// What it reacts to.
    fn reactions() -> Vec<Reaction<Self>>;
}
