//! The columns of rows that one release keeps and another asks for.

use std::borrow::Cow;

use crate::read_model::{Row, Table, Value};

/// How rows are kept, and how they are asked for.
pub(super) struct Layout {
    kept: &'static Table,
    asked: &'static Table,
    is_same: bool,
}

impl Layout {
    pub(super) fn new(kept: &'static Table, asked: &'static Table) -> Self {
        Self { kept, asked, is_same: kept == asked }
    }

    /// A row as it is asked for: looked at where it is, since most of those that are read are not wanted.
    pub(super) fn read<'a>(&self, row: &'a Row) -> Cow<'a, Row> {
        if self.is_same {
            return Cow::Borrowed(row);
        }
        Cow::Owned(Row(laid_out(self.kept, self.asked, &row.0)))
    }
}

/// The values of a row in the order of other columns of the same names; nothing where there is none.
pub(super) fn laid_out(from: &Table, to: &Table, values: &[Value]) -> Vec<Value> {
    if from == to {
        return values.to_vec();
    }
    let value = |name: &str| {
        let index = from.columns.iter().position(|column| column.name == name)?;
        values.get(index).cloned()
    };
    to.columns.iter().map(|column| value(column.name).unwrap_or(Value::Null)).collect()
}
