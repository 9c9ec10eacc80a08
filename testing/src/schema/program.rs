//! What the program stores: all that it registers.

use annals::event::EventName;
use annals::process::Process;
use annals::registry::{
    AggregateRegistration, CommandRegistration, EventRegistration, ProcessRegistration,
    ProjectionRegistration, QueryRegistration, ReactorRegistration, SagaRegistration,
};
use annals::{Aggregate, Event, HandledBy, HandledQuery, Projection, Reactor, Saga};

use super::file::{
    KeptAggregate, KeptEvent, KeptProcess, KeptProjection, KeptSaga, KeptShape, KeptSnapshot,
    SchemaFile,
};

/// The stored names of a program, with the shapes of what stands under them.
///
/// [`of_program`](Self::of_program) takes all that the program links. What no code of the program mentions is not linked: a crate
/// that only registers things has to be used somewhere, or named by [`with_event`](Self::with_event) and its like.
#[derive(Debug, Clone, Default)]
pub struct Schema {
    pub(super) events: Vec<EventRegistration>,
    pub(super) aggregates: Vec<AggregateRegistration>,
    pub(super) commands: Vec<CommandRegistration>,
    pub(super) processes: Vec<ProcessRegistration>,
    pub(super) projections: Vec<ProjectionRegistration>,
    pub(super) queries: Vec<QueryRegistration>,
    pub(super) reactors: Vec<ReactorRegistration>,
    pub(super) sagas: Vec<SagaRegistration>,
}

impl Schema {
    /// Takes nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes all that the program links.
    pub fn of_program() -> Self {
        let mut schema = Self {
            events: EventRegistration::all().copied().collect(),
            aggregates: AggregateRegistration::all().copied().collect(),
            commands: CommandRegistration::all().copied().collect(),
            processes: ProcessRegistration::all().copied().collect(),
            projections: ProjectionRegistration::all().copied().collect(),
            queries: QueryRegistration::all().copied().collect(),
            reactors: ReactorRegistration::all().copied().collect(),
            sagas: SagaRegistration::all().copied().collect(),
        };
        // Linking decides the order of registrations; a message should not depend on it.
        schema.events.sort_by_key(|event| (event.event.type_name)());
        schema.aggregates.sort_by_key(|aggregate| (aggregate.type_name)());
        schema.commands.sort_by_key(|command| (command.type_name)());
        schema.processes.sort_by_key(|process| (process.type_name)());
        schema.reactors.sort_by_key(|reactor| (reactor.type_name)());
        schema.sagas.sort_by_key(|saga| (saga.type_name)());
        schema
    }

    /// Takes an event.
    #[must_use]
    pub fn with_event<E: Event>(mut self) -> Self {
        self.events.push(EventRegistration::of::<E>());
        self
    }

    /// Takes an aggregate: its category, the list of its events, and its snapshots.
    #[must_use]
    pub fn with_aggregate<A: Aggregate>(mut self) -> Self {
        self.aggregates.push(AggregateRegistration::of::<A>());
        self
    }

    /// Takes a command.
    #[must_use]
    pub fn with_command<A: Aggregate, C: HandledBy<A>>(mut self) -> Self {
        self.commands.push(CommandRegistration::of::<A, C>());
        self
    }

    /// Takes a process manager: its name, the version of its state and its deadlines.
    #[must_use]
    pub fn with_process<P: Process>(mut self) -> Self {
        self.processes.push(ProcessRegistration::of::<P>());
        self
    }

    /// Takes a projection: its name, its version and its table.
    #[must_use]
    pub fn with_projection<P: Projection>(mut self) -> Self {
        self.projections.push(ProjectionRegistration::of::<P>());
        self
    }

    /// Takes a query.
    #[must_use]
    pub fn with_query<Q: HandledQuery>(mut self) -> Self {
        self.queries.push(QueryRegistration::of::<Q>());
        self
    }

    /// Takes a reactor.
    #[must_use]
    pub fn with_reactor<R: Reactor>(mut self) -> Self {
        self.reactors.push(ReactorRegistration::of::<R>());
        self
    }

    /// Takes a saga: its name, those of its steps and the version of its data.
    #[must_use]
    pub fn with_saga<S: Saga>(mut self) -> Self {
        self.sagas.push(SagaRegistration::of::<S>());
        self
    }

    /// The events of today: those that are not the earlier struct of another.
    pub(super) fn present_events(&self) -> impl Iterator<Item = &EventRegistration> {
        self.events.iter().filter(|event| {
            let is_earlier = |later: &EventRegistration| {
                earlier(&later.event).any(|earlier| is_same(&earlier, &event.event))
            };
            !self.events.iter().any(is_earlier)
        })
    }

    /// The struct of a version of an event, if the program has it: the event's own, or one of those before it.
    pub(super) fn struct_of(
        &self,
        event: &EventRegistration,
        version: u32,
    ) -> Option<&EventRegistration> {
        let name = all_structs(&event.event).find(|name| name.version == version)?;
        self.events.iter().find(|other| is_same(&other.event, &name))
    }

    /// What a file would keep of this program alone.
    pub fn to_file(&self) -> SchemaFile {
        let mut file = SchemaFile::default();
        for event in self.present_events() {
            file.events.insert(event.event.name.to_owned(), self.kept_event(event));
        }
        for aggregate in &self.aggregates {
            file.aggregates.insert(aggregate.category.to_owned(), kept_aggregate(aggregate));
        }
        for command in &self.commands {
            file.commands.insert(command.command.to_owned(), KeptShape::of((command.trace)()));
        }
        for process in &self.processes {
            let deadlines = (process.deadlines)().into_iter().map(str::to_owned).collect();
            let kept = KeptProcess { deadlines, version: process.version };
            file.processes.insert(process.name.to_owned(), kept);
        }
        for projection in &self.projections {
            let (table, version) = (projection.table.to_owned(), projection.version);
            file.projections.insert(projection.name.to_owned(), KeptProjection { table, version });
        }
        file.queries = self.queries.iter().map(|query| query.query.to_owned()).collect();
        file.reactors = self.reactors.iter().map(|reactor| reactor.name.to_owned()).collect();
        for saga in &self.sagas {
            let steps = (saga.steps)().into_iter().map(str::to_owned).collect();
            file.sagas.insert(saga.name.to_owned(), KeptSaga { steps, version: saga.version });
        }
        file
    }

    fn kept_event(&self, event: &EventRegistration) -> KeptEvent {
        // What is older than `oldest` is refused, even where its struct is still there.
        let structs = all_structs(&event.event).filter(|name| name.version >= event.event.oldest);
        let versions = structs.filter_map(|name| {
            let earlier = self.struct_of(event, name.version)?;
            Some((name.version, KeptShape::of((earlier.trace)())))
        });
        KeptEvent {
            aliases: event.event.aliases.iter().map(|alias| (*alias).to_owned()).collect(),
            versions: versions.collect(),
        }
    }
}

fn kept_aggregate(aggregate: &AggregateRegistration) -> KeptAggregate {
    let snapshot = (aggregate.snapshot).zip((aggregate.snapshot_shape)());
    KeptAggregate {
        events: aggregate.events.iter().map(|event| event.name.to_owned()).collect(),
        snapshot: snapshot.map(|(policy, state)| KeptSnapshot::of(policy.version(), state)),
    }
}

/// The structs before this one, from the latest.
fn earlier(event: &EventName) -> impl Iterator<Item = EventName> + use<> {
    std::iter::successors(event.previous.copied(), |event| event.previous.copied())
}

/// The struct of an event, and those before it.
fn all_structs(event: &EventName) -> impl Iterator<Item = EventName> + use<> {
    std::iter::once(*event).chain(earlier(event))
}

fn is_same(one: &EventName, other: &EventName) -> bool {
    (one.type_id)() == (other.type_id)()
}
