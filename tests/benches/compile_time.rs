//! What the macros cost the compiler beside the same bank by hand:
//! `cargo bench -p annals-tests --bench compile_time`.
//!
//! It checks and builds a crate of twenty banks, by macros and by hand in turns, and tells the seconds for one bank.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use std::{env, fs};

mod measure;

/// How many banks a crate has.
const BANKS: usize = 20;
/// How often each crate is compiled.
const ROUNDS: usize = 5;

fn main() {
    let tests = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let contract = fs::read_to_string(tests.join("contract/bank.rs")).expect("the contract");
    let (domain, _) = contract.split_once("// ---- what the user tests").expect("its first part");
    let by_macros = domain
        .replace("use annals_testing::{given, given_nothing};\n", "")
        .replace("use futures::TryStreamExt;\n", "")
        .replace("use std::time::Duration;\n", "");
    let by_hand = fs::read_to_string(tests.join("benches/compile_time/by_hand.rs"))
        .expect("the bank by hand");

    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join("compile_time");
    let empty = crate_of(&place, "empty", "", 0);
    let by_macros = crate_of(&place, "by_macros", &by_macros, BANKS);
    let by_hand = crate_of(&place, "by_hand", &by_hand, BANKS);
    for what in ["check", "build"] {
        let mut times = [Vec::new(), Vec::new(), Vec::new()];
        for round in 0..=ROUNDS {
            for (crate_dir, times) in [&empty, &by_macros, &by_hand].into_iter().zip(&mut times) {
                let time = compile(crate_dir, what, &place);
                // The first round compiles what the crates depend on.
                if round > 0 {
                    times.push(time);
                }
            }
        }
        let [empty, by_macros, by_hand] = times.map(measure::sorted);
        let each =
            |time: Duration| time.saturating_sub(empty.median()).as_secs_f64() / BANKS as f64;
        let spread = |times: &measure::Times| {
            let (low, high) = times.quartiles();
            (each(high) - each(low)) / 2.0
        };
        println!(
            "cargo {what}, seconds for one bank of 4 events and 4 commands\n    \
             by macros {:.3} ±{:.3}   by hand {:.3} ±{:.3}   the macros add {:+.3}",
            each(by_macros.median()),
            spread(&by_macros),
            each(by_hand.median()),
            spread(&by_hand),
            each(by_macros.median()) - each(by_hand.median()),
        );
    }
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

/// Compiles the crate anew, but not what it depends on.
fn compile(dir: &Path, what: &str, place: &Path) -> Duration {
    let lib = dir.join("src/lib.rs");
    let text = fs::read_to_string(&lib).expect("a library");
    fs::write(&lib, text).expect("a library that looks changed");
    let begin = Instant::now();
    let status = Command::new(env::var("CARGO").unwrap_or_else(|_| "cargo".into()))
        .args([what, "--quiet", "--offline"])
        .env("CARGO_TARGET_DIR", place.join("target"))
        .env("CARGO_INCREMENTAL", "0")
        .current_dir(dir)
        .status()
        .expect("cargo runs");
    assert!(status.success(), "cargo {what} in {}", dir.display());
    begin.elapsed()
}
