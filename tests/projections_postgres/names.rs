//! Names of tables, columns and indexes that are long, or need quotes.

use annals::ReadModelStore;
use annals::read_model::{ColumnKind, Index, Row, Select, Table, TableColumn, Value};

use crate::tables::text;
use crate::{Error, begin, definition, drop_built, fresh, lease, upsert, write};

const COLUMNS: &[TableColumn] = &[
    TableColumn::new("x\"; DROP TABLE events; --", ColumnKind::Text, false),
    TableColumn::new(
        "a_column_whose_name_has_as_many_bytes_as_postgresql_takes_at_al",
        ColumnKind::Integer,
        true,
    )
    .with_index(Index::Plain),
    TableColumn::new(
        "another_column_whose_name_has_as_many_bytes_as_postgresql_takes",
        ColumnKind::Integer,
        true,
    )
    .with_index(Index::Unique),
];

const ONE: &Table =
    &Table::new("a_table_whose_name_has_as_many_bytes_as_postgresql_takes_at_all", COLUMNS, &[0]);
const TWO: &Table =
    &Table::new("a_table_whose_name_has_as_many_bytes_as_postgresql_takes_indeed", COLUMNS, &[0]);

#[tokio::test]
async fn long_names_stay_apart() -> Result<(), Error> {
    let (store, _database) = fresh().await?;
    for (table, number) in [(ONE, 1), (TWO, 2)] {
        let definition = definition(table, 1);
        store.prepare(&definition).await?;
        let fence = lease(&store, &definition, 1).await?;
        let row = Row(vec![text("'"), Value::Integer(number), Value::Integer(number)]);
        write(&store, &fence, 1, vec![upsert(&definition, 1, row.clone())]).await?;
        let generation = begin(&store, &definition).await?;
        drop_built(&store, &definition, generation).await?;
        assert_eq!(store.select(table, 1, &Select::all(table)).await?, Some(vec![row]));
    }
    Ok(())
}
