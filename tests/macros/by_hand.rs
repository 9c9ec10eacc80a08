//! The item that the benchmark compiles by the macros and by hand: both keep the same rules, and are stored alike. It is a
//! program of its own without a bus, since a stored name is unique among the events of a bus.

use annals::{Aggregate, EventEnum};
use annals_testing::{given, given_nothing};

#[path = "../benches/performance/compile_time/by_hand.rs"]
mod by_hand;
#[path = "../benches/performance/compile_time/by_macros.rs"]
mod by_macros;

/// Tests what the item does that was written so.
macro_rules! keeps_the_rules {
    ($test:ident, $written:ident) => {
        #[test]
        fn $test() {
            use $written::{Item, ItemError, ItemEvent, ItemId, List, Listed, Pick, Picked};

            let id = || ItemId::from("i-1");
            let list = || List { item: id(), name: "bolt".into(), most: 5 };
            let listed = || Listed { name: "bolt".into(), most: 5 };
            let pick = |quantity| Pick { item: id(), quantity };
            given_nothing::<Item>().when(list()).then(listed());
            given::<Item>(listed()).when(list()).then_already_exists();
            given_nothing::<Item>().when(pick(1)).then_not_found();
            given::<Item>(listed()).when(pick(0)).then_error(ItemError::Nothing);
            let picked = || given::<Item>((listed(), Picked { quantity: 3 }));
            picked().when(pick(3)).then_error(ItemError::TooMany { left: 2, asked: 3 });
            picked().when(pick(2)).then(Picked { quantity: 2 }).then_state(|item| {
                assert_eq!((&*item.name, item.most, item.picked), ("bolt", 5, 5))
            });

            let event = ItemEvent::from(Picked { quantity: 2 });
            let stored = (event.event_type(), event.encode().unwrap());
            assert_eq!(stored, ("Picked", r#"{"quantity":2}"#.to_owned()));
            let item = Item { name: "bolt".into(), most: 5, picked: 2 };
            let snapshot = item.encode_snapshot().unwrap().unwrap();
            assert_eq!(Item::decode_snapshot(&snapshot).unwrap().unwrap(), item);
            assert_eq!((id(), id().to_string()), ("i-1".parse().unwrap(), String::from(id())));
        }
    };
}

keeps_the_rules!(the_macros_keep_the_rules, by_macros);
keeps_the_rules!(it_keeps_the_rules_by_hand, by_hand);

#[test]
fn both_are_stored_alike() {
    use {by_hand::Item as ByHand, by_macros::Item as ByMacros};

    fn stored<A: Aggregate>() -> String {
        let events: Vec<_> =
            A::Event::EVENTS.iter().map(|event| (event.name, event.version)).collect();
        let snapshots = (A::SNAPSHOT, A::snapshot_shape());
        let item = A::decode_snapshot(r#"{"name":"bolt","most":5,"picked":2}"#).unwrap().unwrap();
        let shown = item.shown().unwrap();
        format!("{:?} {events:?} {snapshots:?} {shown}", (A::CATEGORY, A::TAKES_CONTEXT))
    }
    assert_eq!(stored::<ByMacros>(), stored::<ByHand>());
}
