//! The names of processes and of their deadlines, which the file pins.

use annals::prelude::*;
use annals_testing::schema::{FindingKind, Schema};
use serde::{Deserialize, Serialize};

use crate::check_adds;

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
struct GateForced {
    gate: String,
}

#[derive(Debug, Clone, Serialize, Deserialize, Command)]
struct CallGuard(#[command(id)] String);

macro_rules! release {
    ($module:ident, ($($options:tt)*), $deadline:literal) => {
        mod $module {
            use super::*;

            #[derive(Debug, Clone, Serialize, Deserialize, ProcessManager)]
            #[process_manager($($options)*, id = String, sends(CallGuard))]
            pub struct Alarm;

            #[process]
            impl Alarm {
                #[on(key = gate)]
                fn forced(event: &GateForced) -> (Self, CallGuard) {
                    (Self, CallGuard(event.gate.clone()))
                }

                #[deadline(name = $deadline)]
                fn silent(self) -> Done<()> {
                    Done(())
                }
            }

            pub fn schema() -> Schema {
                Schema::new().with_process::<Alarm>()
            }
        }
    };
}

release!(first, (name = "schema_alarm"), "schema_silent");
release!(raised, (name = "schema_alarm", version = 2, upcast(from = 1)), "schema_silent");
release!(other_deadline, (name = "schema_alarm"), "schema_quiet");
release!(renamed, (name = "schema_siren"), "schema_silent");

#[test]
fn a_name_that_is_new_is_told() {
    check_adds(&Schema::new(), &first::schema(), &["process `schema_alarm`"]);
    check_adds(&first::schema(), &first::schema(), &[]);
    let kept = first::schema().to_file();
    let read = serde_json::from_str::<serde_json::Value>(&kept.to_json()).unwrap();
    let expected = serde_json::json!({ "deadlines": ["schema_silent"], "version": 1 });
    assert_eq!(read["processes"]["schema_alarm"], expected);
}

#[test]
fn a_raised_version_is_told() {
    let raised = "process `schema_alarm`: version 2 of its state took the place of version 1";
    check_adds(&first::schema(), &raised::schema(), &[raised]);
}

#[test]
fn another_deadline_is_told_with_the_name_to_keep() {
    check_adds(
        &first::schema(),
        &other_deadline::schema(),
        &[
            "process `schema_alarm`: the deadline `schema_silent` is not there any more; if it was renamed, a process that waits for it is parked when it is due, unless its name stays: #[deadline(name = \"schema_silent\")]",
            "process `schema_alarm`: the deadline `schema_quiet`",
        ],
    );
}

#[test]
fn a_renamed_process_is_told_with_the_name_to_keep() {
    check_adds(
        &first::schema(),
        &renamed::schema(),
        &[
            "process `schema_alarm` is not there any more; if it was renamed, those that live go no further, unless its name stays: #[process_manager(name = \"schema_alarm\")]",
            "process `schema_siren`",
        ],
    );
}

#[test]
fn one_name_for_two_processes_is_found() {
    let both = first::schema().with_process::<raised::Alarm>();
    let found = both.held_against(&both.to_file());
    let kinds: Vec<_> = found.findings.iter().map(|finding| finding.kind).collect();
    assert_eq!(kinds, [FindingKind::NameClash]);
    let text = found.to_string();
    assert!(text.contains("the name of process `schema_alarm` stands for both"), "{text}");
    assert!(text.contains("#[process_manager(name = \"…\")]"), "{text}");
}
