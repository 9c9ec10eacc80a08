//! Rows of one read model: which of them, in which order, how many.

use std::marker::PhantomData;

use super::column::{Comparison, Is, Test};
use super::{
    ColumnError, Condition, ModelKey, Order, ReadModel, ReadModelError, ReadModels, Row, Select,
    Table, Value,
};
use crate::codec::{Payload, PayloadCodec, PayloadOf};
use crate::projection::Projection;

/// Asks for rows of the read model `M`.
///
/// Rows are found by their key and by columns with an index, and read in an order, in pages. Nothing wider: joins and sums are
/// SQL, for which a store's pool is there.
///
/// # Cancel safety
///
/// A dropped call has read nothing that anyone misses.
#[derive(Debug)]
#[must_use]
pub struct Rows<M> {
    models: ReadModels,
    select: Select,
    /// The row behind which to begin.
    after: Option<Row>,
    /// The first mistake in what was asked.
    fault: Option<ReadModelError>,
    of: PhantomData<fn() -> M>,
}

impl<M: Projection> Rows<M> {
    pub(super) fn new(models: ReadModels) -> Self {
        Self { models, select: Select::default(), after: None, fault: None, of: PhantomData }
    }

    /// Reads only rows that meet a condition; several have to be met all.
    pub fn filter(mut self, condition: Condition<M>) -> Self {
        let Condition { column, is, .. } = condition;
        match is {
            Ok(is) => self.select.tests.push(Test { column, is }),
            Err(source) => self.refuse(column, source),
        }
        self
    }

    /// Reads rows in the order of a column; a second one orders those that are the same in the first. In the end, and if no
    /// order is given, it is that of the key.
    #[expect(clippy::needless_pass_by_value, reason = "what a column gives is passed on")]
    pub fn order_by(mut self, order: Order<M>) -> Self {
        self.select.order.push(order.key);
        self
    }

    /// Reads so many rows at most.
    pub fn limit(mut self, rows: u64) -> Self {
        self.select.limit = Some(rows);
        self
    }

    /// Reads on behind a row, in the order that is asked for: the last row of a page begins the next.
    pub fn after(mut self, row: &M) -> Self {
        match row.to_row() {
            Ok(row) => self.after = Some(row),
            Err(source) => {
                self.fault.get_or_insert(ReadModelError::Behind { model: M::TABLE.name, source });
            }
        }
        self
    }

    pub(super) fn with_key(mut self, key: &M::Key) -> Self {
        match key.to_row_key() {
            Ok(key) => {
                let tests = M::TABLE.key.iter().zip(key.0).map(|(&column, value)| Test {
                    column,
                    is: Is::Compared(Comparison::Equal, value),
                });
                self.select.tests.extend(tests);
            }
            Err(source) => self.refuse(M::TABLE.key[0], source),
        }
        self
    }

    /// Reads the rows.
    ///
    /// # Errors
    ///
    /// When the store cannot be read, a row does not read as its type, or what was to be waited for does not come.
    pub async fn fetch(self) -> Result<Vec<M>, ReadModelError> {
        let (models, select) = self.sound().await?;
        let rows = models.select((M::TABLE, M::VERSION), &select).await?;
        let rows =
            rows.ok_or(ReadModelError::Missing { model: M::TABLE.name, version: M::VERSION });
        rows?.into_iter().map(|row| read_row(row, models.store.row_codec())).collect()
    }

    /// Reads the first of the rows, if there is any.
    ///
    /// # Errors
    ///
    /// As [`fetch`](Self::fetch).
    pub async fn first(self) -> Result<Option<M>, ReadModelError> {
        Ok(self.limit(1).fetch().await?.pop())
    }

    /// Reads the one row that there is at most.
    ///
    /// # Errors
    ///
    /// As [`fetch`](Self::fetch), and [`ReadModelError::NotUnique`] if there are more.
    pub async fn one(self) -> Result<Option<M>, ReadModelError> {
        let mut rows = self.limit(2).fetch().await?;
        match rows.len() {
            0 | 1 => Ok(rows.pop()),
            _ => Err(ReadModelError::NotUnique { model: M::TABLE.name }),
        }
    }

    /// Counts the rows, whatever the limit.
    ///
    /// # Errors
    ///
    /// As [`fetch`](Self::fetch).
    pub async fn count(self) -> Result<u64, ReadModelError> {
        let (models, select) = self.sound().await?;
        let count = models.count((M::TABLE, M::VERSION), &select.tests).await?;
        count.ok_or(ReadModelError::Missing { model: M::TABLE.name, version: M::VERSION })
    }

    async fn sound(self) -> Result<(ReadModels, Select), ReadModelError> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        if let Some(after) = &self.models.after {
            self.models.progress.wait_for::<M>(&*self.models.store, after).await?;
        }
        let select = self.select.ordered_by_key(M::TABLE);
        let select = match &self.after {
            Some(row) => select.after(row),
            None => select,
        };
        Ok((self.models, select))
    }

    fn refuse(&mut self, column: usize, source: ColumnError) {
        let column = M::TABLE.columns[column].name;
        self.fault.get_or_insert(ReadModelError::Argument { model: M::TABLE.name, column, source });
    }
}

/// Reads a row as its type, once its JSON is opened.
pub(crate) fn read_row<M: ReadModel>(
    row: Row,
    codec: &dyn PayloadCodec,
) -> Result<M, ReadModelError> {
    let model = M::TABLE.name;
    open_row(M::TABLE, row, codec)
        .and_then(M::from_row)
        .map_err(|source| ReadModelError::Row { model, source })
}

/// Opens the JSON in a row.
pub(crate) fn open_row(
    table: &'static Table,
    row: Row,
    codec: &dyn PayloadCodec,
) -> Result<Row, ColumnError> {
    let of = PayloadOf::Row { model: table.name };
    on_json(row, |payload| {
        let json = codec.open(of, &payload).map_err(|error| ColumnError::new(error.to_string()))?;
        Ok(Payload::new(&*json))
    })
}

/// Seals the JSON in a row.
pub(crate) fn seal_row(
    table: &'static Table,
    row: Row,
    codec: &dyn PayloadCodec,
) -> Result<Row, ColumnError> {
    let of = PayloadOf::Row { model: table.name };
    on_json(row, |payload| {
        let json = payload.as_str().to_owned();
        codec.seal(of, json).map_err(|error| ColumnError::new(error.to_string()))
    })
}

fn on_json(
    mut row: Row,
    mut change: impl FnMut(Payload) -> Result<Payload, ColumnError>,
) -> Result<Row, ColumnError> {
    for value in &mut row.0 {
        if let Value::Json(payload) = value {
            *payload = change(payload.clone())?;
        }
    }
    Ok(row)
}
