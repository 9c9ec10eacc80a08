//! What is read from a table, as a plain value that a store carries out.

use std::cmp::Ordering;

use super::column::{SortKey, Test};
use super::table::{Row, Table};
use super::value::Value;

/// Which rows of a table are read, and in which order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Select {
    /// What rows have to pass, all of it.
    pub tests: Vec<Test>,
    /// By which columns they are ordered; the last are those of the key, so that no two rows are equal.
    pub order: Vec<SortKey>,
    /// The values of the order's columns behind which to begin.
    pub after: Option<Vec<Value>>,
    /// How many rows at most.
    pub limit: Option<u64>,
}

impl Select {
    /// Reads all rows, in the order of their keys.
    pub fn all(table: &Table) -> Self {
        Self::default().ordered_by_key(table)
    }

    /// Adds the columns of the key to the order, as far as they are not in it.
    #[must_use]
    pub(super) fn ordered_by_key(mut self, table: &Table) -> Self {
        for &column in table.key {
            if self.order.iter().all(|by| by.column != column) {
                self.order.push(SortKey { column, descending: false });
            }
        }
        self
    }

    /// Reads rows that pass a test.
    #[must_use]
    pub fn test(mut self, test: Test) -> Self {
        self.tests.push(test);
        self
    }

    /// Reads so many rows at most.
    #[must_use]
    pub fn limit(mut self, rows: u64) -> Self {
        self.limit = Some(rows);
        self
    }

    /// Begins behind a row.
    #[must_use]
    pub fn after(mut self, row: &Row) -> Self {
        self.after = Some(self.order.iter().map(|by| row.0[by.column].clone()).collect());
        self
    }

    /// Whether a row is among those that are read, but for the limit.
    pub fn takes(&self, row: &Row) -> bool {
        self.tests.iter().all(|test| test.passes(&row.0[test.column]))
            && self.after.as_ref().is_none_or(|after| {
                let of_row = self.order.iter().map(|by| &row.0[by.column]);
                self.compared(of_row, after.iter()).is_gt()
            })
    }

    /// Which of two rows comes first.
    pub fn compare(&self, one: &Row, two: &Row) -> Ordering {
        self.compared(self.values(one), self.values(two))
    }

    /// The values of a row by which it is ordered.
    fn values<'a>(&self, row: &'a Row) -> impl Iterator<Item = &'a Value> {
        self.order.iter().map(|by| &row.0[by.column])
    }

    fn compared<'a>(
        &self,
        one: impl Iterator<Item = &'a Value>,
        two: impl Iterator<Item = &'a Value>,
    ) -> Ordering {
        self.order
            .iter()
            .zip(one.zip(two))
            .map(|(by, (one, two))| if by.descending { two.cmp(one) } else { one.cmp(two) })
            .find(|ordering| ordering.is_ne())
            .unwrap_or(Ordering::Equal)
    }
}
