//! Each mistake that the macros or the type checker find: one folder for each rule, one mistake in each file, the whole
//! message beside it.
//!
//! After a change that is meant, `TRYBUILD=overwrite cargo test --test compile_fail` writes the messages anew. What surrounds
//! ours changes with the compiler, so that they are held against one release of it.

use std::process::Command;

/// The compiler whose messages stand beside the mistakes.
const COMPILER: &str = "rustc 1.95.";

#[test]
fn every_mistake_is_one_error_that_says_what_to_write() {
    let version = compiler_version();
    if version.starts_with(COMPILER) {
        trybuild::TestCases::new().compile_fail("ui/*/*.rs");
    } else if std::env::var_os("CI").is_some() {
        panic!("the gate runs on {version}: write the messages anew, then set COMPILER to it");
    } else {
        eprintln!("not held against {version}: the messages are those of {COMPILER}x");
    }
}

fn compiler_version() -> String {
    let compiler = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(compiler).arg("--version").output().expect("rustc says its version");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}
