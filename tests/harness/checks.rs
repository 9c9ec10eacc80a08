//! What every test checks without being asked.

use std::sync::atomic::{AtomicU64, Ordering};

use annals::prelude::*;
use annals_testing::{given, given_nothing};
use serde::{Deserialize, Serialize};

use crate::failure::failure_of;

#[derive(Debug, Clone, Serialize, Deserialize, AggregateId)]
struct BoxId(String);

/// Loses a field in the store; has no equality that would tell.
#[derive(Debug, Clone, Serialize, Deserialize, Event)]
struct BoxPacked {
    weight: u64,
    #[serde(skip)]
    #[expect(dead_code, reason = "that it is lost, only its `Debug` shows")]
    fragile: bool,
}

/// Cannot be read back at all.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
struct BoxMarked {
    #[serde(rename(serialize = "text"))]
    mark: String,
}

/// Is applied by something that is not stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
struct BoxCounted;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
struct BoxSealed;

#[derive(Debug, Clone, Serialize, Deserialize, Command)]
struct Pack {
    #[command(id)]
    id: BoxId,
    fragile: bool,
}

#[derive(Debug, Clone, Serialize, Deserialize, Command)]
struct Mark {
    #[command(id)]
    id: BoxId,
}

#[derive(Debug, Clone, Serialize, Deserialize, Command)]
struct Count {
    #[command(id)]
    id: BoxId,
}

#[derive(Debug, Clone, Serialize, Deserialize, Command)]
struct Seal {
    #[command(id)]
    id: BoxId,
}

static COUNTER: AtomicU64 = AtomicU64::new(0);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Aggregate)]
#[aggregate(
    id = BoxId,
    events(BoxPacked, BoxMarked, BoxCounted, BoxSealed),
    category = "parcel_box",
    snapshot(every = 10)
)]
struct ParcelBox {
    counted: u64,
    #[serde(skip)]
    sealed: bool,
}

#[handlers]
impl ParcelBox {
    #[handle]
    fn pack(command: Pack) -> BoxPacked {
        BoxPacked { weight: 1, fragile: command.fragile }
    }

    #[apply]
    fn packed(_: &BoxPacked) -> Self {
        Self { counted: 0, sealed: false }
    }

    #[handle]
    fn mark(&self, _: Mark) -> BoxMarked {
        BoxMarked { mark: "up".into() }
    }

    #[apply]
    fn marked(&mut self, _: &BoxMarked) {}

    #[handle]
    fn count(&self, _: Count) -> BoxCounted {
        BoxCounted
    }

    #[apply]
    fn counted(&mut self, _: &BoxCounted) {
        self.counted = COUNTER.fetch_add(1, Ordering::SeqCst);
    }

    #[handle]
    fn seal(&self, _: Seal) -> BoxSealed {
        BoxSealed
    }

    #[apply]
    fn was_sealed(&mut self, _: &BoxSealed) {
        self.sealed = true;
    }
}

fn packed() -> BoxPacked {
    BoxPacked { weight: 1, fragile: false }
}

#[test]
fn an_event_that_loses_a_field_in_the_store() {
    let pack = |fragile| Pack { id: "b".into(), fragile };
    given_nothing::<ParcelBox>().when(pack(false)).then(packed());
    let failure = failure_of(|| {
        given_nothing::<ParcelBox>().when(pack(true)).then_events(|_| {});
    });
    assert!(
        failure.message.starts_with("event `BoxPacked` reads back as another"),
        "{}",
        failure.message
    );
}

#[test]
fn an_event_that_cannot_be_read_back() {
    let failure = failure_of(|| {
        given::<ParcelBox>(packed()).when(Mark { id: "b".into() }).then_events(|_| {});
    });
    assert!(
        failure.message.starts_with(
            r#"event `BoxMarked` cannot be read back from {"text":"up"}: BoxMarked: missing field `mark`"#
        ),
        "{}",
        failure.message
    );
}

#[test]
fn a_state_that_depends_on_what_is_not_stored() {
    let failure = failure_of(|| {
        given::<ParcelBox>(packed()).when(Count { id: "b".into() }).then(BoxCounted);
    });
    assert!(
        failure.message.contains("differs from a fresh fold of its stored events"),
        "{}",
        failure.message
    );
}

#[test]
fn a_state_that_loses_a_field_in_its_snapshot() {
    let failure = failure_of(|| {
        given::<ParcelBox>(packed()).when(Seal { id: "b".into() }).then(BoxSealed);
    });
    assert!(
        failure.message.starts_with("the state of `parcel_box-b` reads back as another"),
        "{}",
        failure.message
    );
}
