//! The binary, run as an operator does, beside another that serves.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use annals::prelude::*;
use annals_postgres::PostgresStore;
use annals_postgres::testing::TestDatabase;
use serde_json::Value;

use crate::shelf::{AddBook, Interloan, LendBook, Loan};

/// Longer than anything takes, unless something is wrong.
const PATIENCE: Duration = Duration::from_mins(1);

/// A database with the tables of the store.
pub(crate) struct Shelf {
    pub(crate) store: PostgresStore,
    pub(crate) bus: CommandBus,
    database: TestDatabase,
}

/// What a command has answered.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) errors: String,
}

impl Answered {
    /// Its output, after it exited with a code.
    pub(crate) fn with(self, code: i32) -> String {
        assert_eq!(self.code, code, "{self:?}");
        self.out
    }

    /// What it said on standard error, after it exited with a code.
    pub(crate) fn failed(self, code: i32) -> String {
        assert_eq!((self.code, &*self.out), (code, ""), "{self:?}");
        self.errors
    }
}

impl Shelf {
    pub(crate) async fn new() -> Self {
        let database = TestDatabase::create().await.expect("a database");
        let store = PostgresStore::connect(database.url()).await.expect("the server is there");
        store.migrate().await.expect("the tables are made");
        Self { bus: CommandBus::new(store.clone()), store, database }
    }

    /// A backup of all that the store keeps, as SQL.
    pub(crate) fn dumped(&self) -> Vec<u8> {
        let dump = Command::new("pg_dump")
            .args(["--schema", "annals", "--dbname", self.database.url()])
            .output()
            .expect("pg_dump runs");
        assert!(dump.status.success(), "{}", String::from_utf8_lossy(&dump.stderr));
        dump.stdout
    }

    /// A backup restored into an empty database.
    pub(crate) async fn restored(backup: Vec<u8>) -> Self {
        let database = TestDatabase::create().await.expect("a database");
        let mut restore = Command::new("psql")
            .args([
                "--quiet",
                "--no-psqlrc",
                "--set",
                "ON_ERROR_STOP=1",
                "--dbname",
                database.url(),
            ])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("psql runs");
        let mut input = restore.stdin.take().expect("it is piped");
        input.write_all(&backup).expect("psql reads");
        drop(input);
        assert!(restore.wait().expect("psql ends").success());
        let store = PostgresStore::connect(database.url()).await.expect("the server is there");
        Self { bus: CommandBus::new(store.clone()), store, database }
    }

    pub(crate) async fn add(&self, book: &str, title: &str) -> Receipt {
        let add = AddBook { book: book.into(), title: title.to_owned() };
        self.bus.dispatch(add).await.expect("the book is added")
    }

    pub(crate) async fn lend(&self, book: &str, to: &str) -> Receipt {
        let lend = LendBook { book: book.into(), to: to.to_owned() };
        self.bus.dispatch(lend).await.expect("the book is lent")
    }

    /// Runs a saga here, whose undos fail, and tells how it ended.
    pub(crate) async fn borrow(&self, id: &str, reader: &str) -> SagaOutcome {
        let sagas = self.sagas();
        let loan = Loan { reader: reader.to_owned() };
        let outcome = sagas.run::<Interloan>(id, loan).await.expect("it is run");
        sagas.shutdown().await;
        outcome
    }

    /// A runner of sagas in this program, which takes none up by itself.
    pub(crate) fn sagas(&self) -> SagaRunner {
        SagaRunner::new(self.store.clone(), Arc::new(()))
    }

    /// The program on this database.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_shelf"));
        command.args(["--database", self.database.url()]);
        command
    }

    /// Runs a command of an operator.
    pub(crate) fn operate(&self, arguments: &str) -> Answered {
        self.operate_with(&arguments.split_whitespace().collect::<Vec<_>>())
    }

    pub(crate) fn operate_with(&self, arguments: &[&str]) -> Answered {
        let mut command = self.command();
        command.arg("operate").args(arguments);
        if waits(arguments) {
            command.args(["--wait", "1m"]);
        }
        let output = command.stdin(Stdio::null()).output();
        let output = output.expect("the program starts");
        let text = |bytes| String::from_utf8(bytes).expect("the program writes UTF-8");
        Answered {
            code: output.status.code().expect("an exit code"),
            out: text(output.stdout),
            errors: text(output.stderr),
        }
    }

    /// The same in JSON.
    pub(crate) fn json(&self, arguments: &str, code: i32) -> Value {
        let out = self.operate(&format!("{arguments} --json")).with(code);
        serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}"))
    }

    /// Asks in JSON until the answer is as it should be.
    pub(crate) async fn until(&self, arguments: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let begun = Instant::now();
        loop {
            let Answered { out, errors, .. } = self.operate(&format!("{arguments} --json"));
            let found = serde_json::from_str::<Value>(&out);
            match found {
                Ok(found) if is_so(&found) => return found,
                _ if begun.elapsed() > PATIENCE => panic!("not in time: {out} {errors}"),
                _ => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    }

    /// Serves in another process until it is dropped, which kills it, or stopped.
    pub(crate) fn serve(&self, arguments: &[&str]) -> Serving {
        let mut command = self.command();
        command.arg("serve").args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        let out = child.stdout.take().expect("it is piped");
        let mut line = String::new();
        BufReader::new(out).read_line(&mut line).expect("it says that it serves");
        assert_eq!(line, "serving\n");
        Serving { child }
    }
}

/// Whether a command waits for others, and does not say how long: on a busy machine, they may take longer than it waits by itself.
fn waits(arguments: &[&str]) -> bool {
    const WAIT: &[[&str; 2]] = &[
        ["parked", "retry"],
        ["parked", "drop"],
        ["projections", "resume"],
        ["projections", "skip"],
        ["projections", "rebuild"],
        ["processes", "resume"],
        ["processes", "skip"],
        ["processes", "shards"],
        ["sagas", "retry"],
        ["sagas", "drop"],
    ];
    let says = ["--wait", "--detach", "--dry-run", "--help"];
    WAIT.iter().any(|words| arguments.starts_with(words))
        && !arguments.iter().any(|argument| says.contains(argument))
}

/// A program that serves.
pub(crate) struct Serving {
    child: Child,
}

impl Serving {
    /// Lets it end as it should.
    pub(crate) fn stop(mut self) {
        drop(self.child.stdin.take());
        assert!(self.child.wait().expect("it ends").success());
    }

    /// Kills it.
    pub(crate) fn kill(self) {
        drop(self);
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The one of a list that has a name.
pub(crate) fn named<'v>(list: &'v Value, name: &str) -> &'v Value {
    let items = list.as_array().expect("a list");
    items.iter().find(|item| item["name"] == name).unwrap_or_else(|| panic!("no {name}: {list}"))
}
