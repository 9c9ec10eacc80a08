//! One of the shards into which a reader is divided.

use std::ops::Range;

use super::slice::{SLICES, slice_of};

/// One of the shards into which a reader is divided: a range of slices, and the keys in them.
///
/// ```
/// use annals::shards::Shard;
///
/// let of_four: Vec<Shard> = Shard::all(4).collect();
/// assert_eq!(of_four.iter().filter(|shard| shard.has_key("ada")).count(), 1);
/// assert_eq!(of_four[1].slices(), 256..512);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Shard {
    index: u32,
    of: u32,
}

impl Shard {
    /// The only shard of a reader that is not divided.
    pub const WHOLE: Self = Self { index: 0, of: 1 };

    /// The shard of a number, from 0 on, among so many; `None` if there is none.
    pub const fn new(index: u32, of: u32) -> Option<Self> {
        if index < of && of <= SLICES { Some(Self { index, of }) } else { None }
    }

    /// All shards of a reader that has so many.
    pub fn all(of: u32) -> impl Iterator<Item = Self> {
        (0..of.min(SLICES)).map(move |index| Self { index, of })
    }

    /// The shard that has a slice, among so many.
    pub const fn of_slice(slice: u32, of: u32) -> Self {
        Self { index: slice * of / SLICES, of }
    }

    /// The shard that has a key, by its text, among so many.
    pub fn of_key(key: &str, of: u32) -> Self {
        if of <= 1 { Self::WHOLE } else { Self::of_slice(slice_of(key), of) }
    }

    /// Its number, from 0 on.
    pub const fn index(self) -> u32 {
        self.index
    }

    /// How many there are.
    pub const fn of(self) -> u32 {
        self.of
    }

    /// Its slices. No two shards differ by more than one slice.
    pub fn slices(self) -> Range<u32> {
        let first = |index: u32| (index * SLICES).div_ceil(self.of);
        first(self.index)..first(self.index + 1)
    }

    /// Whether it has a slice.
    pub const fn has(self, slice: u32) -> bool {
        Self::of_slice(slice, self.of).index == self.index
    }

    /// Whether it has a key, by its text.
    pub fn has_key(self, key: &str) -> bool {
        self.of == 1 || self.has(slice_of(key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_slice_is_of_one_shard() {
        for of in 1..=SLICES {
            let mut next = 0;
            for shard in Shard::all(of) {
                let slices = shard.slices();
                assert_eq!(slices.start, next, "{shard:?}");
                assert!(slices.len() - usize::try_from(SLICES / of).unwrap() <= 1, "{shard:?}");
                assert!(slices.clone().all(|slice| shard.has(slice)), "{shard:?}");
                next = slices.end;
            }
            assert_eq!(next, SLICES);
        }
    }

    #[test]
    fn a_shard_is_one_of_those_that_there_are() {
        assert_eq!(Shard::new(0, 1), Some(Shard::WHOLE));
        assert_eq!(Shard::new(1, 1), None);
        assert_eq!(Shard::new(0, 0), None);
        assert_eq!(Shard::new(0, SLICES + 1), None);
        assert!(Shard::new(SLICES - 1, SLICES).is_some());
    }
}
