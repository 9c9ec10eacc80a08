//! Columns of types that other crates have: the same in memory and on PostgreSQL, and in the order that the types have.
//!
//! They stand apart from the other tests, which have none of the features on.

mod keys;
mod model;
mod random;
mod refused;
mod values;

use std::time::Duration;

use annals::projection::{ModelDefinition, Projection};
use annals::read_model::ReadModel;
use annals::{CheckpointChange, Fence, Position, ReadModelStore, RowChange};
use annals_postgres::PostgresStore;
use annals_postgres::testing::TestDatabase;

type Error = Box<dyn std::error::Error + Send + Sync>;

/// A store in a database of its own, which is removed at the end.
async fn fresh() -> Result<(PostgresStore, TestDatabase), Error> {
    let database = TestDatabase::create().await?;
    let store = PostgresStore::connect(database.url()).await?;
    store.migrate().await?;
    Ok((store, database))
}

/// Writes rows of one read model, whose table it makes.
struct Writer<S> {
    store: S,
    definition: ModelDefinition,
    fence: Fence,
    position: u64,
}

impl<S: ReadModelStore> Writer<S> {
    async fn of<M: Projection>(store: S) -> Result<Self, Error> {
        let events = vec!["Happened".to_owned()];
        let definition = ModelDefinition::new(M::NAME, M::VERSION, Some(M::TABLE), events);
        store.prepare(&definition).await?;
        let hour = Duration::from_hours(1);
        let fence = store.claim_lease(&definition.reader(1), "owner", hour).await?;
        Ok(Self { store, definition, fence: fence.expect("nobody else holds it"), position: 0 })
    }

    async fn put<M: ReadModel>(&mut self, row: &M) -> Result<(), Error> {
        let table = self.definition.table_of(1).expect("it has a table");
        self.change(RowChange::Upsert { table, row: row.to_row()? }).await
    }

    async fn delete<M: ReadModel>(&mut self, row: &M) -> Result<(), Error> {
        let table = self.definition.table_of(1).expect("it has a table");
        self.change(RowChange::Delete { table, key: M::TABLE.key_of(&row.to_row()?) }).await
    }

    async fn change(&mut self, change: RowChange) -> Result<(), Error> {
        self.position += 1;
        let position = Position::from(self.position);
        let checkpoint = CheckpointChange { fence: self.fence.clone(), position };
        Ok(self.store.write_rows(vec![change], checkpoint).await?)
    }
}

/// All that an error says, its causes included.
fn told(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// A number as it is written.
fn number(text: &str) -> rust_decimal::Decimal {
    text.parse().expect("a decimal number")
}
