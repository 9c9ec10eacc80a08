//! Which version the public name of a read model shows.

use super::EngineError;
use super::operator::Operator;
use crate::projection::{Showing, Shown};

impl Operator {
    /// Has the public name of a read model show a version, in one step: back to an older one, too. By [`Showing::Whole`], one that is
    /// behind the log's end, or has rows whose events are parked, is not shown, and it is told how far it is behind.
    ///
    /// # Errors
    ///
    /// When the version is not kept, or the store cannot be written.
    pub async fn show_version(
        &self,
        projection: &str,
        version: u32,
        showing: Showing,
    ) -> Result<Shown, EngineError> {
        // Rows that are written with their events are never behind, and have no reader that says so.
        let is_inline = self
            .shared
            .inline
            .iter()
            .any(|inline| inline.projection == projection && inline.version == version);
        let showing = if is_inline { Showing::AsItIs } else { showing };
        Ok(self.shared.rows.show_version(projection, version, showing).await?)
    }
}
