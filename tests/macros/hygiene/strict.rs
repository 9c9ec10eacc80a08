//! Under lints that people turn on.
#![deny(
    warnings,
    missing_docs,
    unused_qualifications,
    unreachable_pub,
    clippy::all,
    clippy::pedantic
)]
#![forbid(unsafe_code)]

use annals::prelude::*;
use serde::{Deserialize, Serialize};

/// An id.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, AggregateId)]
pub(crate) struct DoorId(String);

/// An event.
#[derive(Debug, Clone, Serialize, Deserialize, Event)]
pub(crate) struct DoorOpened {
    pub(crate) by: String,
}

/// An event.
#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[deprecated = "doors close by themselves"]
pub(crate) struct DoorClosed;

/// A command.
#[derive(Debug, Clone, Serialize, Deserialize, Command)]
pub(crate) struct OpenDoor {
    #[command(id)]
    pub(crate) door: DoorId,
}

/// A state.
#[expect(deprecated, reason = "old doors were closed")]
mod door {
    use super::*;

    /// A door.
    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Aggregate)]
    #[aggregate(id = DoorId, events(DoorOpened, DoorClosed), snapshot(every = 10))]
    pub(crate) struct Door {
        opened: bool,
    }

    #[handlers]
    impl Door {
        #[handle]
        fn open(&self, _: OpenDoor) -> Result<DoorOpened, std::fmt::Error> {
            Ok(DoorOpened { by: String::new() })
        }

        #[handle(upsert)]
        async fn knock(_: Option<&Self>, _: Knock) {}

        #[apply(upsert)]
        fn opened(_: Option<Self>, event: &DoorOpened) -> Self {
            Self { opened: event.by.is_empty() }
        }

        #[apply]
        fn closed(&mut self, _: &DoorClosed, cx: &EventContext<Self>) {
            self.opened = cx.stream_version() == 0;
        }
    }

    /// A reactor.
    #[derive(Debug)]
    pub(crate) struct Porter;

    #[reactor(name = "strict_porter", services = String)]
    impl Porter {
        #[on(key = by)]
        async fn opened(
            event: &DoorOpened,
            cx: &EventContext<Self>,
        ) -> Result<Vec<OpenDoor>, std::fmt::Error> {
            let opened = cx.services() == &event.by;
            Ok(Vec::from_iter(opened.then(|| OpenDoor { door: "back".into() })))
        }

        #[on(key = |_| "all")]
        fn closed(_: &DoorClosed) {}
    }
}

/// A command.
#[derive(Debug, Clone, Serialize, Deserialize, Command)]
pub(crate) struct Knock(#[command(id)] DoorId);

/// A command.
#[derive(Debug, Clone, Serialize, Deserialize, Command)]
#[deprecated = "nobody rings"]
pub(crate) struct Ring(#[command(id)] DoorId);

/// A process.
#[expect(deprecated, reason = "old doors were closed and had bells")]
mod visit {
    use super::*;

    /// A visit.
    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ProcessManager)]
    #[process_manager(name = "visit", id = DoorId, sends(Knock, Ring), start = beginning)]
    pub(crate) struct Visit {
        knocks: u8,
    }

    #[process]
    impl Visit {
        #[on]
        fn opened(_: &DoorOpened) -> Self {
            Self { knocks: 0 }
        }

        #[on]
        fn closed(&mut self, _: &DoorClosed, cx: &EventContext<Self>) -> (Knock, Option<Ring>) {
            self.knocks += 1;
            (Knock(cx.id().clone()), (self.knocks > 2).then(|| Ring(cx.id().clone())))
        }

        #[rejected]
        fn not_heard(&self, _: &Knock) {}

        #[rejected(upsert)]
        #[deprecated = "bells are always heard"]
        fn not_rung(visit: Option<Self>, _: &Ring, _: &Rejection) -> Option<Self> {
            visit
        }

        #[deadline(name = "gone", after = std::time::Duration::from_mins(1))]
        #[deprecated = "visitors have patience"]
        fn gone(self) -> Done<()> {
            Done(())
        }
    }
}

#[test]
fn it_compiles_without_a_warning() {
    let door = crate::fold::fold::<door::Door>("front".into(), DoorOpened { by: String::new() });
    let door = door.unwrap();
    let open = OpenDoor { door: "front".into() };
    assert!(crate::fold::decide(door.as_ref(), open).unwrap().is_ok());
    assert!(crate::fold::decide(door.as_ref(), Knock("front".into())).unwrap().is_ok());
    assert_eq!(visit::Visit::GONE.as_str(), "gone");
    let opened = annals_testing::recorded::<door::Door>("front", DoorOpened { by: "Ada".into() });
    assert_eq!(crate::reactors::react::<door::Porter>("Ada".into(), &opened).unwrap().len(), 1);
}
