//! A fold and a decision, as the repository and the bus make them.

use std::sync::Arc;

use annals::{
    Aggregate, Context, Decision, EventContext, Handle, HandledBy, HandlerError, IntoEvents,
    Misfit, NewEvent, Payload, Position, RecordedEvent, StreamHead, StreamId, Timestamp,
};
use futures::executor::block_on;
use uuid::Uuid;

/// Applies events one after the other to a state that does not exist yet.
pub fn fold<A: Aggregate>(id: A::Id, events: impl IntoEvents<A>) -> Result<Option<A>, Misfit> {
    let mut collected = Vec::new();
    events.extend_into(&mut collected);
    let mut state = None;
    let cx = EventContext::new(id, recorded());
    for event in &collected {
        A::apply(&mut state, event, &cx)?;
    }
    Ok(state)
}

fn recorded() -> RecordedEvent {
    let event = NewEvent::new(Uuid::nil(), "Folded", 1, Payload::new("{}"));
    let head = StreamHead::new(1, Position::START, Timestamp::from_micros(0));
    RecordedEvent::new(event, StreamId::from_name("fold-1"), head)
}

/// Decides a command on a state, without services.
pub fn decide<C, A>(state: Option<&A>, command: C) -> Decided<A, C>
where
    A: Aggregate<Services = ()> + Handle<C>,
    C: HandledBy<A>,
{
    decide_with(state, command, Arc::new(()))
}

/// Decides a command on a state.
pub fn decide_with<C, A>(state: Option<&A>, command: C, services: Arc<A::Services>) -> Decided<A, C>
where
    A: Handle<C>,
    C: HandledBy<A>,
{
    let now = Timestamp::from_micros(0);
    let cx = Context::new(command.target().clone(), services, now);
    Ok(block_on(C::handle(state, command, &cx))?.decide())
}

/// What comes of a command: events, the domain's refusal, or a state that it does not fit.
pub type Decided<A, C> = Result<Result<Vec<<A as Aggregate>::Event>, HandlerError<A, C>>, Misfit>;
