//! A ledger at the command line: lines of words or JSON in, an answer to each out, accounts in memory.
//!
//! This module reads lines and writes answers; `request` understands them, `bank` does what they ask for by the rules
//! of `account`, `answer` says what came of it.

mod account;
mod answer;
mod bank;
mod request;

use std::io::{self, BufRead, IsTerminal, Write};
use std::process::ExitCode;

use annals::{ManualClock, SystemClock, Timestamp};
use clap::Parser;
use serde::Serialize;

use crate::answer::Answer;
use crate::bank::{Bank, Fault};
use crate::request::Request;

const GUIDE: &str = "\
Each line is words:

  open ada \"Ada Lovelace\"      deposit ada 40      withdraw ada 5      close ada
  balance ada                  balance ada at 2    history ada         help, quit

or a command in JSON, where `key` has it done once however often it is sent, and `user` is kept with what happens:

  {\"command\":\"OpenAccount\",\"account\":\"ada\",\"owner\":\"Ada Lovelace\"}
  {\"command\":\"Deposit\",\"account\":\"ada\",\"amount\":40,\"key\":\"request-1\",\"user\":\"teller-3\"}
  {\"command\":\"Withdraw\",\"account\":\"ada\",\"amount\":5}
  {\"command\":\"CloseAccount\",\"account\":\"ada\"}

Amounts are whole units, cents say. Blank lines, and what follows a `#`, are passed over. Accounts live as long as the
program runs.

Answers and refusals go to standard output, lines that cannot be understood to standard error; with --json all go to
standard output, one object a line: `line`, and `status`, which is `ok`, `refused` or `misread`.

Exit codes:
  0  all was done
  1  something was refused
  2  a line could not be understood, or lines could not be read
";

/// A ledger at the command line: accounts in memory, commands from standard input.
#[derive(Debug, Parser)]
#[command(version, after_help = GUIDE)]
struct Options {
    /// Answer in JSON, one object a line
    #[arg(long)]
    json: bool,

    /// Have the clock stand still at this instant, such as 2026-03-01T12:00:00Z
    #[arg(long, value_name = "INSTANT")]
    at: Option<Timestamp>,
}

/// How the worst of the lines ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Ending {
    Done,
    Refused,
    Misread,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(&Options::parse()).await {
        Ok(Ending::Done) => ExitCode::SUCCESS,
        Ok(Ending::Refused) => ExitCode::from(1),
        Ok(Ending::Misread) => ExitCode::from(2),
        Err(fault) if is_closed_pipe(&fault) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("bank: {fault}");
            ExitCode::from(2)
        }
    }
}

async fn run(options: &Options) -> Result<Ending, Fault> {
    let bank = match options.at {
        Some(instant) => Bank::new(ManualClock::at(instant))?,
        None => Bank::new(SystemClock)?,
    };
    let stdin = io::stdin();
    let prompt = stdin.is_terminal();
    let mut lines = stdin.lock();
    let mut ending = Ending::Done;
    let mut line = Vec::new();
    for number in 1_u64.. {
        if prompt {
            eprint!("bank> ");
        }
        line.clear();
        if lines.read_until(b'\n', &mut line)? == 0 {
            break;
        }
        let answer = match request::parse(&line) {
            Ok(None) => continue,
            Ok(Some(Request::Quit)) => break,
            Ok(Some(request)) => answer(&bank, request).await?,
            Err(misread) => Answer::Misread { reason: misread.to_string() },
        };
        ending = ending.max(Ending::of(&answer));
        write(&answer, number, options.json)?;
    }
    Ok(ending)
}

async fn answer(bank: &Bank, request: Request) -> Result<Answer, Fault> {
    match request {
        Request::Command(order) => bank.command(order).await,
        Request::Balance { account, at } => bank.balance(&account, at).await,
        Request::History { account } => bank.history(&account).await,
        Request::Help | Request::Quit => Ok(Answer::help()),
    }
}

impl Ending {
    fn of(answer: &Answer) -> Self {
        match answer {
            Answer::Refused { .. } => Self::Refused,
            Answer::Misread { .. } => Self::Misread,
            _ => Self::Done,
        }
    }
}

/// An answer with the number of its line.
#[derive(Serialize)]
struct Numbered<'a> {
    line: u64,
    #[serde(flatten)]
    answer: &'a Answer,
}

fn write(answer: &Answer, line: u64, json: bool) -> io::Result<()> {
    let mut out = io::stdout().lock();
    if json {
        serde_json::to_writer(&mut out, &Numbered { line, answer })?;
        writeln!(out)?;
    } else if matches!(answer, Answer::Misread { .. }) {
        writeln!(io::stderr(), "line {line}: {answer}")?;
    } else {
        writeln!(out, "{answer}")?;
    }
    // Whoever waits for an answer before the next line should get it.
    out.flush()
}

/// Whether nobody reads the answers any more, which is no fault of the bank.
fn is_closed_pipe(fault: &Fault) -> bool {
    fault.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}
