//! Reactors in surroundings that break careless output.

use annals::prelude::*;
use annals_testing::recorded;
use serde::{Deserialize, Serialize};

use super::{Log, any, react, routed};
use crate::shop::*;

mod shadowed {
    //! Names of the prelude mean something else here.
    #![expect(dead_code, reason = "they only have to be in the way")]

    use super::{Log, OrderShipped, reactor};

    type Result<T> = ::std::result::Result<T, ::std::fmt::Error>;
    struct Option;
    struct Vec;
    struct String;
    struct Box;
    struct Some;
    struct None;
    struct Ok;
    struct Err;
    trait From {}
    trait Clone {}
    trait Display {}
    trait Future {}
    trait Send {}
    trait Reactor {}
    #[expect(non_camel_case_types, reason = "the name is in the way")]
    struct str;
    mod core {}
    mod std {}
    mod annals {}

    /// Its variants are called as what an impl names.
    pub enum Shipping {
        Output,
        Services,
        Key,
    }

    impl Shipping {
        const START: u8 = 1;

        fn call() {}
        fn route() {}
        fn reactions() {}
    }

    #[reactor(name = "shadowed", services = Log)]
    impl Shipping {
        #[on(key = |_| "here")]
        async fn call_of(event: &OrderShipped, recorded: &super::EventContext<Self>) -> Result<()> {
            let (key, _) = (recorded.key(), event);
            recorded.services().write(key.to_owned()).await;
            Result::Ok(())
        }
    }
}

fn shipped() -> RecordedEvent {
    recorded::<Order>("o-1", OrderShipped)
}

#[test]
fn items_in_functions_raw_identifiers_and_cfg() {
    #[derive(Debug, Clone, Serialize, Deserialize, Event)]
    #[event(name = "ReactorMatched")]
    struct Matched {
        r#type: u64,
        r#in: String,
    }

    struct r#Loop;

    #[reactor(name = "loop")]
    impl r#Loop {
        #[on(key = (r#type, r#in))]
        fn r#match(_: &Matched) {}

        #[on]
        #[cfg(any())]
        async fn nothing(_: &NotThere) -> AlsoNotThere {}

        #[annals::on]
        #[cfg(not(any()))]
        #[expect(deprecated, reason = "a user's lints stay on his method")]
        async fn shipped(_: &OrderShipped, _: &EventContext<Self>) -> Shipped {
            old();
        }
    }

    #[deprecated]
    fn old() {}

    type Shipped = ();

    /// A block that is not there, on a type that is not there.
    #[reactor(name = "gone")]
    #[cfg(any())]
    impl Gone {
        #[on]
        fn shipped(_: &OrderShipped) {}
    }

    let names = any::<r#Loop>().filter().event_types.unwrap();
    assert_eq!(names, ["ReactorMatched", "OrderShipped"]);
    assert_eq!(routed::<r#Loop>((), &shipped()), ["order-o-1"]);
    assert_eq!(react::<r#Loop>((), &shipped()).unwrap(), []);
    assert!(!annals::registry::ReactorRegistration::all().any(|reactor| reactor.name == "gone"));
}
