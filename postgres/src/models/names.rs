//! The names of tables, views and indexes.

use annals::StoreError;
use annals::read_model::{ModelTable, Table, TableColumn};

use crate::statements::Schema;

/// The longest name that PostgreSQL does not cut, in bytes.
const MAX: usize = 63;

/// Columns that every table has already.
const SYSTEM: [&str; 6] = ["tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"];

/// A name in quotes, whatever it holds.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text in quotes, whatever it holds and whatever the session takes a backslash for.
pub(super) fn text(text: &str) -> String {
    format!("E'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}

/// A relation of the store's schema, as it stands in a statement.
pub(super) fn in_schema(schema: &Schema, name: &str) -> String {
    format!("{}.{}", schema.as_str(), quoted(name))
}

/// The table of a generation, without its schema.
pub(super) fn physical(table: &ModelTable) -> String {
    fitted(table.to_string())
}

/// The same, of a table that this program does not know.
pub(super) fn physical_of(model: &str, version: u32, generation: u32) -> String {
    fitted(format!("{model}_v{version}_{generation}"))
}

/// The view on the generation that answers, without its schema.
pub(super) fn version_view(model: &str, version: u32) -> String {
    fitted(format!("{model}_v{version}"))
}

/// The index, or the unique constraint, of a column.
pub(super) fn index(table: &ModelTable, column: &str) -> String {
    fitted(format!("{table}_by_{column}"))
}

/// The constraint of the key.
pub(super) fn key(table: &ModelTable) -> String {
    fitted(format!("{table}_key"))
}

/// The names of columns in quotes, with commas between them.
pub(super) fn list<'a>(columns: impl IntoIterator<Item = &'a TableColumn>) -> String {
    let names: Vec<String> = columns.into_iter().map(|column| quoted(column.name)).collect();
    names.join(", ")
}

/// Refuses names that cannot stand as they are where people look for them.
pub(super) fn check(table: &Table) -> Result<(), StoreError> {
    let is_fit = |name: &str| !name.is_empty() && name.len() <= MAX && !name.contains('\0');
    if !is_fit(table.name) {
        return Err(StoreError::invalid(format!(
            "read model `{}`: the name of a table has 1 to {MAX} bytes in PostgreSQL: give it a shorter one",
            table.name.escape_debug()
        )));
    }
    for column in table.columns {
        if !is_fit(column.name) || SYSTEM.contains(&column.name) {
            return Err(StoreError::invalid(format!(
                "read model `{}`: PostgreSQL takes no column `{}`: give it another name, of 1 to {MAX} bytes",
                table.name,
                column.name.escape_debug()
            )));
        }
    }
    Ok(())
}

/// A name that PostgreSQL does not cut: of one that is too long, the end gives way to a hash of the whole (FNV-1a).
fn fitted(name: String) -> String {
    if name.len() <= MAX {
        return name;
    }
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let mut cut = MAX - 17;
    while !name.is_char_boundary(cut) {
        cut -= 1;
    }
    format!("{}_{hash:016x}", &name[..cut])
}

#[cfg(test)]
mod tests {
    use super::{fitted, quoted, text};

    #[test]
    fn a_long_name_is_cut_and_stays_apart() {
        let (one, two) = ("ü".repeat(40) + "1", "ü".repeat(40) + "2");
        assert_eq!(fitted("short".to_owned()), "short");
        assert!(fitted(one.clone()).len() <= 63);
        assert_ne!(fitted(one), fitted(two));
    }

    #[test]
    fn a_quote_in_a_name_ends_nothing() {
        assert_eq!(quoted(r#"a"; DROP TABLE b; --"#), r#""a""; DROP TABLE b; --""#);
        assert_eq!(text(r"a'; DROP TABLE b; --\"), r"E'a''; DROP TABLE b; --\\'");
    }
}
