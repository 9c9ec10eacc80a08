//! The shop as a program of its own.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// The program, which ends with the test.
pub(crate) struct Program {
    child: Child,
    pub(crate) url: String,
}

impl Program {
    pub(crate) fn run(database: Option<&str>, mail: &Path) -> Self {
        Self::run_with(database, mail, &[])
    }

    /// Runs the program with more options.
    pub(crate) fn run_with(database: Option<&str>, mail: &Path, options: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_shop"));
        command.args(["--port", "0", "--mail"]).arg(mail).args(options).stdout(Stdio::piped());
        // As a scene has it whose mails are there.
        command.env("TOKEN_KEY", mail);
        match database {
            Some(url) => command.env("DATABASE_URL", url),
            None => command.env_remove("DATABASE_URL"),
        };
        let mut child = command.spawn().expect("the program runs");
        let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let url = lines.find_map(|line| {
            let line = line.expect("text");
            let address = line.strip_prefix("Listening on ")?;
            Some(address.split(',').next()?.to_owned())
        });
        Self { child, url: url.expect("it says where it listens") }
    }

    /// Runs a command of an operator, and gives what it says and whether it was well.
    pub(crate) fn operate(database: &str, arguments: &[&str]) -> (bool, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_shop"));
        command.args(["--database", database, "operate"]).args(arguments);
        let output = command.output().expect("the program runs");
        (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Ends the program where it is.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("it is there");
        self.child.wait().expect("it ends");
    }

    /// Sends a signal, and waits until the program has ended.
    pub(crate) fn end(mut self, signal: &str) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args([signal, &id]).status().expect("`kill` runs");
        assert!(sent.success());
        assert!(self.child.wait().expect("it ends").success());
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It has ended, if the test went well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
