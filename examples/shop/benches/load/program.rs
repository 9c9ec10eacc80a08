//! The shop's own program.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use crate::{Fault, Folder};

/// A shop that ends with this.
pub(crate) struct Program {
    child: Child,
    pub(crate) url: String,
}

impl Program {
    pub(crate) fn run(database: Option<&str>, folder: &Folder) -> Result<Self, Fault> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_shop"));
        command.args(["--port", "0", "--patience", "60000", "--mail"]).arg(folder.mails());
        command.arg("--users").arg(folder.users()).stdout(Stdio::piped());
        command.env("TOKEN_KEY", "of one run, so that tokens outlive the program");
        match database {
            Some(url) => command.env("DATABASE_URL", url),
            None => command.env_remove("DATABASE_URL"),
        };
        let mut child = command.spawn()?;
        let lines = child.stdout.take().map(BufReader::new).into_iter().flat_map(BufRead::lines);
        let mut program = Self { child, url: String::new() };
        for line in lines {
            if let Some(address) = line?.strip_prefix("Listening on ") {
                address.split(',').next().unwrap_or_default().clone_into(&mut program.url);
                return Ok(program);
            }
        }
        Err("the shop does not say where it listens".into())
    }

    /// Ends it as a supervisor does, and waits until it has ended well.
    pub(crate) fn end(mut self) -> Result<(), Fault> {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args(["-TERM", &id]).status()?;
        let ended = self.child.wait()?;
        if sent.success() && ended.success() { Ok(()) } else { Err("the shop ended badly".into()) }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It has ended, if all went well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
