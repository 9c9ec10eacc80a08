//! Runs the program as a user does.

use std::path::Path;
use std::process::Command;

/// Where the tests keep their logs, and where the program runs, so that it names a log by its file name alone.
const FOLDER: &str = env!("CARGO_TARGET_TMPDIR");

/// Runs the program, and gives its exit code, standard output and standard error.
pub(crate) fn permits(options: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_permits"))
        .args(options)
        .current_dir(FOLDER)
        .output()
        .expect("the program starts");
    let text = |bytes| String::from_utf8(bytes).expect("the program writes UTF-8");
    (output.status.code().expect("an exit code"), text(output.stdout), text(output.stderr))
}

/// Runs the program on a log, which is kept under `name` meanwhile.
pub(crate) fn permits_of(
    name: &str,
    log: impl AsRef<[u8]>,
    options: &[&str],
) -> (i32, String, String) {
    std::fs::write(Path::new(FOLDER).join(name), log).expect("the log is kept");
    permits(&[&[name], options].concat())
}
