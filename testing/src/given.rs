//! What a test begins with: nothing, events, or commands.

use std::sync::Arc;

use annals::{Aggregate, Handle, HandledBy, HandlerError, IntoEvents, Metadata, Timestamp};

use crate::commands::IntoCommands;
use crate::scenario::Scenario;
use crate::stored::StoredEvent;
use crate::when::When;

/// Begins a test of an aggregate whose stream has these events.
///
/// ```
/// # use annals::prelude::*;
/// # use serde::{Deserialize, Serialize};
/// # #[derive(Debug, Clone, Serialize, Deserialize, AggregateId)]
/// # struct TaskId(String);
/// # #[derive(Debug, Clone, Serialize, Deserialize, Event)]
/// # struct TaskAdded;
/// # #[derive(Debug, Clone, Serialize, Deserialize, Event)]
/// # struct TaskDone;
/// # #[derive(Debug, Clone, Serialize, Deserialize, Command)]
/// # struct Finish {
/// #     #[command(id)]
/// #     task: TaskId,
/// # }
/// # #[derive(Aggregate)]
/// # #[aggregate(id = TaskId, events(TaskAdded, TaskDone))]
/// # struct Task {
/// #     done: bool,
/// # }
/// # #[handlers]
/// # impl Task {
/// #     #[apply]
/// #     fn added(_: &TaskAdded) -> Self {
/// #         Self { done: false }
/// #     }
/// #     #[handle]
/// #     fn finish(&self, _: Finish) -> TaskDone {
/// #         TaskDone
/// #     }
/// #     #[apply]
/// #     fn done(&mut self, _: &TaskDone) {
/// #         self.done = true;
/// #     }
/// # }
/// use annals_testing::given;
///
/// given::<Task>(TaskAdded)
///     .when(Finish { task: "t-1".into() })
///     .then(TaskDone)
///     .then_state(|task| assert!(task.done));
/// ```
#[track_caller]
pub fn given<A: Aggregate>(events: impl IntoEvents<A>) -> Given<A> {
    given_nothing().and_given(events)
}

/// Begins a test of an aggregate that does not exist.
pub fn given_nothing<A: Aggregate>() -> Given<A> {
    Given { scenario: Scenario::new(), services: NoServices }
}

/// Begins a test of an aggregate whose stream has these events as they are stored: of earlier versions, under earlier names.
///
/// ```
/// # use annals::prelude::*;
/// # use serde::{Deserialize, Serialize};
/// # #[derive(Debug, Clone, Serialize, Deserialize, AggregateId)]
/// # struct TaskId(String);
/// # #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
/// # #[event(alias = "TaskCreated")]
/// # struct TaskAdded;
/// # #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
/// # struct TaskDone;
/// # #[derive(Debug, Clone, Serialize, Deserialize, Command)]
/// # struct Finish {
/// #     #[command(id)]
/// #     task: TaskId,
/// # }
/// # #[derive(Aggregate)]
/// # #[aggregate(id = TaskId, events(TaskAdded, TaskDone))]
/// # struct Task;
/// # #[handlers]
/// # impl Task {
/// #     #[apply]
/// #     fn added(_: &TaskAdded) -> Self {
/// #         Self
/// #     }
/// #     #[handle]
/// #     fn finish(&self, _: Finish) -> TaskDone {
/// #         TaskDone
/// #     }
/// #     #[apply]
/// #     fn done(&mut self, _: &TaskDone) {}
/// # }
/// use annals_testing::{given_stored, stored};
/// use serde_json::json;
///
/// given_stored::<Task>([stored("TaskCreated", 1, json!(null))])
///     .when(Finish { task: "t-1".into() })
///     .then(TaskDone);
/// ```
#[track_caller]
pub fn given_stored<A: Aggregate>(events: impl IntoIterator<Item = StoredEvent>) -> Given<A> {
    given_nothing().and_given_stored(events)
}

/// Begins a test of an aggregate that has done these commands: an array or a `Vec` of one type, or a tuple.
///
/// They are decided when the first `.when(…)` comes, by the services that are given until then; one that is refused
/// fails the test.
pub fn given_commands<A: Aggregate>(commands: impl IntoCommands<A>) -> Given<A> {
    let mut given = given_nothing();
    for command in commands.into_commands() {
        given.scenario.add_command(command);
    }
    given
}

/// What a test begins with.
#[must_use = "a test without `.when(…)` tests nothing"]
pub struct Given<A: Aggregate, S = NoServices> {
    scenario: Scenario<A>,
    services: S,
}

impl<A: Aggregate, S> Given<A, S> {
    pub(crate) fn new(scenario: Scenario<A>, services: S) -> Self {
        Self { scenario, services }
    }

    /// Adds events to the stream.
    #[track_caller]
    pub fn and_given(mut self, events: impl IntoEvents<A>) -> Self {
        self.scenario.add_events(events);
        self
    }

    /// Adds events to the stream as they are stored.
    #[track_caller]
    pub fn and_given_stored(mut self, events: impl IntoIterator<Item = StoredEvent>) -> Self {
        self.scenario.add_stored(events);
        self
    }

    /// Sets the instant at which what follows happens, for handlers and for what is recorded. Without it, all happens at
    /// one instant, 2000-01-01T00:00:00Z.
    pub fn at(mut self, instant: Timestamp) -> Self {
        self.scenario.set_instant(instant);
        self
    }

    /// Sets the metadata of the commands that follow.
    pub fn with_metadata(mut self, metadata: Metadata) -> Self {
        self.scenario.set_metadata(metadata);
        self
    }

    /// Gives the handlers what they may ask.
    pub fn with_services(self, services: A::Services) -> Given<A, WithServices<A>> {
        Given { scenario: self.scenario, services: WithServices(Arc::new(services)) }
    }

    /// Has a command decided.
    ///
    /// # Panics
    ///
    /// If what the test begins with cannot be: events that do not fit their state, commands that are refused, an event
    /// that does not survive being written and read.
    #[must_use = "a test without `.then…(…)` expects nothing"]
    #[track_caller]
    pub fn when<C>(self, command: C) -> When<A, S, HandlerError<A, C>>
    where
        C: HandledBy<A>,
        A: Handle<C>,
        S: ServicesOf<A>,
    {
        let mut scenario = self.scenario;
        let outcome = scenario.decide(command, &self.services.services());
        When::new(scenario, self.services, outcome)
    }
}

/// A test that gives no services.
#[derive(Debug, Clone, Copy)]
pub struct NoServices;

/// A test that gives the services of `A`.
pub struct WithServices<A: Aggregate>(Arc<A::Services>);

impl<A: Aggregate> std::fmt::Debug for WithServices<A> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("WithServices")
    }
}

/// What a test gives the handlers of `A`: nothing where they ask nothing.
#[diagnostic::on_unimplemented(
    message = "the handlers of `{A}` ask services, but the test gives none",
    label = "services are missing",
    note = "call `.with_services(…)` before `.when(…)`"
)]
pub trait ServicesOf<A: Aggregate> {
    /// The services.
    fn services(&self) -> Arc<A::Services>;
}

#[diagnostic::do_not_recommend]
impl<A: Aggregate<Services: Nothing>> ServicesOf<A> for NoServices {
    fn services(&self) -> Arc<A::Services> {
        Arc::new(A::Services::nothing())
    }
}

/// Services that ask for nothing: `()`. A trait, so that the message for others is the one above.
pub trait Nothing {
    /// Nothing.
    fn nothing() -> Self;
}

impl Nothing for () {
    fn nothing() -> Self {}
}

impl<A: Aggregate> ServicesOf<A> for WithServices<A> {
    fn services(&self) -> Arc<A::Services> {
        self.0.clone()
    }
}
