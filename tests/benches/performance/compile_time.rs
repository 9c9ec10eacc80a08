//! What the macros cost the compiler beside the same bank by hand: a crate of twenty banks is checked and built, and what one more
//! bank adds is told. And the time that the macros' own crates take.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use std::{env, fs};

use super::measure::{Figure, Turns};
use super::report::{Report, Unit};

/// How many banks a crate has.
const BANKS: usize = 20;

pub fn costs(report: &mut Report, rounds: usize) {
    let tests = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let contract = fs::read_to_string(tests.join("contract/bank.rs")).expect("the contract");
    let (domain, _) = contract.split_once("// ---- what the user tests").expect("its first part");
    let by_macros = domain
        .replace("use annals_testing::{given, given_nothing};\n", "")
        .replace("use futures::TryStreamExt;\n", "")
        .replace("use std::time::Duration;\n", "");
    let by_hand = fs::read_to_string(tests.join("benches/performance/compile_time/by_hand.rs"))
        .expect("the bank by hand");

    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join("compile_time");
    let empty = crate_of(&place, "empty", "", 0);
    let by_macros = crate_of(&place, "by_macros", &by_macros, BANKS);
    let by_hand = crate_of(&place, "by_hand", &by_hand, BANKS);
    for (what, incremental) in [("check", "0"), ("build", "0"), ("check", "1")] {
        let mut turns = Turns::default();
        for round in 0..=rounds.min(5) {
            let [empty, by_macros, by_hand] = [&empty, &by_macros, &by_hand]
                .map(|crate_dir| compile(crate_dir, what, incremental, &place));
            // The first round compiles what the crates depend on.
            if round > 0 {
                turns.add(by_macros.saturating_sub(empty), by_hand.saturating_sub(empty));
            }
        }
        let kind = if incremental == "1" { "changed" } else { "clean" };
        let work = format!("cargo {what}, {kind}: one more bank of 4 events and 4 commands");
        report.compare(&work, &turns, BANKS, Unit::Milliseconds, None);
    }
    let begun = Instant::now();
    let dependencies = place.join("dependencies");
    // What was built before does not count.
    let _ = fs::remove_dir_all(&dependencies);
    let macros = Path::new(env!("CARGO_MANIFEST_DIR")).join("../macros");
    cargo(&macros, &["build", "--quiet", "--offline", "--lib"], "0", &dependencies);
    let seconds = Figure::once(begun.elapsed().as_secs_f64());
    report.tell("cargo build of the macros, with what they depend on", seconds, "s", None);
}

/// Writes a crate that has the same bank in many modules.
fn crate_of(place: &Path, name: &str, bank: &str, banks: usize) -> PathBuf {
    let dir = place.join(name);
    let src = dir.join("src");
    fs::create_dir_all(&src).expect("a folder for the crate");
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
    let manifest = format!(
        "[package]\nname = \"{name}\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[workspace]\n\n\
         [dependencies]\nannals = {{ path = {:?} }}\ninventory = \"0.3\"\n\
         serde = {{ version = \"1\", features = [\"derive\"] }}\nserde_json = \"1\"\nthiserror = \"2\"\n",
        root.join("core")
    );
    fs::write(dir.join("Cargo.toml"), manifest).expect("a manifest");
    fs::copy(root.join("Cargo.lock"), dir.join("Cargo.lock")).expect("the versions in use");
    let mut lib = String::new();
    for number in 0..banks {
        fs::write(src.join(format!("bank_{number}.rs")), bank).expect("a bank");
        let _ = writeln!(lib, "pub mod bank_{number};");
    }
    fs::write(src.join("lib.rs"), lib).expect("a library");
    dir
}

/// Compiles the crate anew, but not what it depends on. Each time its first bank has one more function, so that what is kept of the
/// time before does not do.
fn compile(dir: &Path, what: &str, incremental: &str, place: &Path) -> Duration {
    let changed = ["src/bank_0.rs", "src/lib.rs"].map(|file| dir.join(file));
    let changed = changed.into_iter().find(|file| file.exists()).expect("a library");
    let mut text = fs::read_to_string(&changed).expect("a file of it");
    let number = text.matches("fn changed_").count();
    let _ = writeln!(text, "pub fn changed_{number}() -> usize {{ {number} }}");
    fs::write(&changed, text).expect("it is changed");
    let begin = Instant::now();
    cargo(dir, &[what, "--quiet", "--offline"], incremental, &place.join("target"));
    begin.elapsed()
}

fn cargo(dir: &Path, arguments: &[&str], incremental: &str, target: &Path) {
    let status = Command::new(env::var("CARGO").unwrap_or_else(|_| "cargo".into()))
        .args(arguments)
        .env("CARGO_TARGET_DIR", target)
        .env("CARGO_INCREMENTAL", incremental)
        .current_dir(dir)
        .status()
        .expect("cargo runs");
    assert!(status.success(), "cargo {arguments:?} in {}", dir.display());
}
