//! What begins a saga, and what follows from its end: events, reactors, process managers and projections, there and back.

use std::sync::Arc;
use std::time::Duration;

use annals::prelude::*;
use serde::{Deserialize, Serialize};

use crate::on_each_store;
use crate::scene::{PATIENCE, Store, started, story, until};
use crate::trip::{Backends, Booking, How, Trip, trip};

#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, AggregateId)]
pub struct RequestId(String);

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
struct TripAsked {
    traveller: String,
}

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
struct TripApproved {
    traveller: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
struct TripClosed {
    how: String,
}

#[derive(Debug, Clone, Serialize, Deserialize, Command)]
struct AskForTrip {
    #[command(id)]
    request: RequestId,
    traveller: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Command)]
struct ApproveTrip {
    #[command(id)]
    request: RequestId,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Command)]
struct CloseTrip {
    #[command(id)]
    request: RequestId,
    how: String,
}

#[derive(Debug, Clone, Aggregate)]
#[aggregate(id = RequestId, events(TripAsked, TripApproved, TripClosed))]
struct Request {
    traveller: String,
    how: Option<String>,
}

#[handlers]
impl Request {
    #[handle]
    fn ask(command: AskForTrip) -> TripAsked {
        TripAsked { traveller: command.traveller }
    }

    #[apply]
    fn asked(event: &TripAsked) -> Self {
        Self { traveller: event.traveller.clone(), how: None }
    }

    #[handle]
    fn approve(&self, _: ApproveTrip) -> TripApproved {
        TripApproved { traveller: self.traveller.clone() }
    }

    #[apply]
    fn approved(&mut self, _: &TripApproved) {}

    #[handle]
    fn close(&self, command: CloseTrip) -> TripClosed {
        TripClosed { how: command.how }
    }

    #[apply]
    fn closed(&mut self, event: &TripClosed) {
        self.how = Some(event.how.clone());
    }
}

/// A process begins it by a command, whose event a reactor takes; it goes on with the saga's end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ProcessManager)]
#[process_manager(name = "travel", id = RequestId, sends(ApproveTrip, CloseTrip))]
struct Travel;

#[process]
impl Travel {
    #[on]
    fn asked(_: &TripAsked, cx: &EventContext<Self>) -> (Self, ApproveTrip) {
        (Self, ApproveTrip { request: cx.id().clone() })
    }

    #[on(key = |event| event.id_of::<Booking>().map(RequestId::from))]
    fn ended(self, event: &SagaEnded, cx: &EventContext<Self>) -> Done<CloseTrip> {
        let how = match &event.outcome {
            SagaOutcome::Completed => "booked".to_owned(),
            SagaOutcome::Compensated { failed_step, .. } => format!("no {failed_step}"),
            other => format!("{other:?}"),
        };
        Done(CloseTrip { request: cx.id().clone(), how })
    }
}

/// A reactor begins the saga.
struct Travels;

#[reactor(name = "travels", services = SagaRunner)]
impl Travels {
    #[on]
    async fn approved(event: &TripApproved, cx: &EventContext<Self>) -> Result<(), SagaError> {
        let id = cx.stream_id().id().to_owned();
        let data = Trip { traveller: event.traveller.clone(), booked: Vec::new() };
        cx.services().begin::<Booking>(id, data).caused_by(cx).await
    }
}

/// A projection takes the end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ReadModel)]
#[read_model(table = "trips_booked")]
struct Booked {
    #[read_model(key)]
    id: String,
    traveller: String,
    steps: u64,
}

#[projection(name = "trips_booked")]
impl Booked {
    #[on(upsert, key = |event| event.id_of::<Booking>().map(str::to_owned))]
    fn ended(_: Option<Self>, event: &SagaEnded) -> Option<Self> {
        let data = event.data::<Booking>().expect("it is the saga's");
        (event.outcome == SagaOutcome::Completed).then(|| Self {
            id: event.id.clone(),
            traveller: data.traveller,
            steps: data.booked.len() as u64,
        })
    }
}

async fn a_process_and_a_reactor_begin_it_and_its_end_is_an_event(store: impl Store) {
    let backends = Backends::new([]);
    let sagas = started(&store, &backends).await;
    let bus = CommandBus::new(store.clone());
    let processes = ProcessEngine::builder(bus.clone())
        .register::<Travel>()
        .register_reactor::<Travels>()
        .services::<Travels>(sagas.clone())
        .start()
        .await
        .expect("the store is there");
    let projections = ProjectionEngine::builder(store.clone());
    let projections = projections.register::<Booked>().start().await.expect("the store is there");
    let ask = |request: &str| AskForTrip { request: request.into(), traveller: "ada".into() };
    bus.dispatch(ask("r-1")).await.expect("it is asked for");
    let closed = async |request: &str| {
        // The saga's end comes after the engine has settled once.
        let requests = Repository::<Request>::new(store.clone());
        let began = std::time::Instant::now();
        loop {
            processes.settle(PATIENCE).await.expect("nothing is parked");
            let loaded = requests.load(request).await.expect("it is there");
            if let Some(how) = loaded.and_then(|request| request.state.how.clone()) {
                return how;
            }
            assert!(began.elapsed() < PATIENCE, "it never ended");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert_eq!(closed("r-1").await, "booked");
    backends.set("payment", How::Fails(1));
    bus.dispatch(ask("r-2")).await.expect("it is asked for");
    assert_eq!(closed("r-2").await, "no payment");
    let rows = async || {
        let rows = projections.read_models().query::<Booked>();
        rows.fetch().await.expect("the store is there")
    };
    until(async || !rows().await.is_empty()).await;
    let expected = Booked { id: "r-1".into(), traveller: "ada".into(), steps: 2 };
    assert_eq!(rows().await, [expected]);
    processes.shutdown().await.expect("it has not stopped");
    sagas.shutdown().await;
}

async fn begin_returns_once_the_log_holds_it(store: impl Store) {
    let backends = Backends::new([("flight", How::Waits)]);
    let sagas = started(&store, &backends).await;
    sagas.begin::<Booking>("t-1", trip()).await.expect("it begins");
    assert_eq!(story(&store, "booking", "t-1").await, ["begun", "called flight"]);
    // As often as one likes.
    sagas.begin::<Booking>("t-1", trip()).await.expect("it is the same");
    backends.arrived.notified().await;
    backends.mend("flight");
    backends.let_go.notify_one();
    assert_eq!(sagas.outcome::<Booking>("t-1").await.expect("it ends"), SagaOutcome::Completed);
    sagas.begin::<Booking>("t-1", trip()).await.expect("it is the same");
    assert_eq!(backends.calls_of("flight").len(), 1);
}

async fn one_that_is_parked_has_not_ended(store: impl Store) {
    let backends = Backends::new([("mail", How::Fails(1)), ("undo hotel", How::Fails(u32::MAX))]);
    let sagas = started(&store, &backends).await;
    sagas.run::<Booking>("t-1", trip()).await.expect("it is run");
    let ended = async || {
        let story = story(&store, "booking", "t-1").await;
        story.iter().filter(|record| *record == "ended").count()
    };
    assert_eq!(ended().await, 0);
    backends.mend("undo hotel");
    sagas.retry_parked::<Booking>("t-1").await.expect("it is parked");
    assert_eq!(ended().await, 1);
}

#[test]
fn an_end_can_be_made_up_for_tests_of_what_takes_it() {
    let ended = SagaEnded::of::<Booking>("t-1", SagaOutcome::Completed, &trip());
    assert_eq!(ended.id_of::<Booking>(), Some("t-1"));
    assert_eq!(ended.data::<Booking>().expect("it reads back"), trip());
    let json = serde_json::to_value(&ended).expect("it can be written");
    assert_eq!(json["outcome"], "completed");
    let again: SagaEnded = serde_json::from_value(json).expect("it can be read");
    assert_eq!(again.data::<Booking>().expect("it reads back"), trip());
    let _: Arc<SagaEnded> = Arc::new(again);
}

struct Counting;

#[saga(name = "counting", data = u128)]
impl Counting {
    #[step]
    async fn count(_: &u128) {}
}

async fn other_data_is_refused_however_large_its_numbers_are(store: impl Store) {
    let sagas = SagaRunner::new(store, Arc::new(()));
    let number = 1_u128 << 64;
    sagas.run::<Counting>("c-1", number + 1).await.expect("it is run");
    sagas.run::<Counting>("c-1", number + 1).await.expect("it is answered");
    let error = sagas.run::<Counting>("c-1", number + 3).await.expect_err("it is other data");
    assert!(matches!(error, SagaError::OtherData { .. }), "{error}");
}

on_each_store!(
    other_data_is_refused_however_large_its_numbers_are,
    a_process_and_a_reactor_begin_it_and_its_end_is_an_event,
    begin_returns_once_the_log_holds_it,
    one_that_is_parked_has_not_ended,
);
