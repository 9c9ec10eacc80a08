//! What a read model's table looks like, and which of its tables is meant.

use std::fmt;

use super::column_kind::ColumnKind;
use super::decimal;
use super::value::Value;

/// The table of a read model: its columns, its key, its indexes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Table {
    /// Its public name.
    pub name: &'static str,
    /// Its columns, in the order of the fields.
    pub columns: &'static [TableColumn],
    /// Which columns are the key, in its order.
    pub key: &'static [usize],
}

impl Table {
    /// Makes a table from its parts.
    pub const fn new(
        name: &'static str,
        columns: &'static [TableColumn],
        key: &'static [usize],
    ) -> Self {
        Self { name, columns, key }
    }

    /// The key of a row.
    ///
    /// # Panics
    ///
    /// If the row is of another table.
    pub fn key_of(&self, row: &Row) -> RowKey {
        RowKey(self.key.iter().map(|&column| row.0[column].clone()).collect())
    }

    /// Whether a row has this key.
    pub(crate) fn has_key(&self, row: &Row, key: &RowKey) -> bool {
        self.key.iter().map(|&column| &row.0[column]).eq(&key.0)
    }

    /// The columns of the key.
    pub fn key_columns(&self) -> impl Iterator<Item = &'static TableColumn> {
        let columns = self.columns;
        self.key.iter().map(move |&column| &columns[column])
    }
}

/// A column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct TableColumn {
    /// Its name.
    pub name: &'static str,
    /// What it holds.
    pub kind: ColumnKind,
    /// Whether it may hold nothing.
    pub nullable: bool,
    /// How rows are found by it.
    pub index: Index,
}

impl TableColumn {
    /// Makes a column that no index serves.
    pub const fn new(name: &'static str, kind: ColumnKind, nullable: bool) -> Self {
        Self { name, kind, nullable, index: Index::None }
    }

    /// Has an index serve the column.
    #[must_use]
    pub const fn with_index(mut self, index: Index) -> Self {
        self.index = index;
        self
    }
}

/// Whether rows are found by a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Index {
    /// They are not.
    None,
    /// Several rows may have one value.
    Plain,
    /// No two rows have the same value.
    Unique,
}

/// One of the tables of a read model: that of a version of its projection, and of one of its rebuilds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ModelTable {
    /// What it looks like.
    pub table: &'static Table,
    /// The version of the projection.
    pub version: u32,
    /// Which rebuild wrote it, from 1.
    pub generation: u32,
}

impl ModelTable {
    /// From this generation on, rows are not kept: each run that folds some aside draws one of its own.
    pub const FIRST_SCRATCH: u32 = 1 << 31;

    /// Whether it is a scratch table, whose rows go with whoever had them folded.
    pub const fn is_scratch(&self) -> bool {
        self.generation >= Self::FIRST_SCRATCH
    }

    /// The name of the scratch table of a generation, which says nothing of the read model.
    pub fn name_of_scratch(generation: u32) -> String {
        format!("scratch_{generation:08x}")
    }
}

impl fmt::Display for ModelTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_scratch() {
            return f.write_str(&Self::name_of_scratch(self.generation));
        }
        write!(f, "{}_v{}_{}", self.table.name, self.version, self.generation)
    }
}

/// A row: the values of its columns, in the order of the table's.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Row(pub Vec<Value>);

/// The key of a row: the values of the columns of the key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RowKey(pub Vec<Value>);

/// A key of one column as its value; a key of several as a JSON array of theirs.
impl fmt::Display for RowKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0[..] {
            [value] => f.write_str(&text_of(value)),
            values => {
                let texts: Vec<String> = values.iter().map(text_of).collect();
                f.write_str(&serde_json::to_string(&texts).map_err(|_| fmt::Error)?)
            }
        }
    }
}

/// What is equal has one text.
fn text_of(value: &Value) -> String {
    match value {
        Value::Decimal(text) => decimal::shortest(text),
        value => value.to_string(),
    }
}
