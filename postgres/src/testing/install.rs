//! The installation of PostgreSQL where there is none, if the environment asks for it.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, io};

use super::binaries;
use super::error::TestDatabaseError;

/// The environment variable that allows it.
const VARIABLE: &str = "ANNALS_INSTALL_POSTGRES";

/// Package managers, and the commands that install PostgreSQL with them.
const MANAGERS: [(&str, &[&[&str]]); 3] = [
    ("apt-get", &[&["update"], &["install", "-y", "--no-install-recommends", "postgresql"]]),
    ("dnf", &[&["install", "-y", "postgresql-server"]]),
    ("apk", &[&["add", "postgresql"]]),
];

/// Finds the programs of PostgreSQL, or installs them if the environment allows it.
pub(super) fn binaries() -> Result<PathBuf, TestDatabaseError> {
    if let Some(found) = binaries::find() {
        return Ok(found);
    }
    if env::var_os(VARIABLE).is_none_or(|value| value != "1") {
        return Err(missing(&format!("set {VARIABLE}=1 to have the tests install it as root")));
    }
    let path = env::var_os("PATH").unwrap_or_default();
    let Some((program, commands)) = MANAGERS.iter().find_map(|(name, commands)| {
        let program = env::split_paths(&path).map(|folder| folder.join(name)).find(|p| p.is_file());
        Some((program?, *commands))
    }) else {
        return Err(missing("this machine has no package manager that the tests know"));
    };
    install(&program, commands)?;
    binaries::find().ok_or_else(|| {
        TestDatabaseError::new(format!(
            "`{}` installed PostgreSQL, but its programs `initdb` and `postgres` are not found",
            program.display()
        ))
    })
}

fn missing(instead: &str) -> TestDatabaseError {
    TestDatabaseError::new(format!(
        "no `initdb` and `postgres` in PATH, in /usr/lib/postgresql or where `pg_config` says: install PostgreSQL 14 or \
         newer, set DATABASE_URL to a server that is there, or {instead}"
    ))
}

fn install(program: &Path, commands: &[&[&str]]) -> Result<(), TestDatabaseError> {
    // Processes that start at once take turns; who waited finds it installed. Any file that all share serves as a lock.
    let lock = File::open(program)
        .and_then(|file| file.lock().map(|()| file))
        .map_err(|error| failed(program, "lock", error))?;
    for arguments in commands {
        if binaries::find().is_some() {
            break;
        }
        let line = format!("{} {}", program.display(), arguments.join(" "));
        // Not by `eprintln!`, which the test harness captures: whoever waits sees why.
        _ = writeln!(io::stderr(), "installing PostgreSQL for the tests ({VARIABLE}=1): {line}");
        let output = Command::new(program)
            .args(*arguments)
            .env("DEBIAN_FRONTEND", "noninteractive")
            .stdin(Stdio::null())
            .output()
            .map_err(|error| failed(program, "run", error))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            let status = output.status;
            return Err(TestDatabaseError::new(format!(
                "`{line}` ended with {status}: install PostgreSQL 14 or newer as root, or set DATABASE_URL\n{}",
                said.trim_end()
            )));
        }
    }
    drop(lock);
    Ok(())
}

fn failed(program: &Path, what: &str, error: io::Error) -> TestDatabaseError {
    TestDatabaseError::caused(format!("failed to {what} {}", program.display()), error)
}
