//! The tables of the tests.

use annals::read_model::{ColumnKind, Index, Row, Table, TableColumn, Value};

/// A column of each kind, each but the key's may hold nothing.
pub const ALL: &Table = &Table::new(
    "every kind",
    &[
        TableColumn::new("a\"b", ColumnKind::Text, false),
        TableColumn::new("number", ColumnKind::Integer, false),
        TableColumn::new("flag", ColumnKind::Bool, true),
        TableColumn::new("small", ColumnKind::SmallInt, true).with_index(Index::Plain),
        TableColumn::new("big", ColumnKind::BigInt, true),
        TableColumn::new("real", ColumnKind::Real, true),
        TableColumn::new("double", ColumnKind::Double, true),
        TableColumn::new("decimal", ColumnKind::Decimal, true),
        TableColumn::new("text", ColumnKind::Text, true).with_index(Index::Plain),
        TableColumn::new("uuid", ColumnKind::Uuid, true),
        TableColumn::new("instant", ColumnKind::Timestamp, true),
        TableColumn::new("select", ColumnKind::Date, true),
        TableColumn::new("json", ColumnKind::Json, true),
        TableColumn::new("only", ColumnKind::Integer, true).with_index(Index::Unique),
        TableColumn::new("moment", ColumnKind::DateTime, true).with_index(Index::Plain),
    ],
    &[0, 1],
);

pub const ACCOUNTS: &Table = &Table::new("accounts", ACCOUNT, &[0]);

const ACCOUNT: &[TableColumn] = &[
    TableColumn::new("account", ColumnKind::Text, false),
    TableColumn::new("balance", ColumnKind::BigInt, false),
    TableColumn::new("email", ColumnKind::Text, true).with_index(Index::Unique),
];

/// The same with a column more, and not as the last.
pub const ACCOUNTS_WITH_OWNER: &Table = &Table::new(
    "accounts",
    &[
        TableColumn::new("account", ColumnKind::Text, false),
        TableColumn::new("owner", ColumnKind::Text, true).with_index(Index::Plain),
        TableColumn::new("balance", ColumnKind::BigInt, false),
        TableColumn::new("email", ColumnKind::Text, true).with_index(Index::Unique),
    ],
    &[0],
);

/// The same with a column of another kind.
pub const ACCOUNTS_IN_SMALL: &Table = &Table::new(
    "accounts",
    &[
        TableColumn::new("account", ColumnKind::Text, false),
        TableColumn::new("balance", ColumnKind::SmallInt, false),
        TableColumn::new("email", ColumnKind::Text, true).with_index(Index::Unique),
    ],
    &[0],
);

pub fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

pub fn account(name: &str, balance: i64) -> Row {
    Row(vec![text(name), Value::Integer(balance), Value::Null])
}

pub fn with_email(name: &str, email: &str) -> Row {
    Row(vec![text(name), Value::Integer(0), text(email)])
}
