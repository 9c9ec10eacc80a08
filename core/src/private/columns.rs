//! What the derives of read models and column types write of columns.

use std::marker::PhantomData;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::codec::Payload;
use crate::read_model::{
    Column, ColumnError, ColumnKind, ColumnType, KeyColumn, ReadModel, Row, Value,
};

/// What goes into a column as JSON.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be written as JSON and read back",
    label = "has no JSON",
    note = "derive `Serialize` and `Deserialize` on `{Self}`"
)]
pub trait JsonColumn: Sized {
    /// Writes it.
    ///
    /// # Errors
    ///
    /// When it has no JSON.
    fn to_json(&self) -> Result<Value, ColumnError>;

    /// Reads it.
    ///
    /// # Errors
    ///
    /// When the value is not its JSON.
    fn from_json(value: Value) -> Result<Self, ColumnError>;
}

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned> JsonColumn for T {
    fn to_json(&self) -> Result<Value, ColumnError> {
        let json = serde_json::to_string(self);
        let json = json.map_err(|error| ColumnError::new(format!("it has no JSON: {error}")))?;
        Ok(Value::Json(Payload::new(json)))
    }

    fn from_json(value: Value) -> Result<Self, ColumnError> {
        match value {
            Value::Json(payload) => serde_json::from_str(payload.as_str())
                .map_err(|error| ColumnError::new(error.to_string())),
            other => Err(ColumnError::kind(ColumnKind::Json, &other)),
        }
    }
}

/// Makes the constant of a column. Whether its type is that of a column, the read model asks, so that it is asked once.
pub const fn column_of<M, T>(index: usize) -> Column<M, T> {
    Column::new(index)
}

/// Says in which column something does not fit.
///
/// # Errors
///
/// What did not fit.
pub fn in_column<T>(name: &str, result: Result<T, ColumnError>) -> Result<T, ColumnError> {
    result.map_err(|error| ColumnError::new(format!("column `{name}`: {error}")))
}

/// The values of all columns of a row.
///
/// # Errors
///
/// When a column cannot hold its value.
pub fn row_of<M: ReadModel>(row: &M) -> Result<Row, ColumnError> {
    (0..M::TABLE.columns.len()).map(|index| row.column(index)).collect::<Result<_, _>>().map(Row)
}

/// The values of a row, as many as the derive counts fields.
///
/// # Errors
///
/// When there are more or fewer.
pub fn values_of<const N: usize>(row: Row) -> Result<[Value; N], ColumnError> {
    row.0.try_into().map_err(|values: Vec<Value>| {
        let found = values.len();
        ColumnError::new(format!("expected {N} columns, found {found}"))
    })
}

/// Stops at a column that the table does not have.
///
/// # Panics
///
/// Always.
pub fn no_column(index: usize) -> ! {
    panic!("bug in annals: the table has no column {index}")
}

/// What the derive does with a field of the key.
///
/// Where the field's type cannot be one, [`NoKeyColumn`] takes its place: the read model's own bound says it, once.
#[derive(Debug)]
pub struct ColumnOf<T>(PhantomData<T>);

impl<T: KeyColumn> ColumnOf<T> {
    /// The kind of the column.
    pub const KIND: ColumnKind = T::KIND;
    /// Whether it may hold nothing.
    pub const NULLABLE: bool = T::NULLABLE;

    /// Makes the column's value.
    ///
    /// # Errors
    ///
    /// When the column cannot hold it.
    pub fn to_value(field: &T) -> Result<Value, ColumnError> {
        field.to_value()
    }

    /// Reads the column's value.
    ///
    /// # Errors
    ///
    /// When it is none of the field's type.
    pub fn from_value(value: Value) -> Result<T, ColumnError> {
        T::from_value(value)
    }

    /// Copies the field.
    pub fn copy(field: &T) -> T {
        field.clone()
    }
}

/// What the derive does with a field of the key whose type cannot be one.
pub trait NoKeyColumn {
    /// The type of the field.
    type Field;
    /// Any.
    const KIND: ColumnKind = ColumnKind::Text;
    /// Any.
    const NULLABLE: bool = false;

    /// Never called.
    ///
    /// # Errors
    ///
    /// None.
    fn to_value(_: &Self::Field) -> Result<Value, ColumnError> {
        unreachable!("bug in annals: a key that cannot be one was compiled")
    }

    /// Never called.
    ///
    /// # Errors
    ///
    /// None.
    fn from_value(_: Value) -> Result<Self::Field, ColumnError> {
        unreachable!("bug in annals: a key that cannot be one was compiled")
    }

    /// Never called.
    fn copy(_: &Self::Field) -> Self::Field {
        unreachable!("bug in annals: a key that cannot be one was compiled")
    }
}

impl<T> NoKeyColumn for ColumnOf<T> {
    type Field = T;
}

/// Writes a variant of an enum without fields.
pub fn text_of(name: &str) -> Value {
    Value::Text(name.to_owned())
}

/// Reads a variant of an enum without fields.
///
/// # Errors
///
/// When the value is no text, or not that of a variant.
pub fn text_variant<T>(
    value: Value,
    names: &[&str],
    find: impl FnOnce(&str) -> Option<T>,
) -> Result<T, ColumnError> {
    let text = String::from_value(value)?;
    find(&text).ok_or_else(|| {
        let names = names.join("`, `");
        ColumnError::new(format!("`{text}` is none of `{names}`"))
    })
}
