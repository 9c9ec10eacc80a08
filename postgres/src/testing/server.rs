//! A private server: its folder, the shell script that watches over it, and its address.

use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use url::Url;

use super::account::{Account, Runs};
use super::error::TestDatabaseError;
use super::folder::make_folder;
use super::install;

/// It names the socket; nothing listens on a port of this number.
const PORT: u16 = 5432;

/// How long a server that is stopped is waited for. The script goes on without us.
const PATIENCE: Duration = Duration::from_secs(10);

/// Tests run at once and each has a pool of connections. What the server shares among its processes is in its folder, too, so that
/// nothing stays behind in `/dev/shm`, which containers keep small.
const OPTIONS: [&str; 2] = ["max_connections=400", "dynamic_shared_memory_type=mmap"];

/// A running server. It stops when this is dropped or the process ends, and its folder goes with it.
pub(super) struct Server {
    folder: PathBuf,
    supervisor: Mutex<Supervisor>,
}

struct Supervisor {
    process: Child,
    /// Its end is the script's order to stop. `None` once it is given.
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

/// The server that the tests of this process share. The first to ask starts it, and the others wait.
pub(super) fn shared() -> Result<&'static Server, TestDatabaseError> {
    static SHARED: OnceLock<Result<Server, TestDatabaseError>> = OnceLock::new();
    SHARED.get_or_init(Server::start).as_ref().map_err(Clone::clone)
}

impl Server {
    /// Starts a server, and waits until it answers.
    pub(super) fn start() -> Result<Self, TestDatabaseError> {
        let binaries = install::binaries()?;
        let (folder, runs) = make_folder(&format!(".s.PGSQL.{PORT}"))?;
        let failed = |error| TestDatabaseError::caused("failed to run `sh`", error);
        let mut process = match supervise(&folder, &binaries, runs).spawn() {
            Ok(process) => process,
            Err(error) => {
                _ = std::fs::remove_dir(&folder);
                return Err(failed(error));
            }
        };
        let orders = process.stdin.take();
        let answers =
            process.stdout.take().ok_or_else(|| failed(io::ErrorKind::BrokenPipe.into()))?;
        let mut supervisor = Supervisor { process, orders, answers: BufReader::new(answers) };
        supervisor.wait_until_ready()?;
        Ok(Self { folder, supervisor: Mutex::new(supervisor) })
    }

    /// The address of one of its databases.
    pub(super) fn url(&self, database: &str) -> String {
        let mut url = Url::parse(&format!("postgres://postgres@localhost:{PORT}/{database}"))
            .expect("bug in annals: the address of a private server");
        // Whatever the environment's PGSSLMODE asks for, a socket has no encryption.
        url.query_pairs_mut()
            .append_pair("host", &self.folder.to_string_lossy())
            .append_pair("sslmode", "disable");
        url.into()
    }

    /// Ends the server as a crash would, and starts it again.
    pub(super) fn restart_immediately(&self) -> Result<(), TestDatabaseError> {
        let mut supervisor = self.supervisor.lock().unwrap_or_else(PoisonError::into_inner);
        let ordered = match &mut supervisor.orders {
            Some(orders) => orders.write_all(b"restart\n"),
            None => Err(io::ErrorKind::BrokenPipe.into()),
        };
        ordered.map_err(|error| {
            TestDatabaseError::caused("failed to order the restart of the server", error)
        })?;
        supervisor.wait_until_ready()
    }
}

impl Supervisor {
    /// Waits for the script's answer. The script bounds the time that a start takes.
    fn wait_until_ready(&mut self) -> Result<(), TestDatabaseError> {
        let mut said = String::new();
        loop {
            let before = said.len();
            let read = self.answers.read_line(&mut said);
            match read.map(|_| &said[before..]) {
                Ok("ready\n") => return Ok(()),
                Ok("") => {
                    let said = said.trim_end();
                    return Err(TestDatabaseError::new(format!(
                        "the private server did not start; its log ends with:\n{said}"
                    )));
                }
                Ok(_) => {}
                Err(error) => {
                    let message = "failed to hear from the private server";
                    return Err(TestDatabaseError::caused(message, error));
                }
            }
        }
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        drop(self.orders.take());
        let start = Instant::now();
        while start.elapsed() < PATIENCE && matches!(self.process.try_wait(), Ok(None)) {
            thread::sleep(Duration::from_millis(5));
        }
    }
}

fn supervise(folder: &Path, binaries: &Path, runs: Runs) -> Command {
    let mut command = Command::new("sh");
    command.arg("-c").arg(include_str!("supervisor.sh")).arg("annals-test-server");
    command.arg(folder).arg(binaries).arg("-D").arg(folder.join("data")).arg("-k").arg(folder);
    command.args(["-p", &PORT.to_string(), "-c", "listen_addresses="]);
    for option in OPTIONS {
        command.args(["-c", option]);
    }
    if let Runs::As(Account { user, group }) = runs {
        command.uid(user).gid(group);
    }
    // A group of its own: Ctrl-C on a terminal ends the test, and only then, by its end, the server.
    command.process_group(0);
    command.env("LC_ALL", "C").current_dir(folder);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    command
}
