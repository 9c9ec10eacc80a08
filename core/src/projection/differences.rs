//! How rows that would be built anew differ from those that answer.

use serde::Serialize;

use super::ParkedEvent;
use crate::position::Position;
use crate::read_model::{Row, RowKey, Table, Value};

/// How many differences are told one by one.
const TOLD: usize = 100;

/// How the rows of a projection would differ if they were built anew, at one position of the log.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Differences {
    /// The position: what is recorded up to there is in both. Rows of a shard that has come further are compared further on.
    pub position: Position,
    /// How many rows answer.
    pub rows: u64,
    /// How many rows are the same in both.
    pub same: u64,
    /// How many rows are there that would not be there any more.
    pub only_old: u64,
    /// How many rows would be there that are not there now.
    pub only_new: u64,
    /// How many rows would have another value in some column.
    pub different: u64,
    /// The first of them, in the order of their keys; a hundred at most.
    pub first: Vec<Difference>,
    /// The events that would fail, and those that would wait behind them.
    pub parked: Vec<ParkedEvent>,
}

/// How one row would differ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Difference {
    /// The row's key, as text.
    pub key: String,
    /// How it differs.
    pub kind: DifferenceKind,
}

/// How a row would differ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum DifferenceKind {
    /// It would not be there any more.
    OnlyOld,
    /// It would be there, and is not now.
    OnlyNew,
    /// Some columns would have another value.
    Columns(Vec<ColumnDifference>),
}

/// How a column of a row would differ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ColumnDifference {
    /// The column's name.
    pub column: String,
    /// Its value now, as text.
    pub old: String,
    /// Its value in the new row, as text.
    pub new: String,
}

impl Differences {
    /// Whether the rows would be the same.
    pub const fn is_none(&self) -> bool {
        self.only_old == 0 && self.only_new == 0 && self.different == 0
    }

    /// Begins without rows.
    pub(crate) const fn new(position: Position) -> Self {
        Self {
            position,
            rows: 0,
            same: 0,
            only_old: 0,
            only_new: 0,
            different: 0,
            first: Vec::new(),
            parked: Vec::new(),
        }
    }

    /// Compares a row with what it would be; of both, JSON is open.
    pub(crate) fn compare(
        &mut self,
        table: &Table,
        key: &RowKey,
        (old, new): (Option<&Row>, Option<&Row>),
    ) {
        self.rows += u64::from(old.is_some());
        let kind = match (old, new) {
            (None, None) => return,
            (Some(_), None) => {
                self.only_old += 1;
                DifferenceKind::OnlyOld
            }
            (None, Some(_)) => {
                self.only_new += 1;
                DifferenceKind::OnlyNew
            }
            (Some(old), Some(new)) => {
                let columns = columns(table, old, new);
                if columns.is_empty() {
                    self.same += 1;
                    return;
                }
                self.different += 1;
                DifferenceKind::Columns(columns)
            }
        };
        if self.first.len() < TOLD {
            self.first.push(Difference { key: key.to_string(), kind });
        }
    }
}

fn columns(table: &Table, old: &Row, new: &Row) -> Vec<ColumnDifference> {
    let values = table.columns.iter().zip(old.0.iter().zip(&new.0));
    let different = values.filter(|(_, (old, new))| !is_same(old, new));
    let told = different.map(|(column, (old, new))| ColumnDifference {
        column: column.name.to_owned(),
        old: told(old),
        new: told(new),
    });
    told.collect()
}

/// Whether two values are the same; JSON is, whatever the order of its members.
fn is_same(old: &Value, new: &Value) -> bool {
    let (Value::Json(old_json), Value::Json(new_json)) = (old, new) else { return old == new };
    let read = |json: &str| serde_json::from_str::<serde_json::Value>(json);
    match (read(old_json.as_str()), read(new_json.as_str())) {
        (Ok(old), Ok(new)) => old == new,
        _ => old == new,
    }
}

fn told(value: &Value) -> String {
    match value {
        Value::Json(json) => json.as_str().to_owned(),
        value => value.to_string(),
    }
}
