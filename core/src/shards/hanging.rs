//! A change of the number of shards that hangs: the log is told, and not too often.

use std::time::{Duration, Instant};

/// Since when a change of the number hangs, and when that was told.
#[derive(Default)]
pub(crate) struct Hanging {
    since: Option<Instant>,
    told: Option<Instant>,
}

impl Hanging {
    /// For how long it hangs, if that is to be told now: once it has for so long, and then as often.
    pub(crate) fn is_told(&mut self, every: Duration) -> Option<Duration> {
        let since = *self.since.get_or_insert_with(Instant::now);
        if self.told.unwrap_or(since).elapsed() < every {
            return None;
        }
        self.told = Some(Instant::now());
        Some(since.elapsed())
    }

    /// It hangs no more.
    pub(crate) fn ends(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_told_late_and_seldom() {
        let (mut hanging, every) = (Hanging::default(), Duration::from_millis(50));
        assert_eq!(hanging.is_told(every), None, "it may be done at any moment");
        std::thread::sleep(every);
        assert!(hanging.is_told(every) >= Some(every));
        assert_eq!(hanging.is_told(every), None, "it was told");
        std::thread::sleep(every);
        assert!(hanging.is_told(every) >= Some(2 * every));
        hanging.ends();
        assert_eq!(hanging.is_told(every), None);
    }
}
