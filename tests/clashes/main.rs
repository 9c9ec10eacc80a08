//! Names that stand for two things in one program are found before the first command is done.

use annals::prelude::*;
use serde::{Deserialize, Serialize};

/// A small aggregate: its id, one event, one command.
macro_rules! aggregate {
    ($module:ident, $category:literal, $event:literal, $command:literal) => {
        mod $module {
            use super::*;

            #[derive(Debug, Clone, Serialize, Deserialize, AggregateId)]
            pub struct Id(String);

            #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
            #[event(name = $event)]
            pub struct Happened;

            #[derive(Debug, Clone, Serialize, Deserialize, Command)]
            #[command(name = $command)]
            pub struct DoIt {
                #[command(id)]
                pub id: Id,
            }

            #[derive(Debug, Clone, PartialEq, Aggregate)]
            #[aggregate(id = Id, events(Happened), category = $category)]
            pub struct Thing;

            #[handlers]
            impl Thing {
                #[handle]
                fn doing(_: DoIt) -> Happened {
                    Happened
                }

                #[apply]
                fn happened(_: &Happened) -> Self {
                    Self
                }
            }
        }
    };
}

aggregate!(one, "clash_one", "ClashA", "DoClashA");
aggregate!(same_event, "clash_two", "ClashA", "DoClashB");
aggregate!(same_category, "clash_one", "ClashC", "DoClashC");
aggregate!(same_command, "clash_four", "ClashD", "DoClashA");
aggregate!(apart, "clash_five", "ClashE", "DoClashE");

#[derive(Debug, Clone, PartialEq, Aggregate)]
#[aggregate(id = one::Id, events(one::Happened), category = "clash_six")]
struct SecondHandler;

#[handlers]
impl SecondHandler {
    #[handle]
    fn doing(_: one::DoIt) -> one::Happened {
        one::Happened
    }

    #[apply]
    fn happened(_: &one::Happened) -> Self {
        Self
    }
}

fn clash_of<A: Aggregate, B: Aggregate>() -> String {
    let built = CommandBus::builder(MemoryStore::new()).register::<A>().register::<B>().build();
    built.unwrap_err().to_string()
}

#[test]
fn what_does_not_clash_is_built() {
    let builder = CommandBus::builder(MemoryStore::new());
    builder.register::<one::Thing>().register::<apart::Thing>().build().unwrap();
}

#[test]
fn two_events_of_one_stored_name() {
    assert_eq!(
        clash_of::<one::Thing, same_event::Thing>(),
        "the stored event name `ClashA` stands for both `clashes::one::Happened` and \
         `clashes::same_event::Happened`: a stored name is unique in a program; give one another \
         `#[event(name = \"…\")]`"
    );
}

#[test]
fn two_aggregates_of_one_category() {
    assert_eq!(
        clash_of::<one::Thing, same_category::Thing>(),
        "the category `clash_one` stands for both `clashes::one::Thing` and \
         `clashes::same_category::Thing`: two aggregates cannot share streams; give one another \
         `#[aggregate(category = \"…\")]`"
    );
}

#[test]
fn two_commands_of_one_name() {
    assert_eq!(
        clash_of::<one::Thing, same_command::Thing>(),
        "the name of command `DoClashA` stands for both `clashes::one::DoIt` and \
         `clashes::same_command::DoIt`: a command's name is unique in a program; give one another \
         `#[command(name = \"…\")]`"
    );
}

#[test]
fn two_handlers_of_one_command() {
    assert_eq!(
        clash_of::<one::Thing, SecondHandler>(),
        "the handler of command `DoClashA` stands for both `clashes::SecondHandler` and \
         `clashes::one::Thing`: a command has one handler; let one of the two take another command"
    );
}

#[tokio::test]
async fn across_the_program_a_clash_is_found_when_the_bus_is_built_or_at_the_first_dispatch() {
    let built = CommandBus::builder(MemoryStore::new()).build();
    let message = built.unwrap_err().to_string();
    let store = MemoryStore::new();
    let bus = CommandBus::new(store.clone());
    let refused = bus.dispatch(apart::DoIt { id: "a".into() }).await.unwrap_err();
    assert!(matches!(refused, DispatchError::Setup(_)));
    assert_eq!(refused.to_string(), message, "the same clash, whatever the order of linking");
    let refused = bus.dispatch_json("DoClashE", serde_json::json!({ "id": "a" })).await;
    assert_eq!(refused.unwrap_err().to_string(), message);
    assert_eq!(store.head().await.unwrap(), Position::START, "nothing was done");
}

mod sagas {
    use annals::prelude::*;

    pub struct One;

    #[saga(name = "clash_saga", data = (), services = ())]
    impl One {
        #[step]
        async fn only() {}
    }

    pub mod other {
        use annals::prelude::*;

        pub struct Other;

        #[saga(name = "clash_saga", data = (), services = ())]
        impl Other {
            #[step]
            async fn only() {}
        }
    }
}

#[tokio::test]
async fn two_sagas_of_one_name_are_neither_run_nor_resumed() {
    let runner = SagaRunner::new(MemoryStore::new(), std::sync::Arc::new(()));
    let run = runner.run::<sagas::One>("s-1", ()).await.unwrap_err().to_string();
    let resumed = runner.resume_all().await.unwrap_err().to_string();
    for error in [run, resumed] {
        assert!(error.starts_with("the name of saga `clash_saga` stands for both "), "{error}");
    }
}
