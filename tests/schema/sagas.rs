//! The names of sagas and of their steps, which the file pins.

use annals::prelude::*;
use annals_testing::schema::{FindingKind, Schema};

use crate::check_adds;

macro_rules! release {
    ($module:ident, ($($options:tt)*), $first:literal, $second:literal) => {
        mod $module {
            use super::*;

            pub struct Trip;

            #[saga($($options)*, data = u64)]
            impl Trip {
                #[step(name = $first)]
                async fn flight(_: &u64) {}

                #[step(name = $second)]
                async fn hotel(_: &u64) {}
            }

            pub fn schema() -> Schema {
                Schema::new().with_saga::<Trip>()
            }
        }
    };
}

release!(first, (name = "schema_trip"), "flight", "hotel");
release!(raised, (name = "schema_trip", version = 2, upcast(from = 1)), "flight", "hotel");
release!(other_step, (name = "schema_trip"), "flight", "room");
release!(other_order, (name = "schema_trip"), "hotel", "flight");
release!(renamed, (name = "schema_journey"), "flight", "hotel");

#[test]
fn a_name_that_is_new_is_told() {
    check_adds(&Schema::new(), &first::schema(), &["saga `schema_trip`"]);
    check_adds(&first::schema(), &first::schema(), &[]);
    let kept = first::schema().to_file();
    let read = serde_json::from_str::<serde_json::Value>(&kept.to_json()).unwrap();
    let expected = serde_json::json!({ "steps": ["flight", "hotel"], "version": 1 });
    assert_eq!(read["sagas"]["schema_trip"], expected);
}

#[test]
fn what_changes_is_told() {
    check_adds(
        &first::schema(),
        &raised::schema(),
        &["saga `schema_trip`: version 2 of its data took the place of version 1"],
    );
    check_adds(
        &first::schema(),
        &other_step::schema(),
        &[
            "saga `schema_trip`: the step `hotel` is not there any more; if it was renamed, sagas that have done it do it again and cannot undo it, unless its name stays: #[step(name = \"hotel\")]",
            "saga `schema_trip`: the step `room`",
        ],
    );
    check_adds(
        &first::schema(),
        &other_order::schema(),
        &["saga `schema_trip`: its steps are done in another order"],
    );
    check_adds(
        &first::schema(),
        &renamed::schema(),
        &[
            "saga `schema_trip` is not there any more; if it was renamed, those under way go no further, unless its name stays: #[saga(name = \"schema_trip\")]",
            "saga `schema_journey`",
        ],
    );
}

#[test]
fn two_sagas_of_one_name_clash() {
    let both = Schema::new().with_saga::<first::Trip>().with_saga::<other_step::Trip>();
    let comparison = both.held_against(&both.to_file());
    assert!(
        comparison.findings.iter().any(|finding| finding.kind == FindingKind::NameClash),
        "{comparison}"
    );
}
