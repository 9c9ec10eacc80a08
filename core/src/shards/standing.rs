//! Where the shards of a reader are, and what that means for a key.

use std::sync::Arc;

use super::layout::{Floor, Layout, floor_of};
use super::shard::Shard;
use super::slice::slice_of;
use crate::position::Position;

/// Where the shards of a reader are, at one instant.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Standing {
    /// How it is divided.
    pub layout: Layout,
    /// The checkpoint of each shard; `None` of one that never began.
    pub reached: Vec<Option<Position>>,
}

impl Standing {
    /// Makes one from its parts; checkpoints that are missing never began.
    pub fn new(layout: Layout, mut reached: Vec<Option<Position>>) -> Self {
        reached.resize(layout.shards as usize, None);
        Self { layout, reached }
    }

    /// Up to where all shards have come.
    pub fn lowest(&self) -> Position {
        self.reached.iter().min().copied().flatten().unwrap_or_default()
    }

    /// Up to where the shard or the slice has come that is furthest on.
    pub fn highest(&self) -> Position {
        let floors = self.layout.floors.iter().map(|floor| Some(floor.position));
        self.reached.iter().copied().chain(floors).max().flatten().unwrap_or_default()
    }

    /// The positions up to where slices have been done, each once, in their order.
    pub fn positions(&self) -> Vec<Position> {
        let floors = self.layout.floors.iter().map(|floor| floor.position);
        let reached = self.reached.iter().map(|reached| reached.unwrap_or_default());
        let mut positions: Vec<Position> = reached.chain(floors).collect();
        positions.sort_unstable();
        positions.dedup();
        positions
    }

    /// Up to where a key has been done.
    pub fn of_key(&self, key: &str) -> Position {
        let slice = slice_of(key);
        let shard = Shard::of_slice(slice, self.layout.shards);
        let reached = self.reached.get(shard.index() as usize).copied().flatten();
        let reached = reached.unwrap_or_default();
        floor_of(&self.layout.floors, slice).map_or(reached, |floor| floor.max(reached))
    }

    /// What the shard of a number has to do; `None` if there is none.
    pub fn part(&self, index: u32) -> Option<Part> {
        let shard = Shard::new(index, self.layout.shards)?;
        let reached = self.reached.get(index as usize).copied().flatten();
        let floors = self.layout.floors.iter().filter(|floor| Some(floor.position) > reached);
        Some(Part { shard, floors: floors.cloned().collect(), until: None })
    }
}

/// What one shard has to do: the events for its keys, but those that a key is past.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    shard: Shard,
    floors: Vec<Floor>,
    /// Of each key, no more is to be done than is done there.
    until: Option<Arc<Standing>>,
}

impl Part {
    /// All of a reader that is not divided.
    pub const WHOLE: Self = Self { shard: Shard::WHOLE, floors: Vec::new(), until: None };

    /// Of all keys what shards that stand there have done.
    pub(crate) fn done_by(standing: Standing) -> Self {
        Self { until: Some(Arc::new(standing)), ..Self::WHOLE }
    }

    /// The shard.
    pub const fn shard(&self) -> Shard {
        self.shard
    }

    /// Whether it has all keys, from wherever it is.
    pub const fn is_whole(&self) -> bool {
        self.shard.of() == 1 && self.floors.is_empty() && self.until.is_none()
    }

    /// Whether it has a key, by its text.
    pub fn has_key(&self, key: &str) -> bool {
        self.shard.has_key(key)
    }

    /// Whether the event at a position is to be done for a key, by its text: by this shard, and not yet.
    pub fn takes(&self, key: &str, position: Position) -> bool {
        if self.is_whole() {
            return true;
        }
        let slice = slice_of(key);
        self.shard.has(slice)
            && self.floor(slice).is_none_or(|floor| position > floor)
            && self.until.as_ref().is_none_or(|until| position <= until.of_key(key))
    }

    /// Up to where a key of it has been done while the shard is at `reached`.
    pub fn done(&self, key: &str, reached: Position) -> Position {
        if self.floors.is_empty() {
            return reached;
        }
        self.floor(slice_of(key)).map_or(reached, |floor| floor.max(reached))
    }

    fn floor(&self, slice: u32) -> Option<Position> {
        floor_of(&self.floors, slice)
    }
}

impl Default for Part {
    fn default() -> Self {
        Self::WHOLE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Standing {
        /// The shards that do an event for a key.
        fn takers(&self, key: &str, position: Position) -> Vec<u32> {
            let all = Shard::all(self.layout.shards).map(Shard::index);
            all.filter(|index| {
                let reads = self.reached[*index as usize] < Some(position);
                reads && self.part(*index).unwrap().takes(key, position)
            })
            .collect()
        }
    }

    #[test]
    fn what_others_have_done_of_each_key_is_done_once_more_and_no_more() {
        let at = |position: u64| Some(Position::from(position));
        let four = Standing::new(Layout::of(4), vec![at(10), at(30), at(20), None]);
        let (layout, reached) = four.layout.divided(&four.reached, 3);
        let standing = Standing::new(layout, reached);
        let part = Part::done_by(standing.clone());
        for key in (0..100).map(|key| key.to_string()) {
            let done = standing.of_key(&key);
            for position in (1..40).map(Position::from) {
                assert_eq!(part.takes(&key, position), position <= done, "{key} at {position}");
            }
        }
    }

    #[test]
    fn an_event_is_done_once_for_each_key_however_often_the_number_changes() {
        let at = |position: u64| Some(Position::from(position));
        let mut standing = Standing::new(Layout::of(4), vec![at(10), at(30), at(20), None]);
        for into in [7, 2, 1, 30, 3] {
            let before = standing.clone();
            let (layout, reached) = standing.layout.divided(&standing.reached, into);
            standing = Standing::new(layout, reached);
            assert_eq!(standing.lowest(), before.lowest());
            assert_eq!(standing.highest(), before.highest());
            for key in (0..100).map(|key| key.to_string()) {
                let done = before.of_key(&key);
                assert_eq!(standing.of_key(&key), done);
                for position in (1..40).map(Position::from) {
                    let takers: Vec<u32> = standing.takers(&key, position);
                    let of = Shard::of_key(&key, into).index();
                    let wanted = if position > done { vec![of] } else { Vec::new() };
                    assert_eq!(takers, wanted, "{key} at {position}, done up to {done}");
                }
            }
        }
    }
}
