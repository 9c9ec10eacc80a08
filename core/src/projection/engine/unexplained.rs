//! Rows that are there, though no event goes to them.

use super::operator::Operator;
use crate::projection::ModelDefinition;
use crate::read_model::RowKey;
use crate::store::StoreError;

/// How many rows are read at once.
const PAGE: usize = 1_000;

impl Operator {
    /// The key of a row that is there, by its text, whose columns nobody knows: all rows are looked at.
    pub(super) async fn unexplained(
        &self,
        definition: &ModelDefinition,
        key: &str,
    ) -> Result<Option<RowKey>, StoreError> {
        let Some(table) = definition.table else { return Ok(None) };
        let mut rows = self.shared.rows.rows_at_once(definition).await?;
        loop {
            let page = rows.next_page(PAGE).await?;
            if page.is_empty() {
                return Ok(None);
            }
            let mut keys = page.iter().map(|row| table.key_of(row));
            if let Some(found) = keys.find(|found| found.to_string() == key) {
                return Ok(Some(found));
            }
        }
    }
}
