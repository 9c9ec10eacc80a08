//! What the macros cost the compiler beside the same aggregate by hand: crates of many aggregates are checked and built, and what one
//! more adds is told. Whether it adds more where there are many already. And the time that the macros' own crates take.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use std::{env, fs};

mod ten;

use super::measure::{Figure, Turns};
use super::report::{Report, Unit};
use ten::ten_of;

/// How many aggregates a crate has.
const MANY: usize = 10;

/// How many the crate has that tells whether one more costs more in a larger one.
const MORE: usize = 30;

/// How much one of the later aggregates may cost beside one of the first, since machines are noisy: as much, or it rises.
const AS_MUCH: f64 = 1.25;

const ONE_MORE: &str = "one more aggregate of 10 events and 10 commands";

/// The crates that are compiled, and where.
struct Crates {
    place: PathBuf,
    empty: PathBuf,
    by_macros: PathBuf,
    by_hand: PathBuf,
    /// By the macros, too.
    larger: PathBuf,
}

pub fn costs(report: &mut Report) {
    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join("compile_time");
    let by_macros = ten_of(include_str!("compile_time/by_macros.rs"));
    let by_hand = ten_of(include_str!("compile_time/by_hand.rs"));
    let crates = Crates {
        empty: crate_of(&place, "empty", "", 0),
        by_macros: crate_of(&place, "by_macros", &by_macros, MANY),
        by_hand: crate_of(&place, "by_hand", &by_hand, MANY),
        larger: crate_of(&place, "larger", &by_macros, MORE),
        place,
    };
    let rounds = if report.is_quick() { 1 } else { 5 };
    crates.checked(report, rounds);
    crates.built(report, rounds);
    crates.changed(report, rounds);
    macros_themselves(report, &crates.place);
}

impl Crates {
    /// `cargo check` without anything of the time before, of few and of many.
    fn checked(&self, report: &mut Report, rounds: usize) {
        let (mut turns, mut rise) = (Turns::default(), Vec::new());
        let check = |dir| self.compile(dir, "check", "0");
        // What the crates depend on is compiled first.
        check(&self.empty);
        for _ in 0..rounds {
            let empty = check(&self.empty);
            let [first, by_hand, all] = [&self.by_macros, &self.by_hand, &self.larger]
                .map(|dir| check(dir).saturating_sub(empty));
            turns.add(first, by_hand);
            let later = all.saturating_sub(first);
            let each = |time: Duration, count: usize| time.as_secs_f64() / count as f64;
            rise.push(each(later, MORE - MANY) / each(first, MANY));
        }
        report.compare(&work("check", "clean"), &turns, MANY, Unit::Milliseconds, None);
        let (begin, end) = (MANY + 1, MORE);
        let work = format!("the same, the {begin}th to the {end}th beside the first {MANY}");
        report.tell(&work, Figure::of(rise), "times", Some(AS_MUCH));
    }

    fn built(&self, report: &mut Report, rounds: usize) {
        let mut turns = Turns::default();
        self.compile(&self.empty, "build", "0");
        for _ in 0..rounds {
            self.compare("build", "0", &mut turns);
        }
        report.compare(&work("build", "clean"), &turns, MANY, Unit::Milliseconds, None);
    }

    /// `cargo check` with what the compiler keeps, after a change in one aggregate.
    fn changed(&self, report: &mut Report, rounds: usize) {
        let mut turns = Turns::default();
        // What is kept has to be there.
        self.compare("check", "1", &mut Turns::default());
        for _ in 0..rounds {
            self.compare("check", "1", &mut turns);
        }
        report.compare(&work("check", "changed"), &turns, MANY, Unit::Milliseconds, None);
    }

    /// Compiles the crates in turns.
    fn compare(&self, what: &str, incremental: &str, turns: &mut Turns) {
        let [empty, by_macros, by_hand] = [&self.empty, &self.by_macros, &self.by_hand]
            .map(|dir| self.compile(dir, what, incremental));
        turns.add(by_macros.saturating_sub(empty), by_hand.saturating_sub(empty));
    }

    /// Compiles the crate anew, but not what it depends on. Each time its first aggregate has one more function, so that what is
    /// kept of the time before does not do.
    fn compile(&self, dir: &Path, what: &str, incremental: &str) -> Duration {
        let changed = ["src/aggregate_0.rs", "src/lib.rs"].map(|file| dir.join(file));
        let changed = changed.into_iter().find(|file| file.exists()).expect("a library");
        let mut text = fs::read_to_string(&changed).expect("a file of it");
        let number = text.matches("fn changed_").count();
        let _ = writeln!(text, "pub fn changed_{number}() -> usize {{ {number} }}");
        fs::write(&changed, text).expect("it is changed");
        let begin = Instant::now();
        cargo(dir, &[what, "--quiet", "--offline"], incremental, &self.place.join("target"));
        begin.elapsed()
    }
}

fn work(what: &str, kind: &str) -> String {
    format!("cargo {what}, {kind}: {ONE_MORE}")
}

fn macros_themselves(report: &mut Report, place: &Path) {
    let begun = Instant::now();
    let dependencies = place.join("dependencies");
    // What was built before does not count.
    let _ = fs::remove_dir_all(&dependencies);
    let macros = Path::new(env!("CARGO_MANIFEST_DIR")).join("../macros");
    cargo(&macros, &["build", "--quiet", "--offline", "--lib"], "0", &dependencies);
    let seconds = Figure::once(begun.elapsed().as_secs_f64());
    report.tell("cargo build of the macros, with what they depend on", seconds, "s", None);
}

/// Writes a crate that has the same aggregate in many modules.
fn crate_of(place: &Path, name: &str, aggregate: &str, many: usize) -> PathBuf {
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
    for number in 0..many {
        fs::write(src.join(format!("aggregate_{number}.rs")), aggregate).expect("an aggregate");
        let _ = writeln!(lib, "pub mod aggregate_{number};");
    }
    fs::write(src.join("lib.rs"), lib).expect("a library");
    dir
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
