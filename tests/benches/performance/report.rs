//! What was measured: shown as it comes, again as one table at the end, and written as JSON.

use std::fmt;
use std::path::Path;

use serde::Serialize;

use super::measure::{Figure, Turns};

/// What all figures were measured on.
#[derive(Debug, Serialize)]
pub struct Machine {
    pub server: String,
    pub fsync: String,
    pub synchronous_commit: String,
    pub cores: usize,
    pub is_quick: bool,
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { server, fsync, synchronous_commit, cores, is_quick } = self;
        let runs = if *is_quick { "quick" } else { "full" };
        write!(
            f,
            "PostgreSQL {server}, fsync {fsync}, synchronous_commit {synchronous_commit}, {cores} cores, {runs}"
        )
    }
}

/// What is held against a row's figures.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Bound {
    /// The time beside that by hand.
    CostAtMost(f64),
    /// The rate beside that by hand.
    RateAtLeast(f64),
    /// The time above that by hand.
    AboveAtMost(f64),
    /// The time itself.
    TimeAtMost(f64),
}

/// One line of the table.
#[derive(Debug, Serialize)]
pub struct Row {
    work: String,
    unit: &'static str,
    annals: Figure,
    by_hand: Option<Figure>,
    /// What the bound is about: a cost, a rate or a difference, of each round by itself.
    beside: Option<Figure>,
    bound: Option<Bound>,
    is_met: Option<bool>,
}

/// All lines.
#[derive(Debug, Serialize)]
pub struct Report {
    machine: Machine,
    rows: Vec<Row>,
}

impl Report {
    pub fn new(machine: Machine) -> Self {
        println!("{machine}\n\n{}", Row::HEAD);
        Self { machine, rows: Vec::new() }
    }

    pub fn is_quick(&self) -> bool {
        self.machine.is_quick
    }

    /// Adds what two candidates took in turns for `count` things, in a unit of so many seconds.
    pub fn compare(
        &mut self,
        work: &str,
        turns: &Turns,
        count: usize,
        unit: Unit,
        bound: Option<Bound>,
    ) {
        let each = |seconds: f64| seconds / count as f64 / unit.seconds();
        let (annals, by_hand) = (turns.annals().map(each), turns.by_hand().map(each));
        let beside = match bound {
            Some(Bound::RateAtLeast(_)) => turns.beside(|annals, by_hand| by_hand / annals),
            Some(Bound::AboveAtMost(_)) => turns.beside(|annals, by_hand| each(annals - by_hand)),
            _ => turns.beside(|annals, by_hand| annals / by_hand),
        };
        let is_met = bound.map(|bound| match bound {
            Bound::CostAtMost(most) | Bound::AboveAtMost(most) => beside.median <= most,
            Bound::RateAtLeast(least) => beside.median >= least,
            Bound::TimeAtMost(most) => annals.median <= most,
        });
        let (work, unit) = (work.to_owned(), unit.name());
        self.add(Row {
            work,
            unit,
            annals,
            by_hand: Some(by_hand),
            beside: Some(beside),
            bound,
            is_met,
        });
    }

    /// Adds a figure that nothing by hand stands beside.
    pub fn tell(&mut self, work: &str, annals: Figure, unit: &'static str, bound: Option<f64>) {
        let is_met = bound.map(|most| annals.median <= most);
        let bound = bound.map(Bound::TimeAtMost);
        let work = work.to_owned();
        self.add(Row { work, unit, annals, by_hand: None, beside: None, bound, is_met });
    }

    fn add(&mut self, row: Row) {
        println!("{row}");
        self.rows.push(row);
    }

    /// Writes all rows as JSON, and says last which bounds are not met; tells whether all are.
    pub fn end(self, json: &Path) -> std::io::Result<bool> {
        let text = serde_json::to_string_pretty(&self).map_err(std::io::Error::other)?;
        std::fs::write(json, text + "\n")?;
        println!("\n{}\n\n{}", self.machine, Row::HEAD);
        self.rows.iter().for_each(|row| println!("{row}"));
        println!("\nAs JSON: {}", json.display());
        let short: Vec<&Row> = self.rows.iter().filter(|row| row.is_met == Some(false)).collect();
        if short.is_empty() {
            println!("All bounds are met.");
        } else {
            println!("{} bounds are not met:", short.len());
            short.iter().for_each(|row| println!("- {}", row.work));
        }
        Ok(short.is_empty())
    }
}

impl Row {
    const HEAD: &str =
        "| Work | Unit | Annals | By hand | Beside it | Bound | |\n|---|---|---|---|---|---|---|";
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { work, unit, annals, by_hand, beside, bound, is_met } = self;
        write!(f, "| {work} | {unit} | {annals} |")?;
        for figure in [by_hand, beside] {
            match figure {
                Some(figure) => write!(f, " {figure} |")?,
                None => write!(f, " |")?,
            }
        }
        match bound {
            Some(bound) => write!(f, " {bound} |")?,
            None => write!(f, " |")?,
        }
        match is_met {
            Some(true) => write!(f, " met |"),
            Some(false) => write!(f, " **not met** |"),
            None => write!(f, " |"),
        }
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CostAtMost(most) => write!(f, "cost at most {most}"),
            Self::RateAtLeast(least) => write!(f, "rate at least {least}"),
            Self::AboveAtMost(most) => write!(f, "at most {most} more"),
            Self::TimeAtMost(most) => write!(f, "at most {most}"),
        }
    }
}

/// In what times are shown.
#[derive(Debug, Clone, Copy)]
pub enum Unit {
    Nanoseconds,
    Microseconds,
    Milliseconds,
}

impl Unit {
    fn seconds(self) -> f64 {
        match self {
            Self::Nanoseconds => 1e-9,
            Self::Microseconds => 1e-6,
            Self::Milliseconds => 1e-3,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Nanoseconds => "ns",
            Self::Microseconds => "µs",
            Self::Milliseconds => "ms",
        }
    }
}
