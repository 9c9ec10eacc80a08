//! What a handler decides and its own stream could not be read with is refused, and nothing is stored.

use annals::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize, AggregateId)]
struct GaugeId(String);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
struct Installed;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
struct Measured {
    value: f64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
struct Retuned {
    /// Written, and not read.
    #[serde(skip_deserializing)]
    by: Scale,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
struct Scale(u64);

#[derive(Debug, Clone, Serialize, Deserialize, Command)]
struct Install {
    #[command(id)]
    gauge: GaugeId,
    times: usize,
}

#[derive(Debug, Clone, Serialize, Deserialize, Command)]
struct Measure {
    #[command(id)]
    gauge: GaugeId,
    values: Vec<f64>,
}

#[derive(Debug, Clone, Serialize, Deserialize, Command)]
struct Retune {
    #[command(id)]
    gauge: GaugeId,
    by: u64,
}

#[derive(Debug, Clone, PartialEq, Aggregate)]
#[aggregate(id = GaugeId, events(Installed, Measured, Retuned))]
struct Gauge {
    sum: f64,
}

#[handlers]
impl Gauge {
    #[handle(upsert)]
    fn install(_: Option<&Self>, command: Install) -> Vec<Installed> {
        vec![Installed; command.times]
    }

    #[handle(upsert)]
    fn measure(_: Option<&Self>, command: Measure) -> Vec<Measured> {
        command.values.into_iter().map(|value| Measured { value }).collect()
    }

    #[handle]
    fn retune(&self, command: Retune) -> Retuned {
        Retuned { by: Scale(command.by) }
    }

    #[apply]
    fn installed(_: &Installed) -> Self {
        Self { sum: 0.0 }
    }

    #[apply]
    fn measured(&mut self, event: &Measured) {
        self.sum += event.value;
    }

    #[apply]
    fn retuned(&mut self, event: &Retuned) {
        assert!(event.by.0 > 0, "a scale of zero");
    }
}

fn gauge() -> GaugeId {
    GaugeId("g".into())
}

fn install(times: usize) -> Install {
    Install { gauge: gauge(), times }
}

fn measure(values: &[f64]) -> Measure {
    Measure { gauge: gauge(), values: values.to_vec() }
}

async fn sum_of(store: &MemoryStore) -> Option<f64> {
    let repository = Repository::<Gauge>::new(store.clone());
    repository.load(&gauge()).await.unwrap().map(|loaded| loaded.state.sum)
}

fn check<E: std::fmt::Debug + std::fmt::Display>(answer: Result<Receipt, E>, expected: &str) {
    assert_eq!(answer.unwrap_err().to_string(), expected);
}

#[tokio::test]
async fn an_event_that_changes_what_does_not_exist_is_not_stored() {
    let store = MemoryStore::new();
    let bus = CommandBus::new(store.clone());
    check(
        bus.dispatch(measure(&[1.0])).await,
        "append to stream `gauge-g`: event `Measured`: it changes a state, but none exists before it",
    );
    assert_eq!(bus.dispatch(install(1)).await.unwrap().stream_version, 1);
    assert_eq!(sum_of(&store).await, Some(0.0));
}

#[tokio::test]
async fn an_event_that_creates_what_exists_is_not_stored_nor_are_those_before_it() {
    let store = MemoryStore::new();
    let bus = CommandBus::new(store.clone());
    let twice = "append to stream `gauge-g`: event `Installed`: it creates, but the state exists";
    check(bus.dispatch(install(2)).await, twice);
    assert_eq!(sum_of(&store).await, None);
    bus.dispatch(install(1)).await.unwrap();
    check(bus.dispatch(install(1)).await, twice);
    assert_eq!(sum_of(&store).await, Some(0.0));
}

#[tokio::test]
async fn a_number_that_json_does_not_have_is_not_stored() {
    let store = MemoryStore::new();
    let bus = CommandBus::new(store.clone());
    bus.dispatch(install(1)).await.unwrap();
    for number in [f64::NAN, f64::INFINITY] {
        check(
            bus.dispatch(measure(&[1.0, number])).await,
            "append to stream `gauge-g`: event `Measured`: what is written of it cannot be read: Measured: \
             invalid type: null, expected f64 at line 1 column 13",
        );
    }
    bus.dispatch(measure(&[2.5, 0.1])).await.unwrap();
    assert_eq!(sum_of(&store).await, Some(2.6));
}

#[tokio::test]
async fn a_fold_that_panics_on_an_event_panics_before_it_is_stored() {
    let store = MemoryStore::new();
    let bus = CommandBus::new(store.clone());
    bus.dispatch(install(1)).await.unwrap();
    let sender = bus.clone();
    // What is read of it is zero, whatever is written.
    let sent = tokio::spawn(async move { sender.dispatch(Retune { gauge: gauge(), by: 7 }).await });
    assert!(sent.await.unwrap_err().is_panic());
    bus.dispatch(measure(&[1.0])).await.unwrap();
    assert_eq!(sum_of(&store).await, Some(1.0));
}
