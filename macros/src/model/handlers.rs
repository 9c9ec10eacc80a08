//! `#[handlers]` with its `#[apply]` and `#[handle]`.

use crate::model::{CratePath, MarkedImpl};

/// A `#[handlers]` impl.
pub(crate) struct Handlers {
    pub(crate) block: MarkedImpl,
    pub(crate) crate_path: CratePath,
}
