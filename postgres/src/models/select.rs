//! What is asked of rows, as SQL: it takes the same rows, in the same order, as [`Test::passes`] and [`Select::compare`].
//!
//! Nothing, which SQL calls `NULL`, is a value there: equal to itself, and above all others in an order.

use annals::StoreError;
use annals::read_model::{
    ColumnKind, Comparison, Is, Select, SortKey, Table, TableColumn, Test, Value,
};

use super::bind::Statement;
use super::day::{Day, DayTime};
use super::names::quoted;
use crate::instant::Instant;

/// A column as it is compared.
fn compared(column: &TableColumn) -> String {
    let name = quoted(column.name);
    match column.kind {
        // It has no order of its own: that of its text.
        ColumnKind::Json => format!("(t.{name}::text COLLATE \"C\")"),
        _ => format!("t.{name}"),
    }
}

/// Adds the condition that all tests are passed.
pub(super) fn push_where<'a>(
    statement: &mut Statement<'a>,
    table: &Table,
    tests: &'a [Test],
) -> Result<(), StoreError> {
    for (index, test) in tests.iter().enumerate() {
        statement.push(if index == 0 { "\n WHERE " } else { "\n   AND " });
        push_test(statement, table, test)?;
    }
    Ok(())
}

/// Adds the condition of one test.
pub(super) fn push_test<'a>(
    statement: &mut Statement<'a>,
    table: &Table,
    test: &'a Test,
) -> Result<(), StoreError> {
    let column = &table.columns[test.column];
    let name = compared(column);
    match &test.is {
        Is::Compared(Comparison::Equal, value) => push_equal(statement, column, value),
        Is::Compared(_, value) if value.is_null() => {
            statement.push("false");
            Ok(())
        }
        Is::Compared(comparison, value) => {
            let (comparison, value) = match value {
                Value::Text(asked) if asked.contains('\0') => {
                    return push_with_nul(statement, column, *comparison, asked);
                }
                // Between it and the lowest that is kept there is none.
                Value::Timestamp(_) if !is_kept(value) => (from_below(*comparison), value),
                value => (*comparison, value),
            };
            statement.push(&format!("{name} {} ", operator(comparison)));
            statement.push_value(column, value).map(drop)
        }
        Is::In(values) => push_in(statement, column, values.iter()),
        _ => Err(StoreError::invalid(format!(
            "column `{}`: the store does not know what is asked of it",
            column.name
        ))),
    }
}

/// Adds the condition that a column has one of the values.
pub(super) fn push_in<'a>(
    statement: &mut Statement<'a>,
    column: &TableColumn,
    values: impl Iterator<Item = &'a Value> + Clone,
) -> Result<(), StoreError> {
    let name = compared(column);
    let has_null = values.clone().any(Value::is_null);
    // No row has a value that PostgreSQL does not keep.
    let values = values.filter(|value| !value.is_null() && is_kept(value));
    statement.push(&format!("({name} = ANY ("));
    statement.push_values(column, values)?.push(")");
    if has_null {
        statement.push(&format!(" OR {name} IS NULL"));
    }
    statement.push(")");
    Ok(())
}

fn push_equal<'a>(
    statement: &mut Statement<'a>,
    column: &TableColumn,
    value: &'a Value,
) -> Result<(), StoreError> {
    let name = compared(column);
    if value.is_null() {
        statement.push(&format!("{name} IS NULL"));
        return Ok(());
    }
    if !is_kept(value) {
        statement.push("false");
        return Ok(());
    }
    statement.push(&format!("{name} = "));
    statement.push_value(column, value).map(drop)
}

/// A text with the character U+0000 lies right above what stands before it: no text that is kept is between the two.
fn push_with_nul<'a>(
    statement: &mut Statement<'a>,
    column: &TableColumn,
    comparison: Comparison,
    text: &'a str,
) -> Result<(), StoreError> {
    let kept = text.split('\0').next().unwrap_or_default();
    let operator = operator(from_below(comparison));
    if column.kind != ColumnKind::Text {
        let value = Value::Text(text.to_owned());
        return Err(super::bind::misfit(column, &value));
    }
    statement.push(&format!("{} {operator} ", compared(column))).push_text(kept);
    Ok(())
}

/// How what is kept right below a value compares with it, which is not kept itself.
const fn from_below(comparison: Comparison) -> Comparison {
    match comparison {
        Comparison::Less | Comparison::LessOrEqual => Comparison::LessOrEqual,
        _ => Comparison::Greater,
    }
}

pub(super) fn is_kept(value: &Value) -> bool {
    match value {
        Value::Text(text) => !text.contains('\0'),
        Value::Timestamp(instant) => Instant(*instant).is_exact(),
        Value::Date(day) => Day::from_unix(*day).is_some(),
        Value::DateTime(at) => DayTime::from_unix(*at).is_some(),
        _ => true,
    }
}

const fn operator(comparison: Comparison) -> &'static str {
    match comparison {
        Comparison::Equal => "=",
        Comparison::Less => "<",
        Comparison::LessOrEqual => "<=",
        Comparison::Greater => ">",
        Comparison::GreaterOrEqual => ">=",
    }
}

/// Adds the order of rows.
pub(super) fn push_order(statement: &mut Statement<'_>, table: &Table, order: &[SortKey]) {
    for (index, by) in order.iter().enumerate() {
        statement.push(if index == 0 { "\n ORDER BY " } else { ", " });
        statement.push(&compared(&table.columns[by.column]));
        // Nothing comes last, and so first from the other end: that is what PostgreSQL does unless told otherwise.
        if by.descending {
            statement.push(" DESC");
        }
    }
}

/// Adds the condition that rows come after the values that a page ended with.
pub(super) fn push_after<'a>(
    statement: &mut Statement<'a>,
    table: &Table,
    select: &'a Select,
) -> Result<(), StoreError> {
    let Some(after) = &select.after else { return Ok(()) };
    statement.push(if select.tests.is_empty() { "\n WHERE " } else { "\n   AND " });
    let keys: Vec<(&TableColumn, bool, &Value)> = (select.order.iter().zip(after))
        .map(|(by, value)| (&table.columns[by.column], by.descending, value))
        .collect();
    // A comparison of rows is what an index on all of them serves best.
    let is_plain = keys
        .iter()
        .all(|(column, descending, value)| !descending && !column.nullable && !value.is_null());
    if is_plain && !keys.is_empty() {
        let names: Vec<String> = keys.iter().map(|(column, ..)| compared(column)).collect();
        statement.push(&format!("({}) > (", names.join(", ")));
        for (index, (column, _, value)) in keys.iter().enumerate() {
            statement.push(if index == 0 { "" } else { ", " });
            statement.push_value(column, value)?;
        }
        statement.push(")");
        return Ok(());
    }
    push_behind(statement, &keys)
}

/// Adds that the first column is behind its value, or the same and the rest is behind.
fn push_behind<'a>(
    statement: &mut Statement<'a>,
    keys: &[(&TableColumn, bool, &'a Value)],
) -> Result<(), StoreError> {
    let Some(((column, descending, value), rest)) = keys.split_first() else {
        statement.push("false");
        return Ok(());
    };
    let name = compared(column);
    statement.push("(");
    match (descending, value.is_null()) {
        // Nothing is above everything.
        (false, true) => {
            statement.push("false");
        }
        (true, true) => {
            statement.push(&format!("{name} IS NOT NULL"));
        }
        (false, false) => {
            statement.push(&format!("{name} > ")).push_value(column, value)?;
            if column.nullable {
                statement.push(&format!(" OR {name} IS NULL"));
            }
        }
        (true, false) => {
            statement.push(&format!("{name} < ")).push_value(column, value)?;
        }
    }
    if !rest.is_empty() {
        statement.push(" OR (");
        push_equal(statement, column, value)?;
        statement.push(" AND ");
        push_behind(statement, rest)?;
        statement.push(")");
    }
    statement.push(")");
    Ok(())
}
