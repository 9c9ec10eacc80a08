//! What a process keeps in its stream, where the harness looks at it.

use annals::prelude::*;
use annals::process::{Instance, Taken, process};
use annals::{PlainJson, StreamHead, UpcastError};
use annals_testing::{given_history, recorded};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::probe::Ping;
use crate::processes::confirmed;
use crate::shop::*;

/// Its state is `null` as JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ProcessManager)]
#[process_manager(name = "bare", id = OrderId, sends(Ping))]
struct Bare;

#[process]
impl Bare {
    #[on]
    fn confirmed(_: &OrderConfirmed) -> Self {
        Self
    }

    #[on]
    fn shipped(&self, _: &OrderShipped) -> Ping {
        Ping { probe: "shipped".into(), number: 1 }
    }

    #[on]
    fn cancelled(self, _: &OrderCancelled) -> Done<Ping> {
        Done(Ping { probe: "cancelled".into(), number: 1 })
    }

    #[rejected]
    fn refused(&self, _: &Ping) {}
}

#[test]
fn a_process_whose_state_says_nothing_lives_all_the_same() {
    let ping = |probe: &str| Ping { probe: probe.into(), number: 1 };
    given_history([confirmed(1)])
        .process::<Bare>()
        .when(recorded::<Order>("o-1", OrderShipped))
        .then_commands(ping("shipped"))
        .then_state(Bare)
        .when(recorded::<Order>("o-1", OrderCancelled { reason: "mistake".into() }))
        .then_commands(ping("cancelled"))
        .then_done()
        .when_refused(ping("cancelled"), "no")
        .then_not_done();
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ProcessManager)]
#[process_manager(name = "counted", id = OrderId, sends(Ping))]
struct CountedFirst {
    times: u32,
}

#[process]
impl CountedFirst {
    #[on]
    fn confirmed(_: &OrderConfirmed) -> Self {
        Self { times: 5 }
    }
}

/// The same, as a later release has it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ProcessManager)]
#[process_manager(name = "counted", version = 2, id = OrderId, sends(Ping), upcast(from = 1, with = shipments))]
struct Counted {
    shipments: u32,
}

fn shipments(state: Value) -> Result<Value, UpcastError> {
    Ok(json!({ "shipments": state["times"] }))
}

#[process]
impl Counted {
    #[on]
    fn confirmed(_: &OrderConfirmed) -> Self {
        Self { shipments: 0 }
    }

    #[on]
    fn shipped(&mut self, _: &OrderShipped) {
        self.shipments += 1;
    }
}

#[test]
fn what_is_given_up_keeps_its_state_in_the_version_that_wrote_it() {
    let (first, second) = (process::<CountedFirst>(), process::<Counted>());
    let history = given_history([confirmed(1), recorded::<Order>("o-1", OrderShipped)]);
    let [confirmed, shipped] = history.events() else { unreachable!("two were given") };
    let made = |taken| match taken {
        Ok(Taken::Made(made)) => made,
        other => panic!("expected a step, found {other:?}"),
    };
    let before = Instance::new(&*first, "o-1");
    let begun = made(before.event(&*first, confirmed, &PlainJson, Uuid::now_v7()));
    let (up_to, at) = (confirmed.position, Timestamp::MIN);
    let given_up = made(begun.after.dropped(&*second, up_to, None, at, &PlainJson, Uuid::now_v7()));

    let step = RecordedEvent::new(
        given_up.append.events[0].clone(),
        given_up.append.stream_id.clone(),
        StreamHead::new(2, Position::from(3), Timestamp::MIN),
    );
    let read = Instance::load(&*second, "o-1", &step, &PlainJson, |_| true).unwrap();
    let counted = made(read.event(&*second, shipped, &PlainJson, Uuid::now_v7()));
    assert_eq!(counted.after.state().unwrap().get(), r#"{"shipments":6}"#);
}
