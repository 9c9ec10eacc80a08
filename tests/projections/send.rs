//! What an engine is asked may be asked in a task of its own.

use std::time::Duration;

use annals::Position;
use annals::prelude::*;

use crate::models::ItemRow;

fn spawned<F>(call: F) -> tokio::task::JoinHandle<()>
where
    F: Future<Output: Send + 'static> + Send + 'static,
{
    tokio::spawn(async move { drop(call.await) })
}

/// Mostly, that it compiles. No call panics, whatever is asked first.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_call_can_be_spawned() {
    let store = annals::MemoryStore::new();
    let builder = ProjectionEngine::builder(store.clone()).register::<ItemRow>();
    let engine = tokio::spawn(builder.start()).await.expect("no panic").expect("it starts");
    let bus = crate::stores::bus(&store);
    let receipt = crate::stores::record(&bus, "a", crate::stores::priced(1)).await;
    macro_rules! spawn {
        ($engine:ident, $receipt:ident: $($call:expr),+ $(,)?) => {
            vec![$({
                let ($engine, $receipt) = (engine.clone(), receipt.clone());
                spawned(async move { drop(($call.await, $receipt)) })
            }),+]
        };
    }
    let calls = spawn![engine, receipt:
        engine.wait_for::<ItemRow>(&receipt, Duration::ZERO),
        engine.live::<ItemRow>("a"),
        engine.status(),
        engine.pause::<ItemRow>(),
        engine.resume::<ItemRow>(),
        engine.rebuild::<ItemRow>(),
        engine.parked::<ItemRow>(),
        engine.retry_parked::<ItemRow>("a"),
        engine.drop_parked::<ItemRow>("a"),
        engine.skip::<ItemRow>(Position::START),
        engine.skipped::<ItemRow>(),
        engine.named("items", 1).expect("it runs").wait_for(&receipt, Duration::ZERO),
        engine.named("items", 1).expect("it runs").pause(),
        engine.named("items", 1).expect("it runs").resume(),
        engine.named("items", 1).expect("it runs").rebuild(),
        engine.named("items", 1).expect("it runs").parked(),
        engine.named("items", 1).expect("it runs").retry_parked("a"),
        engine.named("items", 1).expect("it runs").drop_parked("a"),
        engine.named("items", 1).expect("it runs").skip(Position::START),
        engine.named("items", 1).expect("it runs").skipped(),
        engine.read_models().query::<ItemRow>().fetch(),
        engine.read_models().query::<ItemRow>().first(),
        engine.read_models().query::<ItemRow>().count(),
        engine.read_models().get::<ItemRow>("a"),
    ];
    for call in calls {
        call.await.expect("no panic");
    }
    tokio::spawn(engine.shutdown()).await.expect("no panic").expect("nothing went wrong");
}
