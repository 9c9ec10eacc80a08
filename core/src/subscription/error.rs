//! Why a subscription ends, or cannot acknowledge.

use crate::position::Position;
use crate::store::StoreError;

/// Why a subscription ended, did not begin, or could not acknowledge.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SubscriptionError {
    /// Another subscriber of the same durable name has taken over, as after a pause that was longer than the lease: what
    /// this one has not acknowledged is delivered to that one.
    #[error("subscription `{name}` has passed to another owner")]
    Fenced {
        /// The durable name.
        name: String,
    },
    /// The store cannot be read or written, and trying again would not help. The message is the store's own.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The event that was acknowledged has not been delivered.
    #[error(
        "acknowledge position {position}: the subscription has delivered up to position {delivered} only"
    )]
    NotDelivered {
        /// The position that was acknowledged.
        position: Position,
        /// The position of the last event that was delivered.
        delivered: Position,
    },
    /// The subscription has no durable name under which anything could be kept.
    #[error(
        "acknowledge position {position}: the subscription has no name to keep it under; subscribe with `.durable(\"…\")`"
    )]
    NotDurable {
        /// The position that was acknowledged.
        position: Position,
    },
}
