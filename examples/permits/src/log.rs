//! The log: a CSV file, read row by row into what it says happened.
//!
//! A row that cannot be read is a problem of its line, and the others are kept. What a row means for its case, the
//! domain decides.

use std::io::{self, Read};

use annals::{Timestamp, TimestampError};
use csv::{ByteRecord, Reader, ReaderBuilder, Terminator};

use crate::activity::{Activity, UnknownActivity};

/// The columns that a row is read from; others may stand beside them.
const COLUMNS: [&str; 4] = ["case:concept:name", "concept:name", "time:timestamp", "org:resource"];

/// What a log says, and what it does not say.
#[derive(Debug, Default)]
pub(crate) struct Log {
    /// The rows, in the order of their lines.
    pub(crate) rows: Vec<Row>,
    /// The lines that cannot be read, in their order.
    pub(crate) faults: Vec<(u64, RowError)>,
}

/// What happened, by one row.
#[derive(Debug, PartialEq)]
pub(crate) struct Row {
    pub(crate) line: u64,
    pub(crate) case: String,
    pub(crate) activity: Activity,
    pub(crate) happened_at: Timestamp,
    pub(crate) by: Option<String>,
}

/// Why a row cannot be read.
#[derive(Debug, PartialEq, thiserror::Error)]
pub(crate) enum RowError {
    #[error("{}, where the header has {expected}", fields(*.found))]
    Fields { found: usize, expected: usize },
    #[error(
        "{}, where the header has {expected}; the row goes on to line {last}: is a quote left open?",
        fields(*.found)
    )]
    OpenQuote { found: usize, expected: usize, last: u64 },
    #[error("a quote is left open: the row goes on to the end of the log, line {last}")]
    OpenToTheEnd { last: u64 },
    #[error("`{0}` is not UTF-8")]
    NotUtf8(&'static str),
    #[error("`{0}` is empty")]
    Empty(&'static str),
    #[error("{0}")]
    Activity(UnknownActivity),
    #[error("{0}")]
    Instant(TimestampError),
}

/// Why nothing of a log can be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LogError {
    #[error("it is empty: the first line names the columns")]
    Empty,
    #[error("{}", missing(.0))]
    Missing(Vec<&'static str>),
    #[error("column `{0}` is there twice")]
    Twice(&'static str),
    #[error("{0}")]
    Io(io::Error),
}

fn fields(count: usize) -> String {
    if count == 1 { "1 field".to_owned() } else { format!("{count} fields") }
}

fn missing(columns: &[&str]) -> String {
    let s = if columns.len() == 1 { "" } else { "s" };
    format!("missing column{s} `{}`", columns.join("`, `"))
}

/// Reads a whole log. It reads row by row, but keeps the rows: sorting them by their instants needs all of them.
pub(crate) fn read(source: impl Read) -> Result<Log, LogError> {
    let mut lines = Lines::new(source);
    let mut record = ByteRecord::new();
    let Some(_) = lines.read(&mut record)? else { return Err(LogError::Empty) };
    let columns = Columns::find(&record)?;
    let mut log = Log::default();
    while let Some(line) = lines.read(&mut record)? {
        if is_open(&record) {
            log.faults.push((line, RowError::OpenToTheEnd { last: lines.last - 2 }));
            break;
        }
        match columns.row(line, &record) {
            Ok(row) => log.rows.push(row),
            Err(RowError::Fields { found, expected }) if lines.last > line => {
                log.faults.push((line, RowError::OpenQuote { found, expected, last: lines.last }));
            }
            Err(error) => log.faults.push((line, error)),
        }
    }
    Ok(log)
}

/// Where the columns stand in each row.
struct Columns {
    case: usize,
    activity: usize,
    instant: usize,
    resource: usize,
    width: usize,
}

impl Columns {
    fn find(header: &ByteRecord) -> Result<Self, LogError> {
        let mut missing = Vec::new();
        let mut places = [0; COLUMNS.len()];
        for (place, column) in places.iter_mut().zip(COLUMNS) {
            let mut found = (0..header.len()).filter(|&index| header[index] == *column.as_bytes());
            match (found.next(), found.next()) {
                (Some(index), None) => *place = index,
                (Some(_), Some(_)) => return Err(LogError::Twice(column)),
                (None, _) => missing.push(column),
            }
        }
        if !missing.is_empty() {
            return Err(LogError::Missing(missing));
        }
        let [case, activity, instant, resource] = places;
        Ok(Self { case, activity, instant, resource, width: header.len() })
    }

    fn row(&self, line: u64, record: &ByteRecord) -> Result<Row, RowError> {
        if record.len() != self.width {
            return Err(RowError::Fields { found: record.len(), expected: self.width });
        }
        let [case, activity, instant, resource] = COLUMNS;
        let text = |index: usize, column| {
            str::from_utf8(&record[index]).map_err(|_| RowError::NotUtf8(column))
        };
        let case = match text(self.case, case)? {
            "" => return Err(RowError::Empty(case)),
            case => case.to_owned(),
        };
        let activity = match text(self.activity, activity)? {
            "" => return Err(RowError::Empty(activity)),
            name => name.parse().map_err(RowError::Activity)?,
        };
        let happened_at = match text(self.instant, instant)? {
            "" => return Err(RowError::Empty(instant)),
            instant => instant.parse().map_err(RowError::Instant)?,
        };
        let by = text(self.resource, resource)?;
        let by = (!by.is_empty()).then(|| by.to_owned());
        Ok(Row { line, case, activity, happened_at, by })
    }
}

/// What is added to a log: the end of its last line, and a line that no log holds.
const END: &[u8] = b"\n\0\n";

/// Reads records and knows on which lines they stand.
///
/// The positions of `csv` do not tell: blank lines belong to the record after them, and so does the second half of a
/// CRLF. So lines end with LF alone here, the last one too, and what is before it is cut off; the first line of a record
/// is then its last less the line ends inside it. A line of its own is added at the end: a record that holds it was left open.
struct Lines<R> {
    reader: Reader<io::Chain<R, &'static [u8]>>,
    /// The last line of the record that was read last.
    last: u64,
}

impl<R: Read> Lines<R> {
    fn new(source: R) -> Self {
        let reader = ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .terminator(Terminator::Any(b'\n'))
            .from_reader(source.chain(END));
        Self { reader, last: 0 }
    }

    /// Reads the next record, and tells the line where it begins; `None` after the last.
    fn read(&mut self, record: &mut ByteRecord) -> Result<Option<u64>, LogError> {
        loop {
            // Without a need for UTF-8 or equal lengths, only reading itself can fail.
            if !self.reader.read_byte_record(record).map_err(|error| LogError::Io(error.into()))? {
                return Ok(None);
            }
            #[expect(clippy::naive_bytecount, reason = "a row is too short to gain by it")]
            let inside = record.as_slice().iter().filter(|&&byte| byte == b'\n').count() as u64;
            let end = self.reader.position().line() - 1;
            // A quote that is open at the end holds the last line end too.
            let first = (end - inside).max(self.last + 1);
            self.last = end;
            if record.len() == 1 && record[0] == *b"\0" {
                return Ok(None);
            }
            if record.len() == 1 && record[0] == *b"\r" {
                continue;
            }
            trim_carriage_return(record);
            return Ok(Some(first));
        }
    }
}

/// Whether a record holds what was added to the log, since a quote is open.
fn is_open(record: &ByteRecord) -> bool {
    record.iter().next_back().is_some_and(|last| last.ends_with(END))
}

fn trim_carriage_return(record: &mut ByteRecord) {
    let Some(last) = record.len().checked_sub(1) else { return };
    if let Some(trimmed) = record[last].strip_suffix(b"\r") {
        let trimmed = trimmed.to_owned();
        record.truncate(last);
        record.push_field(&trimmed);
    }
}
