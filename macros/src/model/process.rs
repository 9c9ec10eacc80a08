//! `#[process]` with its `#[on]`, `#[rejected]` and `#[deadline]`.

use crate::model::{CratePath, MarkedImpl};

/// A `#[process]` impl.
pub(crate) struct Process {
    pub(crate) block: MarkedImpl,
    pub(crate) crate_path: CratePath,
}
