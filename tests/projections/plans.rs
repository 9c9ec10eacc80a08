//! What operators do with versions: plans, tables that are made beforehand, versions that are shown, and those that go.

use std::time::{Duration, Instant};

use annals::prelude::*;
use annals::projection::{
    EstimateBasis, PlanAction, ProjectionState, Pruned, RebuildLoad, Showing, Shown, Tables,
};

use crate::on_each_store;
use crate::operated::{SOON, builder, changed, filled, next, operator, owns, prices, start, wrong};
use crate::stores::{PATIENCE, Store, bus, priced, record};

on_each_store!(
    a_plan_tells_what_will_be_made_and_how_long_it_takes,
    an_engine_that_makes_no_tables_waits_for_the_plan,
    two_releases_run_at_once_and_the_older_goes_with_prune,
    a_version_is_shown_that_is_whole,
);

async fn a_plan_tells_what_will_be_made_and_how_long_it_takes(store: impl Store) {
    filled(&store).await;
    let operator = operator::<next::Operated>(&store);
    let plan = operator.plan().await.expect("the store is there");
    let [old, new] = &plan.steps[..] else { panic!("{plan:?}") };
    assert_eq!((&old.action, old.version), (&PlanAction::Prune, 1));
    assert_eq!((new.action.as_str(), new.version, new.events), ("make", 2, 4));
    let takes = new.takes.expect("there are events");
    assert!(takes.basis == EstimateBasis::Sample && takes.rate > 0.0, "{takes:?}");
    assert!(plan.is_awaited());
    plan.apply().await.expect("it may make tables");
    let plan = operator.plan().await.expect("the store is there");
    assert!(!plan.is_awaited(), "{plan:?}");
    // Of a rebuild that was measured, the time of the next is told.
    operator
        .rebuild("operated", 2, RebuildLoad::unlimited().pause(SOON))
        .await
        .expect("it is made");
    let asked = operator.begin_rebuild("operated", 2, RebuildLoad::unlimited()).await;
    asked.expect("nobody takes it up");
    let plan = operator.plan().await.expect("the store is there");
    let step = plan.steps.iter().find(|step| step.version == 2).expect("it is asked for");
    assert_eq!((step.action.as_str(), step.events), ("rebuild", 4));
    // A definition that was changed without another version is refused, with what to do.
    let operator = builder::<changed::Operated>(&store).operator().expect("nothing clashes");
    let plan = operator.plan().await.expect("the store is there");
    let refused = plan.steps.iter().find(|step| step.version == 1).expect("it is refused");
    let PlanAction::Refuse { reason } = &refused.action else { panic!("{refused:?}") };
    assert!(reason.contains("`version = 2`"), "{reason}");
}

async fn an_engine_that_makes_no_tables_waits_for_the_plan(store: impl Store) {
    let last = filled(&store).await;
    let engine = builder::<next::Operated>(&store).tables(Tables::Awaited).start().await;
    let engine = engine.expect("it waits");
    let state = async || {
        let status = engine.status().await.expect("the store is there");
        status.of::<next::Operated>().expect("it is registered").state
    };
    let until = Instant::now() + PATIENCE;
    while state().await != ProjectionState::Unprepared {
        assert!(Instant::now() < until);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(engine.operator().catalog().await.expect("the store is there").len(), 1);
    let plan = operator::<next::Operated>(&store).plan().await.expect("the store is there");
    plan.apply().await.expect("it may make tables");
    while state().await != ProjectionState::Live {
        assert!(Instant::now() < until, "{:?}", state().await);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    engine.wait_for::<next::Operated>(&last, PATIENCE).await.expect("it comes there");
    engine.shutdown().await.expect("nothing went wrong");
    // With all tables made, it starts as any other.
    let engine = builder::<next::Operated>(&store).tables(Tables::Awaited).start().await;
    let engine = engine.expect("nothing is missing");
    engine.wait_for::<next::Operated>(&last, PATIENCE).await.expect("it is there");
    engine.shutdown().await.expect("nothing went wrong");
}

async fn two_releases_run_at_once_and_the_older_goes_with_prune(store: impl Store) {
    filled(&store).await;
    let (old, new) =
        (start::<wrong::Operated>(&store).await, start::<next::Operated>(&store).await);
    let bus = bus(&store);
    let last = record(&bus, "a", priced(9)).await;
    old.wait_for::<wrong::Operated>(&last, PATIENCE).await.expect("it comes there");
    new.wait_for::<next::Operated>(&last, PATIENCE).await.expect("it comes there");
    let models = new.read_models();
    let cents = async || -> Vec<i64> {
        let rows = models.query::<next::Operated>().fetch().await.expect("rows are read");
        rows.into_iter().map(|row| row.cents).collect()
    };
    assert_eq!(cents().await, [900, 500, 100]);
    assert_eq!(prices(&store).await[0], ("a".into(), 9));
    owns(&old).await;
    // Someone runs it still; and the older release does not drop the newer one.
    let pruned = new.prune().await.expect("the store is there");
    assert_eq!(pruned.iter().map(|(_, pruned)| *pruned).collect::<Vec<_>>(), [Pruned::InUse]);
    assert!(old.prune().await.expect("the store is there").is_empty());
    let plan = old.plan().await.expect("the store is there");
    assert_eq!(plan.steps.iter().map(|step| step.action.as_str()).collect::<Vec<_>>(), ["keep"]);

    // It goes, and comes back: its rows go on where they stood.
    old.shutdown().await.expect("nothing went wrong");
    record(&bus, "b", priced(6)).await;
    let back = start::<wrong::Operated>(&store).await;
    let last = record(&bus, "c", priced(7)).await;
    back.wait_for::<wrong::Operated>(&last, PATIENCE).await.expect("it comes there");
    assert_eq!(prices(&store).await, [("a".into(), 9), ("b".into(), 6), ("c".into(), 7)]);
    back.shutdown().await.expect("nothing went wrong");

    let pruned = new.prune().await.expect("the store is there");
    assert_eq!(pruned.iter().map(|(_, pruned)| *pruned).collect::<Vec<_>>(), [Pruned::Done]);
    assert!(new.prune().await.expect("the store is there").is_empty());
    let catalog = new.operator().catalog().await.expect("the store is there");
    assert_eq!(catalog.iter().map(|entry| entry.version).collect::<Vec<_>>(), [2]);
    let gone = ReadModels::new(store.clone()).query::<wrong::Operated>().fetch().await;
    assert!(matches!(gone, Err(ReadModelError::Missing { .. })), "{gone:?}");
    new.wait_for::<next::Operated>(&last, PATIENCE).await.expect("it comes there");
    assert_eq!(cents().await, [900, 600, 700]);
    // Who comes back after that reads the log from the beginning.
    let back = start::<wrong::Operated>(&store).await;
    back.wait_for::<wrong::Operated>(&last, PATIENCE).await.expect("it comes there");
    assert_eq!(prices(&store).await, [("a".into(), 9), ("b".into(), 6), ("c".into(), 7)]);
    back.shutdown().await.expect("nothing went wrong");
    new.shutdown().await.expect("nothing went wrong");
}

async fn a_version_is_shown_that_is_whole(store: impl Store) {
    let last = filled(&store).await;
    let operator = operator::<next::Operated>(&store);
    let show = async |version, showing| operator.show_version("operated", version, showing).await;
    let missing = show(2, Showing::AsItIs).await.unwrap_err();
    assert!(missing.to_string().contains("version 2 is not prepared"), "{missing}");
    operator.plan().await.expect("the store is there").apply().await.expect("it is made");
    assert_eq!(show(1, Showing::Whole).await.expect("it is kept"), Shown::Done);
    let behind = Shown::Lacking { behind: last.position.get(), parked: 0 };
    assert_eq!(show(2, Showing::Whole).await.expect("it is kept"), behind);
    assert_eq!(show(2, Showing::AsItIs).await.expect("it is kept"), Shown::Done);
    let engine = start::<wrong::Operated>(&store).await;
    let last = record(&bus(&store), "b", priced(-1)).await;
    let told = engine.wait_for::<wrong::Operated>(&last, PATIENCE).await;
    assert!(matches!(told, Err(ReadModelError::Parked { .. })), "{told:?}");
    engine.shutdown().await.expect("nothing went wrong");
    let parked = Shown::Lacking { behind: 0, parked: 1 };
    assert_eq!(show(1, Showing::Whole).await.expect("it is kept"), parked);
}
