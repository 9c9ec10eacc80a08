//! Read models: rows of typed columns that projections keep and queries read.

mod column;
mod column_kind;
mod column_type;
mod decimal;
mod error;
mod models;
mod rows;
mod select;
mod table;
mod unindexed_column;
mod value;

pub use self::column::{Column, Comparison, Condition, IndexedColumn, Is, Order, SortKey, Test};
pub use self::column_kind::ColumnKind;
pub use self::column_type::{ColumnError, ColumnType, IntoColumn, KeyColumn};
pub use self::error::ReadModelError;
pub(crate) use self::models::After;
pub use self::models::ReadModels;
pub use self::rows::Rows;
pub(crate) use self::rows::{open_row, seal_row};
pub use self::select::Select;
pub use self::table::{Index, ModelTable, Row, RowKey, Table, TableColumn};
pub use self::unindexed_column::UnindexedColumn;
pub use self::value::Value;

use crate::context::Subject;

/// A row of a read model.
///
/// `#[derive(ReadModel)]` writes it, and so could you:
///
/// ```
/// use annals::Subject;
/// use annals::read_model::{
///     ColumnError, ColumnKind, ColumnType, ReadModel, Row, Table, TableColumn,
/// };
///
/// #[derive(Debug, Clone, PartialEq)]
/// struct Total {
///     owner: String,
///     accounts: i64,
/// }
///
/// impl Subject for Total {
///     type Key = String;
/// }
///
/// impl ReadModel for Total {
///     const TABLE: &'static Table = &Table::new(
///         "totals",
///         &[
///             TableColumn::new("owner", ColumnKind::Text, false),
///             TableColumn::new("accounts", ColumnKind::BigInt, false),
///         ],
///         &[0],
///     );
///
///     fn key(&self) -> String {
///         self.owner.clone()
///     }
///
///     fn to_row(&self) -> Result<Row, ColumnError> {
///         Ok(Row(vec![self.owner.to_value()?, self.accounts.to_value()?]))
///     }
///
///     fn from_row(row: Row) -> Result<Self, ColumnError> {
///         let [owner, accounts] = Self::columns(row)?;
///         Ok(Self { owner: String::from_value(owner)?, accounts: i64::from_value(accounts)? })
///     }
/// }
///
/// let total = Total { owner: "Ada".into(), accounts: 2 };
/// assert_eq!(Total::from_row(total.to_row()?)?, total);
/// # Ok::<(), ColumnError>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a read model",
    label = "not a read model",
    note = "derive it: `#[derive(Debug, Clone, ReadModel)] #[read_model(table = \"…\")]`"
)]
pub trait ReadModel: Subject<Key: ModelKey> + Clone + Send + Sync + 'static {
    /// What its table looks like.
    const TABLE: &'static Table;

    /// The key of the row.
    fn key(&self) -> Self::Key;

    /// Makes the values of its columns.
    ///
    /// # Errors
    ///
    /// When a column cannot hold its value.
    fn to_row(&self) -> Result<Row, ColumnError>;

    /// Reads the values of its columns.
    ///
    /// # Errors
    ///
    /// When a column holds no value of its field.
    fn from_row(row: Row) -> Result<Self, ColumnError>;

    /// The value of one column, by its place in the table.
    ///
    /// # Errors
    ///
    /// When the column cannot hold it.
    fn column(&self, index: usize) -> Result<Value, ColumnError> {
        Ok(self.to_row()?.0.swap_remove(index))
    }

    /// The values of a row, as many as there are columns.
    ///
    /// # Errors
    ///
    /// When there are more or fewer.
    fn columns<const N: usize>(row: Row) -> Result<[Value; N], ColumnError> {
        crate::private::values_of(row)
    }
}

/// The key of a read model's rows: a type that goes into the column of a key, or a tuple of up to four.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the key of a row",
    label = "not the type of a key",
    note = "a key is a string, an integer, a `bool`, a `Uuid`, a `Timestamp`, an aggregate's id, or an enum with `#[derive(ColumnType)]`",
    note = "the types of other crates go in with the feature of `annals` that is called as the crate: `time` (`OffsetDateTime`, `PrimitiveDateTime`, `Date`), `chrono` (`DateTime<Utc>`, `NaiveDateTime`, `NaiveDate`), `rust_decimal` (`Decimal`)"
)]
pub trait ModelKey: Clone + Sized + Send + Sync + 'static {
    /// Makes the values of its columns.
    ///
    /// # Errors
    ///
    /// When a column cannot hold its value.
    fn to_row_key(&self) -> Result<RowKey, ColumnError>;

    /// Reads the values of its columns.
    ///
    /// # Errors
    ///
    /// When a column holds no value of its type.
    fn from_row_key(key: RowKey) -> Result<Self, ColumnError>;
}

#[diagnostic::do_not_recommend]
impl<T: KeyColumn> ModelKey for T {
    fn to_row_key(&self) -> Result<RowKey, ColumnError> {
        Ok(RowKey(vec![self.to_value()?]))
    }

    fn from_row_key(key: RowKey) -> Result<Self, ColumnError> {
        let [value] = values_of_key(key)?;
        T::from_value(value)
    }
}

fn values_of_key<const N: usize>(key: RowKey) -> Result<[Value; N], ColumnError> {
    key.0.try_into().map_err(|values: Vec<Value>| {
        let found = values.len();
        ColumnError::new(format!("expected a key of {N} columns, found {found}"))
    })
}

macro_rules! keys {
    ($(($($part:ident $value:ident $taken:ident $index:tt),*) = $count:literal;)*) => {
        $(
            #[diagnostic::do_not_recommend]
            impl<$($part: KeyColumn),*> ModelKey for ($($part,)*) {
                fn to_row_key(&self) -> Result<RowKey, ColumnError> {
                    Ok(RowKey(vec![$(self.$index.to_value()?),*]))
                }

                fn from_row_key(key: RowKey) -> Result<Self, ColumnError> {
                    let [$($value),*] = values_of_key::<$count>(key)?;
                    Ok(($($part::from_value($value)?,)*))
                }
            }

            impl<$($part: KeyColumn, $taken: IntoColumn<$part>),*> IntoColumn<($($part,)*)> for ($($taken,)*) {
                fn into_column(self) -> ($($part,)*) {
                    ($(self.$index.into_column(),)*)
                }
            }
        )*
    };
}

keys! {
    (A a X 0, B b Y 1) = 2;
    (A a X 0, B b Y 1, C c Z 2) = 3;
    (A a X 0, B b Y 1, C c Z 2, D d W 3) = 4;
}
