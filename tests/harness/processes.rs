//! The harness of processes: what has happened, and what they send because of it.

use std::collections::HashSet;
use std::time::Duration;

use annals::prelude::*;
use annals_testing::{given_history, recorded, recorded_at};

use crate::fulfilment::{Fulfilment, Stage};
use crate::probe::{Act, Ping, Poked, Poker, Probe};
use crate::shop::*;

const MINUTE: Duration = Duration::from_mins(1);

pub fn confirmed_of(order: &str, quantity: u32) -> RecordedEvent {
    recorded::<Order>(order, OrderConfirmed { product: "p-1".into(), quantity })
}

pub fn confirmed(quantity: u32) -> RecordedEvent {
    confirmed_of("o-1", quantity)
}

pub fn reserved(quantity: u32) -> RecordedEvent {
    recorded::<Stock>("p-1", StockReserved { order: "o-1".into(), quantity })
}

fn charged() -> RecordedEvent {
    recorded::<Payment>("o-1", PaymentCharged { order: "o-1".into() })
}

pub fn declined() -> RecordedEvent {
    recorded::<Payment>("o-1", PaymentDeclined { order: "o-1".into() })
}

fn cancelled() -> RecordedEvent {
    recorded::<Order>("o-1", OrderCancelled { reason: "mistake".into() })
}

fn reserve_for(order: &str, quantity: u32) -> ReserveStock {
    ReserveStock { product: "p-1".into(), order: order.into(), quantity }
}

pub fn reserve(quantity: u32) -> ReserveStock {
    reserve_for("o-1", quantity)
}

fn release(quantity: u32) -> ReleaseStock {
    ReleaseStock { product: "p-1".into(), order: "o-1".into(), quantity }
}

fn charge() -> ChargePayment {
    ChargePayment { order: "o-1".into() }
}

fn ship() -> ShipOrder {
    ShipOrder { order: "o-1".into() }
}

fn refund() -> RefundPayment {
    RefundPayment { order: "o-1".into() }
}

fn cancel(reason: &str) -> CancelOrder {
    CancelOrder { order: "o-1".into(), reason: reason.into() }
}

pub fn fulfilment(stage: Stage) -> Fulfilment {
    Fulfilment { product: "p-1".into(), quantity: 2, stage }
}

pub fn poked(probe: &str, act: Act) -> RecordedEvent {
    recorded::<Poker>("all", Poked { probes: vec![probe.into()], act })
}

pub fn ping(number: u32) -> Ping {
    Ping { probe: "a".into(), number }
}

pub fn at(text: &str) -> Timestamp {
    text.parse().expect("an instant")
}

#[test]
fn events_in_and_commands_out() {
    given_history([])
        .process::<Fulfilment>()
        .when(confirmed(2))
        .then_commands(reserve(2))
        .then_state(fulfilment(Stage::Reserving))
        .then_not_done()
        .when([reserved(2), charged()])
        .then_commands((charge(), ship()))
        .then_done()
        .when(charged())
        .then_skipped();
}

#[test]
fn what_ends_gives_its_last_commands() {
    given_history([confirmed(2), reserved(2)])
        .process::<Fulfilment>()
        .when(declined())
        .then_commands((release(2), cancel("payment declined")))
        .then_done()
        .then_no_deadlines();
}

#[test]
fn a_process_that_hangs_is_cancelled() {
    given_history([confirmed(2)])
        .process::<Fulfilment>()
        .when_time_passes(15 * MINUTE - Duration::from_micros(1))
        .then_no_commands()
        .then_deadline("too_slow", at("2000-01-01T00:15:01Z"))
        .when_time_passes(Duration::from_micros(1))
        .then_commands(cancel("timed out"))
        .then_state(fulfilment(Stage::GivenUp))
        .then_no_deadlines()
        .when(reserved(2))
        .then_commands(release(2))
        .then_done();
}

#[test]
fn a_process_that_is_done_has_no_deadline() {
    given_history([confirmed(2), reserved(2), declined()])
        .process::<Fulfilment>()
        .when_time_passes(15 * MINUTE)
        .then_no_commands()
        .then_done();
}

#[test]
fn a_deadline_fires_before_the_events_that_were_recorded_after_it() {
    let late = at("2000-01-01T00:15:02Z");
    let reserved = |at| {
        let event = StockReserved { order: "o-1".into(), quantity: 2 };
        recorded_at::<Stock>("p-1", event, at)
    };
    given_history([confirmed(2)])
        .process::<Fulfilment>()
        .when(reserved(late))
        .then_commands((cancel("timed out"), release(2)));
    given_history([confirmed(2), reserved(late)]).process::<Fulfilment>().then_done();
    given_history([confirmed(2)])
        .process::<Fulfilment>()
        .when(reserved(late - Duration::from_secs(1)))
        .then_commands(charge());
}

#[test]
fn a_customer_may_cancel() {
    given_history([confirmed(2)])
        .process::<Fulfilment>()
        .when(cancelled())
        .then_no_commands()
        .then_state(fulfilment(Stage::GivenUp))
        .when(charged())
        .then_commands((release(2), refund()))
        .then_done();
}

#[test]
fn refusals_of_each_kind_come_back() {
    let history = || given_history([confirmed(9)]).process::<Fulfilment>();
    history()
        .when_rejected(reserve(9), ShopError::OutOfStock { available: 5 })
        .then_commands(cancel("only 5 left"))
        .then_done();
    history()
        .when_not_found(reserve(9))
        .then_commands(cancel("`stock-p-1` does not exist"))
        .then_done();
    history().when_already_exists(reserve(9)).then_commands(cancel("`stock-p-1` exists already"));
    history()
        .when_refused(reserve(9), "closed on Sundays")
        .then_commands(cancel("closed on Sundays"));
}

#[test]
fn a_refusal_still_finds_a_process_that_ends() {
    given_history([confirmed(2), reserved(2), charged()])
        .process::<Fulfilment>()
        .then_done()
        .when_rejected(ship(), ShopError::NotNow(Order::Cancelled))
        .then_commands((release(2), refund()))
        .then_done();
}

#[test]
fn commands_before_a_refused_one_are_accepted_and_those_after_it_are_dropped() {
    given_history([poked("a", Act::Begin)])
        .process::<Probe>()
        .when(poked("a", Act::Ping(vec![10, 20, 30])))
        .then_commands([ping(10), ping(20), ping(30)])
        .when_refused(ping(20), "no")
        .then_commands(ping(21))
        .then_state(Probe {
            refusals: vec!["refused at 2000-01-01T00:00:02Z: no".into()],
            ..Probe::default()
        })
        .when_not_found(ping(21))
        .then_commands(ping(22))
        .then_state(Probe {
            refusals: vec![
                "refused at 2000-01-01T00:00:02Z: no".into(),
                "not_found at 2000-01-01T00:00:02Z: the aggregate of command `Ping` does not exist"
                    .into(),
            ],
            ..Probe::default()
        });
}

#[test]
fn a_refusal_revives_what_would_have_ended() {
    given_history([poked("a", Act::Begin), poked("a", Act::Wait(MINUTE))])
        .process::<Probe>()
        .when(poked("a", Act::End(vec![10])))
        .then_done()
        .then_no_deadlines()
        .when_refused(ping(10), "no")
        .then_commands(ping(11))
        .then_not_done()
        .then_deadline(Probe::FIRST, at("2000-01-01T00:01:02Z"));
}

#[test]
fn steps_set_and_cancel_deadlines() {
    given_history([poked("a", Act::Begin)])
        .process::<Probe>()
        .when(poked("a", Act::Wait(MINUTE)))
        .then_deadline(Probe::SECOND, at("2000-01-01T00:00:32Z"))
        .then_deadline(Probe::FIRST, at("2000-01-01T00:01:02Z"))
        .when_time_passes(MINUTE)
        .then_commands((ping(2), ping(1)))
        .then_no_deadlines()
        .when_time_passes(MINUTE)
        .then_no_commands()
        .when([poked("a", Act::Wait(MINUTE)), poked("a", Act::Forget)])
        .then_no_deadlines();
}

#[test]
fn a_deadline_that_is_set_in_the_past_fires_at_once() {
    let past = || at("1999-12-31T00:00:00Z");
    let begun = || given_history([poked("a", Act::Begin)]).process::<Probe>();
    begun()
        .when(poked("a", Act::FirstAt(past(), vec![])))
        .then_commands(ping(1))
        .then_no_deadlines();
    let now = at("2000-01-01T00:00:02Z");
    begun().when(poked("a", Act::FirstAt(now, vec![]))).then_commands(ping(1)).then_no_deadlines();
    given_history([poked("a", Act::Begin), poked("a", Act::FirstAt(past(), vec![]))])
        .process::<Probe>()
        .then_no_deadlines()
        .when_refused(ping(1), "no")
        .then_commands(ping(2));
}

#[test]
fn a_deadline_in_the_past_waits_for_the_answers_of_its_steps_commands() {
    let past = at("1999-12-31T00:00:00Z");
    given_history([poked("a", Act::Begin)])
        .process::<Probe>()
        .when(poked("a", Act::FirstAt(past, vec![10])))
        .then_commands(ping(10))
        .then_deadline(Probe::FIRST, past)
        .when_refused(ping(10), "no")
        .then_commands(ping(11))
        .then_deadline(Probe::FIRST, past)
        .when_time_passes(Duration::ZERO)
        .then_commands(ping(1))
        .then_no_deadlines();
}

#[test]
fn a_refusal_may_leave_nothing_for_a_deadline_in_the_past_to_wait_for() {
    let past = at("1999-12-31T00:00:00Z");
    given_history([poked("a", Act::Begin)])
        .process::<Probe>()
        .when(poked("a", Act::FirstAt(past, vec![99])))
        .when_refused(ping(99), "no")
        .then_commands(ping(1))
        .then_no_deadlines();
}

#[test]
fn a_history_may_touch_several_processes() {
    let both = |act| recorded::<Poker>("all", Poked { probes: vec!["a".into(), "b".into()], act });
    let ping_b = |number| Ping { probe: "b".into(), number };
    given_history([both(Act::Begin)])
        .process::<Probe>()
        .when(both(Act::Ping(vec![10])))
        .then_commands((ping(10), ping_b(10)))
        .of("a")
        .then_commands(ping(10))
        .when_refused(ping_b(10), "no")
        .then_commands(ping_b(11))
        .when_refused(ping(10), "no")
        .then_commands(ping(11))
        .then_not_done()
        .when(poked("a", Act::End(vec![])))
        .then_done()
        .of("b")
        .then_no_commands()
        .then_not_done();
}

#[test]
fn a_refusal_of_what_several_processes_sent_is_of_one() {
    let both = |act| recorded::<Poker>("all", Poked { probes: vec!["a".into(), "b".into()], act });
    given_history([both(Act::Begin), both(Act::PingAll(10))])
        .process::<Probe>()
        .of("b")
        .when_refused(Ping { probe: "all".into(), number: 10 }, "no")
        .then_commands(Ping { probe: "b".into(), number: 11 });
}

#[test]
fn events_that_no_step_takes_are_no_matter_in_a_history() {
    given_history([
        recorded::<Stock>("p-1", Restocked { quantity: 5 }),
        recorded::<Order>("o-1", OrderShipped),
    ])
    .process::<Fulfilment>()
    .when(confirmed(2))
    .then_commands(reserve(2));
}

#[test]
fn after_its_end_a_process_begins_anew() {
    given_history([confirmed(2), reserved(2), declined()])
        .process::<Fulfilment>()
        .when(confirmed(3))
        .then_commands(reserve(3))
        .then_not_done();
}

#[test]
fn what_was_passed_over_is_told() {
    given_history([reserved(2)]).process::<Fulfilment>().when(reserved(2)).then_skipped();
    let nobody = recorded::<Poker>("all", Poked { probes: Vec::new(), act: Act::Forget });
    given_history([]).process::<Probe>().when(nobody).then_skipped().then_no_commands();
}

#[test]
fn what_waits_for_a_person_is_expected_by_its_message() {
    given_history([confirmed(2)])
        .process::<Fulfilment>()
        .when(confirmed(2))
        .then_parked("the event begins the process, but it lives")
        .when(reserved(2))
        .then_no_commands();
    given_history([confirmed(2), reserved(2)])
        .process::<Fulfilment>()
        .when_not_found(charge())
        .then_parked("command `ChargePayment` was refused, and no `#[rejected]` takes it: `payment-o-1` does not exist");
    given_history([poked("a", Act::Begin)])
        .process::<Probe>()
        .when(poked("a", Act::Panic))
        .then_parked("panicked: poked too hard");
}

#[test]
fn states_without_equality_are_compared_as_they_are_stored() {
    given_history([poked("a", Act::Begin)])
        .process::<Probe>()
        .when(poked("a", Act::Remember(HashSet::from([1]))))
        .then_state(Probe { remembered: HashSet::from([1]), ..Probe::default() });
}
