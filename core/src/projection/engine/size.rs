//! How many events a batch has: more while batches are quick, fewer when they are slow or fail.

use std::time::Duration;

/// With how many a projection begins.
const FIRST: usize = 512;

/// A batch that takes longer is too large, one that takes a quarter of it may grow.
const LONGEST: Duration = Duration::from_millis(800);

#[derive(Debug)]
pub(super) struct Size {
    events: usize,
    most: usize,
}

impl Size {
    pub(super) fn new(most: usize) -> Self {
        Self { events: FIRST.min(most), most }
    }

    pub(super) const fn get(&self) -> usize {
        self.events
    }

    /// Takes in how long a batch of so many events took.
    pub(super) fn took(&mut self, events: usize, time: Duration) {
        if time > LONGEST {
            self.shrink();
        } else if events >= self.events && time < LONGEST / 4 {
            self.events = (self.events * 2).min(self.most);
        }
    }

    pub(super) fn shrink(&mut self) {
        self.events = (self.events / 2).max(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_grow_while_they_are_quick_and_shrink_when_they_are_slow() {
        let mut size = Size::new(5_000);
        for _ in 0..10 {
            size.took(size.get(), Duration::from_millis(20));
        }
        assert_eq!(size.get(), 5_000);
        size.took(5_000, Duration::from_secs(2));
        assert_eq!(size.get(), 2_500);
        // One that was not full says nothing.
        size.took(3, Duration::from_millis(1));
        assert_eq!(size.get(), 2_500);
        for _ in 0..20 {
            size.shrink();
        }
        assert_eq!(size.get(), 1);
    }
}
