//! What a person gives up: it is recorded, never taken again, and what was good goes on.

use crate::scene::{Scene, Store, act, json_of, parked, settled};
use crate::script::{How, Script, mend};
use crate::works::Works;

async fn what_is_dropped_is_recorded_and_never_taken_again(scene: Scene<impl Store>) {
    let engine = scene.started().await;
    let key = format!("step of {}", scene.name);
    // A slow one keeps the low water down: after a restart, all is read again.
    scene.begin("slow", "0", act().held("slow")).await;
    scene.begin("a", "1", act()).await;
    scene.tell("a", "2", act().works("two").broken(&key)).await;
    scene.tell("a", "3", act().works("three")).await;
    scene.has_seen("slow", "began 0").await;
    crate::scene::until(async || engine.parked().await.unwrap().len() == 1).await;
    crate::scene::until(async || engine.parked().await.unwrap()[0].waiting == 1).await;
    scene.tell("slow", "4", act()).await;
    assert_eq!(engine.drop_parked::<Script>("a").await.unwrap(), 2);
    assert_eq!(engine.drop_parked::<Script>("a").await.unwrap(), 0);
    mend(&key);
    drop(engine);
    let engine = scene.started().await;
    scene.passes.pass("slow");
    scene.tell("a", "5", act()).await;
    settled(&engine).await;
    assert_eq!(scene.saw("a").await, ["began 1", "told 5"]);
    let steps = scene.steps("a").await;
    assert!(!json_of(&steps[1])["cause"]["dropped"].is_null(), "{:?}", steps[1]);
    assert_eq!(scene.worked().await, ["slow"]);
    engine.shutdown().await.unwrap();
}

/// The commands of a process that was about to end are given up: it has ended.
async fn an_end_whose_commands_are_dropped_is_one(scene: Scene<impl Store>) {
    let engine = scene.started().await;
    scene.begin("a", "1", act()).await;
    let refused = act().sends("w", "no", How::Bare(Works::Refused)).works("behind");
    scene.tell("a", "2", refused.ends()).await;
    parked(&engine, 1).await;
    assert_eq!(engine.drop_parked::<Script>("a").await.unwrap(), 1);
    settled(&engine).await;
    scene.tell("a", "3", act().works("nobody")).await;
    scene.begin("a", "4", act()).await;
    settled(&engine).await;
    assert_eq!(scene.saw("a").await, ["began 4"]);
    assert_eq!(scene.worked().await, [""; 0]);
    let status = crate::scene::status(&engine).await;
    assert_eq!((status.begun, status.done, status.skipped), (2, 1, 1));
    engine.shutdown().await.unwrap();
}

/// What never began does not end, when what would have begun it is dropped.
async fn what_never_began_is_not_done(scene: Scene<impl Store>) {
    let engine = scene.started().await;
    scene.begin("a", "1", act().broken("for ever")).await;
    parked(&engine, 1).await;
    assert_eq!(engine.drop_parked::<Script>("a").await.unwrap(), 1);
    settled(&engine).await;
    let status = crate::scene::status(&engine).await;
    assert_eq!((status.begun, status.done, status.parked), (0, 0, 0));
    scene.begin("a", "2", act().works("two")).await;
    settled(&engine).await;
    assert_eq!(scene.saw("a").await, ["began 2"]);
    engine.shutdown().await.unwrap();
}

/// A process goes on after a retry, and what still waits behind is dropped meanwhile: its command on the way is answered.
async fn what_is_on_its_way_when_the_rest_is_dropped_is_done(scene: Scene<impl Store>) {
    let engine = scene.started().await;
    let key = format!("step of {}", scene.name);
    scene.begin("a", "1", act()).await;
    scene.tell("a", "2", act().held("two").works("then").broken(&key)).await;
    scene.tell("a", "3", act().works("three")).await;
    parked(&engine, 1).await;
    mend(&key);
    engine.retry_parked::<Script>("a").await.unwrap();
    scene.has_seen("a", "told 2").await;
    let (dropped, ()) = tokio::join!(engine.drop_parked::<Script>("a"), async {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        scene.passes.pass("two");
    });
    assert_eq!(dropped.unwrap(), 1);
    settled(&engine).await;
    scene.tell("a", "4", act()).await;
    settled(&engine).await;
    assert_eq!(scene.saw("a").await, ["began 1", "told 2", "told 4"]);
    assert_eq!(scene.worked().await, ["two", "then"]);
    let status = crate::scene::status(&engine).await;
    assert_eq!(status.unsent, 0);
    assert!(status.last_error.unwrap().contains("the step is broken"), "nothing else went wrong");
    let waiting = scene.store.outgoing("annals/process/script", 0, 10).await.unwrap();
    assert_eq!(waiting, []);
    engine.shutdown().await.unwrap();
}

/// A process that is tried again, and the engine ends while its command is on its way: the next one sends that first.
async fn a_retry_survives_a_restart(scene: Scene<impl Store>) {
    let engine = scene.started().await;
    let key = format!("step of {}", scene.name);
    scene.begin("a", "1", act()).await;
    scene.tell("a", "2", act().held("two").works("then").broken(&key)).await;
    scene.tell("a", "3", act().works("three")).await;
    parked(&engine, 1).await;
    mend(&key);
    engine.retry_parked::<Script>("a").await.unwrap();
    scene.has_seen("a", "told 2").await;
    drop(engine);
    scene.passes.pass("two");
    let engine = scene.started().await;
    settled(&engine).await;
    assert_eq!(scene.saw("a").await, ["began 1", "told 2", "told 3"]);
    assert_eq!(scene.worked().await, ["two", "then", "three"]);
    engine.shutdown().await.unwrap();
}

crate::on_each_store!(
    what_is_dropped_is_recorded_and_never_taken_again,
    an_end_whose_commands_are_dropped_is_one,
    what_never_began_is_not_done,
    what_is_on_its_way_when_the_rest_is_dropped_is_done,
    a_retry_survives_a_restart,
);
