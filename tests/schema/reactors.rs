//! The names of reactors, which the file pins.

use annals::prelude::*;
use annals_testing::schema::{FindingKind, Schema};
use serde::{Deserialize, Serialize};

use crate::check_adds;

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(name = "BarrierRaised")]
struct Raised;

struct Watch;

#[reactor(name = "schema_watch")]
impl Watch {
    #[on]
    async fn raised(_: &Raised) {}
}

struct Guard;

#[reactor(name = "schema_guard")]
impl Guard {
    #[on]
    async fn raised(_: &Raised) {}
}

#[test]
fn a_new_reactor_is_told() {
    let watched = Schema::new().with_reactor::<Watch>();
    check_adds(&Schema::new(), &watched, &["reactor `schema_watch`"]);
    check_adds(&watched, &watched, &[]);
    assert!(Schema::of_program().to_file().reactors.contains("schema_guard"));
}

#[test]
fn a_renamed_reactor_is_told_with_the_name_to_pin() {
    check_adds(
        &Schema::new().with_reactor::<Watch>(),
        &Schema::new().with_reactor::<Guard>(),
        &[
            "reactor `schema_watch` is not there any more; if it was renamed, it starts anew, and misses events or takes them again, unless its name is pinned: #[reactor(name = \"schema_watch\")]",
            "reactor `schema_guard`",
        ],
    );
}

#[test]
fn two_reactors_of_one_name() {
    struct Twin;

    #[reactor(name = "schema_watch")]
    impl Twin {
        #[on]
        async fn raised(_: &Raised) {}
    }

    let watched = Schema::new().with_reactor::<Watch>();
    let twins = watched.clone().with_reactor::<Twin>();
    let comparison = twins.held_against(&watched.to_file());
    assert_eq!(comparison.findings[0].kind, FindingKind::NameClash);
    assert_eq!(
        comparison.findings[0].headline,
        "the name of reactor `schema_watch` stands for both `schema::reactors::Watch` and \
         `schema::reactors::two_reactors_of_one_name::Twin`"
    );
}
