//! What a test knows of one aggregate: its history, its state, the clock. Each command is decided here, and what follows
//! from it is checked as a store would see it.

use std::sync::Arc;

use annals::{
    Aggregate, Context, Decision, EventContext, EventEnum, Handle, HandledBy, HandlerError,
    IntoEvents, Metadata, Misfit, NewEvent, Payload, Position, RecordedEvent, StreamHead, StreamId,
    Timestamp,
};
use serde_json::Value;

use crate::commands::AnyCommand;
use crate::runtime::block_on;
use crate::stored::StoredEvent;
use crate::{checks, report};

/// 2000-01-01T00:00:00Z.
const DEFAULT_INSTANT: Timestamp = Timestamp::from_micros(946_684_800_000_000);

/// A history under test.
pub(crate) struct Scenario<A: Aggregate> {
    id: Option<A::Id>,
    instant: Timestamp,
    metadata: Arc<Metadata>,
    /// What came before the id of the aggregate was known, which the first command says.
    pending: Vec<Pending<A>>,
    history: Vec<RecordedEvent>,
    state: Option<A>,
    /// What was given and done, for the report of a failure.
    story: Vec<String>,
}

enum Pending<A: Aggregate> {
    Event(A::Event, Timestamp),
    Stored(StoredEvent, Timestamp),
    Command(AnyCommand<A>, Timestamp, Arc<Metadata>),
}

/// Why a command gave no events.
#[derive(Debug)]
pub(crate) enum Failure<E> {
    Rejected(E),
    NotFound,
    AlreadyExists,
}

impl<E: std::fmt::Debug> Failure<E> {
    pub(crate) fn in_words(&self) -> String {
        match self {
            Self::Rejected(error) => format!("rejected with {error:?}"),
            Self::NotFound => "refused: the aggregate does not exist".to_owned(),
            Self::AlreadyExists => "refused: the aggregate exists already".to_owned(),
        }
    }
}

impl<A: Aggregate> Scenario<A> {
    pub(crate) fn new() -> Self {
        Self {
            id: None,
            instant: DEFAULT_INSTANT,
            metadata: Arc::default(),
            pending: Vec::new(),
            history: Vec::new(),
            state: None,
            story: Vec::new(),
        }
    }

    pub(crate) fn set_instant(&mut self, instant: Timestamp) {
        self.instant = instant;
    }

    pub(crate) fn set_metadata(&mut self, metadata: Metadata) {
        self.metadata = Arc::new(metadata);
    }

    pub(crate) fn state(&self) -> Option<&A> {
        self.state.as_ref()
    }

    pub(crate) fn story(&self) -> &[String] {
        &self.story
    }

    #[track_caller]
    pub(crate) fn add_events(&mut self, events: impl IntoEvents<A>) {
        let mut given = Vec::new();
        events.extend_into(&mut given);
        for event in given {
            self.pending.push(Pending::Event(event, self.instant));
        }
        if self.id.is_some() {
            self.bring_forward(None);
        }
    }

    #[track_caller]
    pub(crate) fn add_stored(&mut self, events: impl IntoIterator<Item = StoredEvent>) {
        for event in events {
            self.pending.push(Pending::Stored(event, self.instant));
        }
        if self.id.is_some() {
            self.bring_forward(None);
        }
    }

    pub(crate) fn add_command(&mut self, command: AnyCommand<A>) {
        self.pending.push(Pending::Command(command, self.instant, self.metadata.clone()));
    }

    /// Decides a command on the state, and takes what follows into the history.
    #[track_caller]
    pub(crate) fn decide<C>(
        &mut self,
        command: C,
        services: &Arc<A::Services>,
    ) -> Result<Vec<A::Event>, Failure<HandlerError<A, C>>>
    where
        C: HandledBy<A>,
        A: Handle<C>,
    {
        let id: A::Id = command.target().clone();
        self.settle_on(&id, C::NAME);
        self.bring_forward(Some(services));
        self.story.push(format!("when   {}", report::command(&command)));
        let cx = Context::<A>::new(id, services.clone(), self.instant)
            .with_stream_version(self.history.len() as u64)
            .with_metadata(self.metadata.clone());
        let decided = block_on(C::handle(self.state.as_ref(), command, &cx));
        let events = match decided.map(Decision::decide) {
            Ok(Ok(events)) => events,
            Ok(Err(error)) => return Err(Failure::Rejected(error)),
            Err(Misfit::Missing) => return Err(Failure::NotFound),
            Err(Misfit::Exists) => return Err(Failure::AlreadyExists),
        };
        for event in &events {
            let name = event.event_type();
            assert!(
                !event.stored().retired,
                "{}\n\nevent `{name}` is retired: no handler may return it",
                report::story(&self.story)
            );
            self.record(event, self.instant);
        }
        if !events.is_empty() {
            checks::state(
                &self.stream(),
                self.state.as_ref(),
                self.id(),
                &self.history,
                &self.story,
            );
        }
        Ok(events)
    }

    /// A test is about one aggregate: the one that its first command names.
    #[track_caller]
    fn settle_on(&mut self, id: &A::Id, command: &str) {
        let Some(known) = &self.id else {
            self.id = Some(id.clone());
            return;
        };
        let (known, id) = (known.to_string(), id.to_string());
        assert!(
            known == id,
            "this test is about `{known}`, but command `{command}` is for `{id}`: test them one by one"
        );
    }

    /// Brings what was given before the id was known into the history. Commands need services.
    #[track_caller]
    fn bring_forward(&mut self, services: Option<&Arc<A::Services>>) {
        let present = (self.instant, self.metadata.clone());
        for pending in std::mem::take(&mut self.pending) {
            match (pending, services) {
                (Pending::Event(event, instant), _) => {
                    self.story.push(format!("given  {}", report::event(&event)));
                    self.record(&event, instant);
                }
                (Pending::Stored(event, instant), _) => {
                    self.story.push(format!("stored {event}"));
                    self.take_stored(&event, instant);
                }
                (Pending::Command(command, instant, metadata), Some(services)) => {
                    (self.instant, self.metadata) = (instant, metadata);
                    if let Err(refusal) = command.decide(self, services) {
                        panic!("given command {command:?} was refused: {refusal}");
                    }
                }
                (command, None) => self.pending.push(command),
            }
        }
        (self.instant, self.metadata) = present;
    }

    /// Stores an event as a store would, checks that it can be read back, and applies it.
    #[track_caller]
    fn record(&mut self, event: &A::Event, instant: Timestamp) {
        let stored = event.stored();
        let new = NewEvent::new(
            self.next_event_id(),
            stored.name,
            stored.version,
            Payload::new(checks::event(event)),
        );
        let recorded = self.recorded(new.with_readable_from(stored.readable_from), instant);
        self.apply(Some(event), recorded);
    }

    /// Takes an event as it is stored, and applies it.
    #[track_caller]
    fn take_stored(&mut self, stored: &StoredEvent, instant: Timestamp) {
        let new = stored.to_new_event(self.next_event_id());
        let recorded = self.recorded(new, instant);
        let event = match A::Event::decode(recorded.stored(recorded.data.as_str())) {
            Some(Ok(event)) => Some(event),
            Some(Err(error)) => {
                panic!(
                    "{}\n\nstored event {stored} cannot be read: {error}",
                    report::story(&self.story)
                )
            }
            None if A::IGNORED.contains(&&*recorded.event_type) => None,
            None => panic!(
                "{}\n\nstored event {stored} is not an event of `{}`: list it in `events(…)`, or pass it over by `ignore(…)`",
                report::story(&self.story),
                std::any::type_name::<A>()
            ),
        };
        self.apply(event.as_ref(), recorded);
    }

    fn next_event_id(&self) -> uuid::Uuid {
        uuid::Uuid::from_u128(self.history.len() as u128 + 1)
    }

    fn recorded(&self, event: NewEvent, instant: Timestamp) -> RecordedEvent {
        let stream_version = self.history.len() as u64 + 1;
        let head = StreamHead::new(stream_version, Position::from(stream_version), instant);
        RecordedEvent::new(event.with_metadata(self.metadata.clone()), self.stream(), head)
    }

    /// Applies an event, unless it is one that the aggregate ignores, and takes it into the history.
    #[track_caller]
    fn apply(&mut self, event: Option<&A::Event>, recorded: RecordedEvent) {
        let cx = EventContext::<A>::new(self.id().clone(), recorded.clone());
        let applied = event.map_or(Ok(()), |event| A::apply(&mut self.state, event, &cx));
        if let Err(misfit) = applied {
            let why = match misfit {
                Misfit::Exists => "it creates, but the aggregate exists",
                Misfit::Missing => "it needs the aggregate, which does not exist",
            };
            panic!(
                "{}\n\nevent {} cannot be applied: {why}",
                report::story(&self.story),
                event.map(report::event).unwrap_or_default()
            );
        }
        self.history.push(recorded);
    }

    fn id(&self) -> &A::Id {
        self.id.as_ref().expect("bug in annals-testing: a history without an id")
    }

    fn stream(&self) -> StreamId {
        StreamId::of::<A>(self.id())
    }
}

/// The JSON of an event, for comparing and showing.
pub(crate) fn json_of<E: EventEnum>(event: &E) -> Value {
    match event.encode() {
        Ok(text) => serde_json::from_str(&text).unwrap_or(Value::String(text)),
        Err(error) => Value::String(format!("<cannot be written: {error}>")),
    }
}
