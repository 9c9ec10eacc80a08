//! What has happened: events of any streams, in the order of the log.

use std::collections::HashMap;
use std::time::Duration;

use annals::process::Process;
use annals::{
    Aggregate, EventEnum, EventOf, NewEvent, Payload, Position, Projection, Reactor, RecordedEvent,
    StreamHead, StreamId, Timestamp, ToId,
};
use uuid::Uuid;

use crate::process_test::ProcessTest;
use crate::project::ProjectionTest;
use crate::reactor_test::ReactorTest;

/// 2000-01-01T00:00:00Z, the instant before the first event.
pub(crate) const START: Timestamp = Timestamp::from_micros(946_684_800_000_000);

/// An event of an aggregate, as a store would have recorded it.
///
/// Version, position and instant are those of its place in a history, unless [`recorded_at`] sets the instant.
///
/// # Panics
///
/// If the text is no id of the aggregate, or the event cannot be written.
#[track_caller]
pub fn recorded<A: Aggregate>(
    id: &(impl ToId<A::Id> + ?Sized),
    event: impl EventOf<A>,
) -> RecordedEvent {
    recorded_at::<A>(id, event, Timestamp::MIN)
}

/// The same, recorded at an instant.
///
/// # Panics
///
/// As [`recorded`].
#[track_caller]
pub fn recorded_at<A: Aggregate>(
    id: &(impl ToId<A::Id> + ?Sized),
    event: impl EventOf<A>,
    instant: Timestamp,
) -> RecordedEvent {
    let id = match id.to_id() {
        Ok(id) => id,
        Err(error) => panic!("recorded: {error}"),
    };
    let event = event.into_event();
    let name = event.stored().name;
    let json = match event.encode() {
        Ok(json) => json,
        Err(error) => panic!("event `{name}` cannot be written: {error}"),
    };
    let new = NewEvent::new(Uuid::now_v7(), name, event.schema_version(), Payload::new(json));
    let head = StreamHead::new(0, Position::START, instant);
    RecordedEvent::new(new, StreamId::of::<A>(&id), head)
}

/// Begins a test with what has happened, in the order of the log.
///
/// ```
/// # use annals::prelude::*;
/// # use serde::{Deserialize, Serialize};
/// # #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, AggregateId)]
/// # struct TaskId(String);
/// # #[derive(Debug, Clone, Serialize, Deserialize, Event)]
/// # struct TaskAdded { title: String }
/// # #[derive(Aggregate)]
/// # #[aggregate(id = TaskId, events(TaskAdded))]
/// # struct Task;
/// # #[handlers]
/// # impl Task {
/// #     #[apply]
/// #     fn added(_: &TaskAdded) -> Self { Self }
/// # }
/// #[derive(Debug, Clone, PartialEq, ReadModel)]
/// #[read_model(table = "task_titles")]
/// struct TaskTitle {
///     #[read_model(key)]
///     task: TaskId,
///     title: String,
/// }
///
/// #[projection]
/// impl TaskTitle {
///     #[on]
///     fn added(event: &TaskAdded, cx: &EventContext<Self>) -> Self {
///         Self { task: cx.key().clone(), title: event.title.clone() }
///     }
/// }
///
/// use annals_testing::{given_history, recorded};
///
/// given_history([recorded::<Task>("t-1", TaskAdded { title: "Sweep".into() })])
///     .project::<TaskTitle>()
///     .then_row("t-1", TaskTitle { task: "t-1".into(), title: "Sweep".into() })
///     .then_no_row("t-2");
/// ```
pub fn given_history(events: impl IntoIterator<Item = RecordedEvent>) -> History {
    let mut history = History { events: Vec::new(), versions: HashMap::new() };
    history.extend(events);
    history
}

/// What has happened.
#[derive(Debug, Clone)]
#[must_use]
pub struct History {
    events: Vec<RecordedEvent>,
    versions: HashMap<StreamId, u64>,
}

impl History {
    /// Tests a projection on it.
    #[track_caller]
    pub fn project<P: Projection>(self) -> ProjectionTest<P> {
        ProjectionTest::new(self)
    }

    /// Tests a process on it: what it sends, and which deadlines it sets.
    ///
    /// # Panics
    ///
    /// If a step of it does not do the same again.
    #[must_use = "a test without `.then…(…)` expects nothing"]
    #[track_caller]
    pub fn process<P: Process>(self) -> ProcessTest<P> {
        ProcessTest::new(self)
    }

    /// Tests a reactor that was not there yet while it happened: what it calls and what it sends on what comes next.
    #[must_use = "a test without `.then…(…)` expects nothing"]
    pub fn reactor<R: Reactor>(self, services: R::Services) -> ReactorTest<R> {
        ReactorTest::new(self, services)
    }

    /// The events in the order of the log.
    pub fn events(&self) -> &[RecordedEvent] {
        &self.events
    }

    /// Adds what happens next: at the next position, a second after what came before unless its instant is set.
    pub(crate) fn extend(&mut self, events: impl IntoIterator<Item = RecordedEvent>) {
        for mut event in events {
            let before = self.events.last().map_or(START, |last| last.recorded_at);
            let version = self.versions.entry(event.stream_id.clone()).or_default();
            *version += 1;
            event.stream_version = *version;
            event.position = Position::from(self.events.len() as u64 + 1);
            if event.recorded_at == Timestamp::MIN {
                event.recorded_at = before + Duration::from_secs(1);
            }
            self.events.push(event);
        }
    }
}

/// One event or several, as `when` takes them.
pub trait IntoHistory {
    /// The events in their order.
    fn into_history(self) -> Vec<RecordedEvent>;
}

impl IntoHistory for RecordedEvent {
    fn into_history(self) -> Vec<RecordedEvent> {
        vec![self]
    }
}

impl IntoHistory for Vec<RecordedEvent> {
    fn into_history(self) -> Vec<RecordedEvent> {
        self
    }
}

impl<const N: usize> IntoHistory for [RecordedEvent; N] {
    fn into_history(self) -> Vec<RecordedEvent> {
        self.into()
    }
}
