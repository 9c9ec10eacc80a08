//! The names of projections and queries, which the file pins.

use annals::prelude::*;
use annals_testing::schema::Schema;
use serde::{Deserialize, Serialize};

use crate::check_adds;

macro_rules! release {
    ($module:ident, $table:literal, $projection:tt, $query:tt) => {
        mod $module {
            use super::*;

            #[derive(Debug, Clone, Serialize, Deserialize, Event)]
            #[event(name = "GateOpened")]
            pub struct Opened {
                pub gate: String,
            }

            #[derive(Debug, Clone, PartialEq, ReadModel)]
            #[read_model(table = $table)]
            pub struct Gate {
                #[read_model(key)]
                gate: String,
            }

            #[projection $projection]
            impl Gate {
                #[on(upsert, key = gate)]
                fn opened(_: Option<Self>, event: &Opened) -> Self {
                    Self { gate: event.gate.clone() }
                }
            }

            #[derive(Debug, Serialize, Deserialize, Query)]
            #[query $query]
            pub struct Gates {}

            #[query_handler]
            fn gates(_: Gates) -> u64 {
                0
            }

            pub fn schema() -> Schema {
                Schema::new().with_projection::<Gate>().with_query::<Gates>()
            }
        }
    };
}

release!(first, "schema_gates", (version = 1), (result = u64));
release!(raised, "schema_gates", (version = 2), (result = u64));
release!(moved, "schema_doors", (name = "schema_gates"), (name = "Gates", result = u64));
release!(renamed, "schema_doors", (version = 1), (name = "Doors", result = u64));

#[test]
fn names_that_are_new_are_told() {
    check_adds(&Schema::new(), &first::schema(), &["projection `schema_gates`", "query `Gates`"]);
    check_adds(&first::schema(), &first::schema(), &[]);
}

#[test]
fn a_raised_version_and_a_moved_table_are_told() {
    let raised = "projection `schema_gates`: version 2 took the place of version 1";
    check_adds(&first::schema(), &raised::schema(), &[raised]);
    let moved = "projection `schema_gates`: its rows are in the table `schema_doors`, and not in `schema_gates` any more; to keep the table, write #[read_model(table = \"schema_gates\")]";
    check_adds(&first::schema(), &moved::schema(), &[moved]);
}

#[test]
fn a_renamed_projection_and_a_renamed_query_are_told_with_the_name_to_pin() {
    check_adds(
        &first::schema(),
        &renamed::schema(),
        &[
            "projection `schema_gates` is not there any more; if it was renamed, it reads the log from the beginning, unless its name is pinned: #[projection(name = \"schema_gates\")]",
            "projection `schema_doors`",
            "query `Gates` is not there any more; if it was renamed, callers do not find it, unless its name is pinned: #[query(name = \"Gates\")]",
            "query `Doors`",
        ],
    );
}
