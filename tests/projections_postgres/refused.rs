//! Rows that a table does not take.

use std::time::Duration;

use annals::read_model::{
    ColumnKind, Comparison, Is, Row, Select, Table, TableColumn, Test, Value,
};
use annals::{
    Position, ReadModelStore, RowChange, Timestamp, UnitOfWork, UnitOfWorkStore, WriteError,
};

use crate::tables::{ACCOUNTS, ACCOUNTS_IN_SMALL, account, text, with_email};
use crate::{Error, definition, fresh, lease, run, told, upsert, write};

fn reason(answer: Result<(), WriteError>, table: &str) -> String {
    match answer {
        Err(WriteError::RowRefused { model, source }) if model == table => {
            assert!(source.is_invalid());
            source.to_string()
        }
        other => panic!("not refused: {other:?}"),
    }
}

#[tokio::test]
async fn a_row_that_does_not_fit_is_refused_with_its_reason() -> Result<(), Error> {
    let (store, _database) = fresh().await?;
    let definition = definition(ACCOUNTS_IN_SMALL, 1);
    store.prepare(&definition).await?;
    let fence = lease(&store, &definition, 1).await?;
    write(&store, &fence, 1, vec![upsert(&definition, 1, with_email("ada", "a@b"))]).await?;
    run(
        store.pool(),
        "ALTER TABLE annals.accounts_v1_1 ADD CONSTRAINT no_debts CHECK (balance >= 0)",
    )
    .await?;
    let long: String = (0..20_000).map(|_| fastrand::alphanumeric()).collect();
    for (row, expected) in [
        (with_email("bob", "a@b"), "another row has the same value in the unique column `email`"),
        (account("bob", 40_000), "a number is out of the range of its column"),
        (
            account("bob", -1),
            "the database refuses it (23514: new row for relation \"accounts_v1_1\" violates check constraint \"no_debts\")",
        ),
        (
            account("b\0b", 1),
            "column `account`: the text holds the character U+0000, which PostgreSQL does not keep",
        ),
        (account(&long, 1), "a value is longer than an index takes"),
        (
            Row(vec![text("bob"), Value::Null, Value::Null]),
            "column `balance` has to hold something",
        ),
        (
            Row(vec![text("bob"), text("1"), Value::Null]),
            "column `balance`: expected a value of kind smallint, found `1`",
        ),
    ] {
        let refused = write(&store, &fence, 2, vec![upsert(&definition, 1, row.clone())]).await;
        assert_eq!(reason(refused, "accounts"), expected);
        let work = UnitOfWork::new().row(upsert(&definition, 1, row));
        assert_eq!(reason(store.commit(work).await.map(drop), "accounts"), expected);
    }
    assert_eq!(store.checkpoint(&fence.id).await?, Some(Position::from(1)), "it was moved");
    assert_eq!(store.count(ACCOUNTS_IN_SMALL, 1, &[]).await?, Some(1));
    Ok(())
}

/// A `timestamptz` begins in 4714 BC. What is earlier would come back as another instant, and as a key meet another row.
#[tokio::test]
async fn an_instant_before_all_that_are_kept_is_refused_and_found_nowhere() -> Result<(), Error> {
    const VISITS: &Table = &Table::new(
        "visits",
        &[
            TableColumn::new("at", ColumnKind::Timestamp, false),
            TableColumn::new("visitor", ColumnKind::Text, false),
        ],
        &[0],
    );
    let visit = |at| Row(vec![Value::Timestamp(at), text("ada")]);
    let (store, _database) = fresh().await?;
    let definition = definition(VISITS, 1);
    store.prepare(&definition).await?;
    let fence = lease(&store, &definition, 1).await?;
    let earliest: Timestamp = "-004713-11-24T00:00:00Z".parse()?;
    let kept = [visit(Timestamp::MIN), visit(earliest)];
    let put = kept.each_ref().map(|row| upsert(&definition, 1, row.clone()));
    write(&store, &fence, 1, put.into()).await?;

    let early = earliest - Duration::from_micros(1);
    let refused = write(&store, &fence, 2, vec![upsert(&definition, 1, visit(early))]).await;
    let expected =
        format!("column `at`: instant {early} is not between those that PostgreSQL keeps");
    assert_eq!(reason(refused, "visits"), expected);

    let key = VISITS.key_of(&visit(early));
    let table = definition.table_of(1).expect("one");
    assert_eq!(store.rows(&table, &[key], &[]).await?, []);
    for (comparison, expected) in [
        (Comparison::Equal, &kept[..0]),
        (Comparison::Less, &kept[..1]),
        (Comparison::LessOrEqual, &kept[..1]),
        (Comparison::Greater, &kept[1..]),
        (Comparison::GreaterOrEqual, &kept[1..]),
    ] {
        let test = Test { column: 0, is: Is::Compared(comparison, Value::Timestamp(early)) };
        let found = store.select(VISITS, 1, &Select::all(VISITS).test(test)).await?;
        assert_eq!(found.as_deref(), Some(expected), "{comparison:?}");
    }
    let behind = Select::all(VISITS).after(&visit(early));
    assert_eq!(store.select(VISITS, 1, &behind).await?.as_deref(), Some(&kept[1..]));
    Ok(())
}

#[tokio::test]
async fn values_of_a_unique_column_change_places_within_a_batch() -> Result<(), Error> {
    let (store, _database) = fresh().await?;
    let definition = definition(ACCOUNTS, 1);
    store.prepare(&definition).await?;
    let fence = lease(&store, &definition, 1).await?;
    let put = |name, email| upsert(&definition, 1, with_email(name, email));
    write(&store, &fence, 1, vec![put("ada", "1"), put("bob", "2"), put("eve", "3")]).await?;
    write(&store, &fence, 2, vec![put("ada", "2"), put("bob", "1")]).await?;
    let key = ACCOUNTS.key_of(&account("eve", 0));
    let gone = RowChange::Delete { table: definition.table_of(1).expect("one"), key };
    write(&store, &fence, 3, vec![put("zoe", "3"), gone]).await?;
    let work = UnitOfWork::new().row(put("ada", "3")).row(put("zoe", "2"));
    store.commit(work).await?;
    Ok(())
}

/// An error of something else that names no table of the batch is no refusal of its rows.
#[tokio::test]
async fn an_error_of_another_table_is_no_refusal() -> Result<(), Error> {
    let (store, _database) = fresh().await?;
    let definition = definition(ACCOUNTS, 1);
    store.prepare(&definition).await?;
    let fence = lease(&store, &definition, 1).await?;
    run(
        store.pool(),
        "CREATE TABLE audit (account text PRIMARY KEY);
         CREATE FUNCTION audit() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN INSERT INTO public.audit VALUES ('one'); RETURN NULL; END $$;
         CREATE TRIGGER audit AFTER INSERT ON annals.accounts_v1_1 FOR EACH ROW EXECUTE FUNCTION audit()",
    )
    .await?;
    let rows = ["ada", "bob"].map(|name| upsert(&definition, 1, account(name, 1)));
    let failed = write(&store, &fence, 1, rows.into()).await.unwrap_err();
    assert!(matches!(failed, WriteError::Store(_)), "{}", told(&failed));
    Ok(())
}

#[tokio::test]
async fn names_that_postgres_does_not_take_are_refused() -> Result<(), Error> {
    let (store, _database) = fresh().await?;
    const LONG: &Table = &Table::new(
        "a_table_whose_name_is_so_long_that_postgresql_would_cut_it_off_without_a_word",
        &[TableColumn::new("key", ColumnKind::Text, false)],
        &[0],
    );
    const SYSTEM: &Table =
        &Table::new("system", &[TableColumn::new("xmin", ColumnKind::Text, false)], &[0]);
    let refused = store.prepare(&definition(LONG, 1)).await.unwrap_err();
    assert!(refused.to_string().contains("1 to 63 bytes"), "{refused}");
    let refused = store.prepare(&definition(SYSTEM, 1)).await.unwrap_err();
    assert!(refused.to_string().contains("takes no column `xmin`"), "{refused}");
    Ok(())
}
