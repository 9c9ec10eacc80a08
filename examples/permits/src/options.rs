//! The options: which log, which store, what is asked, how it is answered.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use annals::Timestamp;
use annals::cli::Cli;
use clap::builder::NonEmptyStringValueParser;
use clap::{ArgGroup, Parser, Subcommand};

use crate::Fault;
use crate::month::Month;
use crate::queries::{Activities, Cases, Resources};

/// How many cases are shown unless it is said.
const LIMIT: u64 = 10;

const GUIDE: &str = "\
The log is a CSV file whose first line names its columns. Each row is something that was done in a case:

  case:concept:name   the case
  concept:name        the activity: `Confirmation of receipt`, or one of the tasks T02 to T20 by its full name
  time:timestamp      the instant, with its offset: 2011-10-11 13:45:40.276+02:00
  org:resource        who did it; may be empty

Other columns are passed over. Rows are replayed in the order of their instants, whatever their order in the file, with
the store's clock set to each; all of them are held in memory for that. Instants and months are shown in UTC.

A row that cannot be read is an error; one that the case refuses, since it is recorded already, is a refusal. Each is
told on standard error with its line, and all others are kept.

Without options, the events are counted. --cases, --activities and --resources are answered from read models, which a
projection engine keeps.

Cases and rows live in memory, or in a PostgreSQL database: postgres://user@host/database. Its tables are made there; a
password may come from PGPASSWORD or ~/.pgpass rather than in the address. What was recorded there stays, and answers
tell of all of it: a log that is replayed again adds nothing, another one adds its own. The clock is the server's there,
so that --as-of has no meaning.

Exit codes:
  0  all rows were recorded
  1  some were not, or the case that was asked for is not there
  2  the log or the database cannot be read at all, rows lack events, or an option cannot be understood
";

/// Replays a log of permit cases as commands: how many there were, of what, and which took longest; or, of one case,
/// what was known at an instant; or what was done in which month, and by whom.
#[derive(Debug, Parser)]
#[command(version, after_help = GUIDE, args_conflicts_with_subcommands = true)]
#[command(group = ArgGroup::new("question").args(["case", "cases", "activities", "resources"]))]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of the command line")]
pub(crate) struct Options {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,

    /// The log; without it, a small one that comes with the program
    file: Option<PathBuf>,

    /// Keep what is recorded in this PostgreSQL database rather than in memory
    #[arg(long, value_name = "URL")]
    pub(crate) database: Option<String>,

    /// Tell what was done in this case instead
    #[arg(long, value_name = "ID", value_parser = NonEmptyStringValueParser::new())]
    case: Option<String>,

    /// Tell only what was known at this instant, such as 2011-10-12T09:00:00Z
    #[arg(long, value_name = "INSTANT", requires = "case", conflicts_with = "database")]
    as_of: Option<Timestamp>,

    /// List the cases instead, those first that took longest: from when to when, how many activities, which last
    #[arg(long)]
    cases: bool,

    /// List only the cases behind this one
    #[arg(long, value_name = "ID", requires = "cases", value_parser = NonEmptyStringValueParser::new())]
    after: Option<String>,

    /// Count the activities of each month instead
    #[arg(long)]
    activities: bool,

    /// Count only those of this month, such as 2011-10
    #[arg(long, value_name = "MONTH", requires = "activities")]
    month: Option<Month>,

    /// List instead who did how much, from when to when, and what mostly
    #[arg(long)]
    resources: bool,

    /// How many rows to show at most: of cases 10 unless set, of activities and resources all
    #[arg(long, value_name = "ROWS")]
    limit: Option<u64>,

    /// Answer in JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// What is done rather than to replay a log.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Looks after the database in which cases and rows are kept
    Operate {
        /// The database; without it, the one that `DATABASE_URL` names
        #[arg(long, value_name = "URL")]
        database: Option<String>,

        #[command(flatten)]
        cli: Cli,
    },
}

/// What is asked.
#[derive(Debug)]
pub(crate) enum Question {
    Summary { limit: usize },
    Case { case: String, as_of: Option<Timestamp> },
    Cases(Cases),
    Activities(Activities),
    Resources(Resources),
}

impl Options {
    /// The path of the log; `None` for the one that comes with the program.
    pub(crate) fn log(&self) -> Result<Option<&Path>, Fault> {
        let name = self.log_name();
        if ["postgres://", "postgresql://"].iter().any(|scheme| name.starts_with(scheme)) {
            // It may hold a password, so it is not shown.
            return Err(
                "the log is a file; the address of a database goes behind --database".into()
            );
        }
        Ok(self.file.as_deref())
    }

    /// What the log is called.
    pub(crate) fn log_name(&self) -> Cow<'_, str> {
        self.file.as_deref().map_or("the shipped log".into(), Path::to_string_lossy)
    }

    /// Where a case is looked for.
    pub(crate) fn searched(&self) -> Cow<'_, str> {
        if self.database.is_some() { "the database".into() } else { self.log_name() }
    }

    /// What is asked; the options exclude each other.
    pub(crate) fn question(&self) -> Question {
        let Self { limit, month, .. } = self;
        let cases = limit.unwrap_or(LIMIT);
        if let Some(case) = &self.case {
            Question::Case { case: case.clone(), as_of: self.as_of }
        } else if self.cases {
            let after = self.after.as_deref().map(Into::into);
            Question::Cases(Cases { after, limit: cases })
        } else if self.activities {
            Question::Activities(Activities { month: month.clone(), limit: *limit })
        } else if self.resources {
            Question::Resources(Resources { limit: *limit })
        } else {
            Question::Summary { limit: usize::try_from(cases).unwrap_or(usize::MAX) }
        }
    }
}
