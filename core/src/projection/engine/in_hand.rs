//! Of which rebuilds a task of this program takes care: of each, one at a time.

use std::collections::HashSet;
use std::sync::{MutexGuard, PoisonError};

use super::operator::Operator;

/// A rebuild: of a projection and version, of all rows or of one.
pub(super) type Name = (String, u32, Option<String>);

/// A rebuild of which a task takes care, until this is dropped: by a task that panics, too.
pub(super) struct InHand {
    operator: Operator,
    name: Name,
}

impl Operator {
    /// Has a task take care of a rebuild; `None` if another one does.
    pub(super) fn take_in_hand(&self, name: Name) -> Option<InHand> {
        let is_new = self.in_hand().insert(name.clone());
        is_new.then(|| InHand { operator: self.clone(), name })
    }

    pub(super) fn is_in_hand(&self, name: &Name) -> bool {
        self.in_hand().contains(name)
    }

    fn in_hand(&self) -> MutexGuard<'_, HashSet<Name>> {
        self.shared.in_hand.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for InHand {
    fn drop(&mut self) {
        self.operator.in_hand().remove(&self.name);
    }
}
