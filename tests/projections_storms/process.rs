//! An engine in a process of its own, which can be killed and stopped.

use std::env;
use std::io::{self, Read};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use annals_testing::conformance::faulty::Faulty;

use crate::flaws::Flaw;
use crate::models::ItemRow;
use crate::{connect, engine};

/// What tells a process of this program that it is to run an engine: where its rows are, its store's flaw, and how many
/// shards it begins with.
const URL: &str = "ANNALS_STORM_ENGINE_URL";
const FLAW: &str = "ANNALS_STORM_ENGINE_FLAW";
const SHARDS: &str = "ANNALS_STORM_ENGINE_SHARDS";

/// How long an engine of a storm stays the owner when it is killed or stopped.
pub const LEASE: Duration = Duration::from_millis(400);

/// A process that runs an engine until it is dropped.
pub struct EngineProcess(Child);

impl EngineProcess {
    pub fn start(url: &str, flaw: Flaw) -> Self {
        Self::run(url, flaw, 1)
    }

    /// One whose projection has so many shards, unless somebody has said another number.
    pub fn divided(url: &str, shards: u32) -> Self {
        Self::run(url, Flaw::None, shards)
    }

    fn run(url: &str, flaw: Flaw, shards: u32) -> Self {
        let program = env::current_exe().expect("the test is a program");
        let mut command = Command::new(program);
        command.args(["--exact", "process::an_engine_of_a_storm", "--nocapture"]);
        command.env(URL, url).env(FLAW, format!("{flaw:?}")).env(SHARDS, shards.to_string());
        // It ends with its input, however this process ends.
        command.stdin(Stdio::piped()).stdout(Stdio::null());
        Self(command.spawn().expect("a process can be started"))
    }

    /// Sends SIGKILL, and waits for its end.
    pub fn kill(&mut self) {
        self.0.kill().expect("it is there");
        self.0.wait().expect("it has ended");
    }

    /// Stands still until it is woken.
    pub fn stop(&self) {
        self.send("STOP");
    }

    pub fn wake(&self) {
        self.send("CONT");
    }

    fn send(&self, signal: &str) {
        let sent = Command::new("sh")
            .args(["-c", "kill -s \"$0\" \"$1\"", signal, &self.0.id().to_string()])
            .status();
        assert!(sent.is_ok_and(|sent| sent.success()), "SIG{signal} cannot be sent");
    }
}

impl Drop for EngineProcess {
    fn drop(&mut self) {
        // It may have ended by itself.
        _ = self.0.kill();
        _ = self.0.wait();
    }
}

/// By itself, it does nothing.
#[test]
fn an_engine_of_a_storm() {
    let Ok(url) = env::var(URL) else { return };
    let flaw = env::var(FLAW).expect("both are set");
    let flaw = Flaw::ALL.into_iter().find(|known| format!("{known:?}") == flaw);
    let flaw = flaw.expect("it is one of them");
    thread::spawn(|| {
        _ = io::stdin().read(&mut [0]);
        std::process::exit(0);
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let store = Faulty::new(connect(&url).await, flaw);
        let shards = env::var(SHARDS).ok().and_then(|shards| shards.parse().ok());
        let mut engine = engine(store, LEASE);
        if let Some(shards) = shards.filter(|shards| *shards > 1) {
            engine = engine.shards::<ItemRow>(shards);
        }
        let _engine = engine.start().await.expect("the tables are there");
        std::future::pending::<()>().await;
    });
}
