//! The whole program as it is linked, and the environment variable, in a program of its own.

use std::env;
use std::process::{Command, Output};

use annals_testing::schema::{Schema, assert_unchanged};

use crate::file::Folder;

/// Tells the inner test where the file is; without it, that test does nothing.
const PATH: &str = "ANNALS_TEST_SCHEMA_PATH";

#[test]
fn inner() {
    if let Ok(path) = env::var(PATH) {
        assert_unchanged(path);
    }
}

/// Runs the inner test in a process of its own, whose environment is its own, too.
fn run(path: &std::path::Path, variable: Option<&str>) -> (bool, String) {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", "program::inner", "--nocapture"]).env(PATH, path);
    command.env_remove("ANNALS_SCHEMA");
    if let Some(variable) = variable {
        command.env("ANNALS_SCHEMA", variable);
    }
    let Output { status, stdout, stderr } = command.output().unwrap();
    let said = [stdout, stderr].concat();
    (status.success(), String::from_utf8_lossy(&said).into_owned())
}

#[test]
fn all_that_is_linked_is_seen() {
    let schema = Schema::of_program().to_file();
    for event in ["Placed", "PriceSet", "OrderPlaced", "BookListed", "ItemSold", "MeterRead"] {
        assert!(schema.events.contains_key(event), "{event}");
    }
    assert!(schema.aggregates.contains_key("door"));
    assert!(schema.commands.contains_key("Push"));
    assert!(!schema.aggregates.contains_key("conformance_tally"), "the harness registers nothing");
}

#[test]
fn the_variable_says_what_to_do() {
    let folder = Folder::new("variable");
    let path = folder.path("schema.json");
    let (passed, said) = run(&path, None);
    assert!(!passed && said.contains("there is no schema file"), "{said}");
    let (passed, said) = run(&path, Some(""));
    assert!(!passed && said.contains("there is no schema file"), "{said}");
    let (passed, said) = run(&path, Some("yes"));
    let message = "unknown ANNALS_SCHEMA=`yes`; it may be `accept`, or not set";
    assert!(!passed && said.contains(message), "{said}");
    assert!(said.contains("tests/schema/program.rs"), "the test's own line is named: {said}");
    // The types of these tests clash on purpose, which no accepting accepts.
    let (passed, said) = run(&path, Some("accept"));
    assert!(!passed && said.contains("nothing was accepted"), "{said}");
    assert!(said.contains("the stored event name `Placed` stands for both"), "{said}");
    assert!(!path.exists());
}
