//! Refusals: of which kinds, what becomes of the rest, and of a process that was about to end.

use std::time::Duration;

use annals::Origin;
use annals::prelude::*;

use crate::scene::{Scene, Store, act, bus, engine, parked, settled};
use crate::script::{How, Move};
use crate::works::Works;

const REFUSED: How = How::Work(Works::Refused);

async fn a_refusal_replaces_the_rest_of_its_step(scene: Scene<impl Store>) {
    let engine = scene.started().await;
    let instead = act().works("three").works("four");
    let step = act().works("one").sends("w", "no", REFUSED).or(instead).works("two");
    scene.begin("a", "1", step).await;
    scene.tell("a", "2", act().works("five")).await;
    settled(&engine).await;
    assert_eq!(scene.worked().await, ["one", "three", "four", "five"]);
    assert_eq!(scene.saw("a").await, ["began 1", "no was rejected: no work for no", "told 2"]);
    // What replaced it may be refused, too.
    let again = act().sends("w", "no again", REFUSED).or(act().works("six"));
    scene.tell("a", "3", act().sends("w", "no", REFUSED).or(again)).await;
    settled(&engine).await;
    assert_eq!(scene.worked().await.last().unwrap(), "six");
    engine.shutdown().await.unwrap();
}

/// Refuses works of one note, and takes down who sent what.
struct Gatekeeper;

#[async_trait]
impl Interceptor for Gatekeeper {
    async fn before(&self, call: &mut CommandCall) -> Result<(), Refusal> {
        let (wanted, sent) = (Origin::Process { name: "script".to_owned() }, call.origin());
        if call.name() == "Signal" {
            assert_eq!(*sent, Origin::Caller);
        } else {
            assert_eq!(*sent, wanted, "{}", call.name());
        }
        if call.content()["note"] == "guarded" {
            return Err(Refusal::new("not on my watch"));
        }
        Ok(())
    }
}

async fn refusals_are_of_four_kinds(scene: Scene<impl Store>) {
    let bus = bus(&scene.store, &scene.passes).interceptor(Gatekeeper).build().unwrap();
    let engine = engine(&bus).start().await.unwrap();
    let guarded = act().sends("w", "guarded", How::Work(Works::Done)).or(act().works("w"));
    let missing = act().sends("nobody", "missing", How::Claim).or(act().works("c"));
    let there = act().sends("w", "there", How::Make).or(act().works("m"));
    scene.begin("rejected", "1", act().works("one").sends("w", "no", REFUSED)).await;
    settled(&engine).await;
    scene.begin("refused", "2", guarded).await;
    scene.begin("not_found", "3", missing).await;
    scene.begin("already_exists", "4", there).await;
    settled(&engine).await;
    for kind in ["rejected", "refused", "not_found", "already_exists"] {
        let saw = scene.saw(kind).await;
        assert!(saw[1].contains(&format!("was {kind}: ")), "{saw:?}");
    }
    assert!(scene.saw("refused").await[1].ends_with("not on my watch"));
    let mut worked = scene.worked().await;
    worked.sort();
    assert_eq!(worked, ["c", "m", "one", "w"]);
    engine.shutdown().await.unwrap();
}

async fn a_process_that_ends_keeps_its_state_until_its_commands_are_accepted(
    scene: Scene<impl Store>,
) {
    let engine = scene.started().await;
    scene.begin("a", "1", act()).await;
    // It ends, and is revived by a step that gives its state back.
    let revived = act().sends("w", "no", REFUSED).or(act().works("two"));
    scene.tell("a", "2", revived.ends()).await;
    settled(&engine).await;
    let no = "no was rejected: no work for no";
    assert_eq!(scene.saw("a").await, ["began 1", no], "what the end had seen is gone with it");
    // By one that changes it in place, too.
    let revived = act().sends("nobody", "missing", How::Claim).or(act().works("three"));
    scene.tell("a", "3", revived.ends()).await;
    settled(&engine).await;
    assert_eq!(scene.saw("a").await.len(), 3);
    // And then it ends: nothing of it is left, and its deadline goes.
    scene.tell("a", "4", act().works("four").ends()).await;
    scene.tell("a", "5", act().works("five")).await;
    settled(&engine).await;
    assert_eq!(scene.state("a").await, None);
    assert_eq!(scene.worked().await, ["two", "three", "four"]);
    let far = Timestamp::now() + Duration::from_hours(24);
    let due = scene.store.due_deadlines("annals/process/script", far, None, 10).await.unwrap();
    assert_eq!(due, []);
    engine.shutdown().await.unwrap();
}

/// Where the engine ends between the end of a process and the answers, the next one goes on.
async fn an_end_that_waits_for_answers_survives_a_restart(scene: Scene<impl Store>) {
    let engine = scene.started().await;
    scene.begin("a", "1", act()).await;
    let held = act().sends("w", "no", How::Work(Works::HeldRefused)).or(act().works("one"));
    scene.tell("a", "2", held.ends()).await;
    scene.has_seen("a", "no").await;
    drop(engine);
    let engine = scene.started().await;
    scene.passes.pass("no");
    settled(&engine).await;
    assert_eq!(scene.saw("a").await, ["began 1", "no was rejected: no work for no"]);
    assert_eq!(scene.worked().await, ["one"]);
    engine.shutdown().await.unwrap();
}

/// A refusal is not remembered: after it, the same command may be done.
async fn a_refusal_without_a_step_parks_and_is_decided_anew(scene: Scene<impl Store>) {
    let engine = scene.started().await;
    let bare = How::Bare(Works::RefusedAtFirst);
    scene.begin("a", "1", act().works("one").sends("w", "two", bare).works("three")).await;
    scene.tell("a", "2", act().works("four")).await;
    scene.begin("b", "3", act().works("other")).await;
    let found = parked(&engine, 1).await;
    assert_eq!(found[0].id, "a");
    let expected = "command `Bare` was refused, and no `#[rejected]` takes it: no work for two";
    assert_eq!(found[0].error, expected);
    assert_eq!(found[0].cause, annals::process::ParkedCause::Command { name: "Bare".into() });
    scene.has_worked("other").await;
    assert!(!scene.worked().await.contains(&"four".to_owned()));
    // In vain first.
    engine.retry_parked::<crate::script::Script>("a").await.unwrap();
    parked(&engine, 1).await;
    scene.passes.pass("two");
    engine.retry_parked::<crate::script::Script>("a").await.unwrap();
    settled(&engine).await;
    let mut worked = scene.worked().await;
    worked.retain(|note| note != "other");
    assert_eq!(worked, ["one", "two", "three", "four"]);
    engine.shutdown().await.unwrap();
}

/// The deadline falls due while the command is on its way: the refusal comes first, and then the deadline, once.
async fn a_refusal_comes_before_a_deadline_that_is_due(scene: Scene<impl Store>) {
    let engine = scene.started().await;
    let soon = Move::First(Duration::from_mins(1));
    let held = act().sends("w", "no", How::Work(Works::HeldRefused)).or(act().works("instead"));
    scene.begin("a", "1", held.moves(soon.clone()).at_deadline(act().works("late"))).await;
    scene.begin("b", "2", act().moves(soon).at_deadline(act().works("of b"))).await;
    scene.has_seen("a", "began 1").await;
    scene.clock.advance(Duration::from_mins(5));
    // That of `b` tells that the engine knows what is due.
    scene.has_worked("of b").await;
    scene.passes.pass("no");
    settled(&engine).await;
    assert_eq!(scene.saw("a").await, ["began 1", "no was rejected: no work for no", "first"]);
    assert_eq!(scene.worked().await, ["of b", "instead", "late"]);
    let status = crate::scene::status(&engine).await;
    assert_eq!(status.last_error, None, "nothing was written at the wrong time");
    engine.shutdown().await.unwrap();
}

/// As above, where nobody takes the refusal: the process waits for a person, and its deadline with it.
async fn a_deadline_waits_behind_a_command_that_is_parked(scene: Scene<impl Store>) {
    let engine = scene.started().await;
    let soon = Move::First(Duration::from_mins(1));
    let held = act().sends("w", "no", How::Bare(Works::HeldRefused));
    scene.begin("a", "1", held.moves(soon.clone()).at_deadline(act().works("late"))).await;
    scene.begin("b", "2", act().moves(soon).at_deadline(act().works("of b"))).await;
    scene.has_seen("a", "began 1").await;
    scene.clock.advance(Duration::from_mins(5));
    scene.has_worked("of b").await;
    scene.passes.pass("no");
    parked(&engine, 1).await;
    assert_eq!(scene.saw("a").await, ["began 1"]);
    assert_eq!(scene.worked().await, ["of b"]);
    engine.shutdown().await.unwrap();
}

crate::on_each_store!(
    a_refusal_replaces_the_rest_of_its_step,
    refusals_are_of_four_kinds,
    a_process_that_ends_keeps_its_state_until_its_commands_are_accepted,
    an_end_that_waits_for_answers_survives_a_restart,
    a_refusal_without_a_step_parks_and_is_decided_anew,
    a_refusal_comes_before_a_deadline_that_is_due,
    a_deadline_waits_behind_a_command_that_is_parked,
);
