//! Columns by which rows are found and ordered, and what is asked of them.

use std::fmt;
use std::marker::PhantomData;

use super::column_type::{ColumnError, ColumnType, IntoColumn};
use super::value::Value;

/// A column of the read model `M` that holds a `T` and by which rows are found: one of the key, or one with an index.
///
/// `#[derive(ReadModel)]` writes a constant for each.
pub struct Column<M, T> {
    index: usize,
    of: PhantomData<fn() -> (M, T)>,
}

impl<M, T> Clone for Column<M, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<M, T> Copy for Column<M, T> {}

impl<M, T> fmt::Debug for Column<M, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Column").field(&self.index).finish()
    }
}

impl<M, T> Column<M, T> {
    /// Names a column by its place in the table.
    pub const fn new(index: usize) -> Self {
        Self { index, of: PhantomData }
    }

    /// Its place in the table.
    pub const fn index(self) -> usize {
        self.index
    }
}

impl<M, T: ColumnType> Column<M, T> {
    /// Rows that have this value; of an `Option`, `None` is a value, too.
    pub fn eq(self, value: impl IntoColumn<T>) -> Condition<M> {
        self.compared(Comparison::Equal, value)
    }

    /// Rows whose value is below.
    pub fn lt(self, value: impl IntoColumn<T>) -> Condition<M> {
        self.compared(Comparison::Less, value)
    }

    /// Rows whose value is below or the same.
    pub fn le(self, value: impl IntoColumn<T>) -> Condition<M> {
        self.compared(Comparison::LessOrEqual, value)
    }

    /// Rows whose value is above.
    pub fn gt(self, value: impl IntoColumn<T>) -> Condition<M> {
        self.compared(Comparison::Greater, value)
    }

    /// Rows whose value is above or the same.
    pub fn ge(self, value: impl IntoColumn<T>) -> Condition<M> {
        self.compared(Comparison::GreaterOrEqual, value)
    }

    /// Rows that have one of these values.
    pub fn in_<V: IntoColumn<T>>(self, values: impl IntoIterator<Item = V>) -> Condition<M> {
        let values: Result<Vec<Value>, ColumnError> =
            values.into_iter().map(|value| value.into_column().to_value()).collect();
        Condition::new(self.index, values.map(Is::In))
    }

    /// In the order of this column, the lowest first; rows without a value come last.
    pub const fn asc(self) -> Order<M> {
        Order { key: SortKey { column: self.index, descending: false }, of: PhantomData }
    }

    /// In the order of this column, the highest first; rows without a value come first.
    pub const fn desc(self) -> Order<M> {
        Order { key: SortKey { column: self.index, descending: true }, of: PhantomData }
    }

    fn compared(self, comparison: Comparison, value: impl IntoColumn<T>) -> Condition<M> {
        let value = value.into_column().to_value();
        Condition::new(self.index, value.map(|value| Is::Compared(comparison, value)))
    }
}

/// A column by which rows of `M` are found.
#[diagnostic::on_unimplemented(
    message = "rows of `{M}` are not found by this column: it has no index",
    label = "neither the key nor an index",
    note = "write `#[read_model(index)]` on its field, or `#[read_model(unique)]` where no two rows have the same value"
)]
pub trait IndexedColumn<M> {
    /// What it holds.
    type Type: ColumnType;

    /// Its place in the table.
    fn place(&self) -> usize;
}

#[diagnostic::do_not_recommend]
impl<M, T: ColumnType> IndexedColumn<M> for Column<M, T> {
    type Type = T;

    fn place(&self) -> usize {
        self.index
    }
}

/// What is asked of the rows of `M`.
#[derive(Debug)]
#[must_use]
pub struct Condition<M> {
    pub(super) column: usize,
    pub(super) is: Result<Is, ColumnError>,
    of: PhantomData<fn() -> M>,
}

impl<M> Condition<M> {
    const fn new(column: usize, is: Result<Is, ColumnError>) -> Self {
        Self { column, is, of: PhantomData }
    }
}

/// The order in which the rows of `M` are read.
#[derive(Debug)]
#[must_use]
pub struct Order<M> {
    pub(super) key: SortKey,
    of: PhantomData<fn() -> M>,
}

/// What is asked of one column.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Test {
    /// Which column of the table.
    pub column: usize,
    /// What it has to be.
    pub is: Is,
}

impl Test {
    /// Whether a value of the column passes.
    pub fn passes(&self, value: &Value) -> bool {
        match &self.is {
            Is::Compared(Comparison::Equal, other) => value == other,
            // Nothing is neither above nor below anything.
            Is::Compared(_, other) if value.is_null() || other.is_null() => false,
            Is::Compared(Comparison::Less, other) => value < other,
            Is::Compared(Comparison::LessOrEqual, other) => value <= other,
            Is::Compared(Comparison::Greater, other) => value > other,
            Is::Compared(Comparison::GreaterOrEqual, other) => value >= other,
            Is::In(values) => values.contains(value),
        }
    }
}

/// What a value has to be.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Is {
    /// So compared with another.
    Compared(Comparison, Value),
    /// One of these.
    In(Vec<Value>),
}

/// How two values are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Comparison {
    /// `=`, which nothing and nothing are, too.
    Equal,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

/// A column by which rows are ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SortKey {
    /// Which column of the table.
    pub column: usize,
    /// Whether the highest comes first.
    pub descending: bool,
}
