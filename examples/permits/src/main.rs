//! Replays a log of permit cases as commands, and tells what came of it or what was known of a case at an instant.
//!
//! `options` says what is asked; `log` reads rows, `replay` sends each as a command, `permit_case` decides; `summary` and
//! `case` read the events that are stored. `models` makes rows of them, `queries` asks those, when `ask` has them complete.

mod activity;
mod ask;
mod case;
mod log;
mod models;
mod month;
mod options;
mod permit_case;
mod queries;
mod replay;
mod summary;

use std::error::Error;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use annals::cli::App;
use annals::prelude::*;
use annals_postgres::PostgresStore;
use clap::Parser;
use indicatif::ProgressBar;
use serde::Serialize;

use crate::ask::Reader;
use crate::case::Known;
use crate::log::{Log, LogError};
use crate::models::{ActivityRow, CaseRow, ResourceRow};
use crate::options::{Command, Options, Question};
use crate::queries::CasesError;
use crate::replay::Replayed;
use crate::summary::Summary;

/// A made-up log, which is read where no other is named.
const SHIPPED: &str = include_str!("../log.csv");

/// What stops the program.
type Fault = Box<dyn Error + Send + Sync>;

/// A case that is asked for and that nothing speaks of.
#[derive(Debug, thiserror::Error)]
#[error("{log} has no case `{case}`")]
struct NoCase {
    log: String,
    case: String,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let mut options = Options::parse();
    if let Some(Command::Operate { database, cli }) = options.command.take() {
        return cli.run(App::opened_by(|| database_of(database))).await;
    }
    match run(&options).await {
        Ok(code) => code,
        Err(fault) if is_closed_pipe(&fault) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("permits: {}", with_causes(&*fault));
            ExitCode::from(if fault.is::<NoCase>() { 1 } else { 2 })
        }
    }
}

/// The database that an operator looks after.
async fn database_of(url: Option<String>) -> Result<PostgresStore, Fault> {
    let url = url.or_else(|| std::env::var("DATABASE_URL").ok());
    let url = url.ok_or("no database is named: add --database, or set DATABASE_URL")?;
    Ok(PostgresStore::connect(&url).await?)
}

async fn run(options: &Options) -> Result<ExitCode, Fault> {
    let name = options.log_name();
    let log = read(options.log()?).map_err(|error| format!("{name}: {error}"))?;
    let progress = replay::progress();
    match &options.database {
        None => tell(options, replay::in_memory(log, &progress).await?, &progress).await,
        Some(url) => {
            tell(options, replay::in_database(log, url, &progress).await?, &progress).await
        }
    }
}

/// Tells what was asked of what a replay has left.
async fn tell<S>(
    options: &Options,
    replayed: Replayed<S>,
    progress: &ProgressBar,
) -> Result<ExitCode, Fault>
where
    S: EventStore + SnapshotStore + ReadModelStore + Clone,
{
    progress.finish_and_clear();
    let name = options.log_name();
    for problem in &replayed.problems {
        writeln!(io::stderr(), "{name}, line {}: {}", problem.line, problem.message)?;
    }
    let no_case = |case| NoCase { log: options.searched().into_owned(), case };
    match options.question() {
        Question::Summary { limit } => write(&Summary::of(&replayed, limit).await?, options)?,
        Question::Case { case, as_of } => {
            let known = Known::load(replayed.store, &case, as_of).await?;
            write(&known.ok_or_else(|| no_case(case))?, options)?;
        }
        Question::Cases(cases) => {
            let reader = Reader::start(&replayed).await?;
            let asked = reader.queries().ask(cases);
            match reader.answer::<CaseRow, _, _>(asked).await? {
                Err(QueryError::Failed(CasesError::Unknown(case))) => {
                    return Err(no_case(case.to_string()).into());
                }
                answer => write(&answer?, options)?,
            }
        }
        Question::Activities(activities) => {
            let reader = Reader::start(&replayed).await?;
            let asked = reader.queries().ask(activities);
            write(&reader.answer::<ActivityRow, _, _>(asked).await??, options)?;
        }
        Question::Resources(resources) => {
            let reader = Reader::start(&replayed).await?;
            let asked = reader.queries().ask(resources);
            write(&reader.answer::<ResourceRow, _, _>(asked).await??, options)?;
        }
    }
    Ok(if replayed.problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn read(file: Option<&Path>) -> Result<Log, LogError> {
    match file {
        Some(path) => log::read(File::open(path).map_err(LogError::Io)?),
        None => log::read(SHIPPED.as_bytes()),
    }
}

fn write(answer: &(impl Serialize + std::fmt::Display), options: &Options) -> io::Result<()> {
    let mut out = io::stdout().lock();
    if options.json {
        serde_json::to_writer_pretty(&mut out, answer)?;
        writeln!(out)
    } else {
        write!(out, "{answer}")
    }
}

/// An error with its causes, in one line; some tell theirs themselves.
fn with_causes(fault: &dyn Error) -> String {
    let mut text = fault.to_string();
    let mut cause = fault.source();
    while let Some(error) = cause {
        let reason = error.to_string();
        if !text.ends_with(&reason) {
            text = format!("{text}: {reason}");
        }
        cause = error.source();
    }
    text
}

/// Whether nobody reads the answer any more, which is no fault of the program.
fn is_closed_pipe(fault: &Fault) -> bool {
    fault.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}
