//! Who caused what: from the command that has a saga begun, through what its steps send, to what follows from its end.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use annals::prelude::*;
use futures::TryStreamExt;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::on_each_store;
use crate::scene::{Mortal, PATIENCE, Store, log_of, until};

const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, AggregateId)]
pub struct VisitId(String);

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
struct VisitWanted {}

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
struct VisitAllowed {}

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
struct VisitNoted {
    what: String,
}

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
struct VisitOver {}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Command)]
struct WantVisit {
    #[command(id)]
    visit: VisitId,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Command)]
struct AllowVisit {
    #[command(id)]
    visit: VisitId,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Command)]
struct NoteVisit {
    #[command(id)]
    visit: VisitId,
    what: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Command)]
struct EndVisit {
    #[command(id)]
    visit: VisitId,
}

#[derive(Debug, Clone, Aggregate)]
#[aggregate(id = VisitId, events(VisitWanted, VisitAllowed, VisitNoted, VisitOver))]
struct Visit;

#[handlers]
impl Visit {
    #[handle]
    fn want(_: WantVisit) -> VisitWanted {
        VisitWanted {}
    }

    #[apply]
    fn wanted(_: &VisitWanted) -> Self {
        Self
    }

    #[handle]
    fn allow(&self, _: AllowVisit) -> VisitAllowed {
        VisitAllowed {}
    }

    #[apply]
    fn allowed(&mut self, _: &VisitAllowed) {}

    #[handle]
    fn note(&self, command: NoteVisit) -> VisitNoted {
        VisitNoted { what: command.what }
    }

    #[apply]
    fn noted(&mut self, _: &VisitNoted) {}

    #[handle]
    fn end(&self, _: EndVisit) -> VisitOver {
        VisitOver {}
    }

    #[apply]
    fn over(&mut self, _: &VisitOver) {}
}

/// What the steps call: aggregates of the same program.
struct Desk {
    bus: CommandBus,
    hangs: AtomicBool,
}

impl Desk {
    async fn note(&self, what: &str, cx: &StepContext) -> Result<(), DispatchError<Infallible>> {
        if self.hangs.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        let (visit, what) = (VisitId::from(cx.saga_id()), what.to_owned());
        let command = NoteVisit { visit, what };
        let noted = self.bus.dispatch::<_, Visit>(command).idempotency_key(cx.idempotency_key());
        noted.caused_by(cx).await.map(drop)
    }
}

struct Visiting;

#[saga(name = "visiting", data = (), services = Desk)]
impl Visiting {
    #[step(undo = forget)]
    async fn remember(
        _: &(),
        desk: &Desk,
        cx: &StepContext,
    ) -> Result<(), DispatchError<Infallible>> {
        desk.note("came", cx).await
    }

    async fn forget(
        _: &(),
        desk: &Desk,
        cx: &StepContext,
    ) -> Result<(), DispatchError<Infallible>> {
        desk.note("left", cx).await
    }

    #[step]
    async fn refuse() -> Result<(), std::fmt::Error> {
        Err(std::fmt::Error)
    }
}

/// A process has the saga begun, and takes its end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ProcessManager)]
#[process_manager(name = "visits", id = VisitId, sends(AllowVisit, EndVisit))]
struct Visits;

#[process]
impl Visits {
    #[on]
    fn wanted(_: &VisitWanted, cx: &EventContext<Self>) -> (Self, AllowVisit) {
        (Self, AllowVisit { visit: cx.id().clone() })
    }

    #[on(key = |event| event.id_of::<Visiting>().map(VisitId::from))]
    fn ended(self, _: &SagaEnded, cx: &EventContext<Self>) -> Done<EndVisit> {
        Done(EndVisit { visit: cx.id().clone() })
    }
}

struct Visitors;

#[reactor(name = "visitors", services = SagaRunner)]
impl Visitors {
    #[on]
    async fn allowed(_: &VisitAllowed, cx: &EventContext<Self>) -> Result<(), SagaError> {
        cx.services().begin::<Visiting>(cx.stream_id().id(), ()).caused_by(cx).await
    }
}

fn builder(store: &impl Store, desk: &Arc<Desk>) -> annals::SagaRunnerBuilder {
    let builder = SagaRunner::builder(store.clone(), desk.clone()).register::<Visiting>();
    builder.polling(Duration::from_millis(5)).lease(Duration::from_millis(300))
}

fn desk(bus: &CommandBus) -> Arc<Desk> {
    Arc::new(Desk { bus: bus.clone(), hangs: AtomicBool::new(false) })
}

async fn log(store: &impl Store) -> Vec<RecordedEvent> {
    store.read_all(ReadAll::after(Position::START)).try_collect().await.expect("it is read")
}

/// An event in a word or two; of a saga's log, which record it is.
fn told(event: &RecordedEvent) -> String {
    if event.event_type != "annals/saga" {
        return event.event_type.to_string();
    }
    let json: Value = serde_json::from_str(event.data.as_str()).expect("plain JSON");
    let (name, content) = json.as_object().and_then(|all| all.iter().next()).expect("one");
    let call = if content["call"].is_object() { &content["call"] } else { content };
    match (call["direction"].as_str(), call["step"].as_str()) {
        (Some("undo"), Some(step)) => format!("undo {name} {step}"),
        (_, Some(step)) => format!("{name} {step}"),
        _ => name.clone(),
    }
}

/// What led to an event, the first last.
fn causes(log: &[RecordedEvent], event: &RecordedEvent) -> Vec<String> {
    let mut found = Vec::new();
    let mut at = Some(event);
    while let Some(event) = at {
        found.push(told(event));
        assert!(found.len() < 100, "it goes in circles");
        let metadata = &event.metadata;
        let cause = metadata.command_causation_id.as_ref().or(metadata.causation_id.as_ref());
        at = cause.and_then(|cause| log.iter().find(|event| event.id.to_string() == *cause));
    }
    found
}

async fn causes_lead_from_the_end_to_the_first_command(store: impl Store) {
    let bus = CommandBus::new(store.clone());
    let sagas = builder(&store, &desk(&bus)).start().await.expect("the store is there");
    let processes = ProcessEngine::builder(bus.clone())
        .register::<Visits>()
        .register_reactor::<Visitors>()
        .services::<Visitors>(sagas.clone())
        .start()
        .await
        .expect("the store is there");
    let command = bus.dispatch::<_, Visit>(WantVisit { visit: "v-1".into() });
    let command = command.correlation_id("request-7").user("ada").header("traceparent", TRACE);
    command.await.expect("it is wanted");
    let is_over = async || {
        processes.settle(PATIENCE).await.expect("nothing is parked");
        log(&store).await.iter().any(|event| event.event_type == "VisitOver")
    };
    until(is_over).await;

    let log = log(&store).await;
    for event in &log {
        let (metadata, told) = (&event.metadata, told(event));
        assert_eq!(metadata.correlation_id.as_deref(), Some("request-7"), "{told}");
        assert_eq!(metadata.user.as_deref(), Some("ada"), "{told}");
        let trace = metadata.headers.get("traceparent").map(String::as_str);
        assert_eq!(trace, Some(TRACE), "{told}");
    }
    let begun = ["begun", "VisitAllowed", "VisitWanted"];
    let of = |name: &str| log.iter().filter(|event| event.event_type == name).collect::<Vec<_>>();
    let first = [&["VisitNoted", "called remember"][..], &begun].concat();
    assert_eq!(causes(&log, of("VisitNoted")[0]), first);
    let undone = ["undo called remember", "failed refuse", "called refuse", "done remember"];
    let undone = [&undone[..], &["called remember"], &begun].concat();
    assert_eq!(causes(&log, of("VisitNoted")[1]), [&["VisitNoted"][..], &undone].concat());
    let ended = ["VisitOver", "annals/saga_ended", "undo done remember"];
    assert_eq!(causes(&log, of("VisitOver")[0]), [&ended[..], &undone].concat());
    processes.shutdown().await.expect("it has not stopped");
    sagas.shutdown().await;
}

async fn what_a_request_says_of_a_saga_stays_with_it(store: impl Store) {
    let bus = CommandBus::new(store.clone());
    for visit in ["v-1", "v-2"] {
        bus.dispatch::<_, Visit>(WantVisit { visit: visit.into() }).await.expect("it is wanted");
    }
    let sagas = builder(&store, &desk(&bus)).start().await.expect("the store is there");
    let run = sagas.run::<Visiting>("v-1", ()).correlation_id("request-8").causation_id("cause-1");
    run.user("eve").header("traceparent", TRACE).await.expect("it is run");
    // What is said of it later changes nothing.
    let again = sagas.run::<Visiting>("v-1", ()).user("bob");
    again.await.expect("it is answered");
    let kept = log_of(&store, "visiting", "v-1").await;
    assert_eq!(kept[0].metadata.causation_id.as_deref(), Some("cause-1"));
    for event in
        kept.iter().chain(log(&store).await.iter().filter(|event| told(event) == "VisitNoted"))
    {
        assert_eq!(event.metadata.correlation_id.as_deref(), Some("request-8"), "{}", told(event));
        assert_eq!(event.metadata.user.as_deref(), Some("eve"), "{}", told(event));
        assert!(event.metadata.headers.contains_key("traceparent"), "{}", told(event));
    }
    // Of one of which nothing is said, its log is what all that follows is found by.
    sagas.run::<Visiting>("v-2", ()).await.expect("it is run");
    let noted = log(&store).await.into_iter().rfind(|event| told(event) == "VisitNoted");
    let metadata = noted.expect("it is noted").metadata;
    assert_eq!(metadata.correlation_id.as_deref(), Some("annals/saga/visiting-v-2"));
}

async fn a_call_that_comes_again_has_the_same_cause(store: impl Store) {
    let bus = CommandBus::new(store.clone());
    bus.dispatch::<_, Visit>(WantVisit { visit: "v-1".into() }).await.expect("it is wanted");
    let hangs = desk(&bus);
    hangs.hangs.store(true, Ordering::SeqCst);
    let mortal = Mortal::start(builder(&store, &hangs)).await;
    let sagas = mortal.sagas.clone();
    let begun = async move { sagas.begin::<Visiting>("v-1", ()).user("ada").await };
    mortal.within(begun).await.expect("it begins");
    mortal.die();
    let sagas = builder(&store, &desk(&bus)).start().await.expect("the store is there");
    sagas.outcome::<Visiting>("v-1").await.expect("it goes on");
    let kept: Vec<String> =
        log_of(&store, "visiting", "v-1").await.iter().map(told).take(4).collect();
    assert_eq!(kept, ["begun", "called remember", "taken", "done remember"]);
    let log = log(&store).await;
    let noted = log.iter().find(|event| told(event) == "VisitNoted").expect("it is noted");
    assert_eq!(causes(&log, noted), ["VisitNoted", "called remember", "begun"]);
    assert_eq!(noted.metadata.user.as_deref(), Some("ada"));
    let done = log.iter().find(|event| told(event) == "done remember").expect("it is done");
    assert_eq!(causes(&log, done), ["done remember", "called remember", "begun"]);
}

on_each_store!(
    causes_lead_from_the_end_to_the_first_command,
    what_a_request_says_of_a_saga_stays_with_it,
    a_call_that_comes_again_has_the_same_cause,
);
