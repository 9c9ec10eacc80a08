//! Deadlines: set, moved, cancelled; once, in time, and after what was recorded before.

use std::time::Duration;

use annals::prelude::*;
use annals::{Append, Event, Expected, NewEvent, Payload};

use crate::scene::{Scene, Store, act, json_of, postgres, settled, status, until};
use crate::script::{How, Move, Told};
use crate::works::Works;

const MINUTE: Duration = Duration::from_mins(1);

/// The deadlines of a process that the store keeps, by name, with how long after an event they are due.
async fn kept(scene: &Scene<impl Store>, begun: &Receipt) -> Vec<(String, Duration)> {
    let far = Timestamp::now() + Duration::from_hours(1_000);
    let due = scene.store.due_deadlines("annals/process/script", far, None, 10).await.unwrap();
    due.into_iter().map(|due| (due.name, due.due.since(begun.recorded_at))).collect()
}

async fn deadlines_are_set_moved_and_cancelled(scene: Scene<impl Store>) {
    let engine = scene.started().await;
    let begun = scene.begin("a", "1", act()).await;
    settled(&engine).await;
    // By itself, from the beginning on.
    assert_eq!(kept(&scene, &begun).await, [("first".to_owned(), 10 * MINUTE)]);
    let moved = scene.tell("a", "2", act().moves(Move::First(MINUTE))).await;
    settled(&engine).await;
    assert_eq!(kept(&scene, &moved).await, [("first".to_owned(), MINUTE)]);
    let at = begun.recorded_at + 5 * MINUTE;
    let both = act().moves(Move::FirstAt(at)).moves(Move::Second(3 * MINUTE));
    scene.tell("a", "3", both).await;
    settled(&engine).await;
    assert_eq!(kept(&scene, &begun).await[1], ("first".to_owned(), 5 * MINUTE));
    assert_eq!(kept(&scene, &begun).await.len(), 2);
    scene.tell("a", "4", act().moves(Move::CancelFirst)).await;
    settled(&engine).await;
    scene.clock.advance(20 * MINUTE);
    settled(&engine).await;
    assert_eq!(scene.saw("a").await[3..], ["told 4", "second"]);
    // An end takes the rest along.
    scene.tell("a", "5", act().moves(Move::First(MINUTE)).ends()).await;
    settled(&engine).await;
    assert_eq!(kept(&scene, &begun).await, []);
    engine.shutdown().await.unwrap();
}

/// It fires once, at its instant, and its step may set it again.
async fn a_deadline_fires_once(scene: Scene<impl Store>) {
    let engine = scene.started().await;
    let begun = scene.begin("a", "1", act().at_deadline(act().works("late"))).await;
    settled(&engine).await;
    scene.clock.advance(9 * MINUTE);
    settled(&engine).await;
    assert_eq!(scene.worked().await, [""; 0], "those of the future do not count");
    scene.clock.advance(2 * MINUTE);
    settled(&engine).await;
    scene.clock.advance(60 * MINUTE);
    settled(&engine).await;
    let state = scene.state("a").await.unwrap();
    assert_eq!(state.saw, ["began 1", "first"]);
    assert_eq!(state.instants, [begun.recorded_at, begun.recorded_at + 10 * MINUTE]);
    assert_eq!(scene.worked().await, ["late"]);
    assert_eq!(json_of(&scene.steps("a").await[1])["cause"]["deadline"]["name"], "first");
    let again = act().at_deadline(act().moves(Move::First(MINUTE))).moves(Move::First(MINUTE));
    scene.tell("a", "2", again).await;
    scene.clock.set(Timestamp::now() + 2 * MINUTE);
    until(async || scene.saw("a").await.len() >= 5).await;
    let instants = scene.state("a").await.unwrap().instants;
    assert_eq!(instants[3], instants[2] + MINUTE);
    assert_eq!(instants[4], instants[3] + MINUTE, "counted from the instant it was due");
    engine.shutdown().await.unwrap();
}

async fn a_deadline_survives_a_restart(scene: Scene<impl Store>) {
    let engine = scene.started().await;
    let due = act().moves(Move::Second(MINUTE)).at_deadline(act().works("late"));
    scene.begin("a", "1", due).await;
    settled(&engine).await;
    engine.shutdown().await.unwrap();
    // It fell due while nobody ran.
    scene.clock.advance(2 * MINUTE);
    let engine = scene.started().await;
    settled(&engine).await;
    engine.shutdown().await.unwrap();
    let engine = scene.started().await;
    settled(&engine).await;
    assert_eq!(scene.saw("a").await, ["began 1", "second"]);
    engine.shutdown().await.unwrap();
    // The other is still to come.
    scene.clock.advance(20 * MINUTE);
    let engine = scene.started().await;
    settled(&engine).await;
    assert_eq!(scene.saw("a").await, ["began 1", "second", "first"]);
    assert_eq!(scene.worked().await, ["late", "late"]);
    engine.shutdown().await.unwrap();
}

/// An engine that runs for long takes deadlines that were far away when it began, and when they were set.
async fn a_deadline_that_is_far_fires_without_a_restart(scene: Scene<impl Store>) {
    let engine = scene.started().await;
    let far = act().moves(Move::First(Duration::from_hours(30)));
    scene.begin("a", "1", far.at_deadline(act().works("late"))).await;
    settled(&engine).await;
    for hours in [5, 26, 30] {
        scene.clock.set(Timestamp::now() + Duration::from_hours(hours) + MINUTE);
        if hours == 30 {
            scene.has_seen("a", "\"first\"]").await;
        }
        settled(&engine).await;
        assert_eq!(scene.worked().await.len(), usize::from(hours == 30), "after {hours} hours");
    }
    engine.shutdown().await.unwrap();
}

/// The clock of an engine that runs for long is not the only one: the store's is, if none is given.
async fn without_a_clock_the_stores_tells(scene: Scene<impl Store>) {
    let engine = crate::scene::engine(&scene.bus).start().await.unwrap();
    let soon = act().moves(Move::First(Duration::from_millis(80)));
    let begun = scene.begin("a", "1", soon.at_deadline(act().works("late"))).await;
    scene.has_worked("late").await;
    let late = scene.log().await.into_iter().find(|event| event.event_type == "Worked").unwrap();
    assert!(late.recorded_at >= begun.recorded_at + Duration::from_millis(80));
    engine.shutdown().await.unwrap();
}

/// At the instant from which it was moved nothing happens, not even if the engine has known that instant.
async fn a_deadline_that_is_moved_fires_once_and_later(scene: Scene<impl Store>) {
    let engine = scene.started().await;
    scene.begin("a", "1", act().at_deadline(act().works("late"))).await;
    settled(&engine).await;
    scene.begin("far", "1", act().at_deadline(act().works("far"))).await;
    settled(&engine).await;
    scene.tell("a", "2", act().moves(Move::First(30 * MINUTE))).await;
    scene.tell("far", "2", act().moves(Move::First(300 * MINUTE))).await;
    settled(&engine).await;
    scene.clock.set(Timestamp::now() + 11 * MINUTE);
    settled(&engine).await;
    assert_eq!(scene.worked().await, [""; 0]);
    scene.clock.set(Timestamp::now() + 31 * MINUTE);
    settled(&engine).await;
    assert_eq!(scene.worked().await, ["late"]);
    scene.clock.set(Timestamp::now() + 301 * MINUTE);
    scene.has_worked("far").await;
    settled(&engine).await;
    assert_eq!(scene.saw("a").await, ["began 1", "told 2", "first"]);
    assert_eq!(scene.saw("far").await, ["began 1", "told 2", "first"]);
    engine.shutdown().await.unwrap();
}

/// It is due, and waits for an answer, while its process moves it.
async fn a_deadline_that_is_moved_when_it_is_due_already(scene: Scene<impl Store>) {
    let engine = scene.started().await;
    let moved = act().moves(Move::First(30 * MINUTE));
    let refused = act().sends("w", "no", How::Work(Works::HeldRefused)).or(moved);
    scene.begin("a", "1", refused.at_deadline(act().works("late"))).await;
    scene.passes.waits("no").await;
    scene.clock.set(Timestamp::now() + 11 * MINUTE);
    scene.begin("b", "2", act()).await;
    until(async || status(&engine).await.begun == 2).await;
    scene.passes.pass("no");
    settled(&engine).await;
    assert_eq!(scene.saw("a").await, ["began 1", "no was rejected: no work for no"]);
    scene.clock.advance(31 * MINUTE);
    settled(&engine).await;
    assert_eq!(scene.saw("a").await.last().unwrap(), "first");
    assert_eq!(scene.worked().await, ["late"]);
    engine.shutdown().await.unwrap();
}

/// Its end takes its deadline along, and what begins it anew in the same breath sets the deadline anew.
async fn a_process_that_begins_anew_has_its_deadline_again(scene: Scene<impl Store>) {
    let engine = scene.started().await;
    scene.begin("a", "1", act()).await;
    scene.tell("a", "end", act().held("one").ends()).await;
    scene.passes.waits("one").await;
    let begun = scene.begin("a", "2", act().at_deadline(act().works("late"))).await;
    scene.begin("b", "3", act()).await;
    scene.has_seen("b", "began 3").await;
    scene.passes.pass("one");
    settled(&engine).await;
    assert_eq!(scene.saw("a").await, ["began 2"]);
    let kept: Vec<_> = kept(&scene, &begun).await.into_iter().map(|(name, _)| name).collect();
    assert_eq!(kept, ["first", "first"], "of `a`, and of `b`");
    engine.shutdown().await.unwrap();
    let engine = scene.started().await;
    scene.clock.advance(11 * MINUTE);
    settled(&engine).await;
    assert_eq!(scene.worked().await, ["one", "late"]);
    engine.shutdown().await.unwrap();
}

async fn a_deadline_waits_for_the_answers(scene: Scene<impl Store>) {
    let engine = scene.started().await;
    scene.begin("a", "1", act().held("one").at_deadline(act().works("late"))).await;
    scene.begin("b", "2", act().at_deadline(act().works("of b"))).await;
    scene.has_seen("a", "began 1").await;
    scene.clock.advance(11 * MINUTE);
    scene.has_worked("of b").await;
    let waiting = engine.settle(Duration::from_millis(100)).await;
    assert!(matches!(waiting, Err(ProcessError::Late { .. })), "{waiting:?}");
    assert_eq!(scene.saw("a").await, ["began 1"]);
    scene.passes.pass("one");
    settled(&engine).await;
    assert_eq!(scene.worked().await, ["of b", "one", "late"]);
    engine.shutdown().await.unwrap();
}

/// What was recorded before it was due comes first, also if nobody ran then.
async fn an_outage_cancels_nobody_who_was_in_time(scene: Scene<impl Store>) {
    let engine = scene.started().await;
    scene.begin("a", "1", act().held("one")).await;
    scene.begin("b", "2", act()).await;
    scene.has_seen("a", "began 1").await;
    // One has been read and waits, one has not been read.
    scene.tell("a", "in time", act()).await;
    scene.has_seen("b", "began 2").await;
    drop(engine);
    scene.passes.pass("one");
    scene.tell("b", "in time", act().moves(Move::CancelFirst)).await;
    scene.tell("a", "too", act()).await;
    scene.clock.advance(11 * MINUTE);
    let engine = scene.started().await;
    settled(&engine).await;
    assert_eq!(scene.saw("a").await, ["began 1", "told in time", "told too", "first"]);
    assert_eq!(scene.saw("b").await, ["began 2", "told in time"]);
    engine.shutdown().await.unwrap();
}

/// The instant of a refusal is when it was refused; that of the deadline, when it was due.
async fn instants_of_what_no_event_caused(scene: Scene<impl Store>) {
    let engine = scene.started().await;
    let refused = act().sends("w", "no", How::Work(Works::HeldRefused));
    scene.begin("a", "1", refused.or(act().moves(Move::Second(MINUTE)))).await;
    scene.has_seen("a", "began 1").await;
    scene.clock.advance(5 * MINUTE);
    let refused_at = scene.clock.now();
    scene.passes.pass("no");
    settled(&engine).await;
    scene.clock.advance(3 * MINUTE);
    settled(&engine).await;
    let state = scene.state("a").await.unwrap();
    assert_eq!(state.instants[1..], [refused_at, refused_at + MINUTE]);
    let status = status(&engine).await;
    assert_eq!((status.begun, status.parked, status.unsent), (1, 0, 0));
    engine.shutdown().await.unwrap();
}

crate::on_each_store!(
    deadlines_are_set_moved_and_cancelled,
    a_deadline_fires_once,
    a_deadline_survives_a_restart,
    a_deadline_that_is_far_fires_without_a_restart,
    without_a_clock_the_stores_tells,
    a_deadline_that_is_moved_fires_once_and_later,
    a_deadline_that_is_moved_when_it_is_due_already,
    a_process_that_begins_anew_has_its_deadline_again,
    a_deadline_waits_for_the_answers,
    an_outage_cancels_nobody_who_was_in_time,
    instants_of_what_no_event_caused,
);

/// An append has its instant, and is not committed when the deadline falls due: it was in time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_append_that_is_under_way_when_a_deadline_falls_due_was_in_time() {
    let (store, _database) = postgres().await;
    let scene = Scene::new(store.clone());
    let engine = crate::scene::engine(&scene.bus).start().await.unwrap();
    let soon = act().moves(Move::First(Duration::from_secs(8)));
    let begun = scene.begin("a", "1", soon).await;
    settled(&engine).await;
    let told = Told { to: vec!["a".into()], note: "in time".into(), act: act() };
    let data = Payload::new(serde_json::to_string(&told).unwrap());
    let event = NewEvent::new(uuid::Uuid::now_v7(), Told::NAME, 1, data);
    let stream = StreamId::new("signals", &scene.name);
    let mut transaction = store.pool().begin().await.unwrap();
    let append = Append::new(stream, Expected::Any, vec![event]);
    let receipt = store.append_in(&mut transaction, vec![append]).await.unwrap()[0].clone();
    assert!(receipt.recorded_at < begun.recorded_at + Duration::from_secs(8), "too slow");
    tokio::time::sleep(Duration::from_millis(8_300)).await;
    assert_eq!(scene.saw("a").await, ["began 1"], "the append may still be committed");
    transaction.commit().await.unwrap();
    scene.has_seen("a", "\"first\"]").await;
    assert_eq!(scene.saw("a").await, ["began 1", "told in time", "first"]);
    engine.shutdown().await.unwrap();
}
