//! Replays a log of permit cases as commands, and tells what came of it or what was known of a case at an instant.
//!
//! `log` reads rows, `replay` sends each as a command, `permit_case` decides, `summary` and `case` read what is stored.

mod activity;
mod case;
mod log;
mod permit_case;
mod replay;
mod summary;

use std::error::Error;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use annals::Timestamp;
use clap::Parser;
use clap::builder::NonEmptyStringValueParser;
use serde::Serialize;

use crate::case::Known;
use crate::log::{Log, LogError};
use crate::summary::Summary;

/// A made-up log, which is read where no other is named.
const SHIPPED: &str = include_str!("../log.csv");

const GUIDE: &str = "\
The log is a CSV file whose first line names its columns. Each row is something that was done in a case:

  case:concept:name   the case
  concept:name        the activity: `Confirmation of receipt`, or one of the tasks T02 to T20 by its full name
  time:timestamp      the instant, with its offset: 2011-10-11 13:45:40.276+02:00
  org:resource        who did it; may be empty

Other columns are passed over. Rows are replayed in the order of their instants, whatever their order in the file, with
the store's clock set to each; all of them are held in memory for that. Instants are shown in UTC.

A row that cannot be read is an error; one that the case refuses, since it is recorded already, is a refusal. Each is
told on standard error with its line, and all others are kept.

Exit codes:
  0  all rows were recorded
  1  some were not, or the case that was asked for is not in the log
  2  the log cannot be read at all, or an option cannot be understood
";

/// Replays a log of permit cases as commands: how many there were, of what, and which took longest; or, of one case,
/// what was known at an instant.
#[derive(Debug, Parser)]
#[command(version, after_help = GUIDE)]
struct Options {
    /// The log; without it, a small one that comes with the program
    file: Option<PathBuf>,

    /// Tell what was done in this case instead
    #[arg(long, value_name = "ID", value_parser = NonEmptyStringValueParser::new())]
    case: Option<String>,

    /// Tell only what was known at this instant, such as 2011-10-12T09:00:00Z
    #[arg(long, value_name = "INSTANT", requires = "case")]
    as_of: Option<Timestamp>,

    /// How many of the slowest cases to show
    #[arg(long, value_name = "CASES", default_value_t = 10)]
    limit: usize,

    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

/// What stops the program.
type Fault = Box<dyn Error + Send + Sync>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(&Options::parse()).await {
        Ok(code) => code,
        Err(fault) if is_closed_pipe(&fault) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("permits: {fault}");
            ExitCode::from(2)
        }
    }
}

async fn run(options: &Options) -> Result<ExitCode, Fault> {
    let name = options.file.as_deref().map_or("the shipped log".into(), Path::to_string_lossy);
    let log = read(options.file.as_deref()).map_err(|error| format!("{name}: {error}"))?;
    let progress = replay::progress();
    let replayed = replay::replay(log, &progress).await?;
    progress.finish_and_clear();
    for problem in &replayed.problems {
        writeln!(io::stderr(), "{name}, line {}: {}", problem.line, problem.message)?;
    }
    let mut all_is_told = replayed.problems.is_empty();
    match &options.case {
        None => write(&Summary::of(&replayed, options.limit).await?, options.json)?,
        Some(case) => {
            if let Some(known) = Known::load(replayed.store, case, options.as_of).await? {
                write(&known, options.json)?;
            } else {
                writeln!(io::stderr(), "permits: {name} has no case `{case}`")?;
                all_is_told = false;
            }
        }
    }
    Ok(if all_is_told { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn read(file: Option<&Path>) -> Result<Log, LogError> {
    match file {
        Some(path) => log::read(File::open(path).map_err(LogError::Io)?),
        None => log::read(SHIPPED.as_bytes()),
    }
}

fn write(answer: &(impl Serialize + std::fmt::Display), json: bool) -> io::Result<()> {
    let mut out = io::stdout().lock();
    if json {
        serde_json::to_writer_pretty(&mut out, answer)?;
        writeln!(out)
    } else {
        write!(out, "{answer}")
    }
}

/// Whether nobody reads the answer any more, which is no fault of the program.
fn is_closed_pipe(fault: &Fault) -> bool {
    fault.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}
