//! Readers of the log that are divided: which shard has a key, and how the number of shards changes while they run.
//!
//! Keys are spread over 1,024 [slices](slice_of) by a hash that never changes, and the slices over the shards in ranges. Each
//! [`Shard`] of a reader has a [`CheckpointId`](crate::CheckpointId) of its own, by its `shard`: a lease, an epoch and a checkpoint.
//! It reads the whole log, and goes by the events for its keys.
//!
//! What is kept beside is the [`Layout`]: how many shards there are, and the slices that are further on than the shard that has
//! them now. Shards are not at one place when their number changes, and need not come to one: each slice has been done up to
//! somewhere, a new shard begins where the first of its slices is, and an event that a slice is [past](Part::takes) is left
//! out for it. So the number changes in [one step](crate::ShardedStore::divide), which gives all leases of the reader up. Whoever
//! takes one afterwards looks at the [`Standing`] then: as long as its lease holds, that stays as it is.
//!
//! It knows nothing of what a key is: a row, a process, a reactor's instance.

mod hanging;
mod layout;
mod places;
mod seats;
mod shard;
mod slice;
mod standing;

pub(crate) use self::hanging::Hanging;
pub use self::layout::{Division, Floor, Layout};
pub(crate) use self::places::{Place, Places};
#[cfg(feature = "cli")]
pub(crate) use self::seats::marked;
pub(crate) use self::seats::{Seats, Share};
pub use self::shard::Shard;
pub use self::slice::{SLICES, slice_of};
pub use self::standing::{Part, Standing};
