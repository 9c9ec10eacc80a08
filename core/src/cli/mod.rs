//! The operator's command line, which a user's program gets by one call.
//!
//! What is asked is answered from the store alone; what the program links says how to read it: its projections, process
//! managers, reactors, sagas, aggregates and events. It runs none of them. What only who runs them can do, is
//! left in the store for it, and done within seconds.
//!
//! ```no_run
//! use std::process::ExitCode;
//!
//! use annals::MemoryStore;
//! use annals::cli::{self, App};
//!
//! #[tokio::main(flavor = "current_thread")]
//! async fn main() -> ExitCode {
//!     // A real one connects to its database, as late as possible: `App::opened_by(|| PostgresStore::connect(url))`.
//!     cli::run(App::new(MemoryStore::new())).await
//! }
//! ```
//!
//! A program that has a command line of its own takes it in as a subcommand:
//!
//! ```
//! use annals::cli::{App, Cli};
//! use clap::Parser;
//!
//! #[derive(Parser)]
//! enum Program {
//!     /// Serves requests
//!     Serve,
//!     /// Looks after what is stored
//!     Ops(Cli),
//! }
//!
//! # async fn serve() -> std::process::ExitCode { std::process::ExitCode::SUCCESS }
//! # async fn start(store: annals::MemoryStore) -> std::process::ExitCode {
//! match Program::parse() {
//!     Program::Serve => serve().await,
//!     Program::Ops(cli) => cli.run(App::new(store)).await,
//! }
//! # }
//! ```
//!
//! # Answers
//!
//! Text is for people, and may change; with `--json`, each command answers with one documented shape, or with one such object
//! in each line where there is no end to them. What fails answers with `{"error", "code"}` in its place, on standard output, too; only
//! a command line that is not understood is text on standard error. Instants are in UTC, and times in seconds, save where they are
//! kept as they are told: `worked` and `load.pause` of rebuilds are in milliseconds. Whatever a name or a payload holds, no control
//! character of it reaches a terminal.
//!
//! # Exit codes
//!
//! | Code | Meaning |
//! |---|---|
//! | 0 | It was done, and all is well. |
//! | 1 | It failed: the store does not answer, or what was named is not there. |
//! | 2 | The command line was not understood, or it needs a `--yes`. |
//! | 3 | It was done, and something is wrong: what was looked at is behind, parked or broken. |

mod aggregate;
mod app;
mod confirm;
mod console;
mod each_shard;
mod events;
mod idempotency;
mod levels;
mod linked;
mod parked;
mod processes;
mod progress;
mod projections;
mod reader;
mod requests;
mod sagas;
mod sizes;
mod snapshots;
mod span;
mod streams;
mod table;
mod verify;

use std::io;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

pub use self::app::App;
use self::app::{Fault, Verdict};
use self::console::Console;
use crate::causes::chain;

const EXIT_CODES: &str = "\
Exit codes:
  0  it was done, and all is well
  1  it failed
  2  the command line was not understood, or it needs a --yes
  3  it was done, and something is wrong: behind, parked or broken
";

/// The operator's commands: a subcommand of a program that has more of them.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,

    /// Answer in JSON
    #[arg(long, global = true)]
    json: bool,

    /// Do what cannot be undone without asking
    #[arg(long, global = true)]
    yes: bool,
}

/// A program that is nothing else.
#[derive(Debug, Parser)]
#[command(about = "Looks after what is stored")]
struct Program {
    #[command(flatten)]
    cli: Cli,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// How the projections are; pause them, resume them, rebuild them
    #[command(subcommand)]
    Projections(projections::Projections),
    /// Events that could not be applied, and wait for a person
    #[command(subcommand)]
    Parked(parked::Parked),
    /// One stream; those that are longest, those that grow fastest
    #[command(subcommand)]
    Streams(streams::Streams),
    /// Events as they are stored
    #[command(subcommand)]
    Events(events::Events),
    /// The state of an aggregate, now or at an earlier time
    #[command(subcommand)]
    Aggregate(aggregate::Aggregate),
    /// How the process managers and reactors are
    #[command(subcommand)]
    Processes(processes::Processes),
    /// How the sagas are; what of one that is parked is not undone
    #[command(subcommand)]
    Sagas(sagas::Sagas),
    /// Snapshots: what there is, and what can go
    #[command(subcommand)]
    Snapshots(snapshots::Snapshots),
    /// Idempotency keys that have expired
    #[command(subcommand)]
    Idempotency(idempotency::Idempotency),
    /// How much room what takes
    Sizes,
    /// Look whether what is stored is whole
    Verify(verify::Verify),
}

/// Runs the command line of a program that is nothing else, as its arguments say.
pub async fn run(app: App) -> ExitCode {
    match Program::try_parse() {
        Ok(program) => program.cli.run(app).await,
        Err(error) => {
            // Help is no error; what cannot be written has no reader.
            let _ = error.print();
            ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
        }
    }
}

impl Cli {
    /// Runs the command, and tells how it ended.
    pub async fn run(self, app: App) -> ExitCode {
        let mut console = Console::new(self.json, self.yes);
        match self.command.run(app, &mut console).await {
            Ok(verdict) => verdict.into(),
            Err(Fault::Store(error)) if is_closed_pipe(&*error) => ExitCode::SUCCESS,
            Err(fault) => {
                let (code, text) = match &fault {
                    Fault::Store(error) => (1, chain(&**error)),
                    Fault::Absent(text) => (1, text.clone()),
                    Fault::Usage(text) => (2, text.clone()),
                };
                console.fail(code, &text);
                ExitCode::from(code)
            }
        }
    }
}

impl Command {
    async fn run(self, app: App, console: &mut Console) -> Result<Verdict, Fault> {
        let store = app.open().await?;
        match self {
            Self::Projections(command) => command.run(store, console).await,
            Self::Parked(command) => command.run(store, console).await,
            Self::Streams(command) => command.run(store, console).await,
            Self::Events(command) => command.run(store, console).await,
            Self::Aggregate(command) => command.run(store, console).await,
            Self::Processes(command) => command.run(store, console).await,
            Self::Sagas(command) => command.run(store, console).await,
            Self::Snapshots(command) => command.run(store, console).await,
            Self::Idempotency(command) => command.run(store, console).await,
            Self::Sizes => sizes::run(store, console).await,
            Self::Verify(command) => command.run(store, console).await,
        }
    }
}

/// Whether nobody reads the answer any more, which is no fault.
fn is_closed_pipe(error: &(dyn std::error::Error + 'static)) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}
