//! How a reader is divided, and how that changes.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::shard::Shard;
use super::slice::SLICES;
use crate::position::Position;
use crate::store::StoreError;

/// How a reader is divided, as a store keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Layout {
    /// How many shards it has.
    pub shards: u32,
    /// The slices that are further on than the checkpoint of their shard, as it was when the number changed last; in order.
    pub floors: Vec<Floor>,
}

/// Slices up to where they have been done, though the shard that has them now is behind that.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Floor {
    /// The slices.
    pub slices: Range<u32>,
    /// Up to where they have been done.
    pub position: Position,
}

/// How many shards a reader is to have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Division {
    /// So many, unless somebody has said a number before.
    AtFirst(u32),
    /// So many from now on.
    FromNow(u32),
}

impl Division {
    /// The number.
    ///
    /// # Errors
    ///
    /// When there cannot be so many.
    pub fn shards(self) -> Result<u32, StoreError> {
        let (Self::AtFirst(shards) | Self::FromNow(shards)) = self;
        if (1..=SLICES).contains(&shards) {
            return Ok(shards);
        }
        Err(StoreError::invalid(format!("{shards} shards: there are 1 to {SLICES}")))
    }
}

impl Default for Layout {
    fn default() -> Self {
        Self { shards: 1, floors: Vec::new() }
    }
}

impl Layout {
    /// One of so many shards, each of which is where its checkpoint says.
    pub const fn of(shards: u32) -> Self {
        Self { shards, floors: Vec::new() }
    }

    /// Reads one as it is kept.
    ///
    /// # Errors
    ///
    /// When the floors do not read.
    pub fn read(shards: u32, floors: &str) -> Result<Self, StoreError> {
        let floors = serde_json::from_str(floors).map_err(|error| {
            StoreError::other("the layout of a reader does not read").with_source(error)
        })?;
        Ok(Self { shards, floors })
    }

    /// The floors as they are kept.
    pub fn kept_floors(&self) -> String {
        // Cannot fail: numbers only.
        serde_json::to_string(&self.floors).unwrap_or_default()
    }

    /// Up to where a slice has been done, where that is further than its shard was when the number changed.
    pub fn floor(&self, slice: u32) -> Option<Position> {
        floor_of(&self.floors, slice)
    }

    /// The layout of other shards, and their checkpoints: no slice is done again, and none is passed over.
    ///
    /// `reached` are the checkpoints of the present shards, in their order; one that is missing has not begun.
    #[must_use]
    pub fn divided(
        &self,
        reached: &[Option<Position>],
        into: u32,
    ) -> (Self, Vec<Option<Position>>) {
        let done = |slice| {
            let of_shard = Shard::of_slice(slice, self.shards).index() as usize;
            self.floor(slice).max(reached.get(of_shard).copied().flatten())
        };
        let (mut floors, mut checkpoints) = (Vec::<Floor>::new(), Vec::new());
        for shard in Shard::all(into) {
            let first = shard.slices().map(done).min().flatten();
            checkpoints.push(first);
            for slice in shard.slices() {
                let Some(position) = done(slice).filter(|at| Some(*at) > first) else { continue };
                match floors.last_mut() {
                    Some(last) if last.slices.end == slice && last.position == position => {
                        last.slices.end = slice + 1;
                    }
                    _ => floors.push(Floor { slices: slice..slice + 1, position }),
                }
            }
        }
        (Self { shards: into, floors }, checkpoints)
    }
}

/// The floor of a slice, among floors in order.
pub(super) fn floor_of(floors: &[Floor], slice: u32) -> Option<Position> {
    let first = floors.partition_point(|floor| floor.slices.end <= slice);
    floors.get(first).filter(|floor| floor.slices.contains(&slice)).map(|floor| floor.position)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::unnecessary_wraps, reason = "a shard may have no checkpoint yet")]
    fn at(position: u64) -> Option<Position> {
        Some(Position::from(position))
    }

    fn done(layout: &Layout, reached: &[Option<Position>]) -> Vec<Option<Position>> {
        let of = |slice| reached[Shard::of_slice(slice, layout.shards).index() as usize];
        (0..SLICES).map(|slice| layout.floor(slice).max(of(slice))).collect()
    }

    #[test]
    fn a_new_shard_begins_where_the_first_of_its_slices_is() {
        let four = Layout::of(4);
        let (two, reached) = four.divided(&[at(10), at(30), at(20), at(20)], 2);
        assert_eq!(reached, [at(10), at(20)]);
        assert_eq!(two.floors, [Floor { slices: 256..512, position: Position::from(30) }]);
        let (one, reached) = two.divided(&[at(25), at(40)], 1);
        assert_eq!(reached, [at(25)]);
        assert_eq!(
            one.floors,
            [
                Floor { slices: 256..512, position: Position::from(30) },
                Floor { slices: 512..1024, position: Position::from(40) }
            ]
        );
        let (again, reached) = one.divided(&[at(50)], 3);
        assert_eq!((again, reached), (Layout::of(3), vec![at(50); 3]));
    }

    #[test]
    fn what_has_not_begun_begins_at_the_beginning() {
        let (layout, reached) = Layout::of(2).divided(&[None, at(5)], 1);
        assert_eq!(reached, [None]);
        assert_eq!(layout.floors, [Floor { slices: 512..1024, position: Position::from(5) }]);
        assert_eq!(Layout::of(1).divided(&[None], 4), (Layout::of(4), vec![None; 4]));
    }

    /// Whatever the numbers and wherever the shards are: each slice is done up to where it was.
    #[test]
    fn no_change_of_the_number_moves_a_slice() {
        let mut rng = fastrand::Rng::with_seed(7);
        let mut layout = Layout::of(1);
        let mut reached = vec![None];
        for _ in 0..60 {
            for position in &mut reached {
                let before = position.map_or(0, Position::get);
                if rng.bool() {
                    *position = at(before + rng.u64(..50));
                }
            }
            let before = done(&layout, &reached);
            let into = if rng.bool() { rng.u32(1..9) } else { rng.u32(1..=SLICES) };
            (layout, reached) = layout.divided(&reached, into);
            assert_eq!(done(&layout, &reached), before);
            let read = Layout::read(layout.shards, &layout.kept_floors()).unwrap();
            assert_eq!(read, layout);
        }
    }

    #[test]
    fn there_are_1_to_1024_shards() {
        for shards in [0, SLICES + 1] {
            let refused = Division::FromNow(shards).shards().unwrap_err();
            assert!(refused.to_string().contains("there are 1 to 1024"), "{refused}");
        }
        assert_eq!(Division::AtFirst(1).shards().unwrap(), 1);
        assert_eq!(Division::FromNow(SLICES).shards().unwrap(), SLICES);
    }
}
